"""Sample encodes: what a source needs at a size and a Crf, and how good it then is.

A sample is a Transcode output with a Clip, so that filters, frame rate, key frames and encoder are
those of the renditions; all points of a sample share one decode. Specification: analysis, 6;
ffmpeg facts, "Predicting bit rate".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.analysis.classes import largest_edge
from activities.analysis.estimates import LEAST_CRF, MOST_CRF, Point, Reading
from activities.analysis.inference import Encoded, Inference, part, whole
from activities.analysis.picture import PictureDecision
from activities.analysis.rates import RateControl, share_cut
from activities.analysis.samples import Sample
from activities.analysis.templates import video_section
from activities.ffmpeg import graph
from activities.ffmpeg.graph import GraphStream
from activities.probe import MediaInfo
from activities.probe.samples import flows
from activities.quality import Metric, compare, comparison
from activities.templates import from_analysis
from activities.transcode.command.commands import commands
from activities.transcode.command.decode import Decode, RenditionTarget
from activities.transcode.command.filters import filter_names
from activities.transcode.command.rendition import Rendition
from activities.transcode.model.output import TranscodeOutput
from activities.transcode.model.settings import settings_of
from activities.transcode.resolve.rendition import resolve
from activities.transcode.source.scene import OutputRequest
from activities.transcode.source.timeline import timeline_of
from workflow_engine.activity import ActivityContext, PlanContext
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Json

#: of VMAF, every third picture is measured, or less often: about so many of all samples
SUBSAMPLE, _PICTURES = 3, 60
#: seconds of a sample, in its middle, in which they lie; pictures beside each other are much alike
_JUDGED = 1.0
#: samples on which sizes are held against each other: those that stand for most of the source
FEW = 2
#: an id that no template has
_SAMPLE = "S00000000-sample"


@dataclass(frozen=True, kw_only=True)
class SampleSource:
    """A source whose samples are encoded: what is known of it, and how its picture is shown.

    `whole` means that its sample is all of an output, with a last picture that is held until the
    sound ends. Else, `moving` is the share of an output in which the source has pictures.
    """

    media: MediaInfo
    planned: PlanContext
    picture: PictureDecision
    whole: bool = False
    moving: float = 1.0


def output_length(media: MediaInfo, planned: PlanContext) -> float | None:
    """Return the seconds of an output with the picture and the sound of a source.

    None where the streams do not tell their ends: nothing is held then.
    """
    entry: dict[str, Json] = {
        "Id": _SAMPLE,
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264"},
    }
    output = TranscodeOutput.model_validate({"OutputObject": "sample", "TemplateId": _SAMPLE})
    settings = settings_of(output, from_analysis(entry))
    request = OutputRequest(settings=settings, media=media, context=planned)
    sound = media.default_audio
    timeline = timeline_of(request, media.video, sound if sound and sound.decodable else None)
    return timeline.duration if timeline.exact else None


def rendition_of(source: SampleSource, sample: Sample, edge: int, crf: float) -> Rendition:
    """Return the rendition of a sample, as that of an output of this size would be."""
    entry: dict[str, Json] = {
        "Id": _SAMPLE,
        "Container": {"Format": "mp4"},
        "Video": video_section(edge, source.picture) | {"Crf": f"{crf:g}"},
    }
    output: dict[str, Json] = {"OutputObject": "sample", "TemplateId": _SAMPLE}
    sound = source.media.default_audio
    if source.whole and sound and sound.decodable:
        entry["Audio"] = {"Codec": "AAC"}
    elif not source.whole:
        span = {"Seek": f"{sample.start:.3f}", "Duration": f"{sample.length:.3f}"}
        output["Clip"] = {"TimeSpan": span}
    settings = settings_of(TranscodeOutput.model_validate(output), from_analysis(entry))
    request = OutputRequest(settings=settings, media=source.media, context=source.planned)
    rendition, _ = resolve(request)
    # it only says how long the picture is
    return replace(rendition, sound=None)


def command(
    name: str, source: SampleSource, sample: Sample, points: Sequence[Point], stems: Sequence[str]
) -> tuple[str, ...]:
    """Return the command that encodes points of a sample of the file `name` into `stems`."""
    targets = [
        RenditionTarget(rendition=rendition_of(source, sample, one.edge, one.crf), stem=stem)
        for one, stem in zip(points, stems, strict=True)
    ]
    (line,) = commands(name, targets)
    return line


class Sizes:
    """The packets of an encode: seconds at which each is decoded, bytes, and if it is a key."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, int, bool]] = []

    def add(self, begin: float | None, seconds: float | None, size: int, key: bool = False) -> None:
        """Take the next packet."""
        self.packets.append((begin or 0.0, size, key))


