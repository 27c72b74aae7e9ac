"""Whether a file is one still picture, alike for all formats: what moves in them is a film.

Its own bytes tell; ffprobe opens the first picture of each. What it has no demuxer on its list
for, such as BMP and TIFF, is told apart in `activities/ffmpeg/inspect`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from activities.probe.animation import read_animation
from activities.probe.png import SIGNATURE

#: of files that are boxes, the brands of still pictures, and what people call these
_STILL_BRANDS = {
    b"avif": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"mif1": "HEIF",
    b"mif2": "HEIF",
    b"crx ": "CR3",
}
#: brands of sequences of pictures, beside those of the first or instead of them
_MOVING_BRANDS = frozenset({b"avis", b"msf1", b"hevc", b"hevx"})
#: bytes of a brand box, or of a JPEG's first picture, that are looked at
_MOST_BRANDS, _MOST_JPEG = 1 << 10, 1 << 25
#: an end of a JPEG, and the beginning of the next
_NEXT_JPEG = b"\xff\xd9\xff\xd8\xff"


def still_kind(path: Path) -> str:
    """Return what people call the format of a still picture, empty for any other file.

    Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head.startswith(SIGNATURE):
            return "" if read_animation(path) else "PNG"
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            return "" if read_animation(path) else "WebP"
        if head.startswith((b"GIF87a", b"GIF89a")):
            return "" if _gif_moves(file) else "GIF"
        if head.startswith(b"\xff\xd8\xff"):
            return "" if _motion_jpeg(path) else "JPEG"
        return _still_brand(file, head) if head[4:8] == b"ftyp" else ""


def opening(path: Path) -> Mapping[str, str] | None:
    """Return the options that open a film which ffmpeg takes for one picture, None for others."""
    return {"f": "mjpeg"} if _motion_jpeg(path) else None


def _motion_jpeg(path: Path) -> bool:
    """Whether a file is nothing but JPEGs behind each other, which cameras write as a film.

    The further pictures that a photo may carry are listed in its header (MPF).
    """
    with path.open("rb") as file:
        start = file.read(3)
        if start != _NEXT_JPEG[2:]:
            return False
        start += file.read(_MOST_JPEG)
    end = start.find(_NEXT_JPEG)
    return end > 0 and b"MPF\0" not in start[:end]


def _still_brand(file: BinaryIO, head: bytes) -> str:
    brands = head[8:12] + file.read(min(int.from_bytes(head[:4], "big"), _MOST_BRANDS))[4:]
    listed = {brands[at : at + 4] for at in range(0, len(brands), 4)}
    return "" if listed & _MOVING_BRANDS else _STILL_BRANDS.get(head[8:12], "")


def _gif_moves(file: BinaryIO) -> bool:
    """Whether a GIF has a second picture."""
    file.seek(10)
    _skip_colours(file, file.read(3))
    pictures = 0
    while block := file.read(1):
        if block == b"!":
            file.seek(1, 1)
        elif block == b",":
            pictures += 1
            if pictures == 2:
                return True
            _skip_colours(file, file.read(9)[-1:])
            file.seek(1, 1)
        else:
            break
        while size := file.read(1):
            if size == b"\0":
                break
            file.seek(size[0], 1)
    return False


def _skip_colours(file: BinaryIO, flags: bytes) -> None:
    """Pass over the palette that the first of these bytes announces, if any."""
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, 1)
