"""Pictures that move, of which ffprobe knows less than ffmpeg: animated WebP and PNG.

WebP is RIFF: `VP8X` tells the size, `ANIM` how often it plays, each `ANMF` one frame. Of PNG,
`acTL` tells how often it plays, and each `fcTL` one frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from activities.ffmpeg import content_bad
from activities.probe.png import SIGNATURE
from workflow_engine.records import Json

#: seconds of a frame that tells none, as ffmpeg shows it
_WEBP_DEFAULT, _PNG_DEFAULT = Fraction(1, 10), Fraction(1, 15)
#: bytes of a chunk that say what it is; behind them comes the picture
_HEAD = 32
#: chunks of a file; twenty frames per second for half a day are fewer
_MOST_CHUNKS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Animation:
    """An animated picture: pixels, how often it plays (0: for ever), seconds of each frame.

    `codec` and `container` are names of ffmpeg's; `container` is its long name.
    """

    codec: str
    container: str
    width: int
    height: int
    loop: int
    frames: tuple[Fraction, ...]

    def probe(self, size: int) -> dict[str, Json]:
        """Return what ffprobe would say, as far as it is used; `size` is the file's, in bytes."""
        length = sum(self.frames, Fraction(0))
        rate = f"{len(self.frames) / length}" if length else "25"
        seconds = f"{float(length):.6f}"
        bits = str(round(size * 8 / length)) if length else "0"
        picture: dict[str, Json] = {
            "index": 0,
            "codec_type": "video",
            "codec_name": self.codec,
            "width": self.width,
            "height": self.height,
            "sample_aspect_ratio": "1:1",
            "r_frame_rate": rate if "/" in rate else f"{rate}/1",
            "avg_frame_rate": rate if "/" in rate else f"{rate}/1",
            "time_base": "1/1000",
            "start_time": "0.000000",
            "duration": seconds,
            "bit_rate": bits,
            "nb_frames": str(len(self.frames)),
        }
        form: Json = {
            "nb_streams": 1,
            "nb_programs": 0,
            "format_name": self.codec,
            "format_long_name": self.container,
            "start_time": "0.000000",
            "duration": seconds,
            "size": str(size),
            "bit_rate": bits,
        }
        return {"format": form, "streams": [picture]}


def read_animation(path: Path) -> Animation | None:
    """Return what an animated WebP or PNG holds, None for any other file.

    Raises OSError, and ActivityError (`InvalidParameter.ResourceContentBad`) for endless frames.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            return _webp(file)
        if head.startswith(SIGNATURE):
            file.seek(len(SIGNATURE))
            return _png(file)
    return None


def _webp(file: BinaryIO) -> Animation | None:
    width = height = loop = 0
    frames: list[Fraction] = []
    for chunk in _chunks(file):
        size = int.from_bytes(chunk[4:], "little")
        body = file.read(min(size, _HEAD))
        if chunk[:4] == b"VP8X":
            width, height = _three(body, 4) + 1, _three(body, 7) + 1
        elif chunk[:4] == b"ANIM":
            loop = int.from_bytes(body[4:6], "little")
        elif chunk[:4] == b"ANMF":
            frames.append(Fraction(_three(body, 12), 1000) or _WEBP_DEFAULT)
        file.seek(size + size % 2 - len(body), 1)
    if len(frames) < 2:
        return None
    return Animation(
        codec="webp",
        container="Animated WebP",
        width=width,
        height=height,
        loop=loop,
        frames=tuple(frames),
    )


def _png(file: BinaryIO) -> Animation | None:
    width = height = 0
    loop: int | None = None
    frames: list[Fraction] = []
    for kind, body in _png_chunks(file):
        if kind == b"IHDR":
            width, height = (int.from_bytes(body[at : at + 4], "big") for at in (0, 4))
        elif kind == b"acTL":
            loop = int.from_bytes(body[4:8], "big")
        elif kind == b"fcTL":
            time, unit = (int.from_bytes(body[at : at + 2], "big") for at in (20, 22))
            frames.append(Fraction(time, unit or 100) or _PNG_DEFAULT)
        elif kind == b"IDAT" and loop is None:
            return None
    if loop is None or len(frames) < 2:
        return None
    return Animation(
        codec="apng",
        container="Animated Portable Network Graphics",
        width=width,
        height=height,
        loop=loop,
        frames=tuple(frames),
    )


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and first bytes of each chunk."""
    for chunk in _chunks(file):
        size = int.from_bytes(chunk[:4], "big")
        body = file.read(min(size, _HEAD))
        yield chunk[4:], body
        file.seek(size - len(body) + 4, 1)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the beginning of each chunk; what takes them goes to the end of each."""
    seen = 0
    while len(chunk := file.read(8)) == 8:
        seen += 1
        if seen > _MOST_CHUNKS:
            raise content_bad("it has too many frames")
        yield chunk


def _three(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 3], "little")
