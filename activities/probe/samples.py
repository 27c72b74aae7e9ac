"""The index of an mp4 or mov: how large each sample of a track is, and when it is decoded.

ffprobe reads the samples themselves to tell that, which takes as long as reading the whole file;
their index is some bytes each. Fragmented files have no index and are left to ffprobe. A file is
hostile: every size is held against what is there.
"""

import os
import sys
import threading
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from activities.probe.boxes import FIRST_BOXES
from activities.probe.packets import R
from workflow_engine.errors import InterruptedRunError

#: samples of all tracks: a day at 100 frames per second
_MOST_SAMPLES = 10_000_000
#: samples between two looks at whether the run goes on
_LOOK = 1 << 16
#: boxes that are looked at
_MOST_BOXES = 100_000
#: those that hold the others
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
#: the tables of a track: which it must have, and the numbers of its key frames
_NEEDED = frozenset({b"tkhd", b"mdhd", b"stts", b"stsz"})
_KEYS = b"stss"
_TABLES = _NEEDED | {_KEYS}


class _Box(NamedTuple):
    kind: bytes
    begin: int  # of its content
    end: int


def flows(
    path: Path,
    tracks: Collection[int],
    *,
    make: Callable[[], R],
    cancel: threading.Event | None = None,
) -> Mapping[int, R]:
    """Return the samples of those tracks that have an index, by track id; none for other files.

    Each track has a reader of its own, which `make` makes. Raises InterruptedRunError.
    """
    found: dict[int, R] = {}
    left = _MOST_SAMPLES
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(8)[4:] not in FIRST_BOXES:
            return found
        for tables in _tracks(file, size, cancel):
            track, count = _track(tables[b"tkhd"]), _word(tables[b"stsz"], 8)
            if track in tracks and track not in found and 0 < count <= left:
                left -= count
                flow = _flow(tables, size, make(), cancel)
                found |= {track: flow} if flow else {}
    return found


def _tracks(
    file: BinaryIO, size: int, cancel: threading.Event | None
) -> Iterator[Mapping[bytes, bytes]]:
    """Yield the tables of each track that has all that are needed."""
    tables: dict[bytes, bytes] = {}
    for box in _boxes(file, 0, size):
        _continues(cancel)
        if box.kind == b"trak":
            if tables.keys() >= _NEEDED:
                yield tables
            tables = {}
        # further ones of the same track mean nothing
        elif box.kind in _TABLES and box.kind not in tables:
            file.seek(box.begin)
            tables[box.kind] = file.read(min(box.end - box.begin, 8 * _MOST_SAMPLES))
    if tables.keys() >= _NEEDED:
        yield tables


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[_Box]:
    """Yield the boxes of a file in their order, those inside of others behind them."""
    waiting, seen = [(begin, end)], 0
    while waiting:
        at, end = waiting.pop()
        while at + 8 <= end and seen < _MOST_BOXES:
            seen += 1
            file.seek(at)
            header = file.read(16)
            length, kind, head = _word(header, 0), header[4:8], 8
            if length == 1:
                length, head = int.from_bytes(header[8:16], "big"), 16
            length = length or end - at
            if length < head or at + length > end:
                break
            yield _Box(kind, at + head, at + length)
            if kind in _PATH:
                waiting.append((at + length, end))
                at, end = at + head, at + length
            else:
                at += length


def _track(head: bytes) -> int:
    return _word(head, 20 if head[:1] == b"\1" else 12)


def _flow(
    tables: Mapping[bytes, bytes], most: int, flow: R, cancel: threading.Event | None
) -> R | None:
    """Return the samples of a track, None where the index does not tell them.

    They have `most` bytes at most.
    """
    times, sizes, head = tables[b"stts"], tables[b"stsz"], tables[b"mdhd"]
    scale = _word(head, 20 if head[:1] == b"\1" else 12)
    same, count = _word(sizes, 4), _word(sizes, 8)
    if not scale:
        return None
    listed = b"" if same else sizes[12 : 12 + 4 * count]
    if not same and len(listed) != 4 * count:
        return None
    each = _words(listed)
    if same * count + sum(each) > most:
        return None
    keys = _key_numbers(tables.get(_KEYS))
    at, n = 0, 0
    for entry in range(min(_word(times, 4), (len(times) - 8) // 8)):
        _continues(cancel)
        repeats, delta = _word(times, 8 + 8 * entry), _word(times, 12 + 8 * entry)
        for _ in range(min(repeats, count - n)):
            if n % _LOOK == 0:
                _continues(cancel)
            is_key = keys is None or n + 1 in keys
            flow.add(at / scale, delta / scale, same or each[n], is_key)
            at, n = at + delta, n + 1
    return flow if n == count else None


def _key_numbers(table: bytes | None) -> Collection[int] | None:
    """Return the numbers of the samples that are key frames, from 1; None where all are."""
    if table is None:
        return None
    listed = table[8 : 8 + 4 * _word(table, 4)]
    return frozenset(_words(listed[: len(listed) // 4 * 4]))


def _words(data: bytes) -> Sequence[int]:
    found = array("I", data)
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _continues(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise InterruptedRunError()


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
