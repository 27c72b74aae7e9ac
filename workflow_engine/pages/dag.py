"""A DAG as a drawing: from left to right in columns, one for each level, with few crossings.

`draw` says where boxes and lines lie; the template `dag.html` makes SVG of it, which is as large
as it has to be and scrolls within its place. Used for executions and for workflows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

#: pixels: a box, and the room between boxes
WIDTH, HEIGHT = 176, 48
#: pixels that the lane of a line takes in the column of a level
_LANE = 4
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


@dataclass(frozen=True, kw_only=True)
class _Lane:
    """The way past the boxes of a level: lines that lead to one node further on share it."""

    target: str
    level: int


_Node = str | _Lane
_Edges = Mapping[_Node, Sequence[_Node]]


def draw(edges: Mapping[str, Sequence[str]]) -> Drawing:
    """Return the drawing of a graph, given the successors of each node.

    A line passes the levels between its ends in lanes, so that it is not hidden by boxes. A graph
    with a cycle, which no run has, is drawn as one column.
    """
    known = {name: [one for one in others if one in edges] for name, others in edges.items()}
    level = _levels(known)
    after = _with_lanes(known, level)
    before: dict[_Node, list[_Node]] = {node: [] for node in after}
    for node, others in after.items():
        for other in others:
            before[other].append(node)
    columns: list[list[_Node]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for node in after:
        columns[node.level if isinstance(node, _Lane) else level[node]].append(node)
    _sort(columns, before, after)
    height = max(map(_height, columns), default=-2 * _MARGIN)
    places: dict[_Node, tuple[float, float]] = {}
    for number, column in enumerate(columns):
        x, y = _MARGIN + number * (WIDTH + _BETWEEN_LEVELS), (height - _height(column)) / 2
        for node in column:
            places[node] = (x, _MARGIN + y)
            y += _size(node) + _BETWEEN_BOXES
    return Drawing(
        width=len(columns) * (WIDTH + _BETWEEN_LEVELS) - _BETWEEN_LEVELS + 2 * _MARGIN,
        height=height + 2 * _MARGIN,
        boxes=tuple(Box(name=name, x=places[name][0], y=places[name][1]) for name in edges),
        lines=tuple(_line(a, b, places) for a, others in after.items() for b in others),
    )


def _with_lanes(successors: Mapping[str, Sequence[str]], level: Mapping[str, int]) -> _Edges:
    """Return a graph whose edges lead from each level to the next one."""
    edges: dict[_Node, list[_Node]] = {name: [] for name in successors}
    for name, others in successors.items():
        for other in others:
            node: _Node = name
            for number in range(level[name] + 1, level[other]):
                lane = _Lane(target=other, level=number)
                edges.setdefault(lane, [])
                _join(edges, node, lane)
                node = lane
            _join(edges, node, other)
    return edges


def _join(edges: dict[_Node, list[_Node]], node: _Node, other: _Node) -> None:
    if other not in edges[node]:
        edges[node].append(other)


def _size(node: _Node) -> float:
    """Return how high a node is, in pixels."""
    return _LANE if isinstance(node, _Lane) else HEIGHT


def _height(column: Sequence[_Node]) -> float:
    return sum(_size(node) + _BETWEEN_BOXES for node in column) - _BETWEEN_BOXES


def _levels(successors: Mapping[str, Sequence[str]]) -> Mapping[str, int]:
    """Return the level of each node: one more than the highest of those before it."""
    before: dict[str, list[str]] = {name: [] for name in successors}
    for name, others in successors.items():
        for other in others:
            before[other].append(name)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return dict.fromkeys(successors, 0)
    level: dict[str, int] = {}
    for name in order:
        level[name] = 1 + max((level[one] for one in before[name]), default=-1)
    return level


def _sort(columns: list[list[_Node]], before: _Edges, after: _Edges) -> None:
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


def _line(source: _Node, target: _Node, places: Mapping[_Node, tuple[float, float]]) -> str:
    """Return the line from one level to the next; a lane begins it at the left end of its level."""
    x0, y0 = places[source][0] + WIDTH, places[source][1] + _size(source) / 2
    x1, y1 = places[target][0], places[target][1] + _size(target) / 2
    bend = max(_BETWEEN_LEVELS, x1 - x0) / 2
    left = x0 - WIDTH
    start = f"M{left:g} {y0:g}H{x0:g}" if isinstance(source, _Lane) else f"M{x0:g} {y0:g}"
    return f"{start}C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1:g} {y1:g}"
