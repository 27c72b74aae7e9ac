"""One Snapshot on one source: which commands, and what became of their pictures."""

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.probe import MediaInfo, VideoStream, streams
from activities.snapshot.commands import (
    BATCH,
    EARLY,
    EARLY_WITHOUT_INDEX,
    INDEXED,
    Camera,
    Shot,
)
from activities.snapshot.config import SnapshotConfig
from activities.snapshot.jpeg import jpeg_size
from activities.snapshot.keyframes import Reel
from activities.snapshot.moments import Size, fill, moments, step_of
from workflow_engine.activity import ActivityContext, Produced
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import check_key


@dataclass(frozen=True, kw_only=True)
class SnapshotJob:
    """A Snapshot as planned for one source. `ref` keeps the placeholders of single pictures.

    `cover` means that its one picture is to be the media's cover.
    """

    config: SnapshotConfig
    cover: bool
    ref: ObjectRef
    media: MediaInfo
    video: VideoStream
    size: Size

    @property
    def declared_end(self) -> float | None:
        """Seconds until the video ends, as far as the file says; sound may continue longer."""
        if not self.video.duration:
            return self.media.duration
        end = self._video_start + self.video.duration
        return end if self.media.duration is None else min(end, self.media.duration)

    def measured_end(self, context: ActivityContext) -> float:
        """The same from the frames themselves. Raises ActivityError, as `ffmpeg.ask` does."""
        if not self.config.sequence and self.config.time == 0:
            return math.inf  # the first frame is before the end, wherever that is
        declared = self.declared_end
        if declared is not None and not self.media.seekable:
            return declared
        end = self._reel(context).end(declared) or declared
        if end is None:
            raise ffmpeg.content_bad("its video has no frames, or they have no times")
        return end

    def times(self, video_end: float) -> list[int]:
        """Return the moments of the pictures, in milliseconds. Raises ActivityError."""
        return moments(self.config, video_end)

    def named(self, number: int, moment: int) -> ObjectRef:
        """Return the object of one picture. Raises ActivityError for a key that is not allowed."""
        key = fill(self.ref.object, number, moment)
        try:
            check_key(key)
        except InvalidInputError as error:
            raise ActivityError(error.code, error.message, remedy=error.remedy) from None
        return ObjectRef(bucket=self.ref.bucket, object=key, location=self.ref.location)

    def keys(self, times: Sequence[int], context: ActivityContext) -> list[float] | None:
        """Return the moments of the key frames to take, in milliseconds.

        None when the frames at the times themselves are to be taken.
        """
        if self.config.frame_type != "intra" or not self.media.seekable:
            return None
        early = self._camera(context.source.name).early
        keys = self._reel(context).nearest_keys(times, early=early)
        # just behind the key frame, so that no rounding makes it the one before
        return None if keys is None else [key + 1 for key in keys]

    def commands(
        self,
        source: str,
        times: Sequence[int],
        keys: Sequence[float] | None,
        video_end: float | None,
    ) -> list[tuple[str, ...]]:
        """Return the commands for pictures 1, 2, ... at the times or of the key frames.

        `source` is a file name in the work directory.
        """
        camera = self._camera(source)
        if self.config.sequence and keys is None and video_end is not None:
            step = step_of(self.config, video_end)
            if camera.dense(step / 1000):
                exact = Fraction(step).limit_denominator(1000)
                return [camera.scan(times[0], exact, len(times), "%05d.jpg")]
        firsts: dict[float, int] = {}
        for number, moment in enumerate(times if keys is None else keys, 1):
            firsts.setdefault(moment, number)
        shots = [Shot(file=_file(number), moment=moment) for moment, number in firsts.items()]
        batches = [shots[start : start + BATCH] for start in range(0, len(shots), BATCH)]
        return [camera.seek(batch, keys_only=keys is not None) for batch in batches]

    def taken(
        self, work: Path, times: Sequence[int], keys: Sequence[float] | None
    ) -> list[Produced]:
        """Return the pictures in order, without those at the end that could not be read.

        Raises ActivityError when one is not what was asked for, is missing in the middle, or
        when there is none at all.
        """
        if keys is not None:
            _repeat(work, keys)
        files = [work / _file(number) for number in range(1, len(times) + 1)]
        there = [file.exists() for file in files]
        count = there.index(False) if False in there else len(there)
        if count == 0 or any(there[count:]):
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
            early=_early(self.media),
            start_time=self.media.start_time,
            video=self.video,
            size=self.size,
        )

    def _reel(self, context: ActivityContext) -> Reel:
        return Reel(
            path=context.source,
            position=self.video.position,
            start_time=self.media.start_time,
            frame=float(1 / self.video.fps),
            cancel=context.cancel,
        )

    @property
    def _video_start(self) -> float:
        """Seconds until the first frame."""
        for stream in streams.sections(self.media.probe.get("streams")):
            begin = streams.number(stream.get("start_time"))
            if stream.get("index") == self.video.index and begin is not None:
                return max(0.0, begin - self.media.start_time)
        return 0.0


def _repeat(work: Path, keys: Sequence[float]) -> None:
    """Give every picture its own file: two times may have the same key frame."""
    taken: dict[float, Path] = {}
    for number, moment in enumerate(keys, 1):
        file = work / _file(number)
        first = taken.setdefault(moment, file)
        if first is not file and first.exists():
            shutil.copyfile(first, file)


def _early(media: MediaInfo) -> float:
    if not media.seekable:
        return math.inf
    return EARLY if INDEXED.intersection(media.format_name.split(",")) else EARLY_WITHOUT_INDEX


def _file(number: int) -> str:
    return f"{number:05d}.jpg"
