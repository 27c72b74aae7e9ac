"""A DAG as a drawing: from left to right in columns, one for each level, with few crossings.

`draw` says where boxes and lines lie; the template `dag.html` makes SVG of it, which is as large
as it has to be and scrolls within its place. Used for executions and for workflows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

#: pixels: a box, and the room between boxes
WIDTH, HEIGHT = 176, 48
_BETWEEN_LEVELS, _BETWEEN_BOXES, _MARGIN = 48, 14, 4
#: passes over the levels that put boxes beside what they are joined to
_PASSES = 4


@dataclass(frozen=True, kw_only=True)
class Box:
    """A node: its name, and its upper left corner in pixels."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Boxes in their order, and the lines between them as paths of SVG; sizes in pixels."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]


def draw(edges: Mapping[str, Sequence[str]]) -> Drawing:
    """Return the drawing of a graph, given the successors of each node.

    A graph with a cycle, which no run has, is drawn as one column.
    """
    successors = {name: [s for s in after if s in edges] for name, after in edges.items()}
    before: dict[str, list[str]] = {name: [] for name in edges}
    for name, after in successors.items():
        for other in after:
            before[other].append(name)
    columns = _sorted(_columns(before), before, successors)
    tallest = max((len(column) for column in columns), default=0)
    height = tallest * (HEIGHT + _BETWEEN_BOXES) - _BETWEEN_BOXES + 2 * _MARGIN
    boxes: dict[str, Box] = {}
    for level, column in enumerate(columns):
        own = len(column) * (HEIGHT + _BETWEEN_BOXES) - _BETWEEN_BOXES
        top = (height - own) / 2
        for row, name in enumerate(column):
            x = _MARGIN + level * (WIDTH + _BETWEEN_LEVELS)
            boxes[name] = Box(name=name, x=x, y=top + row * (HEIGHT + _BETWEEN_BOXES))
    return Drawing(
        width=len(columns) * (WIDTH + _BETWEEN_LEVELS) - _BETWEEN_LEVELS + 2 * _MARGIN,
        height=max(height, 0),
        boxes=tuple(boxes[name] for name in edges),
        lines=tuple(_line(boxes[a], boxes[b]) for a, after in successors.items() for b in after),
    )


def _columns(before: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the nodes of each level: one more than the highest of those before them."""
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return [list(before)]
    level: dict[str, int] = {}
    for name in order:
        level[name] = 1 + max((level[one] for one in before[name]), default=-1)
    columns: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for name in before:
        columns[level[name]].append(name)
    return columns


def _sorted(
    columns: list[list[str]],
    before: Mapping[str, Sequence[str]],
    after: Mapping[str, Sequence[str]],
) -> list[list[str]]:
    """Sort each level by the mean place of what its nodes are joined to, to and fro."""
    place = {name: row / len(column) for column in columns for row, name in enumerate(column)}
    for number in range(_PASSES):
        joined = before if number % 2 == 0 else after
        for column in columns if number % 2 == 0 else reversed(columns):
            mean = {
                name: sum(place[one] for one in joined[name]) / len(joined[name])
                if joined[name]
                else place[name]
                for name in column
            }
            column.sort(key=mean.__getitem__)
            place.update((name, row / len(column)) for row, name in enumerate(column))
    return columns


def _line(source: Box, target: Box) -> str:
    x0, y0 = source.x + WIDTH, source.y + HEIGHT / 2
    x1, y1 = target.x, target.y + HEIGHT / 2
    bend = max(_BETWEEN_LEVELS, x1 - x0) / 2
    return f"M{x0:g} {y0:g}C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1:g} {y1:g}"
