"""From one output's settings and one source to a rendition: every number that ffmpeg needs.

Pure. Sizes come from `geometry.py`; everything else about rates, key frames, streams and the
IsCheck rules is here. Specification: transcode, 4 to 7.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from activities.probe import AudioStream, MediaInfo, VideoStream
from activities.templates.sections import Audio, Video, box_of, cuts_of
from activities.transcode.geometry import (
    Filter,
    Placement,
    Size,
    Source,
    Wish,
    cropped,
    filter_of,
    place,
    wanted_size,
)
from activities.transcode.rendition import (
    PROBE_NAMES,
    AudioEncoding,
    Picture,
    Rendition,
    Sound,
    VideoEncoding,
)
from activities.transcode.rules import PROFILE_PIXEL_FORMATS
from activities.transcode.settings import Settings
from workflow_engine.errors import ActivityError, Code, Problem, Severity

#: frames per second: a source above it is brought down to it (specification, transcode, 4)
MAX_RATE = Fraction(60)
#: seconds of an HLS segment unless MuxConfig says otherwise
SEGMENT_SECONDS = 10
#: Crf when neither Crf nor Bitrate is given
DEFAULT_CRF = {"H.264": 23.0, "H.265": 26.0}
#: bits per pixel at the default Crf, for estimates of size
CRF_BITS_PER_PIXEL = 0.08

#: demuxers that guess the duration from the bit rate, or have none
GUESSED_DURATION = frozenset(
    {"aac", "ac3", "amr", "eac3", "h264", "hevc", "m4v", "mjpeg", "mp3", "mpegvideo"}
)

#: what each container takes without encoding, as ffprobe names codecs
COPY_VIDEO = {
    "mp4": {"av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp9"},
    "flv": {"flv1", "h264", "vp6f"},
    "ts": {"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"},
    "m3u8": {"h264", "hevc"},
    "mp3": set[str](),
    "m4a": set[str](),
}
COPY_AUDIO = {
    "mp4": {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"},
    "flv": {"aac", "mp3"},
    "ts": {"aac", "ac3", "eac3", "mp2", "mp3"},
    "m3u8": {"aac", "ac3", "eac3", "mp3"},
    "mp3": {"mp3"},
    "m4a": {"aac", "alac"},
}
#: sample rates of MP3 in flv, Hz
FLV_MP3_RATES = (11025, 22050, 44100)

_NTSC = {Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)}


def resolve(settings: Settings, media: MediaInfo) -> tuple[Rendition, list[Problem]]:
    """Return what an output will be for this source, and warnings relative to the output.

    Raises ActivityError: no such stream (`.ResourceNotSupported`, `.NoAudioStream`), a codec
    that the container does not take, an IsCheck...Fail rule or a size out of range.
    """
    video, audio = _video_stream(settings, media), _audio_stream(settings, media)
    warnings: list[Problem] = []
    picture = sound = None
    segment, cuts = _segments(settings, _duration(media, video, audio))
    if video:
        picture = _picture(settings, video, segment, cuts, warnings)
    if audio:
        sound = _sound(settings, audio)
    duration = _duration(media, video, audio)
    rendition = Rendition(
        container=settings.container,
        picture=picture,
        sound=sound,
        mode=settings.trans.trans_mode if picture else "onepass",
        segment=segment,
        cuts=cuts,
        duration=duration,
        exact=media.format_name not in GUESSED_DURATION,
        bytes=media.size if settings.copy else _bytes(picture, sound, duration),
    )
    return rendition, warnings


def frame_rate(value: float) -> Fraction:
    """Return a decimal frame rate exactly: 29.97 means 30000/1001."""
    for rate in _NTSC:
        if abs(float(rate) - value) < 0.006:
            return rate
    return Fraction(str(value))


def _video_stream(settings: Settings, media: MediaInfo) -> VideoStream | None:
    if settings.video is None:
        return None
    if media.video is None:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            'The resource operated "InputFile" is not supported: it has no video stream, and the '
            f'template "{settings.template.id}" makes video.',
            remedy="Use an audio template, or remove the video from the output.",
        )
    if settings.copy and media.video.codec not in COPY_VIDEO[settings.container]:
        raise _cannot_copy(settings, f"{media.video.codec} video")
    return media.video


def _audio_stream(settings: Settings, media: MediaInfo) -> AudioStream | None:
    if settings.audio is None:
        return None
    wanted = settings.output.audio_stream_map
    if wanted is None:
        stream = media.default_audio
    else:
        number = int(wanted.rpartition(":")[2])
        stream = media.audios[number] if number < len(media.audios) else None
    if stream is None:
        if wanted is None and settings.video is not None:
            return None
        raise ActivityError(
            Code.NO_AUDIO_STREAM,
            f'The resource operated "InputFile" has no audio stream{f" {wanted}" if wanted else ""}'
            f"; it has {len(media.audios)}.",
            remedy="Use a source with sound, or a template and an AudioStreamMap that fit it.",
        )
    if settings.copy:
        fits = stream.codec in COPY_AUDIO[settings.container]
        flv_mp3 = settings.container == "flv" and stream.codec == "mp3"
        if not fits or (flv_mp3 and stream.sample_rate not in FLV_MP3_RATES):
            raise _cannot_copy(settings, f"{stream.codec} audio of {stream.sample_rate} Hz")
    return stream


def _cannot_copy(settings: Settings, what: str) -> ActivityError:
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The resource operated "InputFile" is not supported: its {what} cannot be copied into '
        f'the container "{settings.container}".',
        remedy="Use a template that encodes, or another container.",
    )


def _duration(
    media: MediaInfo, video: VideoStream | None, audio: AudioStream | None
) -> float | None:
    found = [stream.duration or media.duration for stream in (video, audio) if stream]
    return max((value for value in found if value), default=None)


def _segments(settings: Settings, duration: float | None) -> tuple[float | None, tuple[float, ...]]:
    """Return the segment length, or the cut times that replace it (both only for m3u8)."""
    if settings.container != "m3u8":
        return None, ()
    length, forced = settings.segment.duration, settings.segment.force_seg_time
    if not forced:
        return float(length or SEGMENT_SECONDS), ()
    cuts = set(cuts_of(forced))
    if length and duration:
        cuts |= {float(time) for time in range(length, math.ceil(duration), length)}
    return None, tuple(sorted(cuts))


def _picture(
    settings: Settings,
    stream: VideoStream,
    segment: float | None,
    cuts: tuple[float, ...],
    warnings: list[Problem],
) -> Picture:
    video = settings.video
    assert video is not None
    if settings.copy:
        return Picture(stream=stream.index, codec=stream.codec, size=(stream.width, stream.height))
    placement = _placement(settings, stream, warnings)
    filters, rate, fields = _filters(video, stream, placement)
    gop, key_every = _key_frames(video, rate)
    if segment is not None:
        # segments begin with key frames: Gop then only says how far apart they may be
        key_every = Fraction(segment)
    bitrate, crf = _rate_control(settings, stream)
    limited = video.pix_fmt not in PROFILE_PIXEL_FORMATS
    default_profile = None if limited else "high"
    h264 = video.codec == "H.264"
    encoding = VideoEncoding(
        codec=video.codec,
        filters=filters,
        rate=rate,
        bitrate=bitrate,
        crf=crf,
        maxrate=video.maxrate,
        bufsize=video.bufsize,
        profile=(video.profile or default_profile) if h264 else None,
        preset=(video.preset or "medium") if h264 else None,
        gop=gop,
        key_every=None if cuts else key_every,
        key_times=cuts,
        pix_fmt=video.pix_fmt,
        fields=fields,
    )
    return Picture(
        stream=stream.index,
        codec=PROBE_NAMES[video.codec],
        size=placement.size,
        encoding=encoding,
    )


def _upright(stream: VideoStream) -> Source:
    """The picture as ffmpeg hands it to the filters: turned by its rotation."""
    width, height = stream.upright_size
    lying = stream.rotation % 180 == 90
    sar = 1 / stream.sar if lying else stream.sar
    return Source(width=width, height=height, sar=sar, lying=lying)


def _placement(settings: Settings, stream: VideoStream, warnings: list[Problem]) -> Placement:
    video, trans = settings.video, settings.trans
    assert video is not None
    source = _upright(stream)
    wish = Wish(
        width=video.width,
        height=video.height,
        by_edges=video.long_short_mode,
        method=trans.adj_dar_method,
        crop=box_of(video.crop) if video.crop else None,
        pad=box_of(video.pad) if video.pad else None,
    )
    part = cropped(source, wish.crop)
    size, limit = wanted_size(part, wish), part.shown
    if not _larger(size, limit):
        return place(source, wish)
    field = "width" if video.width is not None else "height"
    told = (
        f"The size {size[0]}x{size[1]} is larger than the picture of "
        f'"InputFile", {limit[0]}x{limit[1]}'
    )
    if trans.is_check_reso_fail:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"Video.{field.capitalize()} is out of range: {told[0].lower()}{told[1:]} "
            "(IsCheckResoFail).",
            pointer=settings.pointer("video", field),
            remedy="Choose a smaller size, or set IsCheckReso instead.",
        )
    if trans.is_check_reso:
        return place(source, wish, limit)
    warnings.append(
        Problem(
            code=Code.UPSCALE,
            message=f"{told}.",
            pointer=settings.pointer("video", field),
            remedy="Choose a smaller size, or set TransConfig.IsCheckReso to true.",
            severity=Severity.WARNING,
        )
    )
    return place(source, wish)


def _larger(size: Size, limit: Size) -> bool:
    # 2: what rounding to even sides can add
    return size[0] > limit[0] + 2 or size[1] > limit[1] + 2


def _filters(
    video: Video, stream: VideoStream, placement: Placement
) -> tuple[tuple[Filter, ...], Fraction, bool]:
    """Return the chain of filters, the frame rate behind it, and whether it gives fields.

    Order (specification, transcode, 4): deinterlace, crop, scale, pad, fps.
    """
    source_rate = stream.fps
    wanted = frame_rate(video.fps) if video.fps is not None else None
    untouched = placement.scale is None and not placement.before_scale + placement.after_scale
    interlace = video.scan_mode == "interlaced"
    # fields cannot be cropped or scaled like frames, and nothing small is watched interlaced
    keep = stream.interlaced and video.profile != "baseline" and video.codec == "H.264"
    keep = keep and (interlace or (video.scan_mode == "auto" and untouched))
    chain: list[Filter] = []
    if stream.interlaced and not keep:
        # one frame out of two fields: the frame rate stays
        chain.append(filter_of("bwdif", mode="send_frame"))
    chain += placement.before_scale
    if placement.scale:
        width, height = placement.scale
        fields = {"interl": 1} if keep else {}
        chain.append(filter_of("scale", w=width, h=height, **fields))
    chain += placement.after_scale
    sar = placement.sar
    # max: the filter would otherwise round the ratio to terms of at most 100
    chain.append(filter_of("setsar", sar=f"{sar.numerator}/{sar.denominator}", max=65535))
    if interlace and not keep:
        rate, steps = _interlaced(source_rate, wanted)
        return (*chain, *steps), rate, True
    if wanted is None and source_rate > MAX_RATE:
        wanted = MAX_RATE
    if wanted is not None:
        chain.append(filter_of("fps", fps=wanted))
    return tuple(chain), wanted or source_rate, keep


def _interlaced(source: Fraction, wanted: Fraction | None) -> tuple[Fraction, Iterator[Filter]]:
    """Fields out of frames: two frames become one where there are enough of them."""
    enough = source > 30 if wanted is None else source * Fraction(51, 50) >= 2 * wanted
    if enough:
        rate = wanted or min(source, MAX_RATE) / 2
        return rate, iter((filter_of("fps", fps=2 * rate), filter_of("interlace", scan="tff")))
    rate = wanted or source
    return rate, iter((filter_of("fps", fps=rate), filter_of("setfield", mode="tff")))


def _key_frames(video: Video, rate: Fraction) -> tuple[int, Fraction | None]:
    """Return the longest distance of key frames, in frames, and where Gop puts them, in s."""
    if not video.gop.endswith("s"):
        return int(video.gop), None
    seconds = Fraction(video.gop[:-1])
    return max(1, math.ceil(seconds * rate)), seconds


def _rate_control(settings: Settings, stream: VideoStream) -> tuple[float | None, float | None]:
    """Return bit rate and Crf: one of them, after the IsCheckVideoBitrate rules."""
    video, trans = settings.video, settings.trans
    assert video is not None
    if video.crf is not None:
        return None, video.crf
    if video.bitrate is None:
        return None, DEFAULT_CRF[video.codec]
    source = stream.bitrate_kbps
    if source is None or video.bitrate <= source:
        return video.bitrate, None
    if trans.is_check_video_bitrate_fail:
        raise _rate_error(settings, "Video", video.bitrate, source)
    return (source if trans.is_check_video_bitrate else video.bitrate), None


def _rate_error(settings: Settings, section: str, bitrate: float, source: float) -> ActivityError:
    return ActivityError(
        Code.OUT_OF_RANGE,
        f"{section}.Bitrate is out of range: {bitrate:g} kbit/s is more than the "
        f'{source:.0f} kbit/s of "InputFile" (IsCheck{section}BitrateFail).',
        pointer=settings.pointer(section.lower(), "bitrate"),
        remedy=f"Choose a lower bit rate, or set IsCheck{section}Bitrate instead.",
    )


def _sound(settings: Settings, stream: AudioStream) -> Sound:
    audio = settings.audio
    assert audio is not None
    if settings.copy:
        return Sound(stream=stream.index, codec=stream.codec, language=stream.language)
    encoding = AudioEncoding(
        codec=audio.codec,
        bitrate=_audio_rate(settings, audio, stream),
        samplerate=audio.samplerate,
        channels=audio.channels,
    )
    return Sound(
        stream=stream.index,
        codec=PROBE_NAMES[audio.codec],
        language=stream.language,
        encoding=encoding,
    )


def _audio_rate(settings: Settings, audio: Audio, stream: AudioStream) -> float:
    source = stream.bitrate_kbps
    if not source or audio.bitrate <= source:
        return audio.bitrate
    if settings.trans.is_check_audio_bitrate_fail:
        raise _rate_error(settings, "Audio", audio.bitrate, source)
    # only between equal codecs do equal bit rates mean equal quality (specification, 7)
    same = stream.codec == PROBE_NAMES[audio.codec]
    return source if settings.trans.is_check_audio_bitrate and same else audio.bitrate


def _bytes(picture: Picture | None, sound: Sound | None, duration: float | None) -> int | None:
    if duration is None:
        return None
    kbps = 0.0
    if picture and picture.encoding:
        encoding = picture.encoding
        kbps += encoding.bitrate if encoding.bitrate is not None else _crf_rate(picture)
    if sound and sound.encoding:
        kbps += sound.encoding.bitrate
    return round(kbps * 1000 / 8 * duration)


def _crf_rate(picture: Picture) -> float:
    encoding = picture.encoding
    assert encoding is not None and encoding.crf is not None
    width, height = picture.size
    # six steps of Crf halve or double the bit rate
    bits = CRF_BITS_PER_PIXEL * 2 ** ((DEFAULT_CRF[encoding.codec] - encoding.crf) / 6)
    kbps = width * height * float(encoding.rate) * bits / 1000
    return min(kbps, encoding.maxrate or kbps)
