"""Sizes: from the source's picture and the Video fields to a chain of filters.

Everything is computed here, in whole pixels, so that a plan can say the size of an output and a
check can compare it. The source is taken as ffmpeg hands it to the filters: already turned
upright. Errors name a field of Video as their pointer. Specification: transcode, 4 and 7
(AdjDarMethod).

>>> source = SourcePicture(width=1920, height=1080, sar=Fraction(1))
>>> place(source, SizeSettings(width=1280)).size
(1280, 720)
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from activities.probe import VideoStream
from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.command.rendition import Size
from workflow_engine.errors import ActivityError, Code

Box = tuple[int, int, int, int]

#: the longest side of an output, in pixels; libx264 and players end near it
MAX_SIDE = 8192
#: H.264 and H.265 write both terms of a sample aspect ratio in 16 bits; 4 times is room enough
MAX_SAR_TERM = 16383


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcePicture:
    """The upright picture: pixels, and the shape of one pixel (width over height).

    `lying` means that it was coded on its side, so that its lines run upwards.
    """

    width: int
    height: int
    sar: Fraction
    lying: bool = False

    @property
    def aspect(self) -> Fraction:
        """Width over height as shown."""
        return Fraction(self.width, self.height) * self.sar

    @property
    def exactly(self) -> tuple[Fraction, Fraction]:
        """Size in square pixels: the number of lines stays, their length follows."""
        width, height = Fraction(self.width), Fraction(self.height)
        return (width, height / self.sar) if self.lying else (width * self.sar, height)

    @property
    def shown(self) -> Size:
        """The even size in square pixels."""
        width, height = self.exactly
        return _below(width, 2), _below(height, 2)


def upright(stream: VideoStream) -> SourcePicture:
    """The picture as ffmpeg hands it to the filters: turned by its rotation."""
    width, height = stream.upright_size
    lying = stream.rotation % 180 == 90
    sar = 1 / stream.sar if lying else stream.sar
    return SourcePicture(width=width, height=height, sar=sar, lying=lying)


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeSettings:
    """What the Video and TransConfig sections say about size; boxes are w, h, left, top.

    `lines` is what the height must be a multiple of: 4 where each field has 4:2:0 chroma.
    """

    width: int | None = None
    height: int | None = None
    by_edges: bool = False  # LongShortMode: width means the long edge, height the short one
    method: str = "none"  # AdjDarMethod
    crop: Box | None = None
    pad: Box | None = None
    lines: int = 2

    def sides(self, source: SourcePicture) -> tuple[int | None, int | None]:
        """Return the width and the height that are given, for a source of this shape."""
        turned = self.by_edges and source.aspect < 1
        return (self.height, self.width) if turned else (self.width, self.height)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How the picture gets to its size. `size` is the output's, in pixels, `sar` its shape.

    `picture` is the size asked for, before Pad: what upscaling is judged by; `part` is what is
    scaled to it.
    """

    size: Size
    picture: Size
    part: Size
    sar: Fraction
    before_scale: tuple[Filter, ...]
    scale: Size | None
    after_scale: tuple[Filter, ...]


def cropped(source: SourcePicture, crop: Box | None) -> SourcePicture:
    """Return the part of the source that Crop leaves.

    Raises ActivityError (`InvalidParameter.OutOfRange`) when it lies outside the picture.
    """
    if crop is None:
        return source
    width, height, left, top = crop
    if left + width > source.width or top + height > source.height:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f'The Crop "{width}:{height}:{left}:{top}" is out of range: the picture of '
            f'"InputFile" has {source.width}x{source.height} pixels.',
            pointer="crop",
            remedy="Use a part that lies inside the picture.",
        )
    return replace(source, width=width, height=height)


