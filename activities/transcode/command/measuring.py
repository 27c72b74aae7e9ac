"""The commands that hold a finished output against its source: pure, nothing runs.

The reference is the way of the picture to its encoder, without the encoder: the same filters on
the same source. Only the scaling to the size of the output is left out where nothing behind it
depends on that size, so that what a smaller picture loses is measured, too. Both sides are
compared at the size that the reference has then. See docs/quality.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import PurePath

from activities.ffmpeg import graph
from activities.ffmpeg.graph import GraphStream
from activities.quality import comparison
from activities.transcode.command.cascade import COLOURS
from activities.transcode.command.commands import encoded_picture
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.filters import Filter
from activities.transcode.command.rendition import Rendition, Size, VideoEncoding
from activities.transcode.model.quality import Quality

#: filters that take a picture of any size as it is
_ANY_SIZE = COLOURS | {"fps", "interlace", "setfield", "setpts", "setsar", "tpad", "trim"}
#: pixels; the two pictures of the worst moment lie side by side, each at most so wide
_SHOWN_WIDTH = 960


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What is compared: the picture of one output, in pictures per second, at a common size."""

    command: tuple[str, ...]
    size: Size
    rate: Fraction


def picture_file(target: RenditionTarget) -> str:
    """Return the path of the file that the picture of an output is read from.

    That of DASH has to be made of its segments.
    """
    return f"{target.stem}-picture.mp4" if target.rendition.container == "mpd" else target.path


def measuring(source: str, target: RenditionTarget, quality: Quality) -> Measuring:
    """Return how the picture of a finished output is measured."""
    return _measuring(*_sides(source, target), _encoding(target.rendition), quality)


def measured_size(rendition: Rendition) -> Size:
    """Return the common size of both sides, at which a rendition will be measured."""
    return _unscaled(rendition)[1]


def _measuring(
    distorted: GraphStream,
    reference: GraphStream,
    size: Size,
    encoding: VideoEncoding,
    quality: Quality,
) -> Measuring:
    command = comparison(
        *(distorted, reference, quality.measure, size),
        pix_fmt=encoding.pix_fmt,
        subsample=quality.every,
    )
    return Measuring(command=command, size=size, rate=encoding.rate)


def loss_of_size(source: str, target: RenditionTarget, quality: Quality) -> Measuring | None:
    """Return how is measured what the size of an output takes, without any encode.

    None where the output is compared at its own size, so that it takes nothing.
    """
    picture = target.rendition.picture
    assert picture is not None
    _, whole, size = _sides(source, target)
    if size == picture.size:
        return None
    reference, smaller = whole.split(2)
    width, height = picture.size
    distorted = smaller.filter("scale", w=width, h=height)
    return _measuring(distorted, reference, size, _encoding(target.rendition), quality)


def moment_command(source: str, target: RenditionTarget, seconds: float, to: str) -> Sequence[str]:
    """Return the command that draws one moment of both sides, the source on the left, as a JPEG."""
    distorted, reference, size = _sides(source, target)
    number = round(seconds * _encoding(target.rendition).rate)
    width = min(size[0], _SHOWN_WIDTH)
    height = max(1, round(size[1] * width / size[0]))
    shown = [
        stream.filter("select", expr=f"eq(n,{number})").filter(
            # JPEG is BT.601 in full range by definition
            *("scale", width, height),
            out_color_matrix="smpte170m",
            out_range="full",
        )
        for stream in (reference, distorted)
    ]
    both = shown[0].filter("hstack", others=shown[1:]).filter("format", pix_fmts="yuvj420p")
    return graph.argv(graph.output(to, [both], {"f": "mjpeg", "frames:v": "1", "q:v": "3"}))


def _sides(source: str, target: RenditionTarget) -> tuple[GraphStream, GraphStream, Size]:
    """Return the picture of a finished output, that of its source, and their common size."""
    rendition = target.rendition
    playlists = PurePath(target.path).suffix == ".m3u8"
    distorted = graph.open_input(picture_file(target), playlists=playlists)["v:0"]
    plain, size = _unscaled(rendition)
    reference = encoded_picture(source, replace(target, rendition=plain))
    encoding = _encoding(rendition)
    return _whole_pictures(distorted, encoding), _whole_pictures(reference, encoding), size


def _whole_pictures(side: GraphStream, encoding: VideoEncoding) -> GraphStream:
    """Return what viewers see of fields."""
    return side.filter("bwdif", mode="send_frame") if encoding.fields else side


def _unscaled(rendition: Rendition) -> tuple[Rendition, Size]:
    """Return a rendition without the scaling to its size, where that can go, and its size."""
    picture, encoding = rendition.picture, _encoding(rendition)
    assert picture is not None
    filters = encoding.filters
    before = tuple(takewhile(lambda one: not _scales(one), filters))
    behind = filters[len(before) + 1 :]
    fixed = any(one.name not in _ANY_SIZE or one.others for one in behind)
    if len(before) == len(filters) or fixed:
        return rendition, picture.size
    encoding = replace(encoding, filters=(*before, *behind))
    width, height = picture.part
    return (
        replace(rendition, picture=replace(picture, encoding=encoding)),
        (width - width % 2, height - height % 2),
    )


def _scales(one: Filter) -> bool:
    """Whether a filter is the scaling to the size of the output."""
    options = dict(one.options)
    return one.name == "scale" and {"w", "h"} <= options.keys() and "eval" not in options


def _encoding(rendition: Rendition) -> VideoEncoding:
    assert rendition.picture is not None and rendition.picture.encoding is not None
    return rendition.picture.encoding
