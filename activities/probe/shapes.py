"""When broadcasts change the shape of their pixels: from 4:3 to 16:9 in frames of equal size.

A change of size is seen by the filters of ffmpeg, one of the shape alone is not: it keeps the first
shape of a stream. So key frames are looked at, a few seconds a minute, and all of them only where
two looks differ. Specification: transcode, 22.4.

>>> changes([(0.5, "16:15"), (60.5, "16:15"), (61.0, "64:45"), (120.0, "64:45")])
[(61.0, '64:45')]
"""

import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from activities import ffmpeg
from activities.probe.streams import VideoStream
from activities.probe.values import number
from workflow_engine.errors import ActivityError

#: demuxers and codecs of broadcasts, whose frames say their shape themselves
_BROADCASTS = frozenset({"mpeg", "mpegts"})
_CODECS = frozenset({"h264", "mpeg2video"})
#: seconds of a look, and between two looks; a film of many hours has `_MOST` looks
_LOOK, _EVERY, _MOST = 2.0, 60.0, 120
#: changes that are followed
_MOST_CHANGES = 100

#: the second of the file at which a key frame is shown, and the shape of its pixels
KeyShape = tuple[float, str]


def pixel_shapes(
    path: Path,
    stream: VideoStream,
    *,
    start_time: float,
    duration: float | None,
    format_name: str,
    cancel: threading.Event | None = None,
) -> list[KeyShape]:
    """Return from which second of the file on pixels have another shape, and which.

    Nothing for what is no broadcast, and where that cannot be read. Raises InterruptedRunError.
    """
    if format_name not in _BROADCASTS or stream.codec not in _CODECS or not duration:
        return []

    def keys(intervals: str) -> list[KeyShape]:
        found: list[KeyShape] = []

        def take(line: str) -> None:
            time, _, shape = line.strip().strip(",").partition(",")
            seconds = number(time)
            if seconds is not None and ":" in shape:
                found.append((seconds - start_time, shape))

        show = ("-show_entries", "frame=pts_time,sample_aspect_ratio", "-of", "csv=p=0")
        which = ("-select_streams", str(stream.index), "-skip_frame", "nokey")
        ffmpeg.ask(path, (*which, *show, "-read_intervals", intervals), take, cancel=cancel)
        return sorted(found)

    try:
        if duration <= _EVERY:
            return changes(keys("%"))
        step = max(_EVERY, duration / _MOST)
        looks = [n * step for n in range(int(duration / step) + 1)]
        seen = keys(",".join(f"{start_time + look:.3f}%+{_LOOK:g}" for look in looks))
        apart = [
            f"{start_time + one[0]:.3f}%{start_time + other[0] + 0.1:.3f}"
            for one, other in pairwise(seen)
            if one[1] != other[1] and other[0] - one[0] > _LOOK
        ]
        return changes(sorted({*seen, *(keys(",".join(apart)) if apart else ())}))
    except ActivityError:
        return []


def changes(seen: Sequence[KeyShape]) -> list[KeyShape]:
    """Return the first key frame of each further shape."""
    changed = [other for one, other in pairwise(seen) if one[1] != other[1]]
    return changed[:_MOST_CHANGES]
