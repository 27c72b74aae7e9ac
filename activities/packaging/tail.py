"""Join the last segment of sound to the one before it where it is too short to be played alone.

Sound is cut at whole frames, a little behind each border, so that some milliseconds are left at the
end. hls.js waits forever for the end of fMP4 sound whose last segment is that short.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

#: seconds; no player has trouble with longer segments
_LEAST = 0.5
_LENGTH, _TARGET = "#EXTINF:", "#EXT-X-TARGETDURATION:"


def join_short_tail(playlist: Path) -> None:
    """Join the last two segments of a playlist that ffmpeg has written, if the last is short.

    Both kinds of segments may stand one behind the other in a file; encrypted ones may not, and
    stay as they are.
    """
    text = playlist.read_text(encoding="utf-8")
    lines = text.splitlines()
    places = [n for n, line in enumerate(lines) if line.startswith(_LENGTH)]
    if len(places) < 2 or "#EXT-X-KEY:METHOD=AES-128" in text:
        return
    before, last = places[-2:]
    first, tail = (_seconds(lines[place]) for place in (before, last))
    if tail >= _LEAST:
        return
    names = [next(line for line in lines[place:] if line[0] != "#") for place in (before, last)]
    _append(playlist.with_name(names[0]), playlist.with_name(names[1]))
    lines[before] = f"{_LENGTH}{first + tail:.6f},"
    del lines[last : lines.index(names[1], last) + 1]
    playlist.write_text("\n".join(_retargeted(lines)) + "\n", encoding="utf-8")


def _seconds(line: str) -> float:
    return float(line.removeprefix(_LENGTH).partition(",")[0])


def _append(path: Path, tail: Path) -> None:
    with path.open("ab") as whole, tail.open("rb") as part:
        shutil.copyfileobj(part, whole)
    tail.unlink()


def _retargeted(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a playlist with a target duration that fits all segments."""
    longest = max(_seconds(line) for line in lines if line.startswith(_LENGTH))
    return [
        re.sub(rf"^{_TARGET}.*", f"{_TARGET}{max(1, int(longest + 0.5))}", line) for line in lines
    ]
