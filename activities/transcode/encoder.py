"""The ffmpeg options of one output: codecs, rate control, key frames, containers, limits.

Plain dictionaries of option and value; `command.py` puts them into a graph. Specification:
transcode, 3 to 7; ffmpeg facts.
"""

from collections.abc import Sequence

from activities.transcode.rendition import AudioEncoding, Rendition, VideoEncoding

Options = dict[str, str]

VIDEO_ENCODERS = {"H.264": "libx264", "H.265": "libx265"}
AUDIO_ENCODERS = {"AAC": "aac", "MP3": "libmp3lame"}
MUXERS = {"mp4": "mp4", "flv": "flv", "ts": "mpegts", "mp3": "mp3", "m4a": "ipod"}

#: bytes that any output may have beyond what its bit rate lets expect
SPARE_BYTES = 256 << 20


def video_options(encoding: VideoEncoding, mode: str, container: str) -> Options:
    """Return the options of an encoded picture; `mode` is the TransMode."""
    options = {
        "c:v": VIDEO_ENCODERS[encoding.codec],
        # sources of 10 bits or 4:4:4 would carry on into profiles that players do not have
        "pix_fmt": encoding.pix_fmt,
        "g": str(encoding.gop),
        # keep the source's time stamps: some muxers would repeat frames to a constant rate
        "fps_mode": "vfr",
    }
    if encoding.preset:
        options["preset"] = encoding.preset
    if encoding.profile:
        options["profile:v"] = encoding.profile
    options |= _key_frames(encoding)
    options |= _rates(encoding, mode)
    if encoding.fields:
        # code both fields of a frame as such, and say so in the stream
        options["flags"] = "+ilme+ildct"
    if encoding.codec == "H.265":
        options |= _x265(mode)
        if container == "mp4":
            # Apple players refuse the default tag hev1
            options["tag:v"] = "hvc1"
    elif mode == "CBR":
        # pads with filler, so that the rate is constant and not only limited
        options["x264-params"] = "nal-hrd=cbr"
    return options


def _key_frames(encoding: VideoEncoding) -> Options:
    """Key frames by the clock, so that all renditions of a source have them at equal times."""
    if encoding.key_times:
        return {"force_key_frames": _times(encoding.key_times)}
    if encoding.key_every:
        every = encoding.key_every
        return {"force_key_frames": f"expr:gte(t,n_forced*{every.numerator}/{every.denominator})"}
    return {}


def _times(cuts: Sequence[float]) -> str:
    # short, because there may be thousands, and one argument holds 128 KiB
    return ",".join(f"{time:.3f}".rstrip("0").rstrip(".") for time in cuts)


def _rates(encoding: VideoEncoding, mode: str) -> Options:
    if encoding.crf is not None:
        options = {"crf": f"{encoding.crf:g}"}
    else:
        options = {"b:v": f"{encoding.bitrate:g}k"}
    maxrate = encoding.maxrate
    if mode == "CBR":
        maxrate = encoding.bitrate
        options["minrate"] = f"{maxrate:g}k"
    if maxrate is not None:
        options["maxrate"] = f"{maxrate:g}k"
    if encoding.bufsize is not None:
        options["bufsize"] = f"{encoding.bufsize:g}k"
    return options


def _x265(mode: str) -> Options:
    params = {
        # it prints to stderr itself, past ffmpeg's own level
        "log-level": "error",
        # open GOPs begin with frames that need the GOP before: no start there, no HLS cut
        "open-gop": "0",
    }
    if mode == "CBR":
        params["strict-cbr"] = "1"
    return {
        "x265-params": ":".join(f"{key}={value}" for key, value in params.items()),
        # soon after another key frame, a forced one would be an I frame that nobody starts at
        "forced-idr": "1",
    }


def audio_options(encoding: AudioEncoding) -> Options:
    """Return the options of encoded sound."""
    return {
        "c:a": AUDIO_ENCODERS[encoding.codec],
        "b:a": f"{encoding.bitrate:g}k",
        "ar": str(encoding.samplerate),
        "ac": str(encoding.channels),
        # gaps in the sound become silence: mp3 and raw AAC have no time stamps to keep them
        "af": "aresample=async=1",
    }


def muxer_options(rendition: Rendition, stem: str) -> Options:
    """Return the options of the container; `stem` is the path of the files without suffix."""
    container = rendition.container
    if container == "m3u8":
        return _hls(rendition, stem)
    options = {"f": MUXERS[container]}
    if container in ("mp4", "m4a"):
        # index first: players start before the file is there
        options["movflags"] = "+faststart"
    return options


def _hls(rendition: Rendition, stem: str) -> Options:
    pattern = segment_pattern(stem)
    if rendition.segment is None:
        # the hls muxer cuts by length only, this one at given times
        return {
            "f": "segment",
            "segment_times": _times(rendition.cuts),
            "segment_format": "mpegts",
            "segment_list": f"{stem}.m3u8",
            "segment_list_type": "m3u8",
            "segment_list_size": "0",
            "segment_start_number": "1",
            # this muxer would move the picture by its B-frames, and the list's times with it;
            # mpegts, which it writes, has room before its first time stamp
            "avoid_negative_ts": "disabled",
        }
    return {
        "f": "hls",
        "hls_time": f"{rendition.segment:g}",
        "hls_playlist_type": "vod",
        "hls_segment_filename": pattern,
        "start_number": "1",
    }


def segment_pattern(stem: str) -> str:
    """Return ffmpeg's pattern of segment names; a `%` of the path itself is doubled."""
    return stem.replace("%", "%%") + "-%05d.ts"


def limit_options(rendition: Rendition) -> Options:
    """Return the limits of a file: a lying header must not make it endless.

    An output that reaches one of them is refused by `verify.py`.
    """
    return {"t": f"{rendition.limit:.3f}", "fs": str(most_bytes(rendition))}


def most_bytes(rendition: Rendition) -> int:
    """Return the bytes at which a file is cut."""
    if rendition.copy:
        return 8 * (rendition.bytes or 0) + SPARE_BYTES
    picture, sound = rendition.picture, rendition.sound
    rate = sound.encoding.bitrate * 1000 / 8 if sound and sound.encoding else 0.0
    if picture and picture.encoding:
        width, height = picture.size
        # Crf promises no rate; a raw picture has 1.5 bytes per pixel
        raw = width * height * 1.5 * float(picture.encoding.rate)
        bitrate = picture.encoding.bitrate
        rate += raw if bitrate is None else bitrate * 1000 / 8
    return round(8 * rate * rendition.limit) + SPARE_BYTES
