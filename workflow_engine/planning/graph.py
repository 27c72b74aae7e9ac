"""From a topology to a checked networkx DAG: every problem at once.

`build` never stops at the first problem; `load` raises TopologyError with all of them, placed
in the file. Specification: topology, 3 (structure), 6 (order). All passes are linear in activities
and dependencies.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
from pydantic import ValidationError

from workflow_engine.activity import (
    Activity,
    Binding,
    GraphNode,
    GraphView,
    Neighbourhood,
    Registry,
    Role,
    TemplateLookup,
    no_templates,
)
from workflow_engine.errors import (
    Code,
    InvalidInputError,
    Problem,
    Severity,
    TopologyError,
    pointer_to,
)
from workflow_engine.planning.rules import (
    Edges,
    Types,
    backwards,
    cycles,
    invalid,
    roles,
    spread,
    unreachable,
)
from workflow_engine.records import ActivityRecord, Json, stable_id
from workflow_engine.topology import (
    Topology,
    key_problems,
    keys_of_invalid,
    parse_topology,
    places_of,
    problems_of,
)
from workflow_engine.topology.encoded import without
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import WireModel, shown


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

    @property
    def role(self) -> Role:
        """What it is for in the graph."""
        return self.activity.role


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
        return next(node for node in self.nodes.values() if node.role is Role.START)

    @cached_property
    def binding(self) -> Binding:
        """What starts the workflow, and where its runs wait. Raises TopologyError."""
        start = self.start
        pointer = pointer_to("Activities", start.name, "Parameters")
        try:
            binding = start.activity.binding(start.parameters)
        except InvalidInputError as error:
            raise self._wrong(error.at(pointer).problem()) from None
        if binding is None:
            message = f'The activity "{start.name}" does not say which objects start the workflow.'
            raise self._wrong(invalid(message, pointer))
        return binding

    def _wrong(self, problem: Problem) -> TopologyError:
        return TopologyError([self.topology.document.place(problem)])

    @cached_property
    def report(self) -> Node | None:
        """The Report activity, if there is one."""
        return next((node for node in self.nodes.values() if node.role is Role.REPORT), None)

    @property
    def publishes_renditions(self) -> bool:
        """Whether the media is published as soon as a rendition is there."""
        report = self.report
        return report is not None and report.activity.publishes_renditions(report.parameters)

    @cached_property
    def view(self) -> GraphView:
        """The topology as activity types see it; the templates are those of the run."""
        return _view(self, {name: node.activity for name, node in self.nodes.items()}, no_templates)

    @cached_property
    def waiting(self) -> tuple[ActivityRecord, ...]:
        """The activities of a new execution, in their order."""
        return tuple(ActivityRecord(name=name, type=self.nodes[name].type) for name in self.order)

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


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A topology under a name; runs keep both."""

    name: str
    graph: Graph

    @property
    def id(self) -> str:
        """The MediaWorkflowId, the same for every run of this name."""
        return stable_id("workflow", self.name)


def load(
    text: str, registry: Registry, file: str = "", *, templates: TemplateLookup = no_templates
) -> Graph:
    """Parse and check a topology; `templates` finds the custom ones that it names.

    Raises TopologyError with every problem, warnings included.
    """
    topology, problems = parse_topology(text, file)
    graph, more = build(topology, registry, templates=templates)
    placed = tuple(map(topology.document.place, [*problems, *more]))
    if any(problem.severity is Severity.ERROR for problem in placed):
        raise TopologyError(sorted(placed, key=lambda p: (p.line, p.column)))
    return Graph(topology=topology, nodes=graph.nodes, dag=graph.dag, warnings=placed)


def build(
    topology: Topology, registry: Registry, *, templates: TemplateLookup = no_templates
) -> tuple[Graph, list[Problem]]:
    """Build the graph and check it; problems come without positions.

    The graph of a topology with errors is incomplete and only good for showing.
    """
    problems: list[Problem] = []
    types = dict(_types(topology, registry, problems))
    edges = topology.dependencies or {}
    dag = _edges(topology, edges, problems)
    if turned := backwards(edges, dag, types):
        problems.append(turned)
        dag = dag.reverse()  # what is wrong besides shows in the graph that is meant
    else:
        problems += roles(edges, types)
    problems += cycles(edges, dag)
    if topology.dependencies is not None:
        problems += unreachable(dag, types)
    nodes = _nodes(topology, types, dag, templates, problems)
    graph = Graph(topology=topology, nodes=nodes, dag=dag)
    view = _view(graph, types, templates)
    # what was left out as wrong is not missing
    told = {p.pointer for p in problems if p.severity is Severity.ERROR}
    for rule in dict.fromkeys(rule for one in types.values() for rule in one.graph_rules):
        problems += (problem for problem in rule(view) if problem.pointer not in told)
    return graph, problems


