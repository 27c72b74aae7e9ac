"""The kinds of pictures that Snapshot writes, and how a finished file is told from a broken one.

The extension of the object name decides: `.png` and `.webp` are what they say, everything else is
JPEG (specification, snapshot, 8, C-5; PNG and WebP are extensions of ours).
"""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.conversion import JPEG as JPEG_COLOUR
from activities.probe.colour import Colour

Size = tuple[int, int]

#: BT.601 in limited range, which is what WebP is by definition
_WEBP_COLOUR = Colour(matrix="smpte170m", transfer="bt709", primaries="bt709")
_PNG_COLOUR = Colour(matrix="gbr", transfer="bt709", primaries="bt709", full=True)


@dataclass(frozen=True, kw_only=True)
class PictureKind:
    """How one kind of picture is written.

    `cells` is the pixel format in which sprites are put together: with a colour for each pixel, so
    that cells of odd sizes keep their edges. `longest` is the limit of a side, in pixels, and
    `density` the usual bytes for a pixel, for estimates.
    """

    name: str
    suffix: str
    encoder: str
    colour: Colour
    pix_fmt: str
    cells: str
    options: Mapping[str, object]
    longest: int
    density: float
    measure: Callable[[Path], Size | None]

    @property
    def output(self) -> dict[str, object]:
        """The options of an output of such pictures."""
        # passthrough, or the first picture is repeated for the time before it
        return {"f": "image2", "c:v": self.encoder, **self.options, "fps_mode": "passthrough"}


_STANDALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_size(path: Path) -> Size | None:
    """Return width and height of a complete JPEG file, None for anything else. Raises OSError."""
    content = path.read_bytes()
    if not content.startswith(b"\xff\xd8") or not content.endswith(b"\xff\xd9"):
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _START_OF_FRAME:
            height = int.from_bytes(content[at + 5 : at + 7], "big")
            return int.from_bytes(content[at + 7 : at + 9], "big"), height
        length = 0 if marker in _STANDALONE else int.from_bytes(content[at + 2 : at + 4], "big")
        at += 2 + length
    return None


def png_size(path: Path) -> Size | None:
    """Return the same of a PNG file."""
    content = path.read_bytes()
    if not content.startswith(b"\x89PNG\r\n\x1a\n") or content[-8:-4] != b"IEND":
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def webp_size(path: Path) -> Size | None:
    """Return the same of a WebP file of one lossy picture."""
    content = path.read_bytes()
    whole = int.from_bytes(content[4:8], "little") + 8 == len(content)
    if not whole or content[:4] != b"RIFF" or content[8:16] != b"WEBPVP8 ":
        return None
    sides = int.from_bytes(content[26:28], "little"), int.from_bytes(content[28:30], "little")
    return sides[0] & 0x3FFF, sides[1] & 0x3FFF


JPEG = PictureKind(
    name="jpeg",
    suffix=".jpg",
    encoder="mjpeg",
    colour=JPEG_COLOUR,
    pix_fmt="yuvj420p",
    cells="yuvj444p",
    options={"q:v": 2},
    longest=65_500,
    density=0.2,
    measure=jpeg_size,
)
PNG = PictureKind(
    name="png",
    suffix=".png",
    encoder="png",
    colour=_PNG_COLOUR,
    pix_fmt="rgb24",
    cells="rgb24",
    options={},
    longest=65_500,
    density=1.5,
    measure=png_size,
)
WEBP = PictureKind(
    name="webp",
    suffix=".webp",
    encoder="libwebp",
    colour=_WEBP_COLOUR,
    pix_fmt="yuv420p",
    cells="yuv444p",
    options={"quality": 85},
    longest=16_383,
    density=0.1,
    measure=webp_size,
)


def kind_of(key: str) -> PictureKind:
    """Return the kind of pictures that an object key asks for."""
    extension = posixpath.splitext(key)[1].lower()
    return {".png": PNG, ".webp": WEBP}.get(extension, JPEG)
