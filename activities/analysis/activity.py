"""The Analysis activity: look at the picture, encode samples, judge the classes, say why.

Specification: topology, 4.4; analysis.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, cast

from pydantic import Field

from activities import ffmpeg
from activities.analysis.classes import Size, candidates, largest_edge, size_of
from activities.analysis.config import AnalysisConfig
from activities.analysis.estimates import Measured, Point, Reading
from activities.analysis.inference import Inference
from activities.analysis.measure import Meter, SampleSource, command, output_length
from activities.analysis.picture import PictureDecision, decide, look
from activities.analysis.rates import rate_control
from activities.analysis.samples import SHORT, Sample, complexity, longest, samples
from activities.analysis.selection import Rung, require, require_lines, select
from activities.analysis.templates import JudgedRung, template_list, told
from activities.conversion import SDR
from activities.conversion import told as told_of_colours
from activities.probe import MediaInfo, VideoStream
from activities.quality import LEAST_VMAF_SIDE, Metric, require_metric
from activities.transcode.command.muxing import picture_key
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Artifact,
    PlanContext,
    Role,
    Step,
    StepResult,
    Work,
)
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import ExecutionKind, Json
from workflow_engine.topology.wire import Boolean, JsonObject, WireModel

#: rounds of measuring; each brings a new point, of which there are few
_MOST_ROUNDS = 12
#: by how much more rate than H.264 a codec of the source says the same
_DENSE_CODECS = frozenset({"hevc", "vp9", "av1"})
_DENSER = 2.0
#: the least short edge of any class
_SMALLEST = 270
#: bits per pixel that an output is taken to need where nothing is measured, at Crf 25
_BITS_PER_PIXEL = 0.07
#: seconds of a small machine for a pixel of a sample
_PIXEL = 5e-8


class AnalysisParameters(WireModel):
    """Parameters of Analysis (specification, topology, 4.4). `analysis_config` is ours."""

    keep_only_highest_definition: Annotated[bool, Boolean()] = False
    analysis_config: Annotated[AnalysisConfig, JsonObject] = Field(
        default_factory=lambda: AnalysisConfig()
    )


@dataclass(frozen=True, kw_only=True)
class _Resolved:
    media: MediaInfo
    video: VideoStream
    config: AnalysisConfig
    only_highest: bool
    planned: PlanContext

    @property
    def most_kbps(self) -> float | None:
        """More than which the source itself does not hold, in kbit/s of H.264; None: unknown."""
        own = self.video.bitrate_kbps
        denser = _DENSER if self.video.codec in _DENSE_CODECS else 1.0
        return None if own is None else own * denser * self.moving

    @property
    def length(self) -> float | None:
        """Seconds of the picture, None when nobody knows."""
        known = [end for end in (self.media.duration, self.video.end) if end]
        return None if self.media.guessed else min(known, default=None)

    @cached_property
    def lasting(self) -> float | None:
        """Seconds of an output, whose last picture is held until the sound ends."""
        return output_length(self.media, self.planned) or self.length

    @property
    def moving(self) -> float:
        """The share of an output in which the source has pictures; behind them one is held."""
        if not self.length or not self.lasting:
            return 1.0
        return min(1.0, self.length / self.lasting)

    @property
    def whole(self) -> bool:
        """Whether all of the source is encoded to judge it."""
        most = longest(self.video)
        return self.length is not None and self.length <= most and self.media.seekable

    @property
    def all_of_it(self) -> bool:
        """Whether what is encoded to judge it is as long as an output."""
        return self.whole and (self.lasting or 0.0) <= longest(self.video)

    @property
    def kind(self) -> str:
        """What is measured."""
        return "rates" if self.config.ladder.target_vmaf is None else "rates and VMAF"

    @property
    def amount(self) -> float:
        """How much work that is: samples are as long whatever the source, see `Step.work`."""
        seconds = min(self.length or SHORT, SHORT)
        return seconds * math.prod(self.video.upright_size) * float(self.video.fps) * _PIXEL

    def source(self, picture: PictureDecision) -> SampleSource:
        """Return what samples are made of."""
        return SampleSource(
            media=self.media,
            planned=self.planned,
            picture=picture,
            whole=self.all_of_it,
            moving=1.0 if self.all_of_it else self.moving,
        )

    def choose(self, estimates: Measured, picture: PictureDecision) -> list[Rung]:
        """Apply the selection rule, whether or not it keeps the fences."""
        return select(
            picture.size,
            estimates,
            most_kbps=self.most_kbps,
            fences=self.config.ladder.fences,
            only_highest=self.only_highest,
        )

    def require(self, rungs: Sequence[Rung], estimates: Measured, picture: PictureDecision) -> None:
        """Raise ActivityError where rungs do not keep the fences."""
        require(rungs, picture.size, estimates, self.config.ladder.fences)

    def measured(self) -> Measured:
        """Return estimates that know nothing yet."""
        quality = self.config.quality_control.rate_quality
        return Measured(quality, self.config.ladder.target_vmaf)


class Analysis(Activity[AnalysisParameters]):
    """Measures what the source needs at which size, and offers the presets that it is worth."""

    type_name = "Analysis"
    role = Role.ANALYSIS
    job_kind = ExecutionKind.ANALYSIS
    version = 7
    parameters = AnalysisParameters

    def tools(self) -> Mapping[str, str]:
        """The encoder whose rates are measured."""
        return {"ffmpeg": ffmpeg.versions()["ffmpeg"]}

    def plan(self, parameters: AnalysisParameters, context: PlanContext) -> Step:
        """Resolve what is known without decoding; the commands are those of the first samples.

        Raises ActivityError: `InvalidParameter.ResourceNotSupported` for a source without video,
        `InvalidParameter.OutOfRange` for a forced Crop beyond its picture,
        `InvalidParameter.NotSupported` for a TargetVmaf of a picture that is too small, and what
        `require_lines` raises.
        """
        media = MediaInfo.from_json(context.media())
        video = media.video
        if video is None:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                "The input has no video stream, so there is nothing to analyse.",
                remedy="Use static templates for audio files.",
            )
        config = parameters.analysis_config
        size = decide(video, config).size
        require_lines(size, config.ladder.fences)
        _require_target(size, config)
        resolved = _Resolved(
            media=media,
            video=video,
            config=config,
            only_highest=parameters.keep_only_highest_definition,
            planned=context,
        )
        return Step(
            commands=_first_commands(resolved),
            identity={
                "KeepOnlyHighestDefinition": resolved.only_highest,
                **_identity(resolved.config),
            },
            work={"samples": Work(kind=resolved.kind, amount=resolved.amount)},
            resolved=resolved,
        )

    def forecast(self, step: Step, context: PlanContext) -> ActivityResult:
        """Judge by the source's own bit rate in place of a measured one.

        Where that does not keep the fences of the Ladder, nothing is offered: measured rates may.
        """
        resolved = _resolved(step)
        picture = decide(resolved.video, resolved.config)
        guess = resolved.measured()
        edges = _edges(resolved, picture)
        width, height = size_of(picture.size, edges[0])
        pixels = width * height * float(resolved.video.fps) * resolved.moving
        kbps = pixels * _BITS_PER_PIXEL / 1000
        if resolved.most_kbps is not None:
            kbps = min(kbps, resolved.most_kbps)
        crf = guess.crf(edges[0])
        guess.add(Point(edge=edges[0], crf=crf), Reading(kbps=kbps, quality=None, seconds=0.0))
        rungs = resolved.choose(guess, picture)
        try:
            resolved.require(rungs, guess, picture)
        except ActivityError:
            rungs = []
        judged = [_judged(rung, guess, resolved, None) for rung in rungs]
        return ActivityResult(data=_data(judged, picture, resolved, forecast=True))

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Measure until every decision rests on a measured point.

        Raises ActivityError, as `plan` does where black borders leave less of the picture, and as
        `ffmpeg.run` does.
        """
        resolved = _resolved(step)
        if resolved.config.ladder.target_vmaf is not None:
            require_metric(Metric.VMAF)
        picture = look(
            context.source, resolved.media, resolved.video, resolved.config, context.cancel
        )
        _require_target(picture.size, resolved.config)
        curve = complexity(context.source, resolved.media, resolved.video, context.cancel)
        inference = Inference(_samples(resolved, curve.bins), curve.keys, resolved.length)
        meter = Meter(resolved.source(picture), inference, context)
        measured = resolved.measured()
        progress = _Progress(context.progress)

        points = measured.first(_edges(resolved, picture), _forced(resolved, picture))
        rungs: list[Rung] = []
        for _ in range(_MOST_ROUNDS):
            for point, reading in meter.measure(points, progress.part()).items():
                measured.add(point, reading)
            if resolved.config.ladder.target_vmaf is not None and not meter.comparable:
                raise ffmpeg.content_bad("its pictures cannot be compared with those of an encode")
            rungs = resolved.choose(measured, picture)
            points = measured.missing(rungs)
            if not points:
                break
        # not before: guesses are no reason to refuse
        resolved.require(rungs, measured, picture)
        judged = [_judged(rung, measured, resolved, meter) for rung in rungs]
        return ActivityResult(
            data=_data(judged, picture, resolved),
            kept=_kept(judged, meter),
            commands=tuple(meter.commands),
            warnings=_warnings(meter, resolved.video),
        )

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Show what was decided of each class, and why, as a table."""
        rungs = cast("Sequence[Mapping[str, Json]]", result.data["Rungs"])
        yield Artifact(kind="table", title="Definitions", content=[_row(rung) for rung in rungs])


def _resolved(step: Step) -> _Resolved:
    assert isinstance(step.resolved, _Resolved)
    return step.resolved


def _require_target(size: Size, config: AnalysisConfig) -> None:
    """Raise ActivityError where VMAF cannot measure pictures of this size, and is to be held."""
    if config.ladder.target_vmaf is None or Metric.VMAF.takes(size):
        return
    raise ActivityError(
        Code.NOT_SUPPORTED,
        f"TargetVmaf {config.ladder.target_vmaf:g} cannot be measured in a picture of "
        f"{size[0]}x{size[1]}: VMAF takes at least {LEAST_VMAF_SIDE} pixels in width and height.",
        pointer="/AnalysisConfig/Ladder/TargetVmaf",
        remedy="Leave TargetVmaf out, and set RateQuality.",
    )


def _edges(resolved: _Resolved, picture: PictureDecision) -> list[int]:
    """Return the sizes that outputs may have, the largest first; never none."""
    fences = resolved.config.ladder.fences
    edges = candidates(picture.size, at_least=_SMALLEST, fences=fences)
    return edges or candidates(picture.size, at_least=0)


def _forced(resolved: _Resolved, picture: PictureDecision) -> list[int]:
    """Return the sizes that are measured in any case."""
    top = largest_edge(picture.size)
    return [edge for edge in resolved.config.ladder.fences.forced if edge <= top]


def _samples(resolved: _Resolved, curve: Sequence[float]) -> list[Sample]:
    most, seekable = longest(resolved.video), resolved.media.seekable
    length = resolved.lasting if resolved.all_of_it else resolved.length
    return samples(curve, length, whole=most, seekable=seekable)


def _first_commands(resolved: _Resolved) -> tuple[tuple[str, ...], ...]:
    """Return the first sample encodes as they will probably be: the places are known later.

    Which further sizes are encoded depends on the rates that these have.
    """
    picture = decide(resolved.video, resolved.config)
    points = resolved.measured().first(_edges(resolved, picture), _forced(resolved, picture))
    name = resolved.planned.names.source_name
    return tuple(
        command(
            name,
            resolved.source(picture),
            sample,
            points,
            [f"sample-{number}-{point.edge}-{point.crf:g}" for point in points],
        )
        for number, sample in enumerate(_samples(resolved, ()))
    )


def _identity(config: AnalysisConfig) -> dict[str, Json]:
    """Return what of the configuration shapes the result."""
    control, ladder = config.properties_control, config.ladder
    return {
        "RateQuality": config.quality_control.rate_quality,
        "MethodStreaming": config.quality_control.method_streaming,
        "Deinterlace": control.deinterlace,
        "Crop": list(control.crop.box) if control.crop.box else control.crop.mode,
        "Ladder": ladder.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }


def _judged(rung: Rung, measured: Measured, resolved: _Resolved, meter: Meter | None) -> JudgedRung:
    """Return a rung with how it keeps its rate, and what is predicted of it.

    There is no `meter` in a forecast.
    """
    edge = rung.edge
    if edge is None or rung.kbps is None:
        return JudgedRung(rung=rung)
    network = resolved.config.quality_control.method_streaming == "network"
    rate = None
    if rung.offered:
        rate = rate_control(
            rung,
            measured.crf_at(edge, rung.kbps) if rung.capped else measured.crf(edge),
            resolved.lasting,
            local=not network,
            cut=lambda limited: meter.cut(edge, limited) if meter else 0.0,
            whole=meter is not None and resolved.whole,
        )
    seconds = measured.seconds(edge) if meter else None
    compared = meter and meter.metric is Metric.VMAF and meter.comparable
    return JudgedRung(
        rung=rung,
        rate=rate,
        vmaf=measured.quality(edge, rung.kbps) if compared else None,
        seconds=seconds * resolved.length if seconds and resolved.length else None,
        sampled=meter.seconds if meter else None,
    )


def _data(
    judged: Sequence[JudgedRung],
    picture: PictureDecision,
    resolved: _Resolved,
    *,
    forecast: bool = False,
) -> dict[str, Json]:
    control = resolved.config.quality_control
    data: dict[str, Json] = {
        "TemplateList": template_list(
            judged, picture, network=control.method_streaming == "network"
        ),
        "Rungs": told(judged, picture, resolved.lasting, sound=bool(resolved.media.audios)),
        "RateQuality": str(control.rate_quality),
    }
    if picture.crop:
        data["Crop"] = ":".join(map(str, picture.crop))
    return data | ({"Forecast": True} if forecast else {})


def _kept(judged: Sequence[JudgedRung], meter: Meter) -> dict[str, Path]:
    """Return the files that are what a Transcode would make of offered rungs, by their pictures."""
    found = [
        meter.encoded(one.rung.edge, one.rate)
        for one in judged
        if one.rate is not None and one.rung.edge is not None
    ]
    return {picture_key(rendition): file for rendition, file in filter(None, found)}


def _row(rung: Mapping[str, Json]) -> dict[str, Json]:
    size = f"{rung['Width']}x{rung['Height']}" if "Width" in rung else ""
    return {
        "Class": rung["Class"],
        "State": rung["State"],
        "Size": size,
        "kbit/s": rung.get("PredictedBitrate", ""),
        "VMAF": rung.get("PredictedVmaf", ""),
        "Reason": rung.get("Reason", ""),
        "Detail": rung["Detail"],
    }


def _warnings(meter: Meter, video: VideoStream) -> tuple[str, ...]:
    found = tuple(message for message, _ in told_of_colours(video, SDR))
    if not meter.decode_errors:
        return found
    return (
        *found,
        f"{Code.SOURCE_DAMAGED}: damage in the source was concealed while it was measured.",
    )


class _Progress:
    """Progress of rounds whose number nobody knows: each fills half of what is left."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report, self._done, self._told = report, 0.0, 0.0

    def part(self) -> Callable[[float], None]:
        """Return what tells how far the next round is, from 0 to 1."""
        begin, left = self._done, 1 - self._done
        self._done += left / 2

        def tell(share: float) -> None:
            # of several outputs, ffmpeg tells now this one's time and now that one's
            self._told = max(self._told, begin + left / 2 * min(share, 1.0))
            self._report(self._told)

        return tell
