"""When each stream ends, for files that tell the end of the longest one only, or of none.

What is joined needs it: where sound and picture do not end together, silence and a held picture
must fill the difference. Only packets near the end are read, where that is enough.
"""

import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from activities import ffmpeg
from workflow_engine.errors import ActivityError

#: demuxers whose streams have no length of their own
WITHOUT_ENDS = frozenset({"asf", "flv", "rm"})
#: seconds before the end of the file in which most streams have a packet
_NEAR = 10.0
#: seconds by which a file may end before its header says so: beyond that it was cut off
_SLACK = 0.5


def stream_ends(
    path: Path,
    streams: Collection[int],
    duration: float | None,
    *,
    bare: Collection[int],
    cancel: threading.Event | None = None,
) -> Mapping[int, float] | None:
    """Return the second of the file at which each of its streams ends, by index.

    `duration` is what the file says of itself, in seconds, None when it says nothing, as films
    that a browser recorded. Of `bare` streams the beginning of the last picture is returned: their
    packets may have the lengths of other ones. A file without any packet has no ends; None is
    returned for one that ends before `duration`, and where packets have no times or cannot be
    listed in a minute. Raises InterruptedRunError.
    """
    ends: dict[int, float] = {}
    packets = 0

    def take(line: str) -> None:
        nonlocal packets
        packets += bool(line.strip())
        index, *times = line.strip().split(",")
        begin, length = (_seconds(time) for time in (*times, "", "")[:2])
        if index.isdigit() and begin is not None:
            end = begin if int(index) in bare else begin + (length or 0.0)
            ends[int(index)] = max(ends.get(int(index), 0.0), end)

    rows = ("-show_entries", "packet=stream_index,pts_time,duration_time", "-of", "csv=p=0")
    try:
        for start in (max(0.0, (duration or 0.0) - _NEAR), 0.0):
            near = ("-read_intervals", f"{start:.3f}%") if start else ()
            ffmpeg.ask(path, (*rows, *near), take, cancel=cancel)
            if ends.keys() >= set(streams):
                break
    except ActivityError:
        return None
    if packets and not ends:
        return None
    ended = max(ends.values(), default=0.0)
    return ends if ended >= (duration or 0.0) - _SLACK else None


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
