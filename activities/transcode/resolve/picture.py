"""The picture of a rendition: size, filters, frame rate, key frames, rate control.

Pure. Sizes come from `placement.py`; `rendition.py` puts the picture beside the sound.
Specification: transcode, 4 and 7.
"""

import math
from dataclasses import replace
from fractions import Fraction

from activities.conversion import needs_light
from activities.fields import marked_fields, whole_pictures
from activities.probe import VideoStream
from activities.shape import steady
from activities.templates import Kind
from activities.templates.sections import Gif, Video
from activities.transcode.command.filters import Chain, Filter, filter_of
from activities.transcode.command.rendition import PROBE_NAMES, Picture, VideoEncoding
from activities.transcode.features.delogo import blur
from activities.transcode.features.registry import picture_filters
from activities.transcode.model.containers import PROFILE_PIXEL_FORMATS
from activities.transcode.model.settings import OutputSettings
from activities.transcode.resolve.placement import placement_of
from activities.transcode.source.colour import (
    colour_filters,
    colour_warnings,
    named_colours,
    target_of,
)
from activities.transcode.source.geometry import (
    Placement,
    upright,
)
from activities.transcode.source.rates import MAX_RATE, constant_rate, frame_rate, wanted_rate
from activities.transcode.source.scene import OutputRequest, Scene, Timeline
from workflow_engine.errors import ActivityError, Code, Problem, Severity

#: Crf when neither Crf nor Bitrate is given
DEFAULT_CRF = {"H.264": 23.0, "H.265": 26.0, "AV1": 32.0}

#: what ffmpeg calls the DitherModes
_DITHERS = {"sierra": "sierra2", "bayer": "bayer"}


def resolve_picture(
    request: OutputRequest,
    timeline: Timeline,
    stream: VideoStream,
    segment: float | None,
    cuts: tuple[float, ...],
    warnings: list[Problem],
) -> Picture:
    """Return the picture of an output for one source; warnings are added to `warnings`.

    `segment` (seconds) and `cuts` (seconds) are where an HLS output is cut. Raises ActivityError
    (`InvalidParameter.OutOfRange`): an IsCheck...Fail rule, or a size that cannot be made.
    """
    settings, video = request.settings, request.settings.video
    assert video is not None
    if settings.copy:
        size = (stream.width, stream.height)
        return Picture(
            stream=stream.index,
            codec=stream.codec,
            size=size,
            part=size,
            shown_until=_shown_until(settings.container, timeline, stream),
        )
    placement = placement_of(request, stream, warnings)
    scene = Scene(
        request=request,
        timeline=timeline,
        size=placement.size,
        sar=placement.sar,
        rate=wanted_rate(video, stream),
        colour=target_of(video, stream),
    )
    warnings += colour_warnings(video, stream)
    filters, rate, fields = _filters(scene, stream, placement)
    if settings.output.de_watermark and video.pix_fmt.endswith("10le"):
        warnings.append(_coarse(video.pix_fmt))
    gop, key_every = _key_frames(video, rate)
    if segment is not None and (key_every is None or Fraction(segment) % key_every):
        # segments begin with key frames: a Gop that does not lead there only says how far apart
        # they may be
        key_every = Fraction(segment)
    bitrate, crf = _rate_control(settings, stream)
    constant = settings.trans.trans_mode == "CBR"
    maxrate = None if constant else video.maxrate
    limited = video.pix_fmt not in PROFILE_PIXEL_FORMATS
    default_profile = None if limited else "high"
    h264 = video.codec == "H.264"
    pix_fmt = video.pix_fmt
    if video.codec == "GIF":
        pix_fmt = "bgr8"
        if settings.mux.gif.is_custom_palette:
            pix_fmt = "pal8"
            filters = (*filters, _palette(settings.mux.gif, timeline, stream, filters))
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
        pix_fmt=pix_fmt,
        fields=fields,
        hdr=bool(scene.colour.hdr),
    )
    return Picture(
        stream=stream.index,
        codec=PROBE_NAMES[video.codec],
        size=placement.size,
        part=placement.part,
        encoding=encoding,
    )


def _shown_until(container: str, timeline: Timeline, stream: VideoStream) -> float | None:
    """Return when the picture of a copy ends, where its container would count beyond that.

    With B-frames a packet may have the length of another picture, which may be seconds.
    """
    counted = container in ("flv", "fmp4", "mpd") and stream.reordered_lengths and timeline.exact
    return timeline.shown if counted else None


