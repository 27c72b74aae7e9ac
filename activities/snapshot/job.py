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
from activities.snapshot.keyframes import Reel
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

    def shots(
        self, times: Sequence[float], landings: Sequence[float] = (), *, first: int = 1
    ) -> list[Shot]:
        """Return the pictures of moments, in milliseconds, in files that count from `first`.

        `landings` say where seeks to the moments land, if that is known.
        """
        known = landings if len(landings) == len(times) else [math.inf] * len(times)
        pairs = enumerate(zip(times, known, strict=True), first)
        return [self._shot(number, moment, key) for number, (moment, key) in pairs]

    def _shot(self, number: int, moment: float, key: float) -> Shot:
        behind = key > moment
        safe = max(0.0, moment - 1000 * self.early)
        return Shot(
            file=f"{number:05d}{self.kind.suffix}",
            moment=moment,
            # at the very beginning no seek is needed
            start=safe if behind or moment <= 1 else moment,
            key=safe if behind else key,
        )

    def planned_shots(self, times: Sequence[int]) -> list[Shot]:
        """Return the same as it will probably be, before anything is looked up."""
        usual = [max(0.0, moment - _USUAL_WAY) for moment in times]
        return self.shots(times, usual if self.indexed else ())

    def found_shots(self, times: Sequence[int], context: ActivityContext) -> list[Shot]:
        """Return the same, looked up. Raises as `ffmpeg.ask` does."""
        return self.shots(times, self.reel(context).landings(times) if self.indexed else ())

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
