"""Snapshot: pictures of the source, one or a sequence, as JPEG.

`config` holds the parameters, `moments` says when and how large, `commands` how, `keyframes`
finds the key frames for FrameType intra, `job` puts them together. Specification: snapshot.
"""

from collections.abc import Iterable, Mapping, Sequence

from activities import ffmpeg
from activities.conversion import JPEG, conversion, named, told
from activities.objects import name_faults
from activities.probe import MediaInfo
from activities.snapshot.config import SnapshotParameters
from activities.snapshot.job import SnapshotJob
from activities.snapshot.moments import picture_size
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Effect,
    Neighbourhood,
    PlanContext,
    PlannedOutput,
    SetCover,
    Step,
    StepResult,
)
from workflow_engine.errors import ActivityError, Code, Problem
from workflow_engine.records import ExecutionKind, ObjectRef
from workflow_engine.topology.placeholders import placeholders_in

__all__ = ["Snapshot", "SnapshotParameters"]

#: bytes per pixel of a JPEG at quality 2, for estimates
_BYTES_PER_PIXEL = 0.2

_PLACEHOLDERS = frozenset(
    {"ObjectPrefix", "FileName", "ExtName", "RunId", "MediaId", "SnapshotTime", "Count"}
)
_OBJECT = "/SnapshotConfig/OutputFile/Object"


class Snapshot(Activity[SnapshotParameters]):
    """Takes pictures of the source; the one may be the cover of the media."""

    type_name = "Snapshot"
    version = 6
    aliases = ("Screenshot",)
    job_kind = ExecutionKind.SNAPSHOT
    parameters = SnapshotParameters

    def check(
        self, parameters: SnapshotParameters, neighbourhood: Neighbourhood
    ) -> Iterable[Problem]:
        """Yield what is wrong with the object name."""
        config = parameters.snapshot_config
        faults = list(name_faults(config.output_file.object, _PLACEHOLDERS, _OBJECT))
        yield from faults
        name = config.output_file.object
        if config.sequence and not faults and "Count" not in placeholders_in(name):
            yield Problem(
                code=Code.FORMAT,
                message=f'The object name "{name}" of a sequence has no {{Count}}, so its '
                "pictures would overwrite each other.",
                pointer=_OBJECT,
                remedy="Put {Count} into the name.",
            )

    def destinations(self, parameters: SnapshotParameters) -> Iterable[ObjectRef]:
        """The name of the pictures."""
        yield parameters.snapshot_config.output_file.template()

    def tools(self) -> Mapping[str, str]:
        """Both tools: ffprobe finds the key frames."""
        return ffmpeg.versions()

    def plan(self, parameters: SnapshotParameters, context: PlanContext) -> Step:
        """Resolve times, size and names.

        With FrameType intra the commands seek to the times as given; which key frames are
        nearest is looked up when the activity runs.

        Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`,
        `.ObjectKeyInvalid`).
        """
        config, media = parameters.snapshot_config, MediaInfo.from_json(context.media())
        if media.video is None:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                "The input has no video stream, so there is no picture to take.",
                remedy="Leave the Snapshot out for audio files.",
            )
        target = config.output_file
        job = SnapshotJob(
            config=config,
            cover=parameters.media_cover,
            ref=ObjectRef(
                bucket=target.bucket,
                object=context.names.fill(target.object),
                location=target.location,
            ),
            media=media,
            video=media.video,
            size=picture_size(media.video.display_size, config),
        )
        job.named(1, config.time)  # refuses a bad key now
        end, source = job.declared_end, context.names.source_name
        times = None if end is None else job.times(end)
        moments = times or [config.time]
        keys = moments if config.frame_type == "intra" else None
        return Step(
            outputs=(_planned(job, times),),
            commands=tuple(job.commands(source, moments, keys, end)),
            identity={
                "Time": config.time,
                "Interval": config.seconds_apart if config.sequence else None,
                "Num": config.num if config.sequence else 1,
                "Size": list(job.size),
                "FrameType": config.frame_type,
                # the data of an equal step is taken over whole
                "MediaCover": parameters.media_cover,
            },
            resolved=job,
        )

    def effects(self, result: StepResult) -> Iterable[Effect]:
        """The first picture may be the cover (specification, snapshot, 6)."""
        if result.data.get("MediaCover") and result.outputs:
            yield SetCover(ref=result.outputs[0].ref)

    def renamed(self, step: Step, finished: StepResult) -> Sequence[ObjectRef]:
        """Number the pictures of an equal step again."""
        job = _job(step)
        return [job.named(number, time) for number, time in enumerate(finished.data["Times"], 1)]

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Take the pictures and check each. Those from the video's real end on are dropped.

        Raises ActivityError, as `ffmpeg.run` and `plan` do, and InstallationError for an ffmpeg
        that cannot convert the colours.
        """
        job = _job(step)
        for name, _ in (*named(job.video), *conversion(job.video, JPEG, "yuvj420p")):
            ffmpeg.capabilities().require_filter(name)
        end = job.measured_end(context)
        times = job.times(end)
        keys = job.keys(times, context)
        commands = job.commands(context.source.name, times, keys, end)
        damage = 0
        for done, command in enumerate(commands):

            def tell(share: float, done: int = done) -> None:
                context.progress((done + share) / len(commands))

            seconds = (times[-1] - times[0]) / 1000 if len(commands) == 1 else None
            report = ffmpeg.run(command, context=context, duration=seconds, on_progress=tell)
            damage += report.decode_errors
        try:
            pictures = job.taken(context.work, times, keys)
        except ActivityError as error:
            raise ffmpeg.blame(error, commands, context) from error
        return ActivityResult(
            data={
                "Count": len(pictures),
                "Times": times[: len(pictures)],
                "MediaCover": job.cover,
            },
            outputs=tuple(pictures),
            commands=tuple(commands),
            warnings=tuple(_warnings(job, end, len(times), len(pictures), damage)),
        )


def _job(step: Step) -> SnapshotJob:
    assert isinstance(step.resolved, SnapshotJob)
    return step.resolved


def _planned(job: SnapshotJob, times: Sequence[int] | None) -> PlannedOutput:
    width, height = job.size
    picture, each = f"jpeg {width}x{height}", round(width * height * _BYTES_PER_PIXEL)
    if not job.config.sequence:
        ref = job.named(1, job.config.time)
        return PlannedOutput(ref=ref, summary=picture, size_estimate=each)
    if times is None:
        return PlannedOutput(ref=job.ref, summary=f"{picture}, as many as the video has")
    size = len(times) * each
    return PlannedOutput(ref=job.ref, summary=f"{len(times)} x {picture}", size_estimate=size)


def _warnings(
    job: SnapshotJob, video_end: float, times: int, taken: int, damage: int
) -> Iterable[str]:
    yield from (message for message, _ in told(job.video, JPEG))
    if damage:
        yield f"{Code.SOURCE_DAMAGED}: damage in the source was concealed."
    declared = job.declared_end
    planned = times if declared is None else len(job.times(declared))
    if times < planned:
        yield (
            f"The video ends early, at {video_end * 1000:.0f} ms: {planned - times} of "
            f"{planned} pictures do not exist."
        )
    if taken < times:
        yield f"The last {times - taken} of {times} pictures cannot be read."
