"""How the bytes of a stream are spread over its time: where a film is busy, without decoding it.

Key frames are told apart: an encoder spends much on them, be it for a new scene or because so many
seconds are over, and little of that says how busy a film is. One pass through the packets, or the
index of an mp4, in a memory that is bounded.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from activities.probe import packets, samples
from activities.probe.counting import track_of
from activities.probe.values import section, sections, whole
from workflow_engine.errors import ActivityError
from workflow_engine.records import Json

#: seconds of one value
BIN = 0.5
#: values that are kept: a day and a half; and key frames
_MOST_BINS = 1 << 18
#: packets behind a key frame whose average it is held against
_NEAR = 12


class KeyFrame(NamedTuple):
    """A key frame: seconds from the first packet on, and bytes beyond those of another picture."""

    time: float
    excess: float


class Curve:
    """The bytes of each `BIN` seconds, from the first packet on, and the key frames apart.

    Of a key frame, as much is left in `bins` as the packets behind it have on an average; where
    another key frame is next, all of it.
    """

    def __init__(self) -> None:
        self.bins: list[float] = []
        self.keys: list[KeyFrame] = []
        self._first: float | None = None
        self._time = 0.0
        self._place = 0
        self._key: tuple[float, int, int] | None = None  # its time, its place and its bytes
        self._behind: list[int] = []

    def add(self, begin: float | None, seconds: float | None, size: int, key: bool = False) -> None:
        """Take the next packet: when it is decoded, how long it lasts, its bytes, if a key."""
        if begin is not None:
            self._first = begin if self._first is None else self._first
            self._time = begin - self._first
            self._place = min(max(0, int(self._time / BIN)), _MOST_BINS - 1)
        self.bins.extend([0.0] * (self._place + 1 - len(self.bins)))
        self.bins[self._place] += size
        if key:
            self._split()
            self._key = self._time, self._place, size
        elif self._key:
            self._behind.append(size)
            if len(self._behind) == _NEAR:
                self._split()

    def finish(self) -> None:
        """Take it that no packet comes any more."""
        self._split()

    def _split(self) -> None:
        """Take the excess of the last key frame out of `bins`."""
        if self._key and self._behind and len(self.keys) < _MOST_BINS:
            time, place, size = self._key
            excess = size - sum(self._behind) / len(self._behind)
            if excess > 0:
                self.bins[place] -= excess
                self.keys.append(KeyFrame(time, excess))
        self._key, self._behind = None, []


def bytes_over_time(
    probe: Mapping[str, Json], path: Path, index: int, *, cancel: threading.Event | None = None
) -> Curve:
    """Return the curve of the stream with this index; `probe` describes it.

    An empty one where its packets cannot be read. Raises InterruptedRunError.
    """
    streams = [s for s in sections(probe.get("streams")) if whole(s.get("index")) == index]
    found = samples.flows(path, [track_of(s) for s in streams], make=Curve, cancel=cancel)
    if not found:
        opened = {k: str(v) for k, v in section(probe.get("opened")).items()}
        try:
            found = packets.flows(path, [index], opened=opened, make=Curve, cancel=cancel)
        except ActivityError:
            return Curve()
    (curve,) = found.values()
    curve.finish()
    return curve
