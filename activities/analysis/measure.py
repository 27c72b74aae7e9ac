"""Sample encodes: what a source needs at a size and a Crf, and how good it then is.

A sample is a Transcode output with a Clip, so that filters, frame rate, key frames and encoder are
those of the renditions; all points of a sample share one decode. Specification: analysis, 6;
ffmpeg facts, "Predicting bit rate".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.analysis.classes import largest_edge
from activities.analysis.estimates import Point, Reading
from activities.analysis.picture import PictureDecision
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
from workflow_engine.activity import ActivityContext, PlanContext
from workflow_engine.records import Json

#: seconds between key frames of the outputs (specification, transcode, 4: Gop)
KEY_SECONDS = 10.0
#: of VMAF, every third picture is measured
SUBSAMPLE = 3
#: an id that no template has
_SAMPLE = "S00000000-sample"


@dataclass(frozen=True, kw_only=True)
class SampleSource:
    """A source whose samples are encoded: what is known of it, and how its picture is shown."""

    media: MediaInfo
    planned: PlanContext
    picture: PictureDecision


def rendition_of(source: SampleSource, sample: Sample, edge: int, crf: float) -> Rendition:
    """Return the rendition of a sample, as that of an output of this size would be."""
    entry: dict[str, Json] = {
        "Id": _SAMPLE,
        "Container": {"Format": "mp4"},
        "Video": video_section(edge, source.picture) | {"Crf": f"{crf:g}"},
    }
    output: dict[str, Json] = {"OutputObject": "sample", "TemplateId": _SAMPLE}
    if sample.length != source.media.duration:
        span = {"Seek": f"{sample.start:.3f}", "Duration": f"{sample.length:.3f}"}
        output["Clip"] = {"TimeSpan": span}
    settings = settings_of(TranscodeOutput.model_validate(output), from_analysis(entry))
    request = OutputRequest(settings=settings, media=source.media, context=source.planned)
    rendition, _ = resolve(request)
    return rendition


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
    """The bytes of each packet of an encode, and when it is decoded, in seconds."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, int]] = []

    def add(self, begin: float | None, seconds: float | None, size: int) -> None:
        """Take the next packet."""
        self.packets.append((begin or 0.0, size))


@dataclass(kw_only=True)
class _Sums:
    """Of one point, sums over samples, each with its weight."""

    kbps: float = 0.0
    #: what a key frame has beyond another picture, kbit
    key: float = 0.0
    seconds: float = 0.0
    quality: float = 0.0
    files: list[Path] = field(default_factory=list[Path])


