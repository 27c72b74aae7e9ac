"""The picture of a rendition: size, filters, frame rate, key frames, rate control.

Pure. Sizes come from `geometry.py`; `resolve.py` puts the picture beside the sound.
Specification: transcode, 4 and 7.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from activities.probe import VideoStream
from activities.templates.sections import Video, box_of
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
from activities.transcode.rendition import PROBE_NAMES, Picture, VideoEncoding
from activities.transcode.rules import PROFILE_PIXEL_FORMATS
from activities.transcode.settings import Settings
from workflow_engine.errors import ActivityError, Code, Problem, Severity

#: frames per second: a source above it is brought down to it (specification, transcode, 4)
MAX_RATE = Fraction(60)
#: Crf when neither Crf nor Bitrate is given
DEFAULT_CRF = {"H.264": 23.0, "H.265": 26.0}

_NTSC = {Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)}


def frame_rate(value: float) -> Fraction:
    """Return a decimal frame rate exactly: 29.97 means 30000/1001."""
    for rate in _NTSC:
        if abs(float(rate) - value) < 0.006:
            return rate
    return Fraction(str(value))


def resolve_picture(
    settings: Settings,
    stream: VideoStream,
    segment: float | None,
    cuts: tuple[float, ...],
    warnings: list[Problem],
) -> Picture:
    """Return the picture of an output for one source; warnings are added to `warnings`.

    `segment` (seconds) and `cuts` (seconds) are where an HLS output is cut. Raises ActivityError
    (`InvalidParameter.OutOfRange`): an IsCheck...Fail rule, or a size that cannot be made.
    """
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
    constant = settings.trans.trans_mode == "CBR"
    maxrate = None if constant else video.maxrate
    limited = video.pix_fmt not in PROFILE_PIXEL_FORMATS
    default_profile = None if limited else "high"
    h264 = video.codec == "H.264"
    encoding = VideoEncoding(
        codec=video.codec,
        filters=filters,
        rate=rate,
        bitrate=bitrate,
        crf=crf,
        maxrate=maxrate,
        bufsize=video.bufsize if constant or maxrate is not None else None,
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
        lines=4 if video.scan_mode == "interlaced" else 2,
    )
    part = cropped(source, wish.crop)
    size, limit = wanted_size(part, wish), part.shown
    if not _larger(part, wish, size):
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
        return place(source, wish, (limit[0], limit[1] // wish.lines * wish.lines))
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


def _larger(part: Source, wish: Wish, size: Size) -> bool:
    """Whether a side is above the source's: as it was given, or as it was computed."""
    for given, computed, whole in zip(wish.sides(part), size, part.exactly, strict=True):
        # 3: what rounding to even sides can add, here and in the source
        if given > math.ceil(whole) if given is not None else computed > whole + 3:
            return True
    return False


def _filters(
    video: Video, stream: VideoStream, placement: Placement
) -> tuple[tuple[Filter, ...], Fraction, bool]:
    """Return the chain of filters, the frame rate behind it, and whether it gives fields.

    Order (specification, transcode, 4): deinterlace, crop, scale, pad, fps.
    """
    source_rate = stream.fps
    wanted = frame_rate(video.fps) if video.fps is not None else None
    interlace = video.scan_mode == "interlaced"
    keep = stream.interlaced and _keeps_fields(video, placement)
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


def _keeps_fields(video: Video, placement: Placement) -> bool:
    """Whether an interlaced source may stay so.

    Cutting and padding would mix its fields. Scaling need not, but only who asks for fields
    wants them in a smaller picture.
    """
    if video.profile == "baseline" or video.codec != "H.264" or placement.size[1] % 4:
        return False
    if placement.before_scale or placement.after_scale or video.scan_mode == "progressive":
        return False
    return placement.scale is None or video.scan_mode == "interlaced"


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
        raise bitrate_error(settings, "Video", video.bitrate, source)
    return (source if trans.is_check_video_bitrate else video.bitrate), None


def bitrate_error(settings: Settings, section: str, bitrate: float, source: float) -> ActivityError:
    """Return the error of IsCheckVideoBitrateFail and IsCheckAudioBitrateFail."""
    return ActivityError(
        Code.OUT_OF_RANGE,
        f"{section}.Bitrate is out of range: {bitrate:g} kbit/s is more than the "
        f'{source:.0f} kbit/s of "InputFile" (IsCheck{section}BitrateFail).',
        pointer=settings.pointer(section.lower(), "bitrate"),
        remedy=f"Choose a lower bit rate, or set IsCheck{section}Bitrate instead.",
    )
