"""From a topology to a checked networkx DAG: every problem at once.

`build` never stops at the first problem; `load` raises TopologyError with all of them, placed
in the file. Specification: topology, 3 (structure), 5 (neighbours of packaging activities), 6
(order). All passes are linear in activities and dependencies.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import networkx as nx
from pydantic import ValidationError

from workflow_engine.activity import Activity, Neighbourhood, Registry
from workflow_engine.errors import Code, Problem, Severity, TopologyError, pointer_to
from workflow_engine.topology import Topology, key_problems, parse_topology, problems_of
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import WireModel, shown

START = "Start"
REPORT = "Report"
PACKAGE = "PackageConfig"
MASTER = "GenerateMasterPlayList"
_GROUPS = ("SubtitleGroup", "AudioGroup", "VideoGroup")

#: which types may stand directly before and behind the packaging types (specification, 5)
_ALLOWED_BEFORE = {
    PACKAGE: (START, "Analysis"),
    "SubtitleGroup": (PACKAGE,),
    "AudioGroup": (PACKAGE,),
    "VideoGroup": (PACKAGE,),
    MASTER: ("Transcode",),
}
_ALLOWED_BEHIND = {
    PACKAGE: (*_GROUPS, "Transcode"),
    "SubtitleGroup": ("Transcode",),
    "AudioGroup": ("Transcode",),
    "VideoGroup": ("Transcode",),
    MASTER: (REPORT,),
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """An activity of the graph: its type's implementation and its checked parameters."""

    name: str
    activity: Activity[WireModel]
    parameters: WireModel

    @property
    def type(self) -> str:
        """The type in its canonical spelling."""
        return self.activity.type_name


