"""What one output will be, in resolved numbers: the value between planning and encoding.

`resolve.py` makes renditions, `command.py` turns them into ffmpeg commands, `verify.py` holds
the finished files against them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction

from activities.transcode.geometry import Filter, Size
from workflow_engine.records import Json, ObjectRef

#: names that ffprobe gives the codecs
PROBE_NAMES = {"H.264": "h264", "H.265": "hevc", "AAC": "aac", "MP3": "mp3"}


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoEncoding:
    """How the picture is encoded; bit rates in kbit/s, buffer in kbit.

    `rate` is the frame rate of the output; `bufsize` is None where nothing limits the rate. Key
    frames come at least every `gop` frames, at every multiple of `key_every` seconds and at each
    of `key_times`. `fields` means interlaced.
    """

    codec: str
    filters: tuple[Filter, ...]
    rate: Fraction
    bitrate: float | None
    crf: float | None
    maxrate: float | None
    bufsize: float | None
    profile: str | None
    preset: str | None
    gop: int
    key_every: Fraction | None
    key_times: tuple[float, ...]
    pix_fmt: str
    fields: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """The video stream: `stream` is its index in the source; without `encoding` it is copied."""

    stream: int
    codec: str  # as ffprobe calls it
    size: Size
    encoding: VideoEncoding | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioEncoding:
    """How the sound is encoded; kbit/s, Hz."""

    codec: str
    bitrate: float
    samplerate: int
    channels: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """The audio stream: `stream` is its index in the source; without `encoding` it is copied."""

    stream: int
    codec: str  # as ffprobe calls it
    language: str  # ISO 639-2, "und" when unknown
    encoding: AudioEncoding | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One output. `segment` (seconds) and `cuts` (seconds) belong to m3u8.

    `duration` is what the source promises, in seconds, None when it promises nothing; `exact`
    is false where that may be more than these streams have. At `limit`, in seconds, the output
    is cut: the source ran on beyond all that it can hold. `bytes` is an estimate.
    """

    container: str
    picture: Picture | None
    sound: Sound | None
    mode: str  # TransMode
    segment: float | None
    cuts: tuple[float, ...]
    duration: float | None
    exact: bool
    limit: float
    bytes: int | None

    @property
    def copy(self) -> bool:
        """Whether nothing is encoded."""
        streams = [stream for stream in (self.picture, self.sound) if stream]
        return all(stream.encoding is None for stream in streams)

    @property
    def twopass(self) -> bool:
        """Whether the picture is encoded twice, which needs processes of its own."""
        return self.mode == "twopass" and self.picture is not None

    @property
    def summary(self) -> str:
        """One line: `mp4 1280x720 h264 1800k + aac 128k`."""
        parts: list[str] = []
        if self.picture:
            width, height = self.picture.size
            rate = _rate(self.picture.encoding)
            parts.append(f"{width}x{height} {self.picture.codec} {rate}")
        if self.sound:
            encoding = self.sound.encoding
            rate = f"{encoding.bitrate:g}k" if encoding else "copy"
            parts.append(f"{self.sound.codec} {rate}")
        return f"{self.container} {' + '.join(parts)}"

    def identity(self) -> Mapping[str, Json]:
        """Return what shapes the bytes of the output, as JSON values."""
        shaping = asdict(replace(self, duration=None, exact=True, limit=0.0, bytes=None))
        return json.loads(json.dumps(shaping, default=str))  # str: Fractions


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A rendition and the object that it becomes; the key may keep {DestMd5} and the like."""

    rendition: Rendition
    ref: ObjectRef


def _rate(encoding: VideoEncoding | None) -> str:
    if encoding is None:
        return "copy"
    return f"{encoding.bitrate:g}k" if encoding.bitrate is not None else f"crf {encoding.crf:g}"
