"""The structural rules of a topology, each a function that yields problems.

Specification: topology, 3 (Start, Report, cycles, reachability). All are linear in activities and
edges. `planning.graph` calls them, and the rules of activity types (`Activity.graph_rules`).
"""

import json
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

import networkx as nx

from workflow_engine.activity import Activity, Role
from workflow_engine.errors import Code, Problem, pointer_to
from workflow_engine.topology.wire import WireModel

T = TypeVar("T", bound=Hashable)

#: characters of the corrected dependencies that are shown whole
_SHOWN = 400

#: successors by name
Edges = Mapping[str, tuple[str, ...]]
#: the types of the activities, by name; an activity of an unknown type is left out
Types = Mapping[str, Activity[WireModel]]


def backwards(edges: Edges, dag: "nx.DiGraph[str]", types: Types) -> Problem | None:
    """Return the problem of edges that all point from an activity to what it waits for.

    That is: turned round, they lead from Start to every activity that has edges, and into Report.
    """
    starts, reports = _names(types, Role.START), _names(types, Role.REPORT)
    if len(starts) != 1 or dag.out_degree(starts[0]) or any(map(dag.in_degree, reports)):
        return None
    waiting = _reached(starts, dag.predecessors)
    if len(waiting) == 1 or any(name not in waiting for name, _ in dag.edges):
        return None
    name, index = next((n, to.index(starts[0])) for n, to in edges.items() if starts[0] in to)
    turned = {name: list(dag.predecessors(name)) for name in dag}
    text = json.dumps(turned, ensure_ascii=False)
    written = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return invalid(
        "The dependencies all point backwards: Dependencies lists the successors of each activity, "
        "not what it waits for.",
        pointer_to("Dependencies", name, index),
        f"Write {written}.",
    )


def roles(edges: Edges, types: Types) -> Iterator[Problem]:
    """Exactly one Start without edges into it, at most one Report without edges out of it."""
    starts = _names(types, Role.START)
    if not starts:
        yield invalid(
            "The topology has no Start activity.", "/Activities", "Add one of the type Start."
        )
    for role in (Role.START, Role.REPORT):
        first, *more = _names(types, role) or [""]
        for name in more:
            yield invalid(
                f'The activity "{name}" is a second {role} beside "{first}".',
                pointer_to("Activities", name, "Type"),
                f"Keep one {role}.",
            )
    for name, successors in edges.items():
        for index, successor in enumerate(successors):
            pointer = pointer_to("Dependencies", name, index)
            if successor in types and types[successor].role is Role.START:
                yield invalid(
                    f'The edge from "{name}" leads into the Start activity "{successor}".',
                    pointer,
                    _turned(edges, successor, name) or "Remove it: Start comes first.",
                )
            if name in types and types[name].role is Role.REPORT:
                yield invalid(
                    f'The edge to "{successor}" leads out of the Report activity "{name}".',
                    pointer,
                    _turned(edges, successor, name) or "Remove it: Report comes last.",
                )


def _turned(edges: Edges, first: str, second: str) -> str:
    """Say how an edge reads the other way round, unless it stands there already."""
    if first == second or second in edges.get(first, ()):
        return ""
    written = f"{json.dumps(first)}: [{json.dumps(second)}]"
    return f"Dependencies lists successors: write {written} if this is what is meant."


def cycles(edges: Edges, dag: "nx.DiGraph[str]") -> Iterator[Problem]:
    """Name one cycle of every knot of activities that wait for each other."""
    for knot in nx.strongly_connected_components(dag):
        name = next(iter(knot))
        if len(knot) == 1 and not dag.has_edge(name, name):
            continue
        # the stubs leave the type of an edge open
        cycle = cast(
            "list[tuple[str, str]]",
            nx.find_cycle(dag.subgraph(knot)),  # pyright: ignore[reportUnknownMemberType]
        )
        names = [cycle[0][0], *(b for _, b in cycle)]
        shown_names = names if len(names) <= 12 else [*names[:6], "...", *names[-5:]]
        source, target = cycle[-1]
        index = edges[source].index(target)
        yield invalid(
            f"The dependencies form a cycle: {' -> '.join(shown_names)}.",
            pointer_to("Dependencies", source, index),
            "Remove one of these edges.",
        )


def unreachable(dag: "nx.DiGraph[str]", types: Types) -> Iterator[Problem]:
    """Everything can be reached from Start."""
    starts = _names(types, Role.START)
    if not starts:
        return
    reached = _reached(starts, dag.successors)
    for name in dag:
        if name not in reached:
            yield invalid(
                f'The activity "{name}" cannot be reached from the Start activity "{starts[0]}".',
                pointer_to("Activities", name),
                "Name it in the Dependencies of another activity, or remove it.",
            )


def _reached(names: Iterable[str], onward: Callable[[str], Iterable[str]]) -> set[str]:
    """Return some activities and all that can be reached from them."""
    reached = set(names)
    waiting = list(reached)
    while waiting:
        new = [name for name in onward(waiting.pop()) if name not in reached]
        reached.update(new)
        waiting += new
    return reached


def _names(types: Types, role: Role) -> list[str]:
    return [name for name, activity in types.items() if activity.role is role]


def spread(
    dag: "nx.DiGraph[str]", types: Mapping[str, T], *, forwards: bool
) -> Mapping[str, frozenset[T]]:
    """Types of all ancestors (or descendants) of each activity; cycles do no harm.

    Each activity is visited again only when its set of types grew, at most once per type.
    """
    onward = dag.successors if forwards else dag.predecessors
    found: dict[str, frozenset[T]] = dict.fromkeys(dag, frozenset())
    waiting = deque(dag)
    queued = set(dag)
    while waiting:
        name = waiting.popleft()
        queued.discard(name)
        passed = found[name] | {types[name]} if name in types else found[name]
        for target in onward(name):
            if not passed <= found[target]:
                found[target] |= passed
                if target not in queued:
                    queued.add(target)
                    waiting.append(target)
    return found


def invalid(message: str, pointer: str, remedy: str = "") -> Problem:
    """Return a problem with the general code `InvalidParameter`."""
    return Problem(code=Code.INVALID, message=message, pointer=pointer, remedy=remedy)
