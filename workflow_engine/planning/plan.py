"""From a graph and one input to what will be done: steps, content keys, shared decodes.

Pure: everything read from outside (digests of the input, results of finished activities, custom
templates, versions of tools) comes in as arguments. The runner plans each activity when it
becomes ready, with real results; `plan_all` goes through the whole graph with forecasts instead.
Decisions 5 (content keys) and 7 (shared decode).
"""

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from workflow_engine.activity import (
    Activity,
    Composite,
    PlanContext,
    SideInput,
    SideInputFacts,
    Skip,
    Step,
    StepResult,
    TemplateLookup,
    no_templates,
)
from workflow_engine.errors import ActivityError, Code, InvalidInputError, MediaflowError, Problem
from workflow_engine.planning.graph import Graph, Node
from workflow_engine.records import Digests, Json, ObjectRef, Output
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel

#: more parts than this in one process cost more memory than a second decode is worth
MAX_SHARED = 6

#: hexadecimal digits of a file name that tell one content from another
_NAME_DIGITS = 16

#: opens, pins and describes a side input of an activity
SideInputReader = Callable[[Activity[WireModel], SideInput], SideInputFacts]


def no_side_inputs(activity: Activity[WireModel], wanted: SideInput) -> SideInputFacts:
    """Refuse: the reader of a place where only the input can be read. Raises ActivityError."""
    raise ActivityError(
        Code.RESOURCE_NOT_FOUND,
        f'The object "{wanted.ref.object}" of the bucket "{wanted.ref.bucket}" is out of reach.',
    )


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One activity for one input: exactly one of step, skip and error is set.

    `key` is the content key of the step: equal keys mean equivalent outputs. `side_inputs` is what
    else it reads, `shaping` what shapes all that it makes beside its parameters, as JSON. `taken`
    are the outputs of finished steps that streams come out of, by the names of the streams.
    """

    node: Node
    step: Step | None = None
    skip: Skip | None = None
    error: ActivityError | InvalidInputError | None = None
    key: str = ""
    side_inputs: Mapping[SideInput, SideInputFacts] = field(
        default_factory=dict[SideInput, SideInputFacts]
    )
    shaping: Mapping[str, Json] = field(default_factory=dict[str, Json])
    taken: Mapping[str, Output] = field(default_factory=dict[str, Output])

    @property
    def complete(self) -> bool:
        """Whether all streams of the step come out of finished outputs."""
        return bool(self.step and self.taken and self.taken.keys() == self.step.streams.keys())

    def stream_key(self, identity: Json) -> str:
        """Return the key of an elementary stream, of what shapes it; see `Step.streams`."""
        return _digest({**self.shaping, "stream": identity})

    def taking(self, found: Mapping[str, Output], names: Names) -> "Planned":
        """Return the plan with streams out of finished outputs, by the names of the streams."""
        if self.step is None or not found:
            return self
        files = {name: stream_file(output) for name, output in found.items()}
        step = self.node.activity.taking(self.step, files, names)
        return replace(self, step=step, taken=found)


def stream_file(output: Output) -> str:
    """Return the name that an output has in the work directory of a step that takes streams."""
    extension = Names.of(output.ref.object).source_name.removeprefix("source")
    return f"stream-{output.digests.sha256[:_NAME_DIGITS]}{extension}"


def no_streams(planned: Planned) -> Mapping[str, Output]:
    """Return {}: the finished outputs with streams of a step where none are known."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Input:
    """The input of one run, as far as planning needs it."""

    ref: ObjectRef
    digests: Digests
    names: Names
    composite: Composite | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Activities that run in one process, and the commands that do their work together.

    `outline` says what is done once for several of them; see `Activity.outline`.
    """

    members: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    outline: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run would do. `reused` are the results that would serve once more, by activity.

    `forecasts` are the results that activities expect to have, by their names, without a run.
    """

    activities: tuple[Planned, ...]
    groups: tuple[Group, ...]
    reused: Mapping[str, StepResult] = field(default_factory=dict[str, StepResult])
    warnings: tuple[Problem, ...] = field(default=())
    forecasts: Mapping[str, StepResult] = field(default_factory=dict[str, StepResult])


