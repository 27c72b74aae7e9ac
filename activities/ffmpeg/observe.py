"""Look at the pictures of a file: decode a stretch of it, and read what a filter notes of each.

What is decoded goes nowhere; `inspect` asks about what needs no decoding.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from activities.ffmpeg import graph
from activities.ffmpeg.process import LastLines, Stopwatch, supervise
from workflow_engine.errors import ActivityError, Code

#: seconds that one stretch may take
_TIMEOUT = 60.0
_NOTE = re.compile(r"lavfi\.([\w.]+)=(.*)")


def notes_of_frames(
    path: Path,
    index: int,
    filters: Sequence[tuple[str, Mapping[str, object]]],
    *,
    start: float,
    seconds: float,
    opened: Mapping[str, str] | None = None,
    cancel: threading.Event | None = None,
) -> list[dict[str, str]]:
    """Return what the filters note of each frame of a stretch, without the `lavfi.`.

    `index` is the stream's; `start` and `seconds` say which stretch of the file, `opened` are
    further input options. What cannot be decoded has no notes. Raises InterruptedRunError.
    """
    stretch = {**(opened or {}), "t": f"{seconds:.3f}"}
    if start:
        stretch["ss"] = f"{start:.3f}"
    picture = graph.open_input(path.absolute(), stretch)[str(index)]
    # each line at once: ffmpeg's progress goes to stdout, too, and would cut a buffered one in two
    noted = picture.chain(filters).filter("metadata", mode="print", file="-", direct=1)
    frames: list[dict[str, str]] = []

    def take(line: str) -> None:
        if line.startswith("frame:"):
            frames.append({})
        elif (note := _NOTE.match(line.strip())) and frames:
            frames[-1][note[1]] = note[2]

    watch = Stopwatch()

    def check() -> ActivityError | None:
        late = watch.elapsed > _TIMEOUT
        return ActivityError(Code.TIMEOUT, "The pictures took too long.") if late else None

    try:
        supervise(
            graph.argv(graph.output("-", [noted], {"f": "null"})),
            cwd=Path("/"),
            on_line=take,
            stderr=LastLines(path.absolute().parent),
            cancel=cancel,
            check=check,
        )
    except ActivityError:
        return []
    return frames
