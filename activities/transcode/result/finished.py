"""One finished output: what it was made of, its files, and what was found out about them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.packaging.tail import join_short_tail
from activities.probe import MediaInfo
from activities.probe.values import number, section
from activities.quality import Comparison, Metric
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.rendition import Rendition
from activities.transcode.result.files import Files, files_of, media_of_segment
from activities.transcode.result.manifest import representations
from activities.transcode.result.playlist import with_longer_first
from activities.transcode.result.verify import SHORT_SECONDS, verify
from workflow_engine.records import Figure

#: what is described without ffprobe, which reads neither of them whole
_DESCRIBED = (".mpd", ".webp")


@dataclass(frozen=True, kw_only=True)
class FinishedOutput:
    """The files of an output that has been verified, and what is in them.

    `encodes` is how often it was encoded, `first` what was measured of the first of two. `moment`
    is a picture of its worst moment, beside that of its source, where the quality was measured:
    `compared`.
    """

    target: RenditionTarget
    files: Files
    media: MediaInfo
    encodes: int = 1
    first: Mapping[Figure, float] | None = None
    compared: Comparison | None = None
    moment: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def rendition(self) -> Rendition:
        """What it was to be."""
        return self.target.rendition

    @property
    def kbps(self) -> float:
        """The average bit rate, rounded as it is recorded, so that names made of it stay."""
        duration = self.media.duration
        return round(self.files.size * 8 / 1000 / duration, 3) if duration else 0.0

    @property
    def picture_kbps(self) -> float | None:
        """The average bit rate of its picture, by its packets; None where they were not read.

        That of DASH is by its segments.
        """
        index, video = self.files.index, self.media.video
        if index is not None and index.suffix == ".mpd" and video:
            picture = representations(index)[0]
            size = sum(path.stat().st_size for path in picture.segments)
            return size * 8 / 1000 / picture.duration
        packets = section(self.media.probe.get("packets"))
        return number(section(packets.get(str(video.index))).get("Rate")) if video else None

    @property
    def figures(self) -> Mapping[Figure, float]:
        """What an Analysis may have foretold of this encode, as far as it was measured."""
        figures: dict[Figure, float] = {}
        if rate := self.picture_kbps:
            figures[Figure.BITRATE] = round(rate, 3)
        if self.compared and self.compared.metric is Metric.VMAF:
            figures[Figure.VMAF] = round(self.compared.mean, 2)
        return figures

    def discard(self) -> None:
        """Take its files away: another encode is used."""
        for path in (*self.files.content, self.files.index, self.moment):
            if path is not None:
                path.unlink(missing_ok=True)


def finished(target: RenditionTarget, count_limit: int, cancel: threading.Event) -> FinishedOutput:
    """Verify the files of a target; more than `count_limit` bytes are not read through.

    Raises ActivityError as `verify` does, and InterruptedRunError on `cancel`.
    """
    path = Path(target.path)
    if target.rendition.stream and not target.rendition.picture:
        join_short_tail(path)
    if path.suffix == ".m3u8" and target.rendition.copy and not target.rendition.segment_key:
        _count_from_sound(path)
    media, files = verify(path, target.rendition), files_of(path)
    if path.suffix not in _DESCRIBED and files.size <= count_limit:
        media = media.counted(path, playlists=files.index is not None, cancel=cancel)
    return FinishedOutput(target=target, files=files, media=media)


def _count_from_sound(path: Path) -> None:
    """Let a playlist tell the sound before its first picture, which its muxer counts from."""
    first = files_of(path).content[:1]
    video = media_of_segment(first[0]).video if first else None
    if video and video.begins > SHORT_SECONDS:
        text = path.read_text(encoding="utf-8")
        path.write_text(with_longer_first(text, video.begins), encoding="utf-8")
