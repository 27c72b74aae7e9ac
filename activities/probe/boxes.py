"""Walk files that are made of sized parts.

Boxes of mp4 and mov, chunks of RIFF (avi, wav, webp) and of PNG.
"""

from typing import BinaryIO

#: types of the box that an mp4 or mov begins with
FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp")

#: parts that are looked at; a fragmented mp4 has two per fragment
_MAX_PARTS = 200_000
#: bytes; recorders that cannot go back write sizes like these, or 0
_UNKNOWN_SIZE = 0x7FFFF000


def missing_of_mp4(file: BinaryIO, size: int) -> int:
    """Return how many bytes are missing behind the end of a file of `size` bytes.

    Walks the top-level boxes: length (4 bytes), type (4), long length (8, if length is 1).
    """
    at = 0
    for _ in range(_MAX_PARTS):
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


def missing_of_png(file: BinaryIO, size: int) -> int:
    """Return how many bytes the last chunk of a PNG is short of.

    Walks the chunks behind the signature of eight bytes: length, type, content, check (4 each).
    """
    at, kind = 8, b""
    for _ in range(_MAX_PARTS):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            break
        kind = header[4:]
        at += 12 + int.from_bytes(header[:4], "big")
        if kind == b"IEND":
            return 0
    # what ends between two chunks lacks the last one at least
    return max(at - size, 12)


def missing_of_riff(file: BinaryIO, size: int) -> int:
    """Return how many bytes are missing of the sound of a wav or the frames of an avi.

    Walks the chunks: type (4 bytes), length (4, little-endian); `RIFF` and `LIST` have a second
    type. A long avi has several RIFF chunks. What lies behind the data does not count.
    """
    at = 0
    for _ in range(_MAX_PARTS):
        file.seek(at)
        header = file.read(12)
        if len(header) < 8:
            return 0
        kind, length = header[:4], int.from_bytes(header[4:8], "little")
        if kind == b"RIFF" and header[8:] == b"WEBP":
            return max(0, 8 + length - size)
        if kind == b"RIFF":
            at += len(header)  # into it
            continue
        if kind == b"data" or (kind == b"LIST" and header[8:] == b"movi"):
            if length == 0 or length >= _UNKNOWN_SIZE:
                return 0
            if at + 8 + length > size:
                return at + 8 + length - size
        # chunks begin at even bytes
        at += 8 + length + length % 2
    return 0
