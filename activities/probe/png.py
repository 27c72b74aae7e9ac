"""PNG pictures: their size, and whether they are whole.

The bundled ffprobe has no decoder for them.
"""

import struct
import zlib
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: bytes; no watermark has more
MAX_FILE = 1 << 26


def is_png(path: Path) -> bool:
    """Whether a file begins as PNG pictures do."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def png_size(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG picture.

    Raises ValueError, with a clause that says why, when it is cut off, damaged or too large.
    """
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"it has more than {MAX_FILE} bytes")
    content = path.read_bytes()
    at, size, kind = len(SIGNATURE), None, b""
    while kind != b"IEND":
        if at + 12 > len(content):
            raise ValueError("it is cut off")
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 8 + length
        if end + 4 > len(content):
            raise ValueError("it is cut off")
        if zlib.crc32(content[at + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            raise ValueError("it is damaged")
        if kind == b"IHDR" and length == 13:
            size = struct.unpack_from(">II", content, at + 8)
        at = end + 4
    if size is None or 0 in size:
        raise ValueError("it has no size")
    return size
