"""Cues in the segments of a package, and the playlist over them (RFC 8216, 3.5 and 4.3). Pure."""

import itertools
import math
from collections.abc import Iterator, Sequence

from activities.subtitles import SubtitleError, Subtitles, shown_in, webvtt

#: the time stamp (90 kHz) of the film's beginning in transport streams: ffmpeg's muxer begins
#: 1.4 s after its own beginning; fragments of an mp4 begin at 0
TS_ORIGIN = 126_000
#: segments of one stream: a day of single seconds
MAX_SEGMENTS = 86_400
#: characters of the texts in all segments: those that many segments show are written as often
MAX_WRITTEN = 1 << 25


def segment_ends(length: int, seconds: int) -> list[int]:
    """Return where the segments of so many seconds end, both in milliseconds; the last is shorter.

    The pictures of the package have the same, as far as their frames allow. Raises SubtitleError
    for more than `MAX_SEGMENTS`.
    """
    count = max(1, math.ceil(length / (seconds * 1000)))
    if count > MAX_SEGMENTS:
        raise SubtitleError(f"they would have {count} segments, more than {MAX_SEGMENTS}")
    return [min(number * seconds * 1000, length) for number in range(1, count + 1)]


def segment_texts(subtitles: Subtitles, ends: Sequence[int], *, fragmented: bool) -> Iterator[str]:
    """Yield the segments as WebVTT; `fragmented` is what those of the pictures are.

    Raises SubtitleError for texts that stand over each other all the time.
    """
    origin = 0 if fragmented else TS_ORIGIN
    written = 0
    for cues in shown_in(subtitles.cues, ends):
        written += sum(len(cue.text) for cue in cues)
        if written > MAX_WRITTEN:
            raise SubtitleError("too many of its texts are shown for too long at the same time")
        yield webvtt(cues, subtitles.head, mpegts=origin)


def lengths(ends: Sequence[int]) -> list[float]:
    """Return the seconds of segments that end there, in milliseconds."""
    return [(end - begin) / 1000 for begin, end in itertools.pairwise([0, *ends])]


def playlist(names: Sequence[str], ends: Sequence[int]) -> str:
    """Return the media playlist over segments of these names."""
    seconds = lengths(ends)
    entries = (f"#EXTINF:{one:.3f},\n{name}" for name, one in zip(names, seconds, strict=True))
    lines = (
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        # EXTINF rounded to the nearest whole number must not be larger
        f"#EXT-X-TARGETDURATION:{max(1, *(math.floor(one + 0.5) for one in seconds))}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *entries,
        "#EXT-X-ENDLIST",
    )
    return "\n".join(lines) + "\n"
