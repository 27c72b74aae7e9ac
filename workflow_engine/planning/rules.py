"""The structural rules of a topology, each a function that yields problems.

Specification: topology, 3 (Start, Report, cycles, reachability) and 5 (neighbours of packaging
activities). All are linear in activities and edges. `planning.graph` calls them.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import cast

import networkx as nx

from workflow_engine.errors import Code, Problem, pointer_to

START = "Start"
REPORT = "Report"
TRANSCODE = "Transcode"
PACKAGE = "PackageConfig"
MASTER = "GenerateMasterPlayList"
_GROUPS = ("SubtitleGroup", "AudioGroup", "VideoGroup")

#: which types may stand directly before and behind the packaging types (specification, 5)
_ALLOWED_BEFORE = {
    PACKAGE: (START, "Analysis"),
    "SubtitleGroup": (PACKAGE,),
    "AudioGroup": (PACKAGE,),
    "VideoGroup": (PACKAGE,),
    MASTER: (TRANSCODE,),
}
_ALLOWED_BEHIND = {
    PACKAGE: (*_GROUPS, TRANSCODE),
    "SubtitleGroup": (TRANSCODE,),
    "AudioGroup": (TRANSCODE,),
    "VideoGroup": (TRANSCODE,),
    MASTER: (REPORT,),
}


#: successors by name
Edges = Mapping[str, tuple[str, ...]]


def roles(edges: Edges, types: Mapping[str, str]) -> Iterator[Problem]:
    """Exactly one Start without edges into it, at most one Report without edges out of it."""
    starts = [name for name, kind in types.items() if kind == START]
    reports = [name for name, kind in types.items() if kind == REPORT]
    if not starts:
        yield invalid(
            "The topology has no Start activity.", "/Activities", "Add one of the type Start."
        )
    for kind, names in ((START, starts), (REPORT, reports)):
        for name in names[1:]:
            yield invalid(
                f'The activity "{name}" is a second {kind} beside "{names[0]}".',
                pointer_to("Activities", name, "Type"),
                f"Keep one {kind}.",
            )
    for name, successors in edges.items():
        for index, successor in enumerate(successors):
            pointer = pointer_to("Dependencies", name, index)
            if types.get(successor) == START:
                yield invalid(
                    f'The edge from "{name}" leads into the Start activity "{successor}".',
                    pointer,
                    "Remove it: Start comes first.",
                )
            if types.get(name) == REPORT:
                yield invalid(
                    f'The edge to "{successor}" leads out of the Report activity "{name}".',
                    pointer,
                    "Remove it: Report comes last.",
                )


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
            f"The activities wait for each other: {' -> '.join(shown_names)}.",
            pointer_to("Dependencies", source, index),
            "Remove one of these edges.",
        )


def unreachable(dag: "nx.DiGraph[str]", types: Mapping[str, str]) -> Iterator[Problem]:
    """Everything can be reached from Start."""
    starts = [name for name, kind in types.items() if kind == START]
    if not starts:
        return
    reached = set(starts)
    waiting = list(starts)
    while waiting:
        new = [name for name in dag.successors(waiting.pop()) if name not in reached]
        reached.update(new)
        waiting += new
    for name in dag:
        if name not in reached:
            yield invalid(
                f'The activity "{name}" cannot be reached from the Start activity "{starts[0]}".',
                pointer_to("Activities", name),
                "Name it in the Dependencies of another activity, or remove it.",
            )


def neighbours(edges: Edges, types: Mapping[str, str], dag: "nx.DiGraph[str]") -> Iterator[Problem]:
    """Packaging activities stand only where specification, topology, 5 allows."""
    for name, successors in edges.items():
        before = types.get(name, "")
        for index, successor in enumerate(successors):
            behind = types.get(successor, "")
            if not before or not behind:
                continue
            pointer = pointer_to("Dependencies", name, index)
            if behind not in _ALLOWED_BEHIND.get(before, (behind,)):
                yield _neighbour(name, before, successor, behind, pointer, _ALLOWED_BEHIND[before])
            elif before not in _ALLOWED_BEFORE.get(behind, (before,)):
                allowed = _ALLOWED_BEFORE[behind]
                yield _neighbour(name, before, successor, behind, pointer, (), allowed)
    if PACKAGE not in types.values():
        return
    packaged = spread(dag, types, forwards=True)
    mastered = spread(dag, types, forwards=False)
    for name, kind in types.items():
        stream = kind in _GROUPS or (kind == "Transcode" and PACKAGE in packaged[name])
        if stream and MASTER not in mastered[name]:
            yield invalid(
                f'The stream activity "{name}" leads to no {MASTER}.',
                pointer_to("Activities", name),
                f"Add an edge towards an activity of the type {MASTER}.",
            )


def _neighbour(
    name: str,
    kind: str,
    successor: str,
    behind: str,
    pointer: str,
    allowed_behind: tuple[str, ...],
    allowed_before: tuple[str, ...] = (),
) -> Problem:
    rule = (
        f"Behind {kind} only {' or '.join(allowed_behind)} may stand."
        if allowed_behind
        else f"Before {behind} only {' or '.join(allowed_before)} may stand."
    )
    return invalid(
        f'The {behind} activity "{successor}" may not follow the {kind} activity "{name}".',
        pointer,
        rule,
    )


def spread(
    dag: "nx.DiGraph[str]", types: Mapping[str, str], *, forwards: bool
) -> Mapping[str, frozenset[str]]:
    """Types of all ancestors (or descendants) of each activity; cycles do no harm.

    Each activity is visited again only when its set of types grew, at most once per type.
    """
    onward = dag.successors if forwards else dag.predecessors
    found: dict[str, frozenset[str]] = dict.fromkeys(dag, frozenset())
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
