"""The five sections that templates and outputs share: Container, Video, Audio, Mux-, TransConfig.

Limits of single fields stand here; what depends on two fields or on the container is in
`transcode/rules.py`. An output overrides its template field by field: `merge`. Specification:
transcode, 3 to 7; values and units in `output_limits.json`.
"""

import re
from typing import Annotated, ClassVar, TypeVar, overload

from pydantic import AfterValidator, Field

from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    JsonObject,
    Number,
    Text,
    WireModel,
    shown,
    wire_error,
)

M = TypeVar("M", bound=WireModel)

#: longest key-frame interval, in frames (specification, transcode, 4)
MAX_GOP_FRAMES = 100_000
#: seconds; no picture is longer, and its frames can be counted
MAX_SECONDS = 1_000_000
#: most cut times of one ForceSegTime list (specification, transcode, 6)
MAX_FORCED_CUTS = 10

#: pixel formats that both libx264 and libx265 encode, and the one of GIF
PIXEL_FORMATS = (
    "yuv420p",
    "yuvj420p",
    "yuv422p",
    "yuvj422p",
    "yuv444p",
    "yuvj444p",
    "yuv420p10le",
    "yuv422p10le",
    "yuv444p10le",
    "bgr8",
)

Bit = Annotated[bool, Boolean()]

_BOX = r"([0-9]{1,32}:){3}[0-9]{1,32}"
_SECOND = r"[0-9]{1,32}(\.[0-9]{1,3})?"


def _gop(value: str) -> str:
    if value.endswith("s"):
        inside = 0 < float(value[:-1]) <= MAX_SECONDS
    else:
        inside = 1 <= int(value) <= MAX_GOP_FRAMES
    if not inside:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The value {shown(value)} is out of range.",
            f"Use 1 to {MAX_GOP_FRAMES} frames, or more than 0 and at most {MAX_SECONDS} "
            'seconds, such as "10s".',
        )
    return value


def _crop(value: str) -> str:
    return value if value == "border" else _canvas(value)


def _canvas(value: str) -> str:
    width, height, _, _ = box_of(value)
    if not (0 < width <= 8192 and 0 < height <= 8192):
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The value {shown(value)} is out of range.",
            "Use a width and a height of 1 to 8192 pixels.",
        )
    return value


def _cuts(value: str) -> str:
    times = cuts_of(value)
    if value.count(",") >= MAX_FORCED_CUTS or not 0 < times[0] <= times[-1] <= MAX_SECONDS:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The value {shown(value)} is out of range.",
            f"Use at most {MAX_FORCED_CUTS} times, each later than 0 and at most {MAX_SECONDS}.",
        )
    return value


class Container(WireModel):
    """The file format (specification, transcode, 3)."""

    format: Annotated[
        str,
        Choice(
            ("mp4", "flv", "m3u8", "mpd", "ts", "mp3", "m4a", "ogg", "flac", "gif", "webp"),
            any_case=True,
            aliases=(("hls", "m3u8"), ("dash", "mpd")),
        ),
    ] = "mp4"


class Video(WireModel):
    """The picture (specification, transcode, 4): kbit/s, kbit, pixels, frames per second."""

    # some of them have two meanings (specification, transcode, 20, C-5)
    echoed: ClassVar[frozenset[str]] = frozenset(
        {"BitrateBnd", "Degrain", "MaxFps", "Qscale", "ResoPriority"}
    )

    # AV1 is an extension of ours
    codec: Annotated[str, Choice(("H.264", "H.265", "GIF", "WEBP", "AV1"), any_case=True)] = "H.264"
    profile: Annotated[str, Choice(("baseline", "main", "high"))] | None = None
    bitrate: Annotated[float, Number(10, 50000, unit="kbit/s")] | None = None
    crf: Annotated[float, Number(0, 51)] | None = None
    width: Annotated[int, Number(128, 4096, unit="pixels")] | None = None
    height: Annotated[int, Number(128, 4096, unit="pixels")] | None = None
    long_short_mode: Bit = False
    fps: Annotated[float, Number(0, 60, low_open=True, unit="frames per second")] | None = None
    gop: Annotated[
        str,
        Text(
            pattern=r"[0-9]{1,32}|[0-9]{1,32}(\.[0-9]{1,6})?s",
            form='frames ("250") or seconds ("10s")',
        ),
        AfterValidator(_gop),
    ] = "10s"
    preset: Annotated[str, Choice(("veryfast", "fast", "medium", "slow", "slower"))] | None = None
    scan_mode: Annotated[str, Choice(("auto", "progressive", "interlaced"))] = "auto"
    # an extension of ours: frames hold two fields in this order, whatever the source says
    field_order: Annotated[str, Choice(("Auto", "tff", "bff"))] = "Auto"
    bufsize: Annotated[int, Number(1000, 128000, unit="kbit")] = 6000
    maxrate: Annotated[float, Number(10, 50000, unit="kbit/s")] | None = None
    pix_fmt: Annotated[str, Choice(PIXEL_FORMATS)] = "yuv420p"
    # an extension of ours
    hdr: Annotated[str, Choice(("Auto", "Keep", "ToSdr"))] = "Auto"
    remove: Bit = False
    crop: (
        Annotated[
            str,
            Text(pattern=rf"border|{_BOX}", form="border, or width:height:left:top"),
            AfterValidator(_crop),
        ]
        | None
    ) = None
    pad: (
        Annotated[str, Text(pattern=_BOX, form="width:height:left:top"), AfterValidator(_canvas)]
        | None
    ) = None