def plan_activity(
    graph: Graph,
    name: str,
    given: Input,
    results: Mapping[str, StepResult],
    keys: Mapping[str, str],
    *,
    skipped: Collection[str] = (),
    templates: TemplateLookup = no_templates,
    side_inputs: SideInputReader = no_side_inputs,
) -> Planned:
    """Plan one activity. `results` and `keys` hold those of the activities that succeeded.

    `skipped` names those that a rule left out. Raises MediaflowError for transient causes that keep
    it from being planned.
    """
    node = graph.nodes[name]
    try:
        context = _context(graph, name, given, results, skipped, templates)
        context = _with_side_inputs(node, context, side_inputs)
        step = node.activity.plan(node.parameters, context)
    except (ActivityError, InvalidInputError) as error:
        if error.transient is not None:
            raise
        return Planned(node=node, error=error)
    if isinstance(step, Skip):
        return Planned(node=node, skip=step)
    nearest = graph.nearest[name]
    consumed = {kind: keys.get(nearest.get(kind, ""), "") for kind in step.consumes}
    shaping = _shaping(node, given.digests, context.side_inputs)
    return Planned(
        node=node,
        step=step,
        key=content_key(shaping, step, consumed),
        side_inputs=context.side_inputs,
        shaping=shaping,
    )


def _with_side_inputs(
    node: Node, context: PlanContext, side_inputs: SideInputReader
) -> PlanContext:
    while True:
        asked = node.activity.reads(node.parameters, context)
        wanted = [one for one in dict.fromkeys(asked) if one not in context.side_inputs]
        if not wanted:
            return context
        found = {one: side_inputs(node.activity, one) for one in wanted}
        context = replace(context, side_inputs={**context.side_inputs, **found})


def _context(
    graph: Graph,
    name: str,
    given: Input,
    results: Mapping[str, StepResult],
    skipped: Collection[str],
    templates: TemplateLookup,
) -> PlanContext:
    nearest = graph.nearest[name].items()
    return PlanContext(
        activity=name,
        source=given.ref,
        digests=given.digests,
        names=given.names,
        upstream={kind: results[ancestor] for kind, ancestor in nearest if ancestor in results},
        templates=templates,
        composite=given.composite,
        graph=graph.view,
        results=results,
        skipped=skipped,
    )


def _shaping(
    node: Node, source: Digests, side_inputs: Mapping[SideInput, SideInputFacts]
) -> Mapping[str, Json]:
    """Return what shapes the bytes of all that an activity makes, beside its parameters.

    That is the type and its version, the tools, and the content of the input and of the side
    inputs.
    """
    return {
        "type": node.type,
        "version": node.activity.version,
        "tools": dict(node.activity.tools()),
        "source": source.sha256,
        "side": [[one.identity, facts.digests.sha256] for one, facts in side_inputs.items()],
    }


def content_key(shaping: Mapping[str, Json], step: Step, consumed: Mapping[str, str]) -> str:
    """Return the hash of everything that shapes the bytes of a step's outputs.

    Beside what shapes all that its activity makes, these are the resolved parameters, and the keys
    of the predecessors that it consumes.
    """
    return _digest({**shaping, "parameters": dict(step.identity), "consumed": dict(consumed)})


def _digest(identity: Json) -> str:
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def shared_groups(
    graph: Graph, planned: Iterable[Planned], exclude: Iterable[str] = ()
) -> tuple[tuple[str, ...], ...]:
    """Group the activities that can run in one process: same type, `share` and predecessors.

    A group has at most MAX_SHARED different parts. Groups of one are left out, and what has all
    its streams from finished outputs. `exclude` names others that need no process.
    """
    left_out = set(exclude)
    siblings = siblings_of(graph)
    found: dict[tuple[str, str, str], list[Planned]] = {}
    for one in planned:
        name = one.node.name
        if one.step is None or not one.step.share or one.complete or name in left_out:
            continue
        key = (one.node.type, one.step.share, siblings[name][0])
        found.setdefault(key, []).append(one)
    groups = (group for alike in found.values() for group in _packed(alike))
    return tuple(group for group in groups if len(group) > 1)


