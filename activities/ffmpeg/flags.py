"""What every ffmpeg and ffprobe command carries: media is hostile.

`input_guards` close what an input file may make ffmpeg do, `GLOBAL_FLAGS` say what a process
prints and how much damage it bears; `graph.py` puts both into every command.
"""

from collections.abc import Mapping

#: pixels of one frame, 8192 x 8192: a header that claims more would exhaust the memory
MAX_PIXELS = 1 << 26
#: share of undecodable frames above which ffmpeg gives up: below it damage is concealed
MAX_ERROR_RATE = 0.01

#: demuxers that read one file and nothing else. Not in it, on purpose: `hls`, `dash`, `concat`
#: and `imf` open other files, `image2` takes patterns, `tty` renders any text as video
FORMATS = (
    *("mov", "matroska", "webm", "mpegts", "mpeg", "mpegvideo", "avi", "flv", "asf", "ogg"),
    *("mxf", "rm", "swf", "dv", "m4v", "mjpeg", "h264", "hevc", "ivf", "gif", "apng", "webp_anim"),
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


def input_guards(demuxer: str = "", *, playlists: bool = False) -> dict[str, str]:
    """Return the options of every input; with a `demuxer` it is opened as nothing else.

    `playlists` also opens HLS lists, for our own only; `crypto` is the protocol of encrypted
    segments.
    """
    formats = demuxer or ",".join(FORMATS)
    return {
        "protocol_whitelist": "file,crypto" if playlists else "file",
        "format_whitelist": f"{formats},hls" if playlists else formats,
        "max_pixels": str(MAX_PIXELS),
    }


def probe_options(
    opened: Mapping[str, str] | None = None, *, playlists: bool = False
) -> tuple[str, ...]:
    """Return the input options of ffprobe, with those that a file is `opened` with.

    `playlists` is that of `input_guards`.
    """
    options = {**(opened or {})}
    options |= input_guards(options.get("f", ""), playlists=playlists)
    return tuple(part for name, value in options.items() for part in (f"-{name}", value))
