"""Tell a file that was cut off from a whole one, by its outermost sizes alone.

ffprobe reads the index at the front of a faststart mp4 and is content, however much of the
data behind it is missing. Only headers are read here, so the cost does not grow with the file.
`boxes.py` walks the formats that are made of sized parts; what stands here has one number.
"""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from activities.probe.boxes import FIRST_BOXES, missing_of_mp4, missing_of_png, missing_of_riff
from activities.probe.png import SIGNATURE

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"

#: bytes of a file's head that hold an FLV's description, or an MP3's first frame
_HEAD_BYTES = 1 << 16
#: share of the whole: taggers and cutters leave a declared size behind that is a little off
_SLACK = 0.01


def missing_bytes(path: Path) -> int:
    """Return how many bytes a file is short of what it declares.

    Known are mp4, mov, mkv, webm, avi, wav, webp, png, flv, and mp3 with a count of its bytes. 0
    for a whole file, for other formats, and for files that declare no size. Raises OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        file.seek(0)
        if head[:4] == _EBML:
            return _missing_of_matroska(file, size)
        if head[4:8] in FIRST_BOXES:
            return missing_of_mp4(file, size)
        if head[:4] == b"RIFF":
            return missing_of_riff(file, size)
        if head.startswith(SIGNATURE):
            return missing_of_png(file, size)
        if head[:3] == b"FLV":
            return _missing_of_flv(file, size)
        count = _mp3_count(file)
        return _beyond_slack(count.at + count.bytes - size, count.bytes) if count else 0


def counts_its_frames(path: Path) -> bool:
    """Whether a file is an mp3 that tells its number of frames, and so its exact duration.

    False for concatenated files, whose count is that of the first part. Raises OSError.
    """
    with path.open("rb") as file:
        count = _mp3_count(file)
        if count is None or not count.frames:
            return False
        surplus = os.fstat(file.fileno()).st_size - count.at - count.bytes
        return not count.bytes or surplus <= max(_HEAD_BYTES, _SLACK * count.bytes)


def _beyond_slack(missing: int, declared: int) -> int:
    return missing if missing > _SLACK * declared else 0


def _missing_of_matroska(file: BinaryIO, size: int) -> int:
    """Compare the end of the Segment element, which holds everything, with the file's end."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    length = _vint(file)
    return max(0, file.tell() + length - size) if length is not None else 0


def _vint(file: BinaryIO) -> int | None:
    """Read an EBML length; None when it is unknown (all ones, as live recorders write)."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    count = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> count)]) + file.read(count - 1), "big")
    return None if value == (1 << 7 * count) - 1 else value


def _missing_of_flv(file: BinaryIO, size: int) -> int:
    """Read `filesize` of the metadata: a key with its length, type 0 and a double."""
    field = re.search(rb"\x00\x08filesize\x00(.{8})", file.read(_HEAD_BYTES), re.DOTALL)
    if field is None:
        return 0
    declared = struct.unpack(">d", field[1])[0]
    # also passes over infinities and NaN
    if not 0 < declared < 1 << 50:
        return 0
    return _beyond_slack(int(declared) - size, int(declared))


@dataclass(frozen=True, kw_only=True)
class _Count:
    """What a Xing or Info header says: frames and bytes (0: not said) from byte `at` on."""

    at: int
    frames: int
    bytes: int


def _mp3_count(file: BinaryIO) -> _Count | None:
    """Read the header that encoders write into the first, silent frame of an mp3."""
    file.seek(0)
    tag = file.read(10)
    at = 0
    if tag[:3] == b"ID3" and len(tag) == 10:
        # four bytes of seven bits each
        at = 10 + sum((tag[9 - n] & 0x7F) << 7 * n for n in range(4))
    file.seek(at)
    frame = file.read(64)
    if len(frame) < 64 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:  # sync and layer III
        return None
    mpeg1, mono = bool(frame[1] & 0x08), frame[3] >> 6 == 3
    # behind the frame's header and its side information
    place = 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))
    if frame[place : place + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(frame[place + 4 : place + 8], "big")
    numbers = [int.from_bytes(frame[n : n + 4], "big") for n in (place + 8, place + 12)]
    frames = numbers.pop(0) if flags & 1 else 0
    return _Count(at=at, frames=frames, bytes=numbers[0] if flags & 2 else 0)
