"""What one output will be, in resolved numbers: the value between planning and encoding.

`resolve/rendition.py` makes renditions, `commands.py` turns them into ffmpeg commands,
`result/verify.py` holds the finished files against them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction

from activities.packaging.place import StreamPlace
from activities.packaging.streams import SegmentFormat
from activities.transcode.command.filters import CommandInput, Filter, WorkFile, work_files
from activities.transcode.model.encryption import Key
from activities.transcode.model.quality import Quality
from workflow_engine.records import Figure, Json, ObjectRef

#: width and height in pixels
Size = tuple[int, int]

#: names that ffprobe gives the codecs
PROBE_NAMES = {
    "H.264": "h264",
    "H.265": "hevc",
    "AV1": "av1",
    "GIF": "gif",
    "WEBP": "webp",
    "AAC": "aac",
    "MP3": "mp3",
    "VORBIS": "vorbis",
    "FLAC": "flac",
}

#: ffmpeg's layouts by number of channels
_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
#: what three and four channels are to Vorbis and FLAC
_OWN_LAYOUTS = {3: "3.0", 4: "quad"}


def layout_of(codec: str, channels: int) -> str:
    """Return which channels an output has that has so many, as ffmpeg calls it."""
    own = _OWN_LAYOUTS.get(channels) if codec in ("VORBIS", "FLAC") else None
    return own or _LAYOUTS[channels - 1]


#: of streams in fragments of an mp4: raised when equal renditions come out otherwise
_FRAGMENTS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoEncoding:
    """How the picture is encoded; bit rates in kbit/s, buffer in kbit. No rate: GIF and WebP.

    `rate` is the frame rate of the output; `bufsize` is None where nothing limits the rate. Key
    frames come at least every `gop` frames, at every multiple of `key_every` seconds and at each
    of `key_times`; without both, where playlists are cut by default. `fields` means interlaced,
    `hdr` high dynamic range.
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
    hdr: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """The video stream: `stream` is its index in the source; without `encoding` it is copied.

    `size` is the output's, `part` what of the source is scaled. A copy whose container would count
    beyond the last picture has `shown_until`, in seconds.
    """

    stream: int
    codec: str  # as ffprobe calls it
    size: Size
    part: Size
    encoding: VideoEncoding | None = None
    shown_until: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioEncoding:
    """How the sound is encoded; kbit/s (None: lossless), Hz. `deep` means 24 bits a sample."""

    codec: str
    bitrate: float | None
    samplerate: int
    channels: int
    deep: bool
    filters: tuple[Filter, ...]

    @property
    def layout(self) -> str:
        """Which channels they are; see `layout_of`."""
        return layout_of(self.codec, self.channels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """The audio stream: `stream` is its index in the source; without `encoding` it is copied.

    Without `stream` the source has none, and the filters begin with silence.
    """

    stream: int | None
    codec: str  # as ffprobe calls it
    language: str  # ISO 639-2, "und" when unknown
    encoding: AudioEncoding | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One output.

    `origin` is how its source is opened. `segment` (seconds) and `cuts` (seconds) belong to m3u8
    and mpd; `mux` are options of other muxers. `key` encrypts the segments of a playlist, which
    has `playlist_tags` for each of them: `md5`, `size`. For a stream of a package, `stream` says
    what the segments are.

    `duration` is what the source promises, in seconds, None when it promises nothing; `exact`
    is false where that may be more than these streams have. At `limit`, in seconds, the output
    is cut: the source is longer than its header declares. `bytes` is an estimate.
    """

    container: str
    origin: CommandInput
    picture: Picture | None
    sound: Sound | None
    mode: str  # TransMode
    segment: float | None
    cuts: tuple[float, ...]
    mux: tuple[tuple[str, str], ...]
    key: Key | None
    playlist_tags: tuple[str, ...]
    duration: float | None
    exact: bool
    limit: float
    bytes: int | None
    stream: SegmentFormat | None = None

    @property
    def copy(self) -> bool:
        """Whether nothing is encoded."""
        streams = [stream for stream in (self.picture, self.sound) if stream]
        return all(stream.encoding is None for stream in streams)

    @property
    def fragmented(self) -> bool:
        """Whether its segments are fragments of an mp4."""
        return self.stream is SegmentFormat.FMP4

    @property
    def segment_key(self) -> Key | None:
        """What ffmpeg encrypts whole segments with."""
        return None if self.fragmented else self.key

    @property
    def sample_key(self) -> Key | None:
        """What the samples of finished fragments are encrypted with."""
        return self.key if self.fragmented else None

    @property
    def filters(self) -> tuple[Filter, ...]:
        """All filters of picture and sound."""
        picture = self.picture.encoding.filters if self.picture and self.picture.encoding else ()
        sound = self.sound.encoding.filters if self.sound and self.sound.encoding else ()
        return (*picture, *sound)

    @property
    def written_files(self) -> tuple[WorkFile, ...]:
        """The files that must be written before ffmpeg starts."""
        return tuple(
            file for file in work_files(self.filters) if file.text is not None or file.face
        )

    @property
    def alone(self) -> bool:
        """Whether it needs a process of its own: two passes, a palette of the whole, or HDR.

        Of several outputs, ffmpeg tells only the first one what screen HDR was mastered on.
        """
        encoding = self.picture.encoding if self.picture else None
        return self.twopass or self.container == "gif" or bool(encoding and encoding.hdr)

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
            parts.append(f"{width}x{height} {self.picture.codec} {rate}".rstrip())
        if self.sound:
            encoding = self.sound.encoding
            rate = "copy"
            if encoding:
                rate = f"{encoding.bitrate:g}k" if encoding.bitrate else ""
            parts.append(f"{self.sound.codec} {rate}".rstrip())
        return f"{self.container} {' + '.join(parts)}"

    def identity(self) -> Mapping[str, Json]:
        """Return what shapes the bytes of the output, as JSON values."""
        key = replace(self.key, secret=b"") if self.key else None
        shaping = asdict(replace(self, key=key, duration=None, exact=True, limit=0.0, bytes=None))
        if self.stream is None:
            del shaping["stream"]
        elif self.fragmented:
            shaping["fragments"] = _FRAGMENTS
        return json.loads(json.dumps(shaping, default=str))  # str: Fractions


@dataclass(frozen=True, kw_only=True, slots=True)
class RenditionJob:
    """A rendition and the object that it becomes; the key may keep {DestMd5} and the like.

    What is measured of the finished file: `quality`, and whether the average rate of its picture
    is within `rate_bounds`, the least and the most in kbit/s. `foretold` is what an Analysis
    expects of it. The stream of a package has a `place` there. `picture_file` and `sound_file`
    name files of the work directory that have its encoded streams already, if any.
    """

    rendition: Rendition
    ref: ObjectRef
    quality: Quality | None = None
    rate_bounds: tuple[float, float] | None = None
    foretold: Mapping[Figure, float] = field(default_factory=dict[Figure, float])
    place: StreamPlace | None = None
    picture_file: str = ""
    sound_file: str = ""


def _rate(encoding: VideoEncoding | None) -> str:
    if encoding is None:
        return "copy"
    if encoding.bitrate is not None:
        return f"{encoding.bitrate:g}k"
    return f"crf {encoding.crf:g}" if encoding.crf is not None else ""
