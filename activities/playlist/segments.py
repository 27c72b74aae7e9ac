"""The containers that segments of a playlist come in, told apart by their first bytes.

Each is joined by writing one behind the other, without what belongs to single segments only.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from activities.playlist.parse import is_list

#: bytes of a segment that tell what it is, long ID3 tags included
HEAD_BYTES = 1 << 16
#: bytes of a packet of MPEG-TS
_PACKET = 188
_SYNC = 0x47
#: bytes that are read at once
_BLOCK = 1 << 20
#: boxes that a fragmented mp4 consists of; what else segments carry (their type, indexes of
#: themselves, events) holds for single ones
_HEADER = (b"ftyp", b"moov")
_FRAGMENT = (b"moof", b"mdat")
_FIRST_BOXES = (*_HEADER, *_FRAGMENT, b"styp", b"sidx", b"emsg", b"prft", b"free", b"skip")
#: most boxes of one segment
_MAX_BOXES = 100_000


class Kind(StrEnum):
    """What segments are; the values are the names of ffmpeg's muxers."""

    TS = "mpegts"
    MP4 = "mp4"
    AAC = "adts"
    MP3 = "mp3"


class DamagedError(Exception):
    """A segment is not what it should be; its text is a clause without a full stop."""


class UnsupportedError(Exception):
    """A segment is of a kind that is not taken; its text is a clause without a full stop."""


def kind_of(head: bytes) -> Kind:
    """Return what a segment is by its first bytes. Raises DamagedError and UnsupportedError."""
    if not head:
        raise DamagedError("is empty")
    if is_list(head):
        raise UnsupportedError("is itself a playlist")
    if head[4:8] in _FIRST_BOXES:
        return Kind.MP4
    if head[0] == _SYNC and (len(head) <= _PACKET or head[_PACKET] == _SYNC):
        return Kind.TS
    body = head[_tags_size(head) :]
    if len(body) >= 2 and body[0] == 0xFF:
        if body[1] & 0xF6 == 0xF0:  # layer 0: ADTS
            return Kind.AAC
        if body[1] & 0xE0 == 0xE0 and body[1] & 0x06 == 0x02:  # layer III
            return Kind.MP3
    raise UnsupportedError("is neither MPEG-TS, fragmented MP4, AAC nor MP3")


def blocks(kind: Kind, file: BinaryIO, size: int, *, header: bool = False) -> Iterator[bytes]:
    """Yield what a joined file takes of a segment of `size` bytes.

    `header` means what stands before the fragments of an mp4. Raises DamagedError.
    """
    match kind:
        case Kind.TS:
            if size % _PACKET:
                raise DamagedError("is cut off: it does not end with a whole packet")
            yield from _span(file, 0, size)
        case Kind.MP4:
            yield from _boxes(file, size, _HEADER if header else _FRAGMENT)
        case Kind.AAC | Kind.MP3:
            file.seek(0)
            # the tags tell the segment's time, which follows from those before
            yield from _span(file, _tags_size(file.read(HEAD_BYTES)), size)


def _boxes(file: BinaryIO, size: int, wanted: tuple[bytes, ...]) -> Iterator[bytes]:
    at = count = 0
    seen: set[bytes] = set()
    while at < size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        elif length == 0:  # up to the end
            length = size - at
        count += 1
        if length < 8 or count > _MAX_BOXES:
            raise DamagedError("is not an mp4 throughout")
        if at + length > size:
            raise DamagedError("is cut off")
        if kind in wanted:
            seen.add(kind)
            yield from _span(file, at, at + length)
        at += length
    if missing := [kind.decode() for kind in wanted[1:] if kind not in seen]:
        raise DamagedError(f"has no {missing[0]} box")


def _span(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    left = end - start
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        left -= len(block)
        yield block


def _tags_size(head: bytes) -> int:
    """Return the length of the ID3 tags at the beginning, 0 where there are none."""
    at = 0
    while head[at : at + 3] == b"ID3" and len(head) >= at + 10:
        # four bytes of seven bits each
        at += 10 + sum((head[at + 9 - n] & 0x7F) << 7 * n for n in range(4))
    return at
