"""Analysis: which of the intelligent presets (`S00000000-*`) suit the source.

`classes` holds the four definitions and the rule, `measure` the sample encodes behind it,
`config` what the user may say about them. A Transcode behind this activity takes its sections
from the item of the TemplateList that has its TemplateId, and is skipped when there is none.
Black borders are not looked for. Specification: analysis.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from activities import ffmpeg
from activities.analysis import classes, measure
from activities.analysis.classes import DefinitionVerdict
from activities.analysis.config import AnalysisConfig
from activities.conversion import SDR, told
from activities.probe import MediaInfo, VideoStream
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Artifact,
    PlanContext,
    Role,
    Step,
    StepResult,
)
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import ExecutionKind, Json
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import Boolean, JsonObject, WireModel


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


class Analysis(Activity[AnalysisParameters]):
    """Measures how much detail the source holds and offers the presets that it is worth."""

    type_name = "Analysis"
    role = Role.ANALYSIS
    job_kind = ExecutionKind.ANALYSIS
    version = 5
    parameters = AnalysisParameters

    def tools(self) -> Mapping[str, str]:
        """The encoder whose rates are measured."""
        return {"ffmpeg": ffmpeg.versions()["ffmpeg"]}

    def plan(self, parameters: AnalysisParameters, context: PlanContext) -> Step:
        """Resolve the sample encodes; the commands are those of the highest class that may fit.

        Raises ActivityError (`InvalidParameter.ResourceNotSupported`) for a source without video.
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
        resolved = _Resolved(
            media=media,
            video=video,
            config=config,
            only_highest=parameters.keep_only_highest_definition,
        )
        return Step(
            commands=_first_commands(resolved, context.names),
            identity={
                "KeepOnlyHighestDefinition": resolved.only_highest,
                "RateQuality": config.quality_control.rate_quality,
                "MethodStreaming": config.quality_control.method_streaming,
                "Deinterlace": config.properties_control.deinterlace,
            },
            resolved=resolved,
        )

    def forecast(self, step: Step, context: PlanContext) -> ActivityResult:
        """Judge by the source's own bit rate in place of a measured one."""
        resolved = _resolved(step)
        source_kbps = resolved.video.bitrate_kbps
        verdicts = classes.judge(resolved.video.display_size, lambda size: source_kbps)
        return ActivityResult(data=_data(verdicts, resolved))

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Measure from the highest class downwards until one is usable."""
        resolved = _resolved(step)
        size = resolved.video.display_size
        meter = measure.Meter(resolved.media, resolved.video, resolved.config, context)
        steps = len(classes.candidates(size))
        done = 0

        def rate(target: classes.Size) -> float:
            nonlocal done
            kbps = meter.rate(target, lambda share: context.progress((done + share) / steps))
            done += 1
            return kbps

        verdicts = classes.judge(size, rate)
        return ActivityResult(
            data=_data(verdicts, resolved),
            commands=tuple(meter.commands),
            warnings=_warnings(meter, resolved.video),
        )

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Show the verdict on each definition as a table."""
        yield Artifact(kind="table", title="Definitions", content=result.data["Definitions"])


def _resolved(step: Step) -> _Resolved:
    assert isinstance(step.resolved, _Resolved)
    return step.resolved


def _first_commands(resolved: _Resolved, names: Names) -> tuple[tuple[str, ...], ...]:
    video, source_size = resolved.video, resolved.video.display_size
    return tuple(
        measure.command(
            names.source_name, video, window, definition.output_size(source_size), resolved.config
        )
        for definition in classes.candidates(source_size)[:1]
        for window in measure.windows(resolved.media)
    )


def _data(verdicts: list[DefinitionVerdict], resolved: _Resolved) -> dict[str, Json]:
    return {
        "TemplateList": classes.template_list(
            verdicts, resolved.video, resolved.config, resolved.only_highest
        ),
        "PredictedBitrates": {
            v.definition.name: f"{v.kbps:.1f}" for v in verdicts if v.kbps is not None
        },
        "RateQuality": str(resolved.config.quality_control.rate_quality),
        "Definitions": _rows(verdicts),
    }


def _rows(verdicts: list[DefinitionVerdict]) -> list[dict[str, str]]:
    return [
        {
            "Class": v.definition.name,
            "Resolution": f"{v.size[0]}x{v.size[1]}",
            "Predicted kbit/s": "" if v.kbps is None else f"{v.kbps:.0f}",
            "Usable": "yes" if v.usable else "no",
            "Why": v.reason,
        }
        for v in verdicts
    ]


def _warnings(meter: measure.Meter, video: VideoStream) -> tuple[str, ...]:
    found = tuple(message for message, _ in told(video, SDR))
    if not meter.decode_errors:
        return found
    return (
        *found,
        f"{Code.SOURCE_DAMAGED}: damage in the source was concealed while it was measured.",
    )