@dataclass(frozen=True, kw_only=True)
class _Encode:
    """One sample at one point, and how long a second of it took.

    `sizes` are the bytes of its pictures that count, as they are decoded.
    """

    file: Path
    found: Encoded
    sizes: Sequence[int]
    seconds: float


class Meter:
    """Measures points for one run of the activity, each once."""

    def __init__(
        self, source: SampleSource, inference: Inference, context: ActivityContext
    ) -> None:
        """Measure nothing yet. Raises InstallationError when the encoder or a filter is missing."""
        samples = inference.samples
        self._source, self._samples, self._context = source, samples, context
        self._inference = inference
        there = ffmpeg.capabilities()
        there.require_encoder("libx264")
        top = largest_edge(source.picture.size)
        self._references = [rendition_of(source, one, top, LEAST_CRF) for one in samples]
        picture = self._references[0].picture
        assert picture and picture.encoding
        for name in filter_names(picture.encoding.filters):
            there.require_filter(name)
        self._rate = picture.encoding.rate
        vmaf = Metric.VMAF.filter in there.filters and Metric.VMAF.takes(picture.size)
        self.metric = Metric.VMAF if vmaf else Metric.SSIM
        by_weight = sorted(range(len(samples)), key=lambda n: -samples[n].weight)
        self._few = sorted(by_weight[:FEW])
        self._empty: set[int] = set()
        self._encodes: dict[tuple[int, float], dict[int, _Encode]] = {}
        self._quality: dict[tuple[int, float], dict[int, float]] = {}
        self.commands: list[tuple[str, ...]] = []
        #: whether every comparison went well, so that qualities are those of the metric
        self.comparable = True
        self.decode_errors = 0
        self.seconds = 0.0

    def measure(
        self, points: Sequence[Point], on_progress: Callable[[float], None]
    ) -> dict[Point, Reading]:
        """Return what the points are. `on_progress` runs from 0 to 1.

        All points so far are told when it turns out that they cannot be compared. The first points
        must not be rough. Raises ActivityError, as `ffmpeg.run` does, and when no frame can be
        read.
        """
        encodes = {
            number: points_of_it
            for number in range(len(self._samples))
            if (points_of_it := [one for one in points if self._lacks(one, number)])
        }
        comparable = self.comparable
        judged = [one for one in points if one.quality]
        done, steps = 0, len(encodes) + sum(len(self._numbers(one)) for one in judged)

        def tell(share: float) -> None:
            on_progress((done + share) / steps)

        for number, together in encodes.items():
            self._encode(number, together, tell)
            done += 1
        for point in judged:
            values = self._quality.setdefault((point.edge, point.crf), {})
            for number in self._numbers(point):
                if number not in values:
                    values[number] = self._judge(number, point, tell)
                done += 1
        if comparable and not self.comparable:
            # what was compared before is told anew, in the terms of what cannot be
            points = [Point(edge=edge, crf=crf) for edge, crf in self._encodes]
        return {one: self._reading(one) for one in points}

    def encoded(self, edge: int, control: RateControl) -> tuple[Rendition, Path] | None:
        """Return an encode of the whole source as an output would be, and its file.

        None where there is none that keeps the limits of `control`.
        """
        crf, (sample, *more) = control.crf, self._samples
        if crf is None or more or not self._source.whole:
            return None
        found = self._encodes.get((edge, crf), {}).get(0)
        if found is None:
            return None
        if share_cut(found.sizes, self._rate, control) > 0:
            return None
        rendition = rendition_of(self._source, sample, edge, crf)
        picture = rendition.picture
        assert picture and picture.encoding
        limited = replace(picture.encoding, maxrate=float(control.maxrate), bufsize=control.bufsize)
        return replace(rendition, picture=replace(picture, encoding=limited)), found.file

    def cut(self, edge: int, control: RateControl) -> float:
        """Return the share of what was encoded of a size near a Crf that a limit would cut."""
        crfs = [crf for one, crf in self._encodes if one == edge]
        nearest = min(crfs, key=lambda crf: abs(crf - (control.crf or crf)))
        encodes = self._encodes[edge, nearest].values()
        total = sum(sum(one.sizes) for one in encodes)
        cut = sum(sum(one.sizes) * share_cut(one.sizes, self._rate, control) for one in encodes)
        return cut / max(total, 1)

    def _numbers(self, point: Point) -> Sequence[int]:
        """Return the samples that a point is measured on."""
        some = self._few if point.rough else range(len(self._samples))
        return [number for number in some if number not in self._empty] or self._alive[:1]

    @property
    def _alive(self) -> list[int]:
        """The samples that have pictures."""
        return [number for number in range(len(self._samples)) if number not in self._empty]

    def _lacks(self, point: Point, number: int) -> bool:
        encoded = self._encodes.get((point.edge, point.crf), {})
        return number in self._numbers(point) and number not in encoded

    def _reading(self, point: Point) -> Reading:
        key = (point.edge, point.crf)
        encoded, values = self._encodes[key], self._quality.get(key, {})
        rough = len(encoded) < len(self._alive)
        kbps = self._kbps(encoded)
        if rough:
            # few samples are busier or quieter than all, as those of the first point were
            first = next(iter(self._encodes.values()))
            kbps *= self._kbps(first) / self._kbps({n: first[n] for n in encoded})
        mean = self._inference.mean
        quality = mean(values) if values else None
        if quality is not None and not self.comparable:
            # a lower Crf is better in any case
            quality = MOST_CRF - point.crf
        return Reading(
            kbps=kbps,
            quality=quality,
            seconds=mean({n: one.seconds for n, one in encoded.items()}),
            rough=rough,
        )

    def _kbps(self, encoded: Mapping[int, _Encode]) -> float:
        kbps = self._inference.kbps({n: one.found for n, one in encoded.items()})
        return max(kbps * self._source.moving, 0.1)

    def _encode(self, number: int, points: Sequence[Point], tell: Callable[[float], None]) -> None:
        work, sample = self._context.work, self._samples[number]
        stems = [str(work / f"sample-{number}-{one.edge}-{one.crf:g}") for one in points]
        line = command(self._context.source.name, self._source, sample, points, stems)
        self.commands.append(line)
        report = ffmpeg.run(line, context=self._context, duration=sample.length, on_progress=tell)
        self.decode_errors += report.decode_errors
        self.seconds += sample.length
        if not report.frames:
            # a source may break off before the end that it declares
            self._empty.add(number)
            if not self._alive:
                raise ffmpeg.content_bad("no frame of its video can be read")
            return
        pixels = [math.prod(self._source.picture.output_size(one.edge)) for one in points]
        for point, stem, share in zip(points, stems, pixels, strict=True):
            file = Path(f"{stem}.mp4")
            packets = flows(file, [1], make=Sizes)[1].packets
            if len(self._samples) > 1:
                found = part(packets, sample)
            else:
                found = whole(packets, float(len(packets) / self._rate))
            spent = report.elapsed * share / sum(pixels) / sample.length
            encoded = self._encodes.setdefault((point.edge, point.crf), {})
            end = sample.skip + sample.counted
            sizes = [size for time, size, _ in packets if sample.skip <= time < end]
            encoded[number] = _Encode(file=file, found=found, sizes=sizes, seconds=spent)

    def _judge(self, number: int, point: Point, tell: Callable[[float], None]) -> float:
        """Return the quality of a sample at a point."""
        sample, rendition = self._samples[number], self._references[number]
        picture, rate = rendition.picture, self._rate
        assert picture
        encoded = self._encodes[point.edge, point.crf][number].file
        judged = self._judged(sample)
        every = judged.counted * rate * len(self._samples) / _PICTURES
        subsample = max(SUBSAMPLE, int(every))
        line = comparison(
            _counted(graph.open_input(encoded)["v:0"], judged, rate),
            _counted(_reference(self._context.source.name, rendition), judged, rate),
            self.metric,
            picture.size,
            subsample=subsample,
        )
        self.commands.append(line)
        try:
            found = compare(
                line,
                self.metric,
                picture.size,
                rate=rate,
                subsample=subsample,
                context=self._context,
                duration=judged.counted,
                on_progress=tell,
            )
        except ActivityError as error:
            if error.code != Code.INTERNAL or error.transient is not None:
                raise
            # the pictures of a damaged source need not pair
            self._context.log.warning("the quality of a sample is unknown: %s", error.message)
            self.comparable = False
            return 0.0
        return found.mean * 100 / self.metric.best

    def _judged(self, sample: Sample) -> Sample:
        """Return a sample of which only that counts whose pictures are compared."""
        seconds = sample.counted if len(self._samples) == 1 else min(_JUDGED, sample.counted)
        skip = sample.skip + (sample.counted - seconds) / 2
        return replace(sample, skip=skip, counted=seconds)


def _reference(name: str, rendition: Rendition) -> GraphStream:
    """Return the pictures of the source in its own size, as the encoder would get them."""
    picture = rendition.picture
    assert picture and picture.encoding
    target = RenditionTarget(rendition=rendition, stem="reference")
    head, done = Decode(name, [target]).picture(target, picture.stream)
    filters = picture.encoding.filters[done:]
    return head.chain((one.name, dict(one.options)) for one in filters)


def _counted(pictures: GraphStream, sample: Sample, rate: Fraction) -> GraphStream:
    """Return the pictures of a sample that count."""
    first, last = round(sample.skip * rate), round((sample.skip + sample.counted) * rate)
    return pictures.filter("trim", start_frame=first, end_frame=max(last, first + 1))
