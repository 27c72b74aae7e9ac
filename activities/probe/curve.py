"""How the bytes of a stream are spread over its time: where a film is busy, without decoding it.

One pass through the packets, or the index of an mp4, in a memory that is bounded.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from activities.probe import packets, samples
from activities.probe.counting import track_of
from activities.probe.values import section, sections, whole
from workflow_engine.errors import ActivityError
from workflow_engine.records import Json

#: seconds of one value
BIN = 0.5
#: values that are kept: a day and a half
_MOST_BINS = 1 << 18


class Curve:
    """The bytes of each `BIN` seconds, from the first packet on."""

    def __init__(self) -> None:
        self.bins: list[float] = []
        self._first: float | None = None
        self._place = 0

    def add(self, begin: float | None, seconds: float | None, size: int) -> None:
        """Take the next packet: when it is decoded, how long it lasts, and its bytes."""
        if begin is not None:
            self._first = begin if self._first is None else self._first
            self._place = min(max(0, int((begin - self._first) / BIN)), _MOST_BINS - 1)
        self.bins.extend([0.0] * (self._place + 1 - len(self.bins)))
        self.bins[self._place] += size


def bytes_over_time(
    probe: Mapping[str, Json], path: Path, index: int, *, cancel: threading.Event | None = None
) -> Sequence[float]:
    """Return the bytes of each `BIN` seconds of the stream with this index; `probe` describes it.

    Empty where its packets cannot be read. Raises InterruptedRunError.
    """
    streams = [s for s in sections(probe.get("streams")) if whole(s.get("index")) == index]
    indexed = samples.flows(path, [track_of(s) for s in streams], make=Curve, cancel=cancel)
    for curve in indexed.values():
        return curve.bins
    opened = {k: str(v) for k, v in section(probe.get("opened")).items()}
    try:
        found = packets.flows(path, [index], opened=opened, make=Curve, cancel=cancel)
    except ActivityError:
        return ()
    return found[index].bins