@dataclass(frozen=True)
class Graph:
    """A valid topology. Edges of `dag` run from an activity to its successors."""

    topology: Topology
    nodes: Mapping[str, Node]
    dag: "nx.DiGraph[str]"
    warnings: tuple[Problem, ...] = ()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Every activity after all of its predecessors, in the order of the file where free."""
        place = {name: index for index, name in enumerate(self.nodes)}
        return tuple(nx.lexicographical_topological_sort(self.dag, key=place.__getitem__))

    @cached_property
    def start(self) -> Node:
        """The Start activity."""
        return next(node for node in self.nodes.values() if node.type == START)

    @cached_property
    def report(self) -> Node | None:
        """The Report activity, if there is one."""
        return next((node for node in self.nodes.values() if node.type == REPORT), None)

    def predecessors(self, name: str) -> tuple[str, ...]:
        """Direct predecessors of an activity."""
        return tuple(self.dag.predecessors(name))

    @cached_property
    def nearest(self) -> Mapping[str, Mapping[str, str]]:
        """For each activity: the nearest ancestor of each type, by type."""
        found: dict[str, dict[str, tuple[int, str]]] = {}
        for name in self.order:
            mine: dict[str, tuple[int, str]] = {}
            for before in self.dag.predecessors(name):
                offers = {self.nodes[before].type: (1, before)}
                for kind, (distance, ancestor) in found[before].items():
                    offers.setdefault(kind, (distance + 1, ancestor))
                for kind, offer in offers.items():
                    mine[kind] = min(mine.get(kind, offer), offer)
            found[name] = mine
        return {
            name: {kind: ancestor for kind, (_, ancestor) in types.items()}
            for name, types in found.items()
        }


def load(text: str, registry: Registry, file: str = "") -> Graph:
    """Parse and check a topology. Raises TopologyError with every problem, warnings included."""
    topology, problems = parse_topology(text, file)
    graph, more = build(topology, registry)
    placed = tuple(map(topology.document.place, [*problems, *more]))
    if any(problem.severity is Severity.ERROR for problem in placed):
        raise TopologyError(sorted(placed, key=lambda p: (p.line, p.column)))
    return Graph(topology=topology, nodes=graph.nodes, dag=graph.dag, warnings=placed)


def build(topology: Topology, registry: Registry) -> tuple[Graph, list[Problem]]:
    """Build the graph and check it; problems come without positions.

    The graph of a topology with errors is incomplete and only good for showing.
    """
    problems: list[Problem] = []
    types = dict(_types(topology, registry, problems))
    dag = _edges(topology, problems)
    problems += _roles(topology, types)
    problems += _cycles(topology, dag)
    problems += _unreachable(dag, types)
    problems += _neighbours(topology, types, dag)
    nodes = _nodes(topology, registry, types, dag, problems)
    return Graph(topology=topology, nodes=nodes, dag=dag), problems


def _types(
    topology: Topology, registry: Registry, problems: list[Problem]
) -> Iterator[tuple[str, str]]:
    """Yield name and canonical type of every activity whose type is known."""
    known = Suggester(registry)
    for name, entry in topology.activities.items():
        base = pointer_to("Activities", name)
        if not name or not name.isprintable():
            problems.append(
                _invalid(f"The activity name {shown(name)} is empty or unprintable.", base)
            )
        if entry.name is not None and entry.name != name:
            problems.append(
                _invalid(
                    f'The activity is called "{entry.name}" but stands under "{name}".',
                    base + "/Name",
                    "Use one name in both places, or leave Name out.",
                )
            )
        if entry.type in registry:
            yield name, registry[entry.type].type_name
        else:
            listed = ", ".join(sorted({a.type_name for a in registry.values()}))
            remedy = known.remedy(entry.type) or f"Use one of {listed}."
            problems.append(
                _invalid(f'The type "{entry.type}" is not known.', base + "/Type", remedy)
            )


def _invalid(message: str, pointer: str, remedy: str = "") -> Problem:
    return Problem(code=Code.INVALID, message=message, pointer=pointer, remedy=remedy)


def _edges(topology: Topology, problems: list[Problem]) -> "nx.DiGraph[str]":
    """Return the graph of the edges whose ends exist."""
    dag: nx.DiGraph[str] = nx.DiGraph()
    dag.add_nodes_from(topology.activities)
    names = Suggester(topology.activities)

    def missing(name: str, pointer: str) -> None:
        remedy = names.remedy(name) or "Add it to Activities."
        problems.append(_invalid(f'The activity "{name}" does not exist.', pointer, remedy))

    for name, successors in topology.dependencies.items():
        base = pointer_to("Dependencies", name)
        if name not in topology.activities:
            missing(name, base)
        for index, successor in enumerate(successors):
            pointer = base + pointer_to(index)
            if successor not in topology.activities:
                missing(successor, pointer)
            elif name in topology.activities:
                if dag.has_edge(name, successor):
                    problems.append(
                        Problem(
                            code=Code.INVALID,
                            message=f'The successor "{successor}" of "{name}" is named twice.',
                            pointer=pointer,
                            remedy="Name it once.",
                            severity=Severity.WARNING,
                        )
                    )
                dag.add_edge(name, successor)
    return dag


def _roles(topology: Topology, types: Mapping[str, str]) -> Iterator[Problem]:
    """Exactly one Start without edges into it, at most one Report without edges out of it."""
    starts = [name for name, kind in types.items() if kind == START]
    reports = [name for name, kind in types.items() if kind == REPORT]
    if not starts:
        yield _invalid(
            "The topology has no Start activity.", "/Activities", "Add one of the type Start."
        )
    for kind, names in ((START, starts), (REPORT, reports)):
        for name in names[1:]:
            yield _invalid(
                f'The activity "{name}" is a second {kind} beside "{names[0]}".',
                pointer_to("Activities", name, "Type"),
                f"Keep one {kind}.",
            )
    for name, successors in topology.dependencies.items():
        for index, successor in enumerate(successors):
            pointer = pointer_to("Dependencies", name, index)
            if types.get(successor) == START:
                yield _invalid(
                    f'The edge from "{name}" leads into the Start activity "{successor}".',
                    pointer,
                    "Remove it: Start comes first.",
                )
            if types.get(name) == REPORT:
                yield _invalid(
                    f'The edge to "{successor}" leads out of the Report activity "{name}".',
                    pointer,
                    "Remove it: Report comes last.",
                )


def _cycles(topology: Topology, dag: "nx.DiGraph[str]") -> Iterator[Problem]:
    """Name one cycle of every knot of activities that wait for each other."""
    for knot in nx.strongly_connected_components(dag):
        name = next(iter(knot))
        if len(knot) == 1 and not dag.has_edge(name, name):
            continue
        # the stubs leave the type of an edge open
        edges = cast(
            "list[tuple[str, str]]",
            nx.find_cycle(dag.subgraph(knot)),  # pyright: ignore[reportUnknownMemberType]
        )
        names = [edges[0][0], *(b for _, b in edges)]
        shown_names = names if len(names) <= 12 else [*names[:6], "...", *names[-5:]]
        source, target = edges[-1]
        index = topology.dependencies[source].index(target)
        yield _invalid(
            f"The activities wait for each other: {' -> '.join(shown_names)}.",
            pointer_to("Dependencies", source, index),
            "Remove one of these edges.",
        )


def _unreachable(dag: "nx.DiGraph[str]", types: Mapping[str, str]) -> Iterator[Problem]:
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
            yield _invalid(
                f'The activity "{name}" cannot be reached from the Start activity "{starts[0]}".',
                pointer_to("Activities", name),
                "Name it in the Dependencies of another activity, or remove it.",
            )


def _neighbours(
    topology: Topology, types: Mapping[str, str], dag: "nx.DiGraph[str]"
) -> Iterator[Problem]:
    """Packaging activities stand only where specification, topology, 5 allows."""
    for name, successors in topology.dependencies.items():
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
    packaged = _spread(dag, types, forwards=True)
    mastered = _spread(dag, types, forwards=False)
    for name, kind in types.items():
        stream = kind in _GROUPS or (kind == "Transcode" and PACKAGE in packaged[name])
        if stream and MASTER not in mastered[name]:
            yield _invalid(
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
    return _invalid(
        f'The {behind} activity "{successor}" may not follow the {kind} activity "{name}".',
        pointer,
        rule,
    )


def _spread(
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


def _nodes(
    topology: Topology,
    registry: Registry,
    types: Mapping[str, str],
    dag: "nx.DiGraph[str]",
    problems: list[Problem],
) -> dict[str, Node]:
    """Check the parameters of every activity with the model of its type."""
    nodes: dict[str, Node] = {}
    ancestors = _spread(dag, types, forwards=True)
    for name, kind in types.items():
        activity = registry[kind]
        base = pointer_to("Activities", name, "Parameters")
        try:
            parameters = activity.parameters.model_validate(topology.activities[name].parameters)
        except ValidationError as error:
            problems += problems_of(error, base)
            continue
        problems += key_problems(parameters, base)
        around = Neighbourhood(
            name=name,
            ancestor_types=ancestors[name],
            predecessor_types={types[p] for p in dag.predecessors(name) if p in types},
        )
        problems += _based(activity.check(parameters, around), base)
        nodes[name] = Node(name=name, activity=activity, parameters=parameters)
    return nodes


def _based(problems: Iterable[Problem], base: str) -> Iterator[Problem]:
    for problem in problems:
        yield Problem(
            code=problem.code,
            message=problem.message,
            pointer=base + problem.pointer,
            remedy=problem.remedy,
            severity=problem.severity,
        )
