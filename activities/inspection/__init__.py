"""Inspection: defects of the picture by time, found without anything to compare it with.

`parameters` says where the result goes and what is looked for, `measure` is the ffmpeg command
that takes numbers of a few pictures a second, `notes` reads them, `detectors`, `freeze` and
`spans` make spans of time of them, `results` writes these. Specification: api, 16.3, where it is
the video quality job. What an encoder has lost against its source is another matter.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from activities import ffmpeg
from activities.conversion import SDR, told
from activities.ffmpeg.graph import filters_of
from activities.inspection import measure
from activities.inspection.detectors import Detectors
from activities.inspection.labels import Label
from activities.inspection.measure import Rate
from activities.inspection.notes import NoteReader, Sample
from activities.inspection.parameters import InspectionParameters
from activities.inspection.results import Results
from activities.objects import SOURCE_NAMES, name_faults
from activities.probe import MediaInfo, VideoStream
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Artifact,
    Neighbourhood,
    PlanContext,
    PlannedOutput,
    Produced,
    Step,
    StepResult,
    Work,
)
from workflow_engine.errors import ActivityError, Code, Problem
from workflow_engine.records import ExecutionKind, ObjectRef

__all__ = ["Inspection", "InspectionParameters"]

_PLACEHOLDERS = SOURCE_NAMES | {"RunId", "MediaId"}
_FILE = "defects.json"
#: seconds of a small machine to start, and for a pixel of the source
_START, _PIXEL = 0.1, 2e-9


@dataclass(frozen=True, kw_only=True)
class _Resolved:
    media: MediaInfo
    video: VideoStream
    labels: tuple[Label, ...]
    ref: ObjectRef


class Inspection(Activity[InspectionParameters]):
    """Looks for defects of the picture; an extension of ours in topologies."""

    type_name = "Inspection"
    version = 2
    job_kind = ExecutionKind.VIDEO_QUALITY
    parameters = InspectionParameters

    def check(
        self, parameters: InspectionParameters, neighbourhood: Neighbourhood
    ) -> Iterable[Problem]:
        """Yield what is wrong with the object name."""
        name = parameters.output_file.object
        yield from name_faults(name, _PLACEHOLDERS, "/OutputFile/Object")

    def destinations(self, parameters: InspectionParameters) -> Iterable[ObjectRef]:
        """The name of the result."""
        yield parameters.output_file.template()

    def tools(self) -> Mapping[str, str]:
        """The filters that measure."""
        return {"ffmpeg": ffmpeg.versions()["ffmpeg"]}

    def plan(self, parameters: InspectionParameters, context: PlanContext) -> Step:
        """Resolve the command and the name.

        Raises ActivityError (`InvalidParameter.ResourceNotSupported`) for a source without video,
        or with a tiny one.
        """
        media = MediaInfo.from_json(context.media())
        video = media.video
        if video is None:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                "The input has no video stream, so there is no picture to inspect.",
                remedy="Leave the inspection out for audio files.",
            )
        if min(video.upright_size) < measure.LEAST_SIDE:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                f"The picture has {video.upright_size[0]}x{video.upright_size[1]} pixels, which is "
                "too few to tell defects from details.",
                remedy=f"Inspect pictures of at least {measure.LEAST_SIDE} pixels a side.",
            )
        ref = parameters.output_file.ref(context.names)
        labels = parameters.wanted
        return Step(
            outputs=(PlannedOutput(ref=ref, summary=f"defects: {', '.join(labels)}"),),
            commands=(measure.command(context.names.source_name, video, labels),),
            identity={"Labels": list(labels)},
            work={"look": Work(kind=" ".join(sorted(labels)), amount=_amount(media, video))},
            resolved=_Resolved(media=media, video=video, labels=labels, ref=ref),
        )

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Measure the whole source and write what was found.

        Raises ActivityError, as `ffmpeg.run` does, and when no picture can be read;
        InstallationError for an ffmpeg without a filter that is needed.
        """
        resolved = step.resolved
        assert isinstance(resolved, _Resolved)
        video = resolved.video
        command = measure.command(context.source.name, video, resolved.labels)
        for name in filters_of(command):
            ffmpeg.capabilities().require_filter(name)
        rate = Rate.of(video)
        detectors = Detectors(size=video.upright_size, step=rate.step)
        results = Results(rate=rate, labels=resolved.labels)

        def take(sample: Sample) -> None:
            for label, span in detectors.feed(sample):
                results.add(label, span)

        notes = NoteReader(take=take, branches=measure.branches(resolved.labels))
        report = ffmpeg.run(
            command, context=context, duration=resolved.media.duration, on_line=notes.read
        )
        notes.finish()
        if not notes.count:
            raise ffmpeg.content_bad("no frame of its video can be read")
        for label, span in detectors.finish():
            results.add(label, span)
        file = context.work / _FILE
        results.write(file)
        return ActivityResult(
            data=results.data(),
            outputs=(Produced(path=file, ref=resolved.ref),),
            commands=(command,),
            warnings=tuple(_warnings(video, report.decode_errors)),
        )

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Show the spans as a table."""
        yield Artifact(kind="table", title="Defects", content=result.data["Spans"])


def _amount(media: MediaInfo, video: VideoStream) -> float:
    """Return how much work it is: what decodes the pictures looks at a few of them."""
    pixels = math.prod(video.upright_size) * float(video.fps) * (media.duration or 0.0)
    return _START + pixels * _PIXEL


def _warnings(video: VideoStream, damage: int) -> Iterable[str]:
    yield from (message for message, _ in told(video, SDR))
    if damage:
        yield f"{Code.SOURCE_DAMAGED}: damage in the source was concealed."