class Meter:
    """Measures points for one run of the activity, each once."""

    def __init__(
        self, source: SampleSource, samples: Sequence[Sample], context: ActivityContext
    ) -> None:
        """Measure nothing yet. Raises InstallationError when the encoder or a filter is missing."""
        self._source, self._samples, self._context = source, samples, context
        there = ffmpeg.capabilities()
        there.require_encoder("libx264")
        self._top = largest_edge(source.picture.size)
        self._references = [rendition_of(source, one, self._top, 1) for one in samples]
        for name in filter_names(self._references[0].filters):
            there.require_filter(name)
        picture = self._references[0].picture
        assert picture and picture.encoding
        self._rate = picture.encoding.rate
        self.metric = Metric.VMAF if Metric.VMAF.filter in there.filters else Metric.SSIM
        self._sums: dict[tuple[int, float], _Sums] = {}
        self.commands: list[tuple[str, ...]] = []
        self.decode_errors = 0
        self.seconds = 0.0

    def measure(
        self, points: Sequence[Point], on_progress: Callable[[float], None]
    ) -> dict[Point, Reading]:
        """Return what the points are. `on_progress` runs from 0 to 1.

        Raises ActivityError, as `ffmpeg.run` does, and when no frame can be read.
        """
        fresh = [one for one in points if (one.edge, one.crf) not in self._sums]
        judged = [one for one in points if one.quality]
        steps, done = len(self._samples) * (bool(fresh) + len(judged)), 0

        def tell(share: float) -> None:
            on_progress((done + share) / steps)

        if fresh:
            self._sums |= {(one.edge, one.crf): _Sums() for one in fresh}
            for number, sample in enumerate(self._samples):
                self._encode(number, sample, fresh, tell)
                done += 1
        quality: dict[Point, float] = {}
        for point in judged:
            quality[point] = 0.0
            for number in range(len(self._samples)):
                quality[point] += self._judge(number, point, tell)
                done += 1
        return {one: self._reading(one, quality.get(one)) for one in points}

    def _reading(self, point: Point, quality: float | None) -> Reading:
        sums = self._sums[point.edge, point.crf]
        kbps = sums.kbps + sums.key / KEY_SECONDS
        return Reading(kbps=max(kbps, 0.1), quality=quality, seconds=sums.seconds)

    def _encode(
        self, number: int, sample: Sample, points: Sequence[Point], tell: Callable[[float], None]
    ) -> None:
        work = self._context.work
        stems = [str(work / f"sample-{number}-{one.edge}-{one.crf:g}") for one in points]
        line = command(self._context.source.name, self._source, sample, points, stems)
        self.commands.append(line)
        report = ffmpeg.run(line, context=self._context, duration=sample.length, on_progress=tell)
        self.decode_errors += report.decode_errors
        self.seconds += sample.length
        if not report.frames:
            raise ffmpeg.content_bad("no frame of its video can be read")
        pixels = [_pixels(self._source.picture.output_size(one.edge)) for one in points]
        for point, stem, share in zip(points, stems, pixels, strict=True):
            file = Path(f"{stem}.mp4")
            sums = self._sums[point.edge, point.crf]
            whole = len(self._samples) == 1
            kbps, key = _rates(file, sample, self._rate, whole=whole)
            sums.kbps += sample.weight * kbps
            sums.key += sample.weight * key
            spent = report.elapsed * share / sum(pixels) / sample.length
            sums.seconds += sample.weight * spent
            sums.files.append(file)

    def _judge(self, number: int, point: Point, tell: Callable[[float], None]) -> float:
        """Return the share of the quality of a point that a sample stands for."""
        sample, rendition = self._samples[number], self._references[number]
        picture, rate = rendition.picture, self._rate
        assert picture
        encoded = self._sums[point.edge, point.crf].files[number]
        line = comparison(
            _counted(graph.open_input(encoded)["v:0"], sample, rate),
            _counted(_reference(self._context.source.name, rendition), sample, rate),
            self.metric,
            picture.size,
            subsample=SUBSAMPLE,
        )
        self.commands.append(line)
        found = compare(
            line,
            self.metric,
            picture.size,
            rate=rate,
            subsample=SUBSAMPLE,
            context=self._context,
            duration=sample.counted,
            on_progress=tell,
        )
        return sample.weight * found.mean * 100 / self.metric.best


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


def _rates(file: Path, sample: Sample, rate: Fraction, *, whole: bool) -> tuple[float, float]:
    """Return the kbit/s of what counts of a sample, and what its key frame has in excess, in kbit.

    An encode of the whole source has its key frames where they will be. Those of a sample come too
    soon: the first one is taken for an ordinary picture, and counted apart.
    """
    packets = flows(file, [1], make=Sizes)[1].packets
    if whole:
        return sum(size for _, size in packets) * 8 / 1000 / float(len(packets) / rate), 0.0
    others = [size for _, size in packets[1:]]
    ordinary = sum(others) / len(others) if others else packets[0][1]
    end = sample.skip + sample.counted
    inside = sum(size for time, size in packets[1:] if sample.skip <= time < end)
    first = ordinary if sample.skip == 0 else 0.0
    excess = (packets[0][1] - ordinary) * 8 / 1000
    return (inside + first) * 8 / 1000 / sample.counted, max(excess, 0.0)


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]
