"""Find key frames and the last frame of a video, without decoding and mostly without reading all.

ffprobe lists the packets of short windows: the key frame before a moment comes with the seek to
it, the one after it is looked for as far as it could still be nearer, and the last frame is
looked for from the declared end backwards. Times are seconds on the clock of snapshots, which
begins at the container's `start_time`.
"""

import math
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities import ffmpeg

#: seconds after a moment that are looked at first; encoders rarely place key frames farther apart
WINDOW = 10.0
#: seconds before the declared end from which the last frame is looked for, one after the other
_LOOK_BACK = (2.0, 60.0)
#: seconds that ffprobe gets; without an index it reads the whole file
_TIMEOUT = 1800.0
#: windows of one ffprobe, a matter of the command line's length
_BATCH = 500
#: key frames that are looked at to know whether those of a source are whole by themselves
_TRIED = 3

#: seconds by which a seek without an index goes before a key frame, so as not to land behind it:
#: frames are stored in the order in which they are decoded
RUN_UP = 1.0
#: seconds within which two times are that of one frame
_JUST = 0.002

Window = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Reel:
    """A video stream to look into. `position` is that of `v:position`.

    In seconds: `start_time`, where the container's clock begins, and `frame`, how long a frame
    is shown whose packet does not say so.
    """

    path: Path
    position: int
    start_time: float
    frame: float
    cancel: threading.Event

    def keys(self, moments: Sequence[int], *, early: float) -> list[float]:
        """Return the key frames around the moments, both in milliseconds, in order.

        The nearest one of each moment is among them. `early` is how far a seek must reach back, in
        seconds. There may be none: a cut without encoding may leave none. Raises as `ffmpeg.ask`
        does.
        """
        seconds = [moment / 1000 for moment in moments]
        keys = self._keys([(s, WINDOW) for s in seconds], early)
        far = [(s, s - before) for s in seconds if (before := _before(keys, s)) < s - WINDOW]
        if far:
            keys = sorted({*keys, *self._keys(far, early)})
        return [1000 * key for key in keys]

    def landings(self, moments: Sequence[float]) -> list[float]:
        """Return where a seek to each moment lands, in milliseconds: its first frame.

        Of containers with an index; there, a moment may be missing. Raises as `ffmpeg.ask` does.
        """
        found: list[float] = []
        for batch in range(0, len(moments), _BATCH):
            intervals = ",".join(
                f"{self._absolute(moment / 1000)}%+#1" for moment in moments[batch : batch + _BATCH]
            )
            self._list(
                lambda begin, _, key: found.append(1000 * begin), "-read_intervals", intervals
            )
        return found

    def before(self, moments: Sequence[float], *, early: float) -> list[float]:
        """Return the last key frame up to each moment, both in milliseconds, in their order.

        It is infinite where there is none in the `early` seconds up to the moment. Raises as
        `ffmpeg.ask` does.
        """
        seconds = [moment / 1000 for moment in moments]
        keys = self._keys([(second, 0.0) for second in seconds], early)
        places = [bisect_right(keys, second) for second in seconds]
        return [1000 * keys[place - 1] if place else math.inf for place in places]

    def builds_up(self, keys: Iterable[float]) -> bool:
        """Whether key frames, in milliseconds, are those from which a picture builds up.

        With intra refresh, decoders show nothing of what follows such a frame until the picture is
        whole; where decoding begins at another one, it comes out. Raises as `ffmpeg.ask` does.
        """
        known = sorted({key for key in keys if 0 < key < math.inf})
        some = {round(at * (len(known) - 1) / (_TRIED - 1)) for at in range(_TRIED)}
        tried = [known[place] / 1000 for place in sorted(some)] if known else []
        shown: list[float] = []

        def take(line: str) -> None:
            moment = _seconds(line.strip().strip(","))
            if moment is not None:
                shown.append(moment - self.start_time)

        intervals = ",".join(
            f"{self._absolute(max(0.0, key - RUN_UP))}%{self._absolute(key + _JUST)}"
            for key in tried
        )
        if intervals:
            stream = ("-select_streams", f"v:{self.position}", "-skip_frame", "nokey")
            entries = ("-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0")
            arguments = (*stream, *entries, "-read_intervals", intervals)
            ffmpeg.ask(self.path, arguments, take, timeout=_TIMEOUT, cancel=self.cancel)
        return not all(any(abs(key - moment) < _JUST for moment in shown) for key in tried)

    def end(self, declared: float | None) -> float | None:
        """Return when the last frame ends, None when frames have no times.

        `declared` is where the file says that it is. Raises as `ffmpeg.ask` does.
        """
        starts = [] if declared is None else [declared - back for back in _LOOK_BACK]
        for start in [*(start for start in starts if start > 0), 0.0]:
            end = self._end_from(start)
            if end is not None:
                return end
        return None

    def _end_from(self, start: float) -> float | None:
        """Return when the last frame ends by what stands from `start` on in the file.

        None when that may not be all: a seek without an index may land behind a frame that is
        stored before others but shown after them. By an index it lands on a key frame.
        """
        frames: list[tuple[float, bool]] = []
        # without a start there is no seek: the whole file
        window = ("-read_intervals", f"{self._absolute(start)}%") if start else ()
        self._list(lambda begin, length, key: frames.append((begin + length, key)), *window)
        end = max((end for end, _ in frames), default=0.0)
        # as exact as ffprobe's own figures
        return round(end, 6) if end > start or (frames and frames[0][1]) else None

    def _keys(self, windows: Sequence[Window], early: float) -> list[float]:
        """Return the key frames in windows given as moment and length after it, in order."""
        key_frames: set[float] = set()

        def take(begin: float, length: float, key: bool) -> None:
            if key:
                key_frames.add(begin)

        merged = _merged([(max(0.0, s - early), s + length) for s, length in windows])
        for batch in range(0, len(merged), _BATCH):
            intervals = ",".join(
                # without a start there is no seek, which could miss the first key frame
                f"{self._absolute(start) if start else ''}%{self._absolute(end)}"
                for start, end in merged[batch : batch + _BATCH]
            )
            self._list(take, "-read_intervals", intervals)
        return sorted(key_frames)

    def _absolute(self, second: float) -> str:
        return f"{second + self.start_time:.6f}"

    def _list(self, take: Callable[[float, float, bool], None], *options: str) -> None:
        """Give `take` begin and length of each frame listed, and whether it is key."""

        def read(line: str) -> None:
            if packet := _packet(line):
                begin, length, key = packet
                take(begin - self.start_time, self.frame if length is None else length, key)

        stream = ("-select_streams", f"v:{self.position}")
        entries = ("-show_entries", "packet=pts_time,dts_time,duration_time,flags")
        arguments = (*stream, *entries, "-of", "csv=p=0", *options)
        ffmpeg.ask(self.path, arguments, read, timeout=_TIMEOUT, cancel=self.cancel)


def nearest(keys: Sequence[float], moment: float) -> float:
    """Return the key frame that is nearest to a moment; `keys` are in order."""
    at = bisect_left(keys, moment)
    return min(keys[max(0, at - 1) : at + 1], key=lambda key: abs(key - moment))


def _before(keys: Sequence[float], second: float) -> float:
    at = bisect_left(keys, second)
    return keys[at - 1] if at else second


def _merged(windows: Sequence[Window]) -> list[Window]:
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _packet(line: str) -> tuple[float, float | None, bool] | None:
    """Read `12.480000,12.400000,0.040000,K__`: begin, length if known, and whether it is key.

    A frame begins when it is shown, where that is unknown when it is decoded. A packet without
    either, or that is to be discarded (`D`), is None: no picture.
    """
    fields = [*line.strip().split(","), "", "", "", ""]
    shown, decoded, length = (_seconds(value) for value in fields[:3])
    begin = decoded if shown is None else shown
    return None if begin is None or "D" in fields[3] else (begin, length, "K" in fields[3])


def _seconds(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:  # N/A
        return None
