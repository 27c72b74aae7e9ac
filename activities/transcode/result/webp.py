"""What is in a WebP file: the installed ffprobe knows none.

The container is RIFF: `VP8X` tells the size, `ANIM` how often it plays, each `ANMF` one frame.
"""

from dataclasses import dataclass
from pathlib import Path

from workflow_engine.records import Json


@dataclass(frozen=True, kw_only=True)
class WebpFile:
    """An animated WebP: pixels, how often it plays (0: for ever), milliseconds of each frame."""

    width: int
    height: int
    loop: int
    frames: tuple[int, ...]

    def probe(self, size: int) -> dict[str, Json]:
        """Return what ffprobe would say, as far as it is used; `size` is the file's."""
        seconds = f"{sum(self.frames) / 1000:.3f}"
        rate = f"{1000 * len(self.frames)}/{sum(self.frames) or 1}"
        picture: dict[str, Json] = {
            "index": 0,
            "codec_type": "video",
            "codec_name": "webp",
            "width": self.width,
            "height": self.height,
            "avg_frame_rate": rate,
            "duration": seconds,
            "nb_frames": str(len(self.frames)),
        }
        form: Json = {"format_name": "webp", "duration": seconds, "size": str(size)}
        return {"format": form, "streams": [picture]}


def read_webp(path: Path) -> WebpFile | None:
    """Return what an animated WebP holds, None for any other file."""
    width = height = loop = 0
    frames: list[int] = []
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WEBP":
            return None
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            body = file.read(min(size, 16))
            if chunk[:4] == b"VP8X":
                width, height = _number(body, 4) + 1, _number(body, 7) + 1
            elif chunk[:4] == b"ANIM":
                loop = int.from_bytes(body[4:6], "little")
            elif chunk[:4] == b"ANMF":
                frames.append(_number(body, 12))
            file.seek(size + size % 2 - len(body), 1)
    return WebpFile(width=width, height=height, loop=loop, frames=tuple(frames)) if frames else None


def _number(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 3], "little")
