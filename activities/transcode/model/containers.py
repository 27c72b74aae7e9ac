"""What goes into which container: the compatibility tables, as data.

Specification: transcode, 3 and 5; `container_codecs.json`. Codecs to encode have the names of the
specification, streams to copy those of ffprobe.
"""

from dataclasses import dataclass

#: the picture codecs of containers that hold pictures only, and no sound
IMAGE_CODECS = ("GIF", "WEBP")
#: AV1 is an extension of ours: the specification's containers hold H.264 and H.265
_VIDEO = ("H.264", "H.265")
_SOUND = ("AAC", "MP3")


@dataclass(frozen=True, kw_only=True)
class ContainerSupport:
    """What a container holds: `audio` beside a picture, `alone` without one."""

    muxer: str
    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    copy_video: frozenset[str] = frozenset()
    copy_audio: frozenset[str] = frozenset()


CONTAINERS = {
    "flv": ContainerSupport(
        muxer="flv",
        video=("H.264",),
        audio=_SOUND,
        alone=_SOUND,
        copy_video=frozenset({"flv1", "h264", "vp6f"}),
        copy_audio=frozenset({"aac", "mp3"}),
    ),
    "mp4": ContainerSupport(
        muxer="mp4",
        video=(*_VIDEO, "AV1"),
        audio=_SOUND,
        # MP3 in an mp4 without a picture is an .mp3 under another name
        alone=("AAC",),
        copy_video=frozenset(
            {"av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp9"}
        ),
        copy_audio=frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}),
    ),
    "ts": ContainerSupport(
        muxer="mpegts",
        video=_VIDEO,
        audio=_SOUND,
        alone=_SOUND,
        copy_video=frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"}),
        copy_audio=frozenset({"aac", "ac3", "eac3", "mp2", "mp3"}),
    ),
    "m3u8": ContainerSupport(
        muxer="hls",
        video=_VIDEO,
        audio=_SOUND,
        alone=_SOUND,
        copy_video=frozenset({"h264", "hevc"}),
        copy_audio=frozenset({"aac", "ac3", "eac3", "mp3"}),
    ),
    "mpd": ContainerSupport(
        muxer="dash",
        video=(*_VIDEO, "AV1"),
        audio=_SOUND,
        alone=("AAC",),
        copy_video=frozenset({"av1", "h264", "hevc", "vp9"}),
        copy_audio=frozenset({"aac", "ac3", "eac3", "flac", "mp3", "opus"}),
    ),
    # not to be asked for: segments of packages, as their SegmentFormat calls them
    "fmp4": ContainerSupport(
        muxer="hls",
        video=(*_VIDEO, "AV1"),
        audio=_SOUND,
        alone=("AAC",),
        copy_video=frozenset({"av1", "h264", "hevc", "vp9"}),
        copy_audio=frozenset({"aac", "ac3", "eac3", "flac", "mp3", "opus"}),
    ),
    "mp3": ContainerSupport(muxer="mp3", alone=("MP3",), copy_audio=frozenset({"mp3"})),
    "m4a": ContainerSupport(muxer="ipod", alone=("AAC",), copy_audio=frozenset({"aac", "alac"})),
    "ogg": ContainerSupport(
        muxer="ogg",
        alone=("VORBIS", "FLAC"),
        copy_audio=frozenset({"flac", "opus", "speex", "vorbis"}),
    ),
    "flac": ContainerSupport(muxer="flac", alone=("FLAC",), copy_audio=frozenset({"flac"})),
    "gif": ContainerSupport(muxer="gif", video=("GIF",), copy_video=frozenset({"gif"})),
    "webp": ContainerSupport(muxer="webp", video=("WEBP",)),
}

#: containers that hold sound only, and pictures only
AUDIO_CONTAINERS = frozenset(name for name, holds in CONTAINERS.items() if not holds.video)
IMAGE_CONTAINERS = frozenset(name for name, holds in CONTAINERS.items() if not holds.alone)
#: containers of many files: an index and segments
SEGMENTED = frozenset({"m3u8", "mpd", "fmp4"})
#: containers that cannot say that a picture is to be shown turned
WITHOUT_ROTATION = frozenset({"flv", "m3u8", "ts"})

