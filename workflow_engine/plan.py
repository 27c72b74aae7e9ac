"""From a graph and one input to what will be done: steps, content keys, shared decodes.

Pure: everything read from outside (digests of the input, results of finished activities,
versions of tools) comes in as arguments. The runner plans each activity when it becomes ready,
with real results; `plan_all` goes through the whole graph with forecasts instead. Design,
decisions 5 (content keys) and 7 (shared decode).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from workflow_engine.activity import PlanContext, Result, Skip, Step
from workflow_engine.errors import ActivityError, Code, InvalidInputError, Problem
from workflow_engine.graph import Graph, Node
from workflow_engine.placeholders import Names
from workflow_engine.records import Digests, Json, ObjectRef

#: more outputs than this in one process cost more memory than a second decode is worth
MAX_SHARED = 6


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One activity for one input: exactly one of step, skip and error is set.

    `key` is the content key of the step: equal keys mean equivalent outputs.
    """

    node: Node
    step: Step | None = None
    skip: Skip | None = None
    error: ActivityError | InvalidInputError | None = None
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Input:
    """The input of one run, as far as planning needs it."""

    ref: ObjectRef
    digests: Digests
    names: Names


@dataclass(frozen=True, kw_only=True)
class Group:
    """Activities that run in one process, and the commands that do their work together."""

    members: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run would do. `reused` names the activities whose finished outputs would serve."""

    activities: tuple[Planned, ...]
    groups: tuple[Group, ...]
    reused: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = field(default=())


def plan_activity(
    graph: Graph,
    name: str,
    given: Input,
    results: Mapping[str, Result],
    keys: Mapping[str, str],
) -> Planned:
    """Plan one activity. `results` and `keys` hold those of the activities that succeeded."""
    node = graph.nodes[name]
    try:
        step = node.activity.plan(node.parameters, _context(graph, name, given, results))
    except (ActivityError, InvalidInputError) as error:
        return Planned(node=node, error=error)
    if isinstance(step, Skip):
        return Planned(node=node, skip=step)
    if any(
        o.ref.bucket == given.ref.bucket and o.ref.object == given.ref.object for o in step.outputs
    ):
        return Planned(node=node, error=_overwrites(given.ref))
    nearest = graph.nearest[name]
    consumed = {kind: keys.get(nearest.get(kind, ""), "") for kind in step.consumes}
    return Planned(node=node, step=step, key=content_key(node, step, given.digests, consumed))


def _context(graph: Graph, name: str, given: Input, results: Mapping[str, Result]) -> PlanContext:
    nearest = graph.nearest[name].items()
    return PlanContext(
        activity=name,
        source=given.ref,
        digests=given.digests,
        names=given.names,
        upstream={kind: results[ancestor] for kind, ancestor in nearest if ancestor in results},
    )


def _overwrites(ref: ObjectRef) -> ActivityError:
    return ActivityError(
        Code.OBJECT_KEY,
        f'The output "{ref.object}" would overwrite the input in the bucket "{ref.bucket}".',
        remedy="Give the output another name or bucket.",
    )


def content_key(node: Node, step: Step, source: Digests, consumed: Mapping[str, str]) -> str:
    """Return the hash of everything that shapes the bytes of a step's outputs.

    That is the type and its version, the tools, the resolved parameters, the content of the
    input, and the keys of the predecessors that it consumes.
    """
    identity: Json = {
        "type": node.type,
        "version": node.activity.version,
        "tools": dict(node.activity.tools()),
        "parameters": dict(step.identity),
        "source": source.sha256,
        "consumed": dict(consumed),
    }
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def shared_groups(
    graph: Graph, planned: Iterable[Planned], exclude: Iterable[str] = ()
) -> tuple[tuple[str, ...], ...]:
    """Group the activities that can run in one process: same type, `share` and predecessors.

    Groups of one are left out. `exclude` names those that need no process.
    """
    left_out = set(exclude)
    found: dict[tuple[str, str, frozenset[str]], list[str]] = {}
    for one in planned:
        name = one.node.name
        if one.step is None or not one.step.share or name in left_out:
            continue
        ready_after = frozenset(graph.predecessors(name))
        found.setdefault((one.node.type, one.step.share, ready_after), []).append(name)
    chunks = (
        tuple(names[at : at + MAX_SHARED])
        for names in found.values()
        for at in range(0, len(names), MAX_SHARED)
    )
    return tuple(chunk for chunk in chunks if len(chunk) > 1)


def _groups(
    graph: Graph, planned: Sequence[Planned], reused: Iterable[str], names: Names
) -> tuple[Group, ...]:
    steps = {one.node.name: one.step for one in planned if one.step is not None}
    return tuple(
        Group(
            members=members,
            commands=graph.nodes[members[0]].activity.shared_commands(
                [steps[name] for name in members], names
            ),
        )
        for members in shared_groups(graph, planned, reused)
    )


def output_conflicts(planned: Sequence[Planned]) -> dict[str, ActivityError]:
    """Find activities that would write an object which an earlier one writes, by name."""
    writers: dict[ObjectRef, str] = {}
    conflicts: dict[str, ActivityError] = {}
    for one in planned:
        for output in one.step.outputs if one.step else ():
            ref = ObjectRef(bucket=output.ref.bucket, object=output.ref.object)
            first = writers.setdefault(ref, one.node.name)
            if first != one.node.name:
                conflicts[one.node.name] = ActivityError(
                    Code.OBJECT_KEY,
                    f'The activities "{first}" and "{one.node.name}" both write "{ref.object}".',
                    remedy="Give one of the outputs another name.",
                )
    return conflicts


def plan_all(
    graph: Graph,
    given: Input,
    start: Result,
    finished: Callable[[Planned], Result | None],
    *,
    fuse: bool = True,
) -> Plan:
    """Plan every activity without running any.

    `start` is the result of Start. `finished` returns the recorded result of an equal step, if
    there is one that can be reused. What has no result is forecast by the activity.
    """
    results: dict[str, Result] = {graph.start.name: start}
    keys: dict[str, str] = {}
    reused: set[str] = set()
    planned: list[Planned] = []
    for name in graph.order:
        one = plan_activity(graph, name, given, results, keys)
        planned.append(one)
        if one.step is None:
            continue
        keys[name] = one.key
        found = finished(one) if one.node.activity.reusable else None
        if found is not None:
            reused.add(name)
            results[name] = found
        elif name not in results:
            context = _context(graph, name, given, results)
            if forecast := one.node.activity.forecast(one.step, context):
                results[name] = Result(type=one.node.type, data=forecast.data)
    conflicts = output_conflicts(planned)
    final = tuple(
        Planned(node=p.node, error=conflicts[p.node.name]) if p.node.name in conflicts else p
        for p in planned
    )
    return Plan(
        activities=final,
        groups=_groups(graph, final, reused, given.names) if fuse else (),
        reused=frozenset(reused),
        warnings=graph.warnings,
    )
