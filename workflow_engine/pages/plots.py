"""A plot as a drawing: lines in a field of 1000 by 1000, and the numbers beside it.

The template `plot.html` stretches the field to the width that there is; the numbers are text
around it, so that they are as large as all text on a telephone, too.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workflow_engine.activity import Plot

#: units of the field in both directions
FIELD = 1000
#: steps of axes, of which a power of ten is taken
_STEPS = (1, 2, 2.5, 5, 10)
#: how many numbers an axis has at most beside 0
_NUMBERS = 4


@dataclass(frozen=True, kw_only=True)
class DrawnSeries:
    """A line: its name, its place in the order, the points as SVG has them, the largest value."""

    name: str
    position: int
    points: str
    largest: str


@dataclass(frozen=True, kw_only=True)
class Level:
    """A reference value drawn across a plot: its name, its number, its distance from the top."""

    name: str
    number: str
    y: float


@dataclass(frozen=True, kw_only=True)
class DrawnPlot:
    """Lines, levels, and the axes: number and distance from the left or from the top."""

    title: str
    x: str
    y: str
    series: tuple[DrawnSeries, ...]
    levels: tuple[Level, ...]
    columns: tuple[tuple[str, float], ...]
    rows: tuple[tuple[str, float], ...]


def drawn(plot: Plot) -> DrawnPlot:
    """Return the drawing of a plot; values that are no numbers are left out."""
    lines = [
        (one.name, [(x, y) for x, y in one.points if math.isfinite(x) and math.isfinite(y)])
        for one in plot.series
    ]
    right = max((x for _, points in lines for x, _ in points), default=0) or 1.0
    largest = max([y for _, points in lines for _, y in points] + [*plot.levels.values()] + [0.0])
    step = _step(largest)
    top = max(step, math.ceil(largest / step - 1e-9) * step)
    return DrawnPlot(
        title=plot.title,
        x=plot.x,
        y=plot.y,
        series=tuple(
            DrawnSeries(
                name=name,
                position=position,
                points=" ".join(f"{_across(x, right):.1f},{_down(y, top):.1f}" for x, y in points),
                largest=f"{max((y for _, y in points), default=0):,.0f}",
            )
            for position, (name, points) in enumerate(lines)
        ),
        levels=tuple(
            Level(name=name, number=f"{y:,.0f}", y=_down(y, top)) for name, y in plot.levels.items()
        ),
        columns=tuple(_axis(right, _step(right), lambda x: _across(x, right))),
        rows=tuple(_axis(top, step, lambda y: _down(y, top))),
    )


def _step(largest: float) -> float:
    """Return the distance of the numbers on an axis: 1, 2, 2.5 or 5 times a power of ten."""
    rough = max(largest, 1e-6) / _NUMBERS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))


def _axis(end: float, step: float, place: Callable[[float], float]) -> Iterator[tuple[str, float]]:
    for number in range(int(end / step + 1e-9) + 1):
        yield f"{number * step:,.6g}", round(place(number * step), 1)


def _across(x: float, right: float) -> float:
    return FIELD * x / right


def _down(y: float, top: float) -> float:
    return FIELD * (1 - y / top)