class Volume(WireModel):
    """How loud the sound is (specification, transcode, 5): LUFS, dBTP, LU, dB.

    The three targets belong to `dynamic`, `level` to the other methods.
    """

    method: Annotated[str, Choice(("auto", "dynamic", "linear"))] = "auto"
    integrated_loudness_target: Annotated[float, Number(-70, -5, unit="LUFS")] = -6
    true_peak: Annotated[float, Number(-9, 0, unit="dBTP")] = -1
    loudness_range_target: Annotated[float, Number(1, 20, unit="LU")] = 8
    level: Annotated[float, Number(-70, 0, unit="dB")] | None = None


class Audio(WireModel):
    """The sound (specification, transcode, 5): kbit/s, Hz."""

    echoed: ClassVar[frozenset[str]] = frozenset({"Qscale"})

    codec: Annotated[str, Choice(("AAC", "MP3", "VORBIS", "FLAC"), any_case=True)] = "AAC"
    # the encoder that every ffmpeg has makes the low-complexity profile only
    profile: (
        Annotated[str, Choice(("aac_low",), later=("aac_he", "aac_he_v2", "aac_ld", "aac_eld"))]
        | None
    ) = None
    samplerate: Annotated[int, Number(allowed=(22050, 32000, 44100, 48000, 96000), unit="Hz")] = (
        44100
    )
    bitrate: Annotated[float, Number(8, 1000, unit="kbit/s")] = 128
    channels: Annotated[int, Number(1, 8)] = 2
    volume: Annotated[Volume, JsonObject] | None = None
    remove: Bit = False


class Segment(WireModel):
    """How an HLS or DASH output is cut (specification, transcode, 6)."""

    duration: Annotated[int, Number(1, 60, unit="seconds")] | None = None
    force_seg_time: (
        Annotated[
            str,
            Text(
                pattern=f"{_SECOND}(,{_SECOND})*",
                form='times in seconds with up to 3 decimals, such as "23,55.5,60"',
            ),
            AfterValidator(_cuts),
        ]
        | None
    ) = None


class Gif(WireModel):
    """How a GIF plays and how it gets its colours (specification, transcode, 6 and C-9).

    `loop` 0 plays once; `final_delay` is in centiseconds.
    """

    loop: Annotated[int, Number(0, 65535)] = 0
    final_delay: Annotated[int, Number(0, 65535, unit="centiseconds")] = 0
    dither_mode: Annotated[str, Choice(("sierra", "bayer"))] | None = None
    is_custom_palette: Bit = True


class Webp(WireModel):
    """How a WebP plays; `loop` 0 plays once (specification, transcode, 6 and C-9)."""

    loop: Annotated[int, Number(0, 65535)] = 0


class MuxConfig(WireModel):
    """Settings of the container (specification, transcode, 6)."""

    segment: Annotated[Segment, JsonObject] = Field(default_factory=lambda: Segment())
    gif: Annotated[Gif, JsonObject] = Field(default_factory=lambda: Gif())
    webp: Annotated[Webp, JsonObject] = Field(default_factory=lambda: Webp())


class TransConfig(WireModel):
    """How to transcode, and what to check first (specification, transcode, 7)."""

    trans_mode: Annotated[str, Choice(("onepass", "twopass", "CBR"))] = "onepass"
    adj_dar_method: Annotated[str, Choice(("rescale", "crop", "pad", "none"))] = "none"
    is_check_reso: Bit = False
    is_check_reso_fail: Bit = False
    is_check_video_bitrate: Bit = False
    is_check_video_bitrate_fail: Bit = False
    is_check_audio_bitrate: Bit = False
    is_check_audio_bitrate_fail: Bit = False


@overload
def merge(base: M, over: M | None) -> M: ...
@overload
def merge(base: M | None, over: M | None) -> M | None: ...
def merge(base: M | None, over: M | None) -> M | None:
    """Return a section of a template with the fields that an output gives instead."""
    if base is None or over is None:
        return over if base is None else base
    update: dict[str, object] = {name: None for name in _outdated(base, over)}
    for name in over.model_fields_set:
        value, inner = getattr(over, name), getattr(base, name, None)
        both = isinstance(value, WireModel) and isinstance(inner, WireModel)
        update[name] = merge(inner, value) if both else value
    return base.model_copy(update=update)


def _outdated(base: WireModel, over: WireModel) -> set[str]:
    """Fields of a template that lose their sense by what the output gives."""
    fields = over.model_fields_set
    dropped: set[str] = set()
    if isinstance(base, Video) and isinstance(over, Video):
        # Crf outweighs Bitrate, so the template's Crf would silence the output's Bitrate
        if "bitrate" in fields and "crf" not in fields:
            dropped.add("crf")
        # another codec does not know them
        if "codec" in fields and over.codec != base.codec:
            dropped |= {"profile", "preset"}
    if isinstance(base, Audio) and "codec" in fields:
        dropped.add("profile")
    return dropped


def box_of(value: str) -> tuple[int, int, int, int]:
    """Return width, height, left and top, in pixels, of a Crop or Pad value."""
    width, height, left, top = (int(part) for part in re.split(":", value))
    return width, height, left, top


def cuts_of(value: str) -> tuple[float, ...]:
    """Return the times of a ForceSegTime value, in seconds, in order."""
    return tuple(sorted({float(part) for part in value.split(",")}))
