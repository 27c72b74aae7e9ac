"""What every ffmpeg and ffprobe command carries: media is hostile.

`input_options` closes what an input file may make ffmpeg do, `GLOBAL_FLAGS` what a process
prints and how much damage it bears, `argv` joins them with a graph of ffmpeg-python:

    source = ffmpeg.input("file:source.mp4", **input_options())
    command = argv(ffmpeg.output(source.video, "file:out.mp4", vcodec="libx264"))
"""

from collections.abc import Mapping
from typing import Any, cast

import ffmpeg

from activities.ffmpeg.tools import ffmpeg_path

#: pixels of one frame, 8192 x 8192: a header that claims more would exhaust the memory
MAX_PIXELS = 1 << 26
#: share of undecodable frames above which ffmpeg gives up: below it damage is concealed
MAX_ERROR_RATE = 0.01

#: demuxers that read one file and nothing else. Not in it, on purpose: `hls`, `dash`, `concat`
#: and `imf` open other files, `image2` takes patterns, `tty` renders any text as video
FORMATS = (
    *("mov", "matroska", "webm", "mpegts", "mpeg", "mpegvideo", "avi", "flv", "asf", "ogg"),
    *("mxf", "rm", "swf", "dv", "m4v", "mjpeg", "h264", "hevc", "ivf", "gif", "webp_anim"),
    *("wav", "w64", "aiff", "caf", "mp3", "aac", "ac3", "eac3", "flac", "ape", "amr", "amrnb"),
    *("amrwb", "jpeg_pipe", "png_pipe", "webp_pipe", "srt", "ass", "webvtt"),
)

#: before the first input of every command
GLOBAL_FLAGS = (
    "-nostdin",  # never wait for keys
    "-y",  # overwrite: the work directory is private, a second pass may write a file again
    *("-v", "error", "-nostats"),  # stderr holds errors only, so each line counts
    *("-progress", "pipe:1", "-stats_period", "0.5"),
    *("-max_error_rate", f"{MAX_ERROR_RATE:g}"),
)


def input_options(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the options of an input, for `ffmpeg.input("file:...", **input_options())`.

    `given` are further ones; an input whose format `f` is among them is opened as nothing else.
    """
    options = given or {}
    return {
        **options,
        "protocol_whitelist": "file",
        "format_whitelist": options.get("f") or ",".join(FORMATS),
        "max_pixels": str(MAX_PIXELS),
    }


def probe_options(
    given: Mapping[str, str] | None = None, *, playlists: bool = False
) -> tuple[str, ...]:
    """Return the input options of ffprobe; `playlists` also opens HLS lists, for our own only.

    `given` is that of `input_options`; `crypto` is the protocol of encrypted segments.
    """
    options = input_options(given)
    if playlists:
        options["format_whitelist"] += ",hls"
        options["protocol_whitelist"] += ",crypto"
    return tuple(part for name, value in options.items() for part in (f"-{name}", value))


def argv(stream: object) -> tuple[str, ...]:
    """Return the whole argument vector of an output (or merged outputs) of ffmpeg-python.

    Raises InstallationError when there is no ffmpeg.
    """
    arguments = cast("list[Any]", ffmpeg.get_args(stream))  # pyright: ignore[reportUnknownMemberType]
    return (str(ffmpeg_path()), *GLOBAL_FLAGS, *(str(argument) for argument in arguments))
