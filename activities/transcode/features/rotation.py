"""Rotate: the picture turned clockwise, behind the rotation of its own header.

A quarter turn moves pixels only; any other angle needs square pixels first, and a black canvas
that the turned picture fits into. Specification: transcode, 17.
"""

import math
from dataclasses import replace
from fractions import Fraction

from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.source.geometry import SourcePicture


def turned(source: SourcePicture, degrees: float) -> tuple[SourcePicture, tuple[Filter, ...]]:
    """Return the picture turned clockwise, and the filters that turn it."""
    if degrees == 0:
        return source, ()
    if degrees == 180:
        return source, (filter_of("hflip"), filter_of("vflip"))
    if degrees in (90, 270):
        side = replace(
            source,
            width=source.height,
            height=source.width,
            sar=1 / source.sar,
            lying=not source.lying,
        )
        return side, (filter_of("transpose", dir="clock" if degrees == 90 else "cclock"),)
    width, height = source.shown
    angle = math.radians(degrees)
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    canvas = SourcePicture(
        width=_even(width * cosine + height * sine),
        height=_even(width * sine + height * cosine),
        sar=Fraction(1),
    )
    return canvas, (
        filter_of("scale", w=width, h=height),
        filter_of("setsar", sar="1"),
        filter_of(
            "rotate", angle=f"{angle:.6f}", ow=canvas.width, oh=canvas.height, fillcolor="black"
        ),
    )


def _even(side: float) -> int:
    return 2 * math.ceil(round(side, 3) / 2)