def _filters(
    scene: Scene, stream: VideoStream, placement: Placement
) -> tuple[tuple[Filter, ...], Fraction, bool]:
    """Return the chain of filters, the frame rate behind it, and whether it gives fields.

    Order (specification, transcode, 4): deinterlace, blur, turn, crop, scale, pad, fps, the stages.
    Lines must be one picture before they are turned, and what is blurred has the coordinates of
    the source, so these two come first. Colours are converted at the final size.
    """
    settings, video = scene.request.settings, scene.request.settings.video
    assert video is not None
    stages = picture_filters(scene)
    blurred = tuple(blur(scene.request, scene.timeline, upright(stream)))
    output_rate = frame_rate(video.fps) if video.fps is not None else None
    interlace = video.scan_mode == "interlaced"
    keep = interlace and stream.interlaced and not (stages or blurred) and _keeps_fields(placement)
    # light is not converted field by field
    keep = keep and not needs_light(stream.colour, scene.colour)
    source_rate = stream.coded_fps if keep else stream.fps
    squeeze = settings.trans.adj_dar_method == "rescale"
    whole = marked_fields(stream) if keep else whole_pictures(stream, output_rate)
    first = (*steady(stream, begin=scene.timeline.start, squeeze=squeeze), *whole)
    chain = [*named_colours(stream)]
    chain += (filter_of(name, **options) for name, options in first)
    colours = colour_filters(video, stream, scene.colour)
    if blurred:
        # with 8 bits of a colour, which HDR does not bear
        chain += colours
    chain += (*blurred, *placement.before_scale)
    if placement.scale:
        width, height = placement.scale
        how: dict[str, object] = {"interl": 1} if keep else {}
        if settings.template.kind in (Kind.DOUBLING, Kind.NARROWBAND):
            # keeps edges where a picture is enlarged
            how["flags"] = "lanczos"
        chain.append(filter_of("scale", w=width, h=height, **how))
    if not blurred:
        # the smaller picture costs less
        chain += colours
    chain += placement.after_scale
    sar = placement.sar
    # max: the filter would otherwise round the ratio to terms of at most 100
    chain.append(filter_of("setsar", sar=f"{sar.numerator}/{sar.denominator}", max=65535))
    if interlace and not keep:
        rate, woven = _interlaced(source_rate, scene.rate, given=output_rate is not None)
        pictures = replace(scene, rate=2 * rate if woven else rate)
        chain += constant_rate(pictures, stream)
        # two pictures become one of two fields, where there are enough of them
        last = filter_of("interlace", scan="tff") if woven else filter_of("setfield", mode="tff")
        return (*chain, *stages, last), rate, True
    if keep and output_rate is None:
        scene = replace(scene, rate=min(source_rate, MAX_RATE))
    # before what is drawn at a time: a source may show one picture for seconds
    chain += constant_rate(scene, stream)
    chain += stages
    return tuple(chain), scene.rate, keep


def _palette(
    gif: Gif, timeline: Timeline, stream: VideoStream, filters: tuple[Filter, ...]
) -> Filter:
    """Return the filter that gives a GIF the colours that suit all of its pictures.

    They are looked for in a second reading of the source: a split would hold every picture in
    memory until the last is seen.
    """
    looking = Chain(
        input=timeline.origin,
        stream=str(stream.index),
        filters=(*filters, filter_of("palettegen")),
    )
    dither = {"dither": _DITHERS[gif.dither_mode]} if gif.dither_mode else {}
    return filter_of("paletteuse", looking, **dither)


def _keeps_fields(placement: Placement) -> bool:
    """Whether the fields of a source get through: cutting and padding would mix them."""
    return not (placement.before_scale or placement.after_scale or placement.size[1] % 4)


def _interlaced(source: Fraction, wanted: Fraction, *, given: bool) -> tuple[Fraction, bool]:
    """Return the frame rate of fields made from pictures, and whether each field has its own."""
    woven = source * Fraction(51, 50) >= 2 * wanted if given else source > 30
    if woven:
        return (wanted if given else min(source, MAX_RATE) / 2), True
    return wanted, False


def _coarse(pix_fmt: str) -> Problem:
    return Problem(
        code=Code.NOT_SUPPORTED,
        message=f'DeWatermark works on 8 bits of a colour, so that the output in "{pix_fmt}" has '
        "no finer ones.",
        pointer="/DeWatermark",
        remedy="Use an output of 8 bits, or take DeWatermark out.",
        severity=Severity.WARNING,
    )


def _key_frames(video: Video, rate: Fraction) -> tuple[int, Fraction | None]:
    """Return the longest distance of key frames, in frames, and where Gop puts them, in s."""
    if not video.gop.endswith("s"):
        return int(video.gop), None
    seconds = Fraction(video.gop[:-1])
    return max(1, math.ceil(seconds * rate)), seconds


def _rate_control(
    settings: OutputSettings, stream: VideoStream
) -> tuple[float | None, float | None]:
    """Return bit rate and Crf: one of them, after the IsCheckVideoBitrate rules."""
    video, trans = settings.video, settings.trans
    assert video is not None
    if video.crf is not None:
        return None, video.crf
    if video.bitrate is None:
        return None, DEFAULT_CRF.get(video.codec)
    source = stream.bitrate_kbps
    if source is None or video.bitrate <= source:
        return video.bitrate, None
    if trans.is_check_video_bitrate_fail:
        raise bitrate_error(settings, "Video", video.bitrate, source)
    return (source if trans.is_check_video_bitrate else video.bitrate), None


def bitrate_error(
    settings: OutputSettings, section: str, bitrate: float, source: float
) -> ActivityError:
    """Return the error of IsCheckVideoBitrateFail and IsCheckAudioBitrateFail."""
    return ActivityError(
        Code.OUT_OF_RANGE,
        f"{section}.Bitrate is out of range: {bitrate:g} kbit/s is more than the "
        f'{source:.0f} kbit/s of "InputFile" (IsCheck{section}BitrateFail).',
        pointer=settings.pointer(section.lower(), "bitrate"),
        remedy=f"Choose a lower bit rate, or set IsCheck{section}Bitrate instead.",
    )