def _view(graph: Graph, types: Types, templates: TemplateLookup) -> GraphView:
    topology = graph.topology
    return GraphView(
        nodes={
            name: GraphNode(
                name=name,
                type=activity.type_name,
                given=topology.activities[name].parameters,
                parameters=graph.nodes[name].parameters if name in graph.nodes else None,
            )
            for name, activity in types.items()
            if name in topology.activities
        },
        successors={name: tuple(graph.dag.successors(name)) for name in graph.dag},
        templates=templates,
    )


def _types(
    topology: Topology, registry: Registry, problems: list[Problem]
) -> Iterator[tuple[str, Activity[WireModel]]]:
    """Yield name and type of every activity whose type is known."""
    known = Suggester(registry)
    for name, entry in topology.activities.items():
        base = pointer_to("Activities", name)
        if not name or not name.isprintable():
            problems.append(
                invalid(f"The activity name {shown(name)} is empty or unprintable.", base)
            )
        if entry.name is not None and entry.name != name:
            problems.append(
                invalid(
                    f'The activity is called "{entry.name}" but stands under "{name}".',
                    base + "/Name",
                    "Use one name in both places, or leave Name out.",
                )
            )
        if entry.type in registry:
            yield name, registry[entry.type]
        else:
            listed = ", ".join(sorted({a.type_name for a in registry.values()}))
            remedy = known.remedy(entry.type) or f"Use one of {listed}."
            problems.append(
                invalid(f'The type "{entry.type}" is not known.', base + "/Type", remedy)
            )
    for name, kind in topology.unreadable.items():
        if kind in registry:
            yield name, registry[kind]


def _edges(topology: Topology, edges: Edges, problems: list[Problem]) -> "nx.DiGraph[str]":
    """Return the graph of the edges whose ends exist."""
    dag: nx.DiGraph[str] = nx.DiGraph()
    dag.add_nodes_from(topology.names)
    names = Suggester(topology.names)

    def missing(name: str, pointer: str) -> None:
        remedy = names.remedy(name) or "Add it to Activities."
        problems.append(invalid(f'The activity "{name}" does not exist.', pointer, remedy))

    for name, successors in edges.items():
        base = pointer_to("Dependencies", name)
        source_exists = dag.has_node(name)
        if not source_exists:
            missing(name, base)
        for index, successor in enumerate(successors):
            pointer = base + pointer_to(index)
            if not dag.has_node(successor):
                missing(successor, pointer)
            elif source_exists:
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


def _nodes(
    topology: Topology,
    types: Types,
    dag: "nx.DiGraph[str]",
    templates: TemplateLookup,
    problems: list[Problem],
) -> dict[str, Node]:
    """Check the parameters of every activity with the model of its type."""
    nodes: dict[str, Node] = {}
    type_names = {name: activity.type_name for name, activity in types.items()}
    ancestors = spread(dag, type_names, forwards=True)
    for name, entry in topology.activities.items():
        if name not in types:
            continue
        activity = types[name]
        base = pointer_to("Activities", name, "Parameters")
        parameters, wrong = _parameters(activity.parameters, entry.parameters, base)
        problems += wrong
        if parameters is None:
            continue
        problems += key_problems(parameters, base)
        neighbourhood = Neighbourhood(
            name=name,
            ancestor_types=ancestors[name],
            templates=templates,
        )
        # what was left out as wrong is not missing
        told = {problem.pointer for problem in wrong}
        found = _based(activity.check(parameters, neighbourhood), base)
        problems += (problem for problem in found if problem.pointer not in told)
        nodes[name] = Node(name=name, activity=activity, parameters=parameters)
    return nodes


def _parameters(
    model: type[WireModel], given: dict[str, Json], base: str
) -> tuple[WireModel | None, list[Problem]]:
    """Validate parameters; when single values are wrong, return what remains without them.

    So that one wrong value does not hide the problems of the others. None when a value is wrong
    that nothing can do without.
    """
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        wrong, places = list(problems_of(error, base)), places_of(error)
    try:
        return model.model_validate(without(given, places)), wrong
    except ValidationError:
        return None, [*wrong, *keys_of_invalid(model, given, base)]


def _based(problems: Iterable[Problem], base: str) -> Iterator[Problem]:
    for problem in problems:
        yield Problem(
            code=problem.code,
            message=problem.message,
            pointer=base + problem.pointer,
            remedy=problem.remedy,
            severity=problem.severity,
        )
