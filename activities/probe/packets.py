"""What a stream is made of, packet by packet: how many, how large, and what they ask of a network.

One pass through the packets, without decoding, in a memory that does not grow with the file. An
mp4 tells the same in its index, which is read instead (`samples.py`). Specification: mediainfo, 2.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, TypeVar

from activities import ffmpeg
from activities.probe.values import number
from workflow_engine.records import Json

#: seconds for any file, and bytes in a second that the slowest storage gives
_PATIENCE, _SLOWEST = 60.0, 10_000_000
#: corners of a curve that are kept: real films have some hundred
_MOST_CORNERS = 1 << 16
#: seconds of a span of a rate curve, and spans that are kept: longer ones where that is too many
_SPAN, MOST_SPANS = 0.5, 120


class PacketReader(Protocol):
    """What takes the packets of one stream, in the order in which they are decoded."""

    def add(self, begin: float | None, seconds: float | None, size: int, key: bool = False) -> None:
        """Take the next packet: when it is decoded, how long it lasts, its bytes, if a key."""
        ...


R = TypeVar("R", bound=PacketReader)


class RateCurve:
    """The bytes of equal spans of time, of at most `MOST_SPANS` of them, however long it is."""

    def __init__(self) -> None:
        self.step = _SPAN
        self._bytes = [0]

    def add(self, time: float, size: int) -> None:
        """Take a packet; `time` is in seconds, from the first one."""
        while (place := int(time / self.step)) >= MOST_SPANS:
            pairs = zip_longest(self._bytes[::2], self._bytes[1::2], fillvalue=0)
            self._bytes = [sum(pair) for pair in pairs]
            self.step *= 2
        self._bytes.extend([0] * (place + 1 - len(self._bytes)))
        self._bytes[place] += size

    def told(self, end: float) -> dict[str, Json]:
        """Return the seconds of a span, and the kbit/s of each; the last one goes until `end`."""
        last = end - (len(self._bytes) - 1) * self.step
        lengths = [*([self.step] * (len(self._bytes) - 1)), min(last, self.step)]
        # what is much shorter than the others says little
        if last < self.step / 2 and len(self._bytes) > 1:
            lengths.pop()
        kbits = zip(self._bytes, lengths, strict=False)
        return {
            "Step": self.step,
            "Rates": [round(size * 8 / 1000 / length, 1) for size, length in kbits if length > 0],
        }


class Flow:
    """The packets of one stream as they are decoded one after the other."""

    def __init__(self) -> None:
        self._curve = RateCurve()
        self.packets = 0
        self.bytes = 0
        self._first: float | None = None
        self._time = 0.0  # since the first packet; never runs back
        self._end = 0.0
        self._second, self._in_second, self._most = 0, 0, 0
        # of the bytes that have to be there by a time, the upper hull: all that can be the
        # largest backlog, whatever the average will be
        self._corners: list[tuple[float, int]] = []

    def add(self, begin: float | None, seconds: float | None, size: int, key: bool = False) -> None:
        """Take the next packet: when it is decoded, how long it lasts, and its bytes."""
        if begin is None:
            self._time = self._end
        else:
            # behind packets without a time, which B-frames begin with
            self._first = begin - self._end if self._first is None else self._first
            self._time = max(self._time, begin - self._first)
        self._end = max(self._end, self._time + (seconds or 0.0))
        self.packets += 1
        self.bytes += size
        self._curve.add(self._time, size)
        second = int(self._time)
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += size
        self._most = max(self._most, self._in_second)
        self._turn(self._time, self.bytes)

    def _turn(self, time: float, total: int) -> None:
        corners = self._corners
        if corners and corners[-1][0] == time:
            corners.pop()
        while len(corners) > 1:
            t0, b0 = corners[-2]
            t1, b1 = corners[-1]
            if (b1 - b0) * (time - t1) > (total - b1) * (t1 - t0):
                break
            corners.pop()
        corners.append((time, total))
        if len(corners) > _MOST_CORNERS:
            del corners[1:-1:2]

    @property
    def seconds(self) -> float:
        """How long the packets last."""
        return self._end

    def told(self, seconds: float | None) -> dict[str, Json]:
        """Return the figures of a stream that lasts so many seconds.

        `Rate` and `Peak` are in kbit/s, `Preload` and `Seconds` in seconds; `Curve` is the rate
        over time.
        """
        told: dict[str, Json] = {"Packets": self.packets, "Bytes": self.bytes, "Seconds": seconds}
        if seconds and self.bytes:
            rate = self.bytes / seconds
            backlog = max(total - rate * time for time, total in self._corners)
            told |= {
                "Rate": rate * 8 / 1000,
                "Peak": max(self._most, rate) * 8 / 1000,
                "Preload": backlog / rate,
                "Curve": self._curve.told(self._end),
            }
        return told


def flows(
    path: Path,
    indexes: Iterable[int],
    *,
    make: Callable[[], R],
    opened: Mapping[str, str],
    playlists: bool = False,
    cancel: threading.Event | None = None,
) -> Mapping[int, R]:
    """Read the packets of some streams of a local file; `opened` and errors as in `probe_json`.

    Each stream has a reader of its own, which `make` makes.
    """
    found = {index: make() for index in indexes}

    def take(line: str) -> None:
        index, *numbers = line.strip().split(",")
        if not index.isdigit() or int(index) not in found or len(numbers) < 4:
            return
        decoded, seconds, size = (number(text) for text in numbers[:3])
        found[int(index)].add(decoded, seconds, int(size or 0), "K" in numbers[3])

    rows = "packet=stream_index,dts_time,duration_time,size,flags"
    ffmpeg.ask(
        path,
        ("-show_entries", rows, "-of", "csv=p=0"),
        take,
        opened=opened,
        playlists=playlists,
        timeout=_PATIENCE + path.stat().st_size / _SLOWEST,
        endless=True,
        cancel=cancel,
    )
    return found
