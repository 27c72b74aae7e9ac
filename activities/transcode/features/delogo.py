"""DeWatermark: regions of the source that are blurred, each from a time on.

Coordinates are those of the upright source, so this comes before everything that moves pixels.
Specification: transcode, 15.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from activities.transcode.command.filters import Filter, filter_of, shown_between
from activities.transcode.model.output import Region
from activities.transcode.source.geometry import Box, SourcePicture
from activities.transcode.source.scene import OutputRequest, Timeline
from workflow_engine.errors import ActivityError, Code, pointer_to


def blur(request: OutputRequest, timeline: Timeline, source: SourcePicture) -> Iterator[Filter]:
    """Return a filter for each region and the time that it is blurred.

    Raises ActivityError (`InvalidParameter.OutOfRange`) for a region outside of the picture.
    """
    regions = request.settings.output.de_watermark or {}
    # the last keeps on to the end
    for start, end in pairwise([*sorted(regions, key=int), None]):
        assert start is not None
        yield from _blurred(start, end, regions[start], timeline, source)


def _blurred(
    start: str,
    end: str | None,
    regions: Sequence[Region],
    timeline: Timeline,
    source: SourcePicture,
) -> Iterator[Filter]:
    """`start` and `end` are milliseconds of the source; a Clip moves them."""
    begin = max(0.0, int(start) / 1000 - timeline.start)
    stop = None if end is None else int(end) / 1000 - timeline.start
    if stop is not None and stop <= begin:
        return
    enable = shown_between(begin, stop)
    for index, region in enumerate(regions):
        left, top, width, height = _box(region, source, pointer_to(start, index))
        # the whole time needs no condition
        when = {} if begin == 0 and stop is None else {"enable": enable}
        yield filter_of("delogo", x=left, y=top, w=width, h=height, **when)


def _box(region: Region, source: SourcePicture, pointer: str) -> Box:
    """Return left, top, width and height in pixels, inside the frame by one pixel.

    The filter takes the colours for the region from the pixels around it.
    """
    left, width = _pixels(region.left, source.width), _pixels(region.width, source.width)
    top, height = _pixels(region.top, source.height), _pixels(region.height, source.height)
    right, bottom = min(left + width, source.width - 1), min(top + height, source.height - 1)
    left, top = max(left, 1), max(top, 1)
    if right <= left or bottom <= top:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The region of {width}x{height} pixels at {left}, {top} is out of range: the picture "
            f'of "InputFile" has {source.width}x{source.height} pixels.',
            pointer=f"/DeWatermark{pointer}",
            remedy="Use a region inside the picture.",
        )
    return left, top, right - left, bottom - top


def _pixels(value: float, side: int) -> int:
    """A share of the side up to 1, pixels above (specification, transcode, 15)."""
    return int(value if value > 1 else value * side)
