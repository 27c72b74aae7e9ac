"""Snapshot: pictures of the source, one or a sequence, as JPEG.

`config` holds the parameters, `moments` says when and how large, `commands` how, `keyframes`
finds the key frames for FrameType intra, `jpeg` checks the result. Specification: snapshot.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.probe import MediaInfo, VideoStream
from activities.snapshot.commands import BATCH, Camera, Shot
from activities.snapshot.config import SnapshotConfig, SnapshotParameters
from activities.snapshot.jpeg import jpeg_size
from activities.snapshot.keyframes import last_frame, nearest_keys
from activities.snapshot.moments import Size, fill, moments, picture_size, step_of
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Neighbourhood,
    PlanContext,
    PlannedOutput,
    Produced,
    Result,
    Step,
)
from workflow_engine.errors import ActivityError, Code, InvalidInputError, Problem
from workflow_engine.placeholders import check_key, placeholders_in
from workflow_engine.records import ObjectRef

#: bytes per pixel of a JPEG at quality 2, for estimates
_BYTES_PER_PIXEL = 0.2

_PLACEHOLDERS = frozenset(
    {"ObjectPrefix", "FileName", "ExtName", "RunId", "MediaId", "SnapshotTime", "Count"}
)
_OBJECT = "/SnapshotConfig/OutputFile/Object"


@dataclass(frozen=True, kw_only=True)
class _Resolved:
    config: SnapshotConfig
    ref: ObjectRef
    media: MediaInfo
    video: VideoStream
    size: Size

    @property
    def duration(self) -> float | None:
        """Seconds of picture; sound may go on longer."""
        return self.video.duration or self.media.duration

    def camera(self, source: str) -> Camera:
        return Camera(
            source=source,
            format_name=self.media.format_name,
            position=self.video.position,
            size=self.size,
            keys_only=self.config.frame_type == "intra",
        )

    def named(self, number: int, moment: int) -> ObjectRef:
        """The object of one picture."""
        key = fill(self.ref.object, number, moment)
        _check(key)
        return ObjectRef(bucket=self.ref.bucket, object=key, location=self.ref.location)


class Snapshot(Activity[SnapshotParameters]):
    """Takes pictures of the source. `MediaCover` is for whoever publishes the media."""

    type_name = "Snapshot"
    aliases = ("Screenshot",)
    parameters = SnapshotParameters

    def check(self, parameters: SnapshotParameters, around: Neighbourhood) -> Iterable[Problem]:
        """Yield what is wrong with the object name."""
        config = parameters.snapshot_config
        faults = list(config.output_file.faults(_PLACEHOLDERS, _OBJECT))
        yield from faults
        if config.sequence and not faults and not _counted(config):
            yield Problem(
                code=Code.FORMAT,
                message=f'The object name "{config.output_file.object}" of a sequence has no '
                "{Count}, so its pictures would overwrite each other.",
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
        """Resolve times, size and names. With FrameType intra the commands seek to the times as
        given; which key frames are nearest is looked up when the activity runs.

        Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`,
        `.ObjectKeyInvalid`).
        """
        config, media = parameters.snapshot_config, MediaInfo.from_json(context.media())
        video = media.video
        if video is None:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                "The input has no video stream, so there is no picture to take.",
                remedy="Leave the Snapshot out for audio files.",
            )
        resolved = _Resolved(
            config=config,
            ref=_ref(config, context),
            media=media,
            video=video,
            size=picture_size(video.display_size, config),
        )
        extension = context.names.ext_name
        camera = resolved.camera(f"source.{extension}" if extension else "source")
        known = None if resolved.duration is None else moments(config, resolved.duration)
        return Step(
            outputs=(_planned(resolved, known),),
            commands=tuple(_commands(camera, config, known or [config.time], resolved.duration)),
            identity={
                "Time": config.time,
                "Interval": config.seconds_apart if config.sequence else None,
                "Num": config.num if config.sequence else 1,
                "Size": list(resolved.size),
                "FrameType": config.frame_type,
            },
            resolved=resolved,
        )

    def renamed(self, step: Step, finished: Result) -> Sequence[ObjectRef]:
        """Number the pictures of an equal step anew."""
        resolved = _resolved(step)
        times = finished.data["Times"]
        return [resolved.named(number, time) for number, time in enumerate(times, 1)]

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Take the pictures and check each. Those that the video ends before are dropped.

        Raises ActivityError, as `ffmpeg.run` and `plan` do.
        """
        resolved = _resolved(step)
        duration = resolved.duration or _measured(resolved, context)
        times = moments(resolved.config, duration)
        camera = resolved.camera(context.source.name)
        wanted = _wanted(camera, resolved, times, context)
        lines = list(_commands(camera, resolved.config, wanted, duration))
        damage = 0
        for done, line in enumerate(lines):

            def tell(share: float, done: int = done) -> None:
                context.progress((done + share) / len(lines))

            seconds = (times[-1] - times[0]) / 1000 if len(lines) == 1 else None
            report = ffmpeg.run(line, context=context, duration=seconds, on_progress=tell)
            damage += report.decode_errors
        _repeat(context.work, wanted)
        pictures = list(_taken(context.work, resolved, times))
        warnings: list[str] = []
        if damage:
            warnings.append(f"{Code.SOURCE_DAMAGED}: damage in the source was concealed.")
        if dropped := len(times) - len(pictures):
            warnings.append(f"The video ends early: the last {dropped} pictures do not exist.")
        return ActivityResult(
            data={"Count": len(pictures), "Times": times[: len(pictures)]},
            outputs=tuple(pictures),
            commands=tuple(lines),
            warnings=tuple(warnings),
        )


def _counted(config: SnapshotConfig) -> bool:
    return "Count" in placeholders_in(config.output_file.object)


def _check(key: str) -> None:
    try:
        check_key(key)
    except InvalidInputError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from None


def _ref(config: SnapshotConfig, context: PlanContext) -> ObjectRef:
    target = config.output_file
    key = context.names.fill(target.object)
    _check(fill(key, 1, config.time))
    return ObjectRef(bucket=target.bucket, object=key, location=target.location)


def _resolved(step: Step) -> _Resolved:
    assert isinstance(step.resolved, _Resolved)
    return step.resolved


def _planned(resolved: _Resolved, known: Sequence[int] | None) -> PlannedOutput:
    width, height = resolved.size
    picture, each = f"jpeg {width}x{height}", round(width * height * _BYTES_PER_PIXEL)
    if not resolved.config.sequence:
        ref = resolved.named(1, resolved.config.time)
        return PlannedOutput(ref=ref, summary=picture, size_estimate=each)
    if known is None:
        return PlannedOutput(ref=resolved.ref, summary=f"{picture}, as many as the video has")
    return PlannedOutput(
        ref=resolved.ref,
        summary=f"{len(known)} pictures, {picture}",
        size_estimate=len(known) * each,
    )


def _measured(resolved: _Resolved, context: ActivityContext) -> float:
    """Return the seconds of a video that does not declare them: its last frame is within."""
    last = last_frame(
        context.source,
        resolved.video.position,
        start_time=resolved.media.start_time,
        cancel=context.cancel,
    )
    return last + 0.001


def _wanted(
    camera: Camera, resolved: _Resolved, times: Sequence[int], context: ActivityContext
) -> list[float]:
    """Return the moments to seek to, in milliseconds: the times, or the key frames nearest."""
    if not camera.keys_only:
        return list(times)
    keys = nearest_keys(
        context.source,
        camera.position,
        times,
        early=camera.early,
        start_time=resolved.media.start_time,
        cancel=context.cancel,
    )
    # just behind the key frame, so that no rounding makes it the one before
    return [key + 1 for key in keys]


def _commands(
    camera: Camera, config: SnapshotConfig, wanted: Sequence[float], duration: float | None
) -> Iterable[tuple[str, ...]]:
    """Yield the commands for pictures 1, 2, ... at these moments (milliseconds)."""
    if config.sequence and not camera.keys_only and duration is not None:
        step = step_of(config, duration)
        if camera.dense(step / 1000):
            exact = Fraction(step).limit_denominator(1000)
            yield camera.scan(wanted[0], exact, len(wanted), "%05d.jpg")
            return
    firsts = {moment: number for number, moment in reversed(list(enumerate(wanted, 1)))}
    shots = [Shot(file=_file(n), moment=m) for m, n in sorted(firsts.items(), key=lambda i: i[1])]
    for start in range(0, len(shots), BATCH):
        yield camera.seek(shots[start : start + BATCH])


def _repeat(work: Path, wanted: Sequence[float]) -> None:
    """Give every picture its own file: two times may have the same key frame."""
    taken: dict[float, Path] = {}
    for number, moment in enumerate(wanted, 1):
        file = work / _file(number)
        first = taken.setdefault(moment, file)
        if first is not file and first.exists():
            shutil.copyfile(first, file)


def _taken(work: Path, resolved: _Resolved, times: Sequence[int]) -> Iterable[Produced]:
    """Yield the pictures in order, up to the first that the video ended before.

    Raises ActivityError when one is not what was asked for, is missing in the middle, or when
    there is none at all.
    """
    files = [work / _file(number) for number in range(1, len(times) + 1)]
    there = [file.exists() for file in files]
    if not any(there):
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The video has no picture at {times[0]} ms.",
            remedy="Use an earlier Time.",
        )
    count = there.index(False) if False in there else len(there)
    if any(there[count:]):
        raise ffmpeg.content_bad(f"it has no readable picture at {times[count]} ms")
    for number, (file, moment) in enumerate(zip(files[:count], times, strict=False), 1):
        if jpeg_size(file) != resolved.size:
            raise ActivityError(
                Code.INTERNAL, f"Picture {number} at {moment} ms did not turn out as a JPEG."
            )
        yield Produced(path=file, ref=resolved.named(number, moment))


def _file(number: int) -> str:
    return f"{number:05d}.jpg"
