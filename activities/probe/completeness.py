"""Tell a file that was cut off from a whole one, by its outermost sizes alone.

ffprobe reads the index at the front of a faststart mp4 and is content, however much of the
data behind it is missing. Only headers are read here, so the cost does not grow with the file.
"""

import os
from pathlib import Path
from typing import BinaryIO

#: boxes that are looked at; a fragmented mp4 has two per fragment
_MAX_BOXES = 200_000
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(path: Path) -> int:
    """Return how many bytes an mp4, mov, mkv or webm file is short of what it declares.

    0 for a whole file, for other formats, and for files that declare no size. Raises OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        file.seek(0)
        if head[:4] == _EBML:
            return _missing_of_matroska(file, size)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return _missing_of_mp4(file, size)
    return 0


def _missing_of_mp4(file: BinaryIO, size: int) -> int:
    """Walk the top-level boxes: length (4 bytes), type (4), long length (8, if length is 1)."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return 0
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0: to the end of the file; less is not a box
            return 0
        # cameras write odd lengths into boxes that do not matter; data and index do
        if at + length > size and kind in (b"mdat", b"moov", b"moof"):
            return at + length - size
        at += length
    return 0


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
