"""One Snapshot on one source: which commands, and what became of their pictures."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.probe import MediaInfo, VideoStream
from activities.snapshot.commands import BATCH, Camera, Shot
from activities.snapshot.config import SnapshotConfig
from activities.snapshot.jpeg import jpeg_size
from activities.snapshot.keyframes import last_frame, nearest_keys
from activities.snapshot.moments import Size, fill, moments, step_of
from workflow_engine.activity import ActivityContext, Produced
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.placeholders import check_key
from workflow_engine.records import ObjectRef


@dataclass(frozen=True, kw_only=True)
class Job:
    """A Snapshot as planned for one source. `ref` keeps the placeholders of single pictures."""

    config: SnapshotConfig
    ref: ObjectRef
    media: MediaInfo
    video: VideoStream
    size: Size

    @property
    def duration(self) -> float | None:
        """Seconds of picture, None if not declared; sound may go on longer."""
        return self.video.duration or self.media.duration

    def measured_duration(self, context: ActivityContext) -> float:
        """The same, from the file's packets where it is not declared."""
        if self.duration is not None:
            return self.duration
        start, cancel = self.media.start_time, context.cancel
        last = last_frame(context.source, self.video.position, start_time=start, cancel=cancel)
        return last + 0.001  # a time at the last frame is before the end

    def times(self, duration: float) -> list[int]:
        """Return the moments of the pictures, in milliseconds. Raises ActivityError."""
        return moments(self.config, duration)

    def named(self, number: int, moment: int) -> ObjectRef:
        """Return the object of one picture. Raises ActivityError for a key that is not allowed."""
        key = fill(self.ref.object, number, moment)
        try:
            check_key(key)
        except InvalidInputError as error:
            raise ActivityError(error.code, error.message, remedy=error.remedy) from None
        return ObjectRef(bucket=self.ref.bucket, object=key, location=self.ref.location)

    def frames(self, times: Sequence[int], context: ActivityContext) -> list[float]:
        """Return the moments to seek to, in milliseconds: the times, or the nearest key frames."""
        camera = self._camera(context.source.name)
        if not camera.keys_only:
            return list(times)
        keys = nearest_keys(
            context.source,
            camera.position,
            times,
            early=camera.early,
            start_time=self.media.start_time,
            cancel=context.cancel,
        )
        # just behind the key frame, so that no rounding makes it the one before
        return [key + 1 for key in keys]

    def commands(
        self, source: str, frames: Sequence[float], duration: float | None
    ) -> list[tuple[str, ...]]:
        """Return the commands for pictures 1, 2, ... at these moments (milliseconds).

        `source` is a file name in the work directory.
        """
        camera = self._camera(source)
        if self.config.sequence and not camera.keys_only and duration is not None:
            step = step_of(self.config, duration)
            if camera.dense(step / 1000):
                exact = Fraction(step).limit_denominator(1000)
                return [camera.scan(frames[0], exact, len(frames), "%05d.jpg")]
        firsts: dict[float, int] = {}
        for number, moment in enumerate(frames, 1):
            firsts.setdefault(moment, number)
        shots = [Shot(file=_file(number), moment=moment) for moment, number in firsts.items()]
        batches = range(0, len(shots), BATCH)
        return [camera.seek(shots[start : start + BATCH]) for start in batches]

    def taken(self, work: Path, times: Sequence[int], frames: Sequence[float]) -> list[Produced]:
        """Return the pictures in order, up to the first that the video ended before.

        Raises ActivityError when one is not what was asked for, is missing in the middle, or
        when there is none at all.
        """
        _repeat(work, frames)
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
        return list(self._produced(files[:count], times))

    def _produced(self, files: Sequence[Path], times: Sequence[int]) -> Iterator[Produced]:
        for number, (file, moment) in enumerate(zip(files, times, strict=False), 1):
            if jpeg_size(file) != self.size:
                raise ActivityError(
                    Code.INTERNAL,
                    f"Picture {number} at {moment} ms is not a whole JPEG of "
                    f"{self.size[0]}x{self.size[1]} pixels.",
                )
            yield Produced(path=file, ref=self.named(number, moment))

    def _camera(self, source: str) -> Camera:
        return Camera(
            source=source,
            format_name=self.media.format_name,
            position=self.video.position,
            size=self.size,
            keys_only=self.config.frame_type == "intra",
        )


def _repeat(work: Path, frames: Sequence[float]) -> None:
    """Give every picture its own file: two times may have the same key frame."""
    taken: dict[float, Path] = {}
    for number, moment in enumerate(frames, 1):
        file = work / _file(number)
        first = taken.setdefault(moment, file)
        if first is not file and first.exists():
            shutil.copyfile(first, file)


def _file(number: int) -> str:
    return f"{number:05d}.jpg"
