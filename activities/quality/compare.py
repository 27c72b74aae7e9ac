"""Compare two streams of pictures: one ffmpeg process, which decodes both and keeps nothing.

Both sides are counted, and the time of every picture is held against that of its partner. A
picture that is missing or late on one side is said, and never reads as bad quality.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

from activities import ffmpeg
from activities.ffmpeg import graph
from activities.ffmpeg.graph import GraphStream
from activities.quality.metrics import Metric, Size
from activities.quality.scores import Comparison, summed_up
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import ActivityError, Code

#: in the work directory, where ffmpeg runs
_VALUES, _DISTORTED, _REFERENCE = "compared.log", "distorted.log", "reference.log"


def comparison(
    distorted: GraphStream,
    reference: GraphStream,
    metric: Metric,
    size: Size,
    *,
    pix_fmt: str = "yuv420p",
    subsample: int = 1,
) -> tuple[str, ...]:
    """Return the command that compares two streams at a common size.

    Each stream has its own filters behind it, so that both show the same pictures. Of VMAF, each
    `subsample`-th picture is measured.
    """
    sides = [
        _side(stream, size, pix_fmt, log)
        for stream, log in ((distorted, _DISTORTED), (reference, _REFERENCE))
    ]
    measured = sides[0].filter(
        metric.filter, others=sides[1:], options=metric.options(_VALUES, size, subsample)
    )
    return graph.argv(graph.output("-", [measured], {"f": "null"}))


def _side(stream: GraphStream, size: Size, pix_fmt: str, log: str) -> GraphStream:
    width, height = size
    return (
        stream.filter("scale", w=width, h=height, flags="bicubic")
        .filter("format", pix_fmts=pix_fmt)
        # containers begin at times of their own
        .filter("setpts", expr="PTS-STARTPTS")
        # prints only frames that have a note
        .filter("metadata", mode="add", key="side", value="1")
        .filter("metadata", mode="print", file=log)
    )


def compare(
    command: Sequence[str],
    metric: Metric,
    size: Size,
    *,
    rate: Fraction,
    subsample: int = 1,
    context: ActivityContext,
    duration: float | None,
    on_progress: Callable[[float], None] | None = None,
) -> Comparison:
    """Run a command of `comparison` with the same metric, size and `subsample`.

    `rate` is in pictures per second of both sides, `duration` in seconds. Metrics other than VMAF
    measure every picture, whatever `subsample` is. Raises as `ffmpeg.run` does, and ActivityError
    (`InternalError`) when the pictures of the sides do not pair.
    """
    work = context.work
    every = subsample if metric is Metric.VMAF else 1
    try:
        ffmpeg.run(command, context=context, duration=duration, on_progress=on_progress)
        pictures = _paired(_times(work / _DISTORTED), _times(work / _REFERENCE), rate)
        values = metric.values(work / _VALUES)
        found = summed_up(values, metric, size, rate=rate, subsample=every)
    finally:
        for name in (_VALUES, _DISTORTED, _REFERENCE):
            (work / name).unlink(missing_ok=True)
    if found is None or found.pictures != math.ceil(pictures / every):
        count = found.pictures if found else 0
        raise _unpaired(f"{count} of {pictures} pictures were measured")
    return found


def _times(log: Path) -> Iterator[float]:
    """Yield the time of each picture, in seconds, out of lines `frame:0 pts:0 pts_time:0`."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("frame:"):
                yield float(line.rpartition(":")[2])


def _paired(distorted: Iterator[float], reference: Iterator[float], rate: Fraction) -> int:
    """Return how many pictures both sides have. Raises ActivityError when they do not pair."""
    count, apart = 0, 0.0
    missing = [0, 0]
    for pair in zip_longest(distorted, reference):
        count += 1
        for side, time in enumerate(pair):
            missing[side] += time is None
        if None not in pair:
            apart = max(apart, abs(pair[0] - pair[1]))
    if any(missing):
        raise _unpaired(
            f"the output has {count - missing[0]} pictures and its reference {count - missing[1]}"
        )
    if apart * rate >= 0.5:
        raise _unpaired(f"pictures of the output are {apart:.3f} s away from their reference")
    return count


def _unpaired(reason: str) -> ActivityError:
    return ActivityError(Code.INTERNAL, f"The quality cannot be measured: {reason}.")
