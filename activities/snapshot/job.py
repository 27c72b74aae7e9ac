"""One Snapshot on one source: what is known of it, and which pictures to take when.

`stills.py`, `best.py` and `preview.py` do the work.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from activities import ffmpeg
from activities.probe import MediaInfo, VideoStream
from activities.probe.values import number, sections
from activities.snapshot.commands import Camera, Shot
from activities.snapshot.config import SnapshotConfig
from activities.snapshot.keyframes import RUN_UP, Reel
from activities.snapshot.moments import moments
from activities.snapshot.names import SnapshotNames
from activities.snapshot.pictures import PictureKind, Size
from activities.snapshot.sprites import SpriteSheet
from workflow_engine.activity import ActivityContext
from workflow_engine.records import Json

#: seconds by which an input is opened early where a seek could land behind the moment: an index
#: may count in decoding order, in which a key frame stands before frames that are shown before it
EARLY = 2.0
#: the same where the container has no index: a seek lands between two key frames, and what comes
#: before the next one cannot be decoded
EARLY_WITHOUT_INDEX = 12.0
#: seconds of decoding that the opening of a source takes as long as: without an index, its first
#: seconds are read and partly decoded
_OPENING, _OPENING_WITHOUT_INDEX = 0.5, 1.5
#: milliseconds from a key frame to a moment, where it is not known yet
_USUAL_WAY = 1000.0
#: demuxers of containers that have one
INDEXED = frozenset({"mov", "matroska", "webm", "avi"})


@dataclass(frozen=True, kw_only=True)
class SnapshotJob:
    """A Snapshot as planned for one source. `size` is that of the pictures that are taken.

    `cover` means that its one picture is to be the media's cover, `black` is the share of black
    pixels that the first picture must be below, in percent.
    """

    config: SnapshotConfig
    cover: bool
    names: SnapshotNames
    media: MediaInfo
    video: VideoStream
    kind: PictureKind
    size: Size
    sheet: SpriteSheet | None = None

    @property
    def black(self) -> int | None:
        """The BlackLevel of the first picture, None when any frame will do."""
        return self.config.black(cover=self.cover)

    @property
    def declared_end(self) -> float | None:
        """Seconds until the video ends, as far as the file says; sound may continue longer."""
        if not self.video.duration:
            return self.media.duration
        end = self._video_start + self.video.duration
        return end if self.media.duration is None else min(end, self.media.duration)

    def measured_end(self, context: ActivityContext) -> float:
        """The same from the frames themselves. Raises ActivityError, as `ffmpeg.ask` does."""
        config = self.config
        lone = not (config.sequence or config.best or config.preview or config.format)
        if lone and config.time == 0:
            return math.inf  # the first frame is before the end, wherever that is
        declared = self.declared_end
        if declared is not None and not self.media.seekable:
            return declared
        end = self.reel(context).end(declared) or declared
        if end is None:
            raise ffmpeg.content_bad("its video has no frames, or they have no times")
        return end

    def times(self, video_end: float) -> list[int]:
        """Return the moments of the pictures, in milliseconds. Raises ActivityError."""
        return moments(self.config, video_end)

    def camera(self, source: str) -> Camera:
        """Return what takes pictures of a file of the work directory."""
        return Camera(
            source=source,
            start_time=self.media.start_time,
            video=self.video,
            size=self.size,
            kind=self.kind,
        )

    def reel(self, context: ActivityContext) -> Reel:
        """Return what looks into the source without decoding it."""
        return Reel(
            path=context.source,
            position=self.video.position,
            start_time=self.media.start_time,
            frame=float(1 / self.video.fps),
            cancel=context.cancel,
        )

    @property
    def indexed(self) -> bool:
        """Whether the source knows where its frames are."""
        names = self.media.format_name.split(",")
        return self.media.seekable and not INDEXED.isdisjoint(names)

    @property
    def early(self) -> float:
        """Seconds by which the source is opened before a moment, to be on the safe side."""
        if not self.media.seekable:
            return math.inf
        return EARLY if self.indexed else EARLY_WITHOUT_INDEX

    @property
    def opening(self) -> float:
        """Seconds of decoding that take as long as to open the source once more."""
        return _OPENING if self.indexed else _OPENING_WITHOUT_INDEX

    def planned_shots(self, times: Sequence[float]) -> list[Shot]:
        """Return the pictures of moments, in milliseconds, as they will probably be taken."""
        usual = [max(0.0, moment - _USUAL_WAY) for moment in times]
        return self._shots(times, times, usual if self.indexed else [math.inf] * len(times))

    def found_shots(self, times: Sequence[float], context: ActivityContext) -> list[Shot]:
        """Return the same, looked up. Raises as `ffmpeg.ask` does."""
        reel = self.reel(context)
        return self._approached(times, self._landings(reel, times), reel)

    def key_shots(self, keys: Sequence[float], context: ActivityContext) -> list[Shot]:
        """Return the pictures of key frames, in milliseconds. Raises as `ffmpeg.ask` does."""
        # just behind the key frame, so that no rounding makes it the one before
        return self._approached([key + 1 for key in keys], keys, self.reel(context))

    def _approached(self, times: Sequence[float], keys: Sequence[float], reel: Reel) -> list[Shot]:
        """Return the pictures of moments before which decoding could begin at some key frames."""
        starts = times
        if self.video.codec == "h264" and reel.builds_up(keys):
            # until then, what began to build up one key frame earlier is whole
            pairs = zip(times, keys, strict=True)
            starts = [time if key == math.inf else max(0.0, key - 1) for time, key in pairs]
            keys = self._landings(reel, starts)
        return self._shots(times, starts, keys)

    def _landings(self, reel: Reel, moments: Sequence[float]) -> list[float]:
        """Return the key frame from which each moment is decoded; infinite where nobody knows."""
        unknown = [math.inf] * len(moments)
        if not self.media.seekable:
            return unknown
        if not self.indexed:
            return reel.before(moments, early=self.early)
        landings = reel.landings(moments)
        return landings if len(landings) == len(moments) else unknown

    def _shots(
        self, times: Sequence[float], starts: Sequence[float], keys: Sequence[float]
    ) -> list[Shot]:
        """Return the pictures of moments for which the source is opened at `starts`."""
        found = enumerate(zip(times, starts, keys, strict=True), 1)
        return [self._shot(number, *one) for number, one in found]

    def _shot(self, number: int, moment: float, start: float, key: float) -> Shot:
        if key > start:
            start = key = max(0.0, start - 1000 * self.early)
        elif not self.indexed:
            start = key = max(0.0, key - 1000 * RUN_UP)
        file = f"{number:05d}{self.kind.suffix}"
        # at the very beginning no seek is needed
        return Shot(file=file, moment=moment, start=0.0 if moment <= 1 else start, key=key)

    def identity(self) -> Mapping[str, Json]:
        """What shapes the bytes of the outputs (design, content keys)."""
        config = self.config
        if config.preview:
            return {
                "Preview": config.preview.model_dump(),
                "Time": config.time,
                "Size": list(self.size),
                "Kind": self.names.picture.object.rpartition(".")[2].lower(),
            }
        black = self.black
        return {
            "Time": config.time,
            "Interval": config.seconds_apart if config.sequence else None,
            "Num": config.num if config.sequence else 1,
            "Size": list(self.size),
            "Kind": self.kind.name,
            "FrameType": config.frame_type,
            "Black": None if black is None else [black, config.pixel_black_threshold],
            "Best": config.best,
            "Sprites": self.sheet and {**self.sheet.identity(), "Alone": not config.keeps_pictures},
            # the text of a WebVTT holds names
            "Index": [config.fragments, self.names.relative(sprites=config.fragments)]
            if config.format
            else None,
            # the data of an equal step is taken over whole
            "MediaCover": self.cover,
        }

    @property
    def _video_start(self) -> float:
        """Seconds until the first frame."""
        for stream in sections(self.media.probe.get("streams")):
            begin = number(stream.get("start_time"))
            if stream.get("index") == self.video.index and begin is not None:
                return max(0.0, begin - self.media.start_time)
        return 0.0