#: fields of Video by codec that mean something (specification, transcode, 4, codec x parameter)
_EVERY_PICTURE = frozenset(
    {
        "codec",
        "crop",
        "field_order",
        "fps",
        "hdr",
        "height",
        "long_short_mode",
        "pad",
        "pix_fmt",
        "remove",
    }
    | {"scan_mode", "width"}
)
_RATES = frozenset({"bitrate", "bufsize", "crf", "gop", "maxrate"})
VIDEO_FIELDS = {
    "H.264": _EVERY_PICTURE | _RATES | {"preset", "profile"},
    "H.265": _EVERY_PICTURE | _RATES,
    "AV1": _EVERY_PICTURE | _RATES,
    "GIF": _EVERY_PICTURE,
    "WEBP": _EVERY_PICTURE,
}
#: pixel formats by codec; the encoders of H.264 and H.265 take all others
PIXEL_FORMATS = {
    "AV1": ("yuv420p", "yuv420p10le"),
    "GIF": ("bgr8",),
    "WEBP": ("yuv420p",),
}
#: chroma formats of the profiles baseline, main and high
PROFILE_PIXEL_FORMATS = ("yuv420p", "yuvj420p")
#: Hdr: HDR stays as it is; what it needs for that, and the fields of an output that it excludes
KEEP = "Keep"
HDR_CODECS = ("H.265", "AV1")
HDR_PIXEL_FORMAT = "yuv420p10le"
WITHOUT_HDR = (
    *("merge_list", "merge_config_url", "opening_list", "tail_slate_list"),
    *("water_marks", "subtitle_config", "de_watermark"),
)
#: ways to spend the bits by codec, TransMode
TRANS_MODES = {"AV1": ("onepass",)}

#: channel counts by codec (specification, transcode, 5 and C-6)
CHANNELS = {
    "AAC": (1, 2, 4, 5, 6, 8),
    "MP3": (1, 2),
    "VORBIS": tuple(range(1, 9)),
    "FLAC": tuple(range(1, 9)),
}
#: the same for containers that hold AAC as ADTS, whose headers have no number for 7.1
ADTS_CHANNELS = (1, 2, 4, 5, 6)
ADTS_CONTAINERS = ("m3u8", "ts")
#: kbit/s of one channel of AAC for each kHz: a frame of 1024 samples has at most 6144 bits
AAC_DENSITY = 6
#: sample rates, Hz, of codecs that do not have all; libvorbis manages no bit rate at 96 kHz
SAMPLE_RATES = {
    "MP3": (22050, 32000, 44100, 48000),
    "VORBIS": (22050, 32000, 44100, 48000),
}
#: sample rates of MP3 in flv, Hz
FLV_MP3_RATES = (11025, 22050, 44100)

#: kbit/s of Vorbis by sample rate: of one channel, of two, and of each of more than two
_VORBIS_BITRATES = {
    22050: ((16, 80), (32, 160), (16, 80)),
    32000: ((32, 160), (36, 320), (32, 160)),
    44100: ((32, 240), (45, 500), (32, 160)),
    48000: ((32, 240), (45, 500), (32, 160)),
}


def bit_rates(codec: str, samplerate: int, channels: int) -> tuple[int, int] | None:
    """Return the lowest and the highest bit rate, kbit/s, of a codec; None where any is right."""
    if codec == "MP3":
        # below 32 kHz it is MPEG-2 layer III, with rates of its own
        return (8, 160) if samplerate < 32000 else (32, 320)
    if codec == "VORBIS" and samplerate in _VORBIS_BITRATES:
        low, high = _VORBIS_BITRATES[samplerate][min(channels, 3) - 1]
        return (low, high) if channels < 3 else (low * channels, min(high * channels, 1000))
    return None
