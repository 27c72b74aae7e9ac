"""The WebVTT index of pictures, for the thumbnails of players: pure.

One cue for each picture, from its moment to that of the next; the first from the beginning of
the source, the last to its end, so that each moment has one. A cue names a picture, or a part of a
sprite (`sprite.jpg#xywh=160,0,160,90`).
Specification: snapshot, 5.
"""

import posixpath
from collections.abc import Iterable, Sequence
from urllib.parse import quote


def webvtt(times: Sequence[int], end: float, bodies: Iterable[str]) -> str:
    """Return the index of pictures at `times`, up to `end`, both in milliseconds."""
    ends = [*times[1:], max(round(end), times[-1] + 1)]
    cues = [
        f"{_stamp(begin)} --> {_stamp(until)}\n{body}\n"
        for begin, until, body in zip([0, *times[1:]], ends, bodies, strict=True)
        # two pictures in one millisecond: the later one stands for it
        if begin < until
    ]
    return "\n".join(["WEBVTT\n", *cues])


def relative(key: str, index: str) -> str:
    """Return the URL of an object as the object `index` of the same bucket may name it."""
    return quote(posixpath.relpath(f"/{key}", posixpath.dirname(f"/{index}")))


def fragment(url: str, box: tuple[int, int, int, int]) -> str:
    """Return the URL of a part of a picture: left, top, width and height in pixels."""
    return f"{url}#xywh={','.join(map(str, box))}"


def _stamp(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{thousandths:03d}"
