"""How the picture of a source gets to its size: borders off, turned, cropped, scaled, padded.

The sizes themselves are computed in `source/geometry.py`. Specification: transcode, 4, 7, 17 and
19.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from activities.probe import VideoStream
from activities.templates import Kind
from activities.templates.sections import Video, box_of
from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.command.rendition import Size
from activities.transcode.features.border import border_of
from activities.transcode.features.rotation import turned
from activities.transcode.model.settings import OutputSettings
from activities.transcode.source.geometry import (
    Placement,
    SizeSettings,
    SourcePicture,
    cropped,
    place,
    upright,
    wanted_size,
)
from activities.transcode.source.scene import OutputRequest
from workflow_engine.errors import ActivityError, Code, Problem, Severity


def placement_of(request: OutputRequest, stream: VideoStream, warnings: list[Problem]) -> Placement:
    """Return how the picture gets to its size: borders off, turned, cropped, scaled, padded."""
    settings = request.settings
    video, trans = settings.video, settings.trans
    assert video is not None
    source, bare = _without_border(request, stream, upright(stream))
    source, turn = turned(source, settings.output.rotate or 0)
    wish = SizeSettings(
        width=_width(settings, video, source),
        height=video.height,
        by_edges=video.long_short_mode,
        method=trans.adj_dar_method,
        crop=box_of(video.crop) if video.crop and video.crop != "border" else None,
        pad=box_of(video.pad) if video.pad else None,
        lines=4 if video.scan_mode == "interlaced" else 2,
    )
    with _fields_of(settings):
        part = cropped(source, wish.crop)
        size = wanted_size(part, wish)
    size = _checked_size(settings, part, wish, size, warnings)
    with _fields_of(settings):
        placement = place(source, wish, size)
    return replace(placement, before_scale=(*bare, *turn, *placement.before_scale))


@contextmanager
def _fields_of(settings: OutputSettings) -> Generator[None]:
    """Turn the fields that errors name into pointers to where they were given."""
    try:
        yield
    except ActivityError as error:
        pointer = settings.pointer("video", error.pointer)
        raise ActivityError(
            error.code, error.message, pointer=pointer, remedy=error.remedy
        ) from None


def _without_border(
    request: OutputRequest, stream: VideoStream, source: SourcePicture
) -> tuple[SourcePicture, tuple[Filter, ...]]:
    assert request.settings.video is not None
    if request.settings.video.crop != "border":
        return source, ()
    box = border_of(request, stream)
    if box is None or box[:2] == (source.width, source.height):
        return source, ()
    width, height, left, top = box
    return cropped(source, box), (filter_of("crop", w=width, h=height, x=left, y=top),)


def _width(settings: OutputSettings, video: Video, source: SourcePicture) -> int | None:
    """Return the width that is asked for; that of a doubling preset is only the most."""
    own = settings.given("video", "width") or settings.given("video", "height")
    if settings.template.kind is not Kind.DOUBLING or own or video.width is None:
        return video.width
    return min(2 * source.shown[0], video.width)


def _checked_size(
    settings: OutputSettings,
    part: SourcePicture,
    wish: SizeSettings,
    size: Size,
    warnings: list[Problem],
) -> Size | None:
    """Return the size that IsCheckReso puts in the place of the wish's `size`, None to keep that.

    Raises ActivityError for IsCheckResoFail.
    """
    video, trans = settings.video, settings.trans
    assert video is not None
    limit = part.shown
    if not _larger(part, wish, size):
        return None
    field = "width" if video.width is not None else "height"
    message = (
        f"The size {size[0]}x{size[1]} is larger than the picture of "
        f'"InputFile", {limit[0]}x{limit[1]}'
    )
    if trans.is_check_reso_fail:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"Video.{field.capitalize()} is out of range: {message[0].lower()}{message[1:]} "
            "(IsCheckResoFail).",
            pointer=settings.pointer("video", field),
            remedy="Choose a smaller size, or set IsCheckReso instead.",
        )
    if trans.is_check_reso:
        return limit[0], limit[1] // wish.lines * wish.lines
    if settings.template.kind is not Kind.DOUBLING:
        warnings.append(
            Problem(
                code=Code.UPSCALE,
                message=f"{message}.",
                pointer=settings.pointer("video", field),
                remedy="Choose a smaller size, or set TransConfig.IsCheckReso to true.",
                severity=Severity.WARNING,
            )
        )
    return None


def _larger(part: SourcePicture, wish: SizeSettings, size: Size) -> bool:
    """Whether a side is above the source's: as it was given, or as it was computed."""
    for requested, computed, whole in zip(wish.sides(part), size, part.exactly, strict=True):
        # 3: what rounding to even sides can add, here and in the source
        if requested > math.ceil(whole) if requested is not None else computed > whole + 3:
            return True
    return False
