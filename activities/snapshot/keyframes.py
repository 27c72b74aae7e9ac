"""Find the key frames next to given moments, without decoding and without reading all of a file.

ffprobe lists the packets of short windows; the key frame before a moment comes with the seek to
it, the one after it is looked for as far as it could still be nearer.
"""

import threading
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from activities import ffmpeg

#: seconds after a moment that are looked at first; encoders rarely place key frames farther apart
_WINDOW = 10.0
#: seconds that ffprobe gets; without an index it reads the whole file
_TIMEOUT = 1800.0
#: windows of one ffprobe, a matter of the command line's length
_BATCH = 500

Window = tuple[float, float]


def nearest_keys(
    path: Path,
    position: int,
    moments: Sequence[int],
    *,
    early: float,
    start_time: float,
    cancel: threading.Event,
) -> list[float]:
    """Return for each moment the nearest key frame, both in milliseconds from the source's start.

    `position` is that of `v:position`; `early` and `start_time` (seconds) are how far a seek must
    reach back and where the container's clock begins. A moment near which no key frame is known
    stands for itself. Raises as `ffmpeg.ask` does.
    """
    seconds = [moment / 1000 for moment in moments]
    keys = _keys(path, position, [(s, _WINDOW) for s in seconds], early, start_time, cancel)
    far = [(s, s - before) for s in seconds if (before := _before(keys, s)) < s - _WINDOW]
    if far:
        keys = sorted({*keys, *_keys(path, position, far, early, start_time, cancel)})
    return [1000 * min(keys, key=lambda k: abs(k - s), default=s) for s in seconds]


def last_frame(path: Path, position: int, *, start_time: float, cancel: threading.Event) -> float:
    """Return when the last frame of a video stream begins, in seconds, by reading the whole file.

    Raises as `ffmpeg.ask` does, and ActivityError when there is no frame.
    """
    latest = -1.0

    def take(line: str) -> None:
        nonlocal latest
        time, _ = _packet(line)
        latest = max(latest, -1.0 if time is None else time - start_time)

    ffmpeg.ask(path, _listing(position), take, timeout=_TIMEOUT, cancel=cancel)
    if latest < 0:
        raise ffmpeg.content_bad("its video has no frames")
    return latest


def _before(keys: Sequence[float], second: float) -> float:
    at = bisect_left(keys, second)
    return keys[at - 1] if at else second


def _keys(
    path: Path,
    position: int,
    windows: Sequence[Window],
    early: float,
    start_time: float,
    cancel: threading.Event,
) -> list[float]:
    """Return the key frames in windows given as moment and length after it, in order."""
    found: set[float] = set()

    def take(line: str) -> None:
        time, key = _packet(line)
        if key and time is not None:
            found.add(time - start_time)

    merged = _merged([(max(0.0, s - early), s + length) for s, length in windows])
    for batch in range(0, len(merged), _BATCH):
        intervals = ",".join(
            # without a start there is no seek, which could miss the first key frame
            f"{f'{start + start_time:.6f}' if start else ''}%{end + start_time:.6f}"
            for start, end in merged[batch : batch + _BATCH]
        )
        arguments = (*_listing(position), "-read_intervals", intervals)
        ffmpeg.ask(path, arguments, take, timeout=_TIMEOUT, cancel=cancel)
    return sorted(found)


def _merged(windows: Sequence[Window]) -> list[Window]:
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _listing(position: int) -> tuple[str, ...]:
    stream = ("-select_streams", f"v:{position}")
    return (*stream, "-show_entries", "packet=pts_time,dts_time,flags", "-of", "csv=p=0")


def _packet(line: str) -> tuple[float | None, bool]:
    """Read `12.480000,12.400000,K__`: when a frame is shown, else decoded, and whether it is key.

    A packet that is to be discarded (`D`) is no picture.
    """
    fields = [*line.strip().split(","), "", ""]
    flags = fields[2]
    for value in fields[:2]:
        try:
            return None if "D" in flags else float(value), "K" in flags
        except ValueError:  # N/A
            continue
    return None, False