def wanted_size(source: SourcePicture, wish: SizeSettings) -> Size:
    """Return the even size that the picture gets, in pixels.

    Raises ActivityError (`InvalidParameter.OutOfRange`) for a computed side beyond `MAX_SIDE`.
    """
    width, height = wish.sides(source)
    if width is not None and height is not None:
        size = _even(Fraction(width)), _near(Fraction(height), wish.lines)
    elif width is not None:
        size = _even(Fraction(width)), _near(width / source.aspect, wish.lines)
    elif height is not None:
        size = _even(height * source.aspect), _near(Fraction(height), wish.lines)
    else:
        size = source.shown[0], _below(Fraction(source.shown[1]), wish.lines)
    if max(size) > MAX_SIDE:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The size {size[0]}x{size[1]} is out of range: the picture of "
            f'"InputFile" has {source.width}x{source.height} pixels.',
            pointer="height" if wish.width is None else "width",
            remedy=f"Choose a width and height that keep both sides within {MAX_SIDE} pixels.",
        )
    return size


def place(source: SourcePicture, wish: SizeSettings, size: Size | None = None) -> Placement:
    """Return the filters that bring the source to its size.

    `size` overrides the wish's (IsCheckReso: the source's own). Raises ActivityError as
    `cropped` and `wanted_size` do, and for a Pad that the picture does not fit in.
    """
    part = cropped(source, wish.crop)
    picture = size or wanted_size(part, wish)
    before: tuple[Filter, ...] = ()
    if wish.crop:
        width, height, left, top = wish.crop
        before = (filter_of("crop", w=width, h=height, x=left, y=top),)
    scaled, after, sar = _adjusted(part, picture, wish.method)
    final = picture
    if wish.pad:
        final, pad = _padded(picture, wish.pad, wish.lines)
        after = (*after, pad)
    return Placement(
        size=final,
        picture=picture,
        part=(part.width, part.height),
        sar=sar,
        before_scale=before,
        scale=None if scaled == (part.width, part.height) else scaled,
        after_scale=after,
    )


def _adjusted(
    part: SourcePicture, size: Size, method: str
) -> tuple[Size, tuple[Filter, ...], Fraction]:
    width, height = size
    if _fits(part.aspect, size):
        return size, (), Fraction(1)
    if method == "crop":
        cover = _scaled(part.aspect, size, cover=True)
        return cover, (filter_of("crop", w=width, h=height),), Fraction(1)
    if method == "pad":
        inner = _scaled(part.aspect, size, cover=False)
        left, top = (width - inner[0]) // 4 * 2, (height - inner[1]) // 4 * 2
        return inner, (_pad(width, height, left, top),), Fraction(1)
    if method == "rescale":
        return size, (), Fraction(1)
    sar = part.aspect / Fraction(width, height)
    return size, (), sar.limit_denominator(MAX_SAR_TERM)


def _scaled(aspect: Fraction, size: Size, *, cover: bool) -> Size:
    width, height = size
    wider = aspect > Fraction(width, height)
    if wider == cover:
        inner = _even(height * aspect), height
        return (max(inner[0], width) if cover else min(inner[0], width)), height
    inner = width, _even(width / aspect)
    return width, max(inner[1], height) if cover else min(inner[1], height)


def _padded(picture: Size, pad: Box, lines: int) -> tuple[Size, Filter]:
    width, height = _above(pad[0], 2), _above(pad[1], lines)
    left, top = pad[2] // 2 * 2, pad[3] // 2 * 2
    if left + picture[0] > width or top + picture[1] > height:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f'The Pad "{":".join(str(n) for n in pad)}" is out of range: the picture of '
            f"{picture[0]}x{picture[1]} pixels does not fit into it.",
            pointer="pad",
            remedy="Enlarge the canvas, or set a smaller Width and Height.",
        )
    return (width, height), _pad(width, height, left, top)


def _pad(width: int, height: int, left: int, top: int) -> Filter:
    return filter_of("pad", w=width, h=height, x=left, y=top, color="black")


def _fits(aspect: Fraction, size: Size) -> bool:
    """Whether a size has this aspect, as far as even sides allow."""
    width, height = size
    near_height = abs(width / aspect - height) <= 2
    near_width = abs(height * aspect - width) <= 2
    return near_height or near_width


def _even(side: Fraction) -> int:
    return _near(side, 2)


def _near(side: Fraction, step: int) -> int:
    return max(step, step * math.floor(side / step + Fraction(1, 2)))


def _below(side: Fraction, step: int) -> int:
    return max(step, step * math.floor(side / step))


def _above(side: int, step: int) -> int:
    return -(-side // step) * step
