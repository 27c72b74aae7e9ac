"""The ffmpeg options of one output: codecs, rate control, key frames, containers, limits.

Plain dictionaries of option and value; `commands.py` puts them into a graph. Specification:
transcode, 3 to 7; ffmpeg facts.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePath

from activities.packaging.streams import SegmentFormat
from activities.transcode.command.encryption import key_info_name
from activities.transcode.command.rendition import AudioEncoding, Rendition, VideoEncoding
from activities.transcode.model.containers import CONTAINERS, IMAGE_CODECS

Options = dict[str, str]

VIDEO_ENCODERS = {
    "H.264": "libx264",
    "H.265": "libx265",
    "AV1": "libsvtav1",
    "GIF": "gif",
    "WEBP": "libwebp_anim",
}
AUDIO_ENCODERS = {"AAC": "aac", "MP3": "libmp3lame", "VORBIS": "libvorbis", "FLAC": "flac"}

#: seconds of a segment by default; every output has key frames there, so that a playlist can be
#: made of it without an encoder
SEGMENT_SECONDS = Fraction(10)

#: bytes that any output may have beyond what its bit rate lets expect
SPARE_BYTES = 256 << 20


def video_options(encoding: VideoEncoding, mode: str) -> Options:
    """Return the options of an encoded picture; `mode` is the TransMode."""
    options = {
        "c:v": VIDEO_ENCODERS[encoding.codec],
        # sources of 10 bits or 4:4:4 would carry on into profiles that players do not have
        "pix_fmt": encoding.pix_fmt,
        # keep the source's time stamps: some muxers would repeat frames to a constant rate
        "fps_mode": "vfr",
    }
    if encoding.codec in IMAGE_CODECS:
        return options
    options["g"] = str(encoding.gop)
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
    elif encoding.codec == "AV1":
        # one step faster than the encoder's own choice: about libx264's time at medium
        options["preset"] = "9"
    elif mode == "CBR":
        # pads with filler, so that the rate is constant and not only limited
        options["x264-params"] = "nal-hrd=cbr"
    return options


def _key_frames(encoding: VideoEncoding) -> Options:
    """Key frames by the clock, so that all renditions of a source have them at equal times."""
    if encoding.key_times:
        return {"force_key_frames": _times(encoding.key_times)}
    every = encoding.key_every or SEGMENT_SECONDS
    return {"force_key_frames": f"expr:gte(t,n_forced*{every.numerator}/{every.denominator})"}


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
        bufsize = encoding.bufsize
        if encoding.codec == "AV1" and maxrate is not None:
            # more than ten seconds of the rate are refused
            bufsize = min(bufsize, 10 * maxrate)
        options["bufsize"] = f"{bufsize:g}k"
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
    options = {
        "c:a": AUDIO_ENCODERS[encoding.codec],
        "ar": str(encoding.samplerate),
        "ch_layout": encoding.layout,
    }
    if encoding.bitrate is not None:
        return options | {"b:a": f"{encoding.bitrate:g}k"}
    # decoders of lossy codecs give floats, which would become 24 bits of noise
    return options | {"sample_fmt": "s32" if encoding.deep else "s16"}


def muxer_options(rendition: Rendition, stem: str) -> Options:
    """Return the options of the container; `stem` is the path of the files without suffix."""
    container = rendition.container
    if container == "m3u8":
        return _hls(rendition, stem)
    if container == "mpd":
        return _dash(rendition, stem)
    options = {"f": CONTAINERS[container].muxer, **dict(rendition.mux)}
    if container in ("mp4", "m4a"):
        # index first: players start before the file is there
        options["movflags"] = "+faststart"
    return options


def _hls(rendition: Rendition, stem: str) -> Options:
    pattern = segment_pattern(stem, rendition.stream)
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
            # mpegts, which it writes, has room before its first time stamp, and would move the
            # first segment only
            "avoid_negative_ts": "disabled",
            "segment_format_options": "avoid_negative_ts=disabled",
        }
    options = {
        "f": "hls",
        "hls_time": f"{rendition.segment:g}",
        "hls_playlist_type": "vod",
        "hls_segment_filename": pattern,
        "start_number": "1",
    }
    if rendition.segment_key:
        options["hls_key_info_file"] = key_info_name(stem)
    if rendition.stream:
        # streams are played beside each other: those with B-frames must not begin later
        options["avoid_negative_ts"] = "disabled"
    if rendition.fragmented:
        options["hls_segment_type"] = "fmp4"
        # beside the playlist, whatever its folder
        options["hls_fmp4_init_filename"] = f"{PurePath(stem).name}-init.mp4"
    elif rendition.stream:
        options["hls_segment_options"] = "avoid_negative_ts=disabled"
    return options


def _dash(rendition: Rendition, stem: str) -> Options:
    # the muxer writes these beside the manifest, whatever its folder
    name = PurePath(stem).name
    return {
        "f": "dash",
        "seg_duration": f"{rendition.segment:g}",
        "use_template": "1",
        "use_timeline": "1",
        "init_seg_name": f"{name}-$RepresentationID$-init.m4s",
        "media_seg_name": f"{name}-$RepresentationID$-$Number%05d$.m4s",
    }


def segment_pattern(stem: str, stream: SegmentFormat | None = None) -> str:
    """Return ffmpeg's pattern of segment names; a `%` of the path itself is doubled."""
    return stem.replace("%", "%%") + f"-%05d.{stream or SegmentFormat.TS}"


def limit_options(rendition: Rendition) -> Options:
    """Return the limits of a file: a lying header must not make it endless.

    An output that reaches one of them is refused by `result/verify.py`.
    """
    return {"t": f"{rendition.limit:.3f}", "fs": str(most_bytes(rendition))}


def most_bytes(rendition: Rendition) -> int:
    """Return the bytes at which a file is cut."""
    if rendition.copy:
        return 8 * (rendition.bytes or 0) + SPARE_BYTES
    picture, sound = rendition.picture, rendition.sound
    rate = 0.0
    if sound and (encoding := sound.encoding):
        raw = encoding.samplerate * encoding.channels * 4
        rate = raw if encoding.bitrate is None else encoding.bitrate * 1000 / 8
    if picture and picture.encoding:
        width, height = picture.size
        # without Bitrate no rate is promised; a raw picture has 1.5 bytes per pixel
        raw = width * height * 1.5 * float(picture.encoding.rate)
        bitrate = picture.encoding.bitrate
        rate += raw if bitrate is None else bitrate * 1000 / 8
    return round(8 * rate * rendition.limit) + SPARE_BYTES