def _packed(members: Iterable[Planned]) -> list[tuple[str, ...]]:
    """Put each member where its parts are done already, or where there is room for them."""
    packed: list[tuple[list[str], set[Hashable]]] = []
    for one in members:
        assert one.step is not None
        parts = set(one.step.parts or (one.node.name,))
        fits = [group for group in packed if len(group[1] | parts) <= MAX_SHARED]
        if not fits:
            packed.append(([one.node.name], parts))
            continue
        names, done = max(fits, key=lambda group: len(group[1] & parts))
        names.append(one.node.name)
        done |= parts
    return [tuple(names) for names, _ in packed]


def _groups(
    graph: Graph, planned: Sequence[Planned], reused: Iterable[str], names: Names
) -> tuple[Group, ...]:
    steps = {one.node.name: one.step for one in planned if one.step is not None}

    def group(members: tuple[str, ...]) -> Group:
        activity, together = graph.nodes[members[0]].activity, [steps[name] for name in members]
        return Group(
            members=members,
            commands=activity.shared_commands(together, names),
            outline=tuple(activity.outline(together)),
        )

    return tuple(group(members) for members in shared_groups(graph, planned, reused))


def siblings_of(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """For each activity: those with exactly its predecessors, itself included, in order.

    A predecessor that only declares something stands for those before it.
    """
    before: dict[str, frozenset[str]] = {}
    behind: dict[frozenset[str], list[str]] = {}
    for name in graph.order:
        before[name] = frozenset[str]().union(
            *(
                before[one] if graph.nodes[one].activity.declares else (one,)
                for one in graph.predecessors(name)
            )
        )
        behind.setdefault(before[name], []).append(name)
    groups = [tuple(names) for names in behind.values()]
    return {name: group for group in groups for name in group}


def claim_outputs(planned: Planned, writers: dict[ObjectRef, str]) -> Planned:
    """Enter the outputs into `writers`; the plan becomes an error if one has a writer already."""
    name = planned.node.name
    for output in planned.step.outputs if planned.step else ():
        ref = ObjectRef(bucket=output.ref.bucket, object=output.ref.object)
        first = writers.setdefault(ref, name)
        if first != name:
            error = ActivityError(
                Code.OBJECT_KEY,
                f'The activities "{first}" and "{name}" both write "{ref.object}".',
                remedy="Give one of the outputs another name.",
            )
            return Planned(node=planned.node, error=error)
    return planned


class Planner:
    """Plans the activities of one execution as they become ready, each once; thread-safe."""

    def __init__(
        self,
        graph: Graph,
        given: Input,
        templates: TemplateLookup = no_templates,
        side_inputs: SideInputReader = no_side_inputs,
    ) -> None:
        self.siblings = siblings_of(graph)
        self.graph = graph
        self._given = given
        self._templates = templates
        self._side_inputs = side_inputs
        self._planned: dict[str, Planned] = {}
        self._results: dict[str, StepResult] = {}
        self._keys: dict[str, str] = {}
        self._writers: dict[ObjectRef, str] = {}
        self._lock = threading.Lock()

    def plan(self, name: str) -> Planned:
        """Plan an activity whose predecessors have ended.

        Its siblings behind the same predecessors are ready too and are planned with it, in the
        order of the graph, so that which of two writers of one object fails is not a matter of
        chance. Raises MediaflowError for transient causes; those of siblings are their own matter.
        """
        with self._lock:
            for sibling in self.siblings[name] if name not in self._planned else ():
                try:
                    self._plan(sibling)
                except MediaflowError as error:
                    if sibling == name or error.transient is None:
                        raise
            return self._planned[name]

    def plan_siblings(self, name: str) -> list[Planned]:
        """Return the siblings of a planned activity that could be planned, and itself."""
        with self._lock:
            siblings = self.siblings[name]
            return [self._planned[one] for one in siblings if one in self._planned]

    def agrees(self, name: str, key: str) -> bool:
        """Whether an activity, planned now, has this content key: what shapes it did not change.

        One that cannot be planned now agrees, too: what it would read is gone, not another. It is
        planned again when it is kept or becomes ready.
        """
        with self._lock:
            planned = self._plan(name)
            del self._planned[name]
            return planned.step is None or planned.key == key

    def read_by(self, name: str) -> Mapping[SideInput, SideInputFacts]:
        """Return what an activity read beside the input, as far as it was planned."""
        with self._lock:
            planned = self._planned.get(name)
            return planned.side_inputs if planned else {}

    def outlook(self, side_inputs: SideInputReader) -> Mapping[str, Planned]:
        """Return what all activities will probably do: those that wait by forecasts.

        Nothing is read for that: `side_inputs` knows what was read before. Empty before Start.
        """
        with self._lock:
            planned, results = dict(self._planned), dict(self._results)
        start = results.get(self.graph.start.name)
        if start is None:
            return {}
        found = plan_all(
            self.graph,
            self._given,
            start,
            lambda one: results.get(one.node.name),
            fuse=False,
            templates=self._templates,
            side_inputs=side_inputs,
        )
        return {one.node.name: one for one in found.activities} | planned

    def keep(self, name: str, result: StepResult) -> None:
        """Take the result of an activity that succeeded, for those behind it."""
        with self._lock:
            self._keys[name] = self._plan(name).key
            self._results[name] = result

    def _plan(self, name: str) -> Planned:
        if name not in self._planned:
            planned = plan_activity(
                self.graph,
                name,
                self._given,
                self._results,
                self._keys,
                skipped={one for one, planned in self._planned.items() if planned.skip},
                templates=self._templates,
                side_inputs=self._side_inputs,
            )
            self._planned[name] = claim_outputs(planned, self._writers)
        return self._planned[name]


def plan_all(
    graph: Graph,
    given: Input,
    start: StepResult,
    finished: Callable[[Planned], StepResult | None],
    *,
    streams: Callable[[Planned], Mapping[str, Output]] = no_streams,
    fuse: bool = True,
    templates: TemplateLookup = no_templates,
    side_inputs: SideInputReader = no_side_inputs,
) -> Plan:
    """Plan every activity without running any.

    `start` is the result of Start. `finished` returns the recorded result of an equal step, if
    there is one that can be reused, and `streams` the outputs of others that have streams of the
    step. What has no result is forecast by the activity.
    """
    results: dict[str, StepResult] = {graph.start.name: start}
    keys: dict[str, str] = {}
    reused: dict[str, StepResult] = {}
    forecasts: dict[str, StepResult] = {}
    planned: list[Planned] = []
    writers: dict[ObjectRef, str] = {}
    skipped: set[str] = set()
    for name in graph.order:
        planned_alone = plan_activity(
            *(graph, name, given, results, keys),
            skipped=skipped,
            templates=templates,
            side_inputs=side_inputs,
        )
        one = claim_outputs(planned_alone, writers)
        found = finished(one) if one.step and one.node.activity.reusable else None
        if found is None:
            one = one.taking(streams(one), given.names)
        planned.append(one)
        if one.skip is not None:
            skipped.add(name)
        if one.step is None:
            continue
        keys[name] = one.key
        if found is not None:
            results[name] = reused[name] = found
        elif name not in results:
            context = _context(graph, name, given, results, skipped, templates)
            if forecast := one.node.activity.forecast(one.step, context):
                results[name] = forecasts[name] = StepResult(data=forecast.data)
    return Plan(
        activities=tuple(planned),
        groups=_groups(graph, planned, reused, given.names) if fuse else (),
        reused=reused,
        warnings=graph.warnings,
        forecasts=forecasts,
    )
