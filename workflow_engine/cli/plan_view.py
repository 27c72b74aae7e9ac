"""A plan as text and as JSON."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from workflow_engine.activity import Artifact
from workflow_engine.cli.common import problem_json, size_text
from workflow_engine.planning.plan import Group, Plan, Planned
from workflow_engine.records import Json, ObjectRef, about
from workflow_engine.run.work import Forecast

#: seconds from which on it is worth to be told how long an activity takes
_WORTH = 1.0


def plan_lines(workflow: str, source: ObjectRef, plan: Plan, times: Forecast) -> Iterator[str]:
    """Yield the plan for reading."""
    yield f"{workflow} on {source.bucket}/{source.object}"
    for problem in plan.warnings:
        yield str(problem)
    for one in plan.activities:
        yield ""
        yield f"{one.node.name} [{one.node.type}]  {_verdict(one, plan)}{_time(one, times)}"
        if one.step is None:
            continue
        for problem in one.step.warnings:
            yield f"    {problem}"
        for output in one.step.outputs:
            guess = f", about {size_text(output.size_estimate)}" if output.size_estimate else ""
            yield f"    -> {output.ref.bucket}/{output.ref.object}  ({output.summary}{guess})"
        for output, streams in _taken(one).items():
            yield f"    <- {output}  ({', '.join(streams)})"
        yield from _found(one, plan)
        for line in _outline(one, plan):
            yield f"    {line}"
        for command in _commands(one, plan):
            yield f"    $ {shlex.join(command)}"
    if times.seconds is not None:
        yield ""
        yield f"It would take {about(times.seconds)}, {_runs(times.runs)} on this machine."


def _time(one: Planned, times: Forecast) -> str:
    """Say about how long an activity takes, if that is known and worth to be told."""
    needed = times.activities.get(one.node.name)
    return f", {about(needed.whole)}" if needed and needed.whole >= _WORTH else ""


def _runs(count: int) -> str:
    """Say what an estimate rests on."""
    return "as in one earlier run" if count == 1 else f"as in {count} earlier runs"


def _found(one: Planned, plan: Plan) -> Iterator[str]:
    """Yield the tables of what an activity found or expects to, each with its columns in line."""
    name = one.node.name
    result = plan.reused.get(name) or plan.forecasts.get(name)
    note = "" if name in plan.reused else ", a forecast: nothing has been measured"
    for artifact in one.node.activity.artifacts(result) if result else ():
        if not isinstance(artifact, Artifact) or artifact.kind != "table" or not artifact.content:
            continue
        rows = cast("Sequence[Mapping[str, Json]]", artifact.content)
        lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
        yield f"    {artifact.title}{note}"
        for line in lines:
            cells = (value.ljust(width) for value, width in zip(line, widths, strict=True))
            yield f"      {'  '.join(cells)}".rstrip()


def _verdict(one: Planned, plan: Plan) -> str:
    if one.error is not None:
        return f"would fail: {one.error.problem()}"
    if one.skip is not None:
        return f"skipped: {one.skip.reason}"
    if one.node.name in plan.reused:
        return "reused: an equal step is finished"
    if group := _group(one, plan):
        others = [name for name in group.members if name != one.node.name]
        return f"runs in one process with {', '.join(others)}"
    return "runs"


def _group(one: Planned, plan: Plan) -> Group | None:
    return next((group for group in plan.groups if one.node.name in group.members), None)


def _commands(one: Planned, plan: Plan) -> Sequence[Sequence[str]]:
    """What would be started for an activity; a shared process is shown at its first member."""
    if one.step is None or one.node.name in plan.reused:
        return ()
    if group := _group(one, plan):
        return group.commands if group.members[0] == one.node.name else ()
    return one.step.commands


def _taken(one: Planned) -> Mapping[str, Sequence[str]]:
    """Return which streams come out of which finished outputs."""
    found: dict[str, list[str]] = {}
    for stream, output in one.taken.items():
        found.setdefault(f"{output.ref.bucket}/{output.ref.object}", []).append(stream)
    return found


def _outline(one: Planned, plan: Plan) -> Iterable[str]:
    """What the commands do; that of a shared process is shown at its first member."""
    if one.step is None or one.node.name in plan.reused:
        return ()
    if group := _group(one, plan):
        return group.outline if group.members[0] == one.node.name else ()
    return one.node.activity.outline([one.step])


def plan_json(workflow: str, source: ObjectRef, plan: Plan, times: Forecast) -> dict[str, Json]:
    """Return the plan as a JSON object."""
    return {
        "Name": workflow,
        "Input": source.to_wire(),
        "Seconds": None if times.seconds is None else round(times.seconds, 1),
        "EarlierRuns": times.runs,
        "Activities": [_activity_json(one, plan, times) for one in plan.activities],
        "Groups": [
            {
                "Activities": list(group.members),
                "Outline": list(group.outline),
                "Commands": [list(c) for c in group.commands],
            }
            for group in plan.groups
        ],
        "Warnings": [problem_json(problem) for problem in plan.warnings],
    }


def _activity_json(one: Planned, plan: Plan, times: Forecast) -> dict[str, Json]:
    name = one.node.name
    wire: dict[str, Json] = {"Name": name, "Type": one.node.type, "Action": _action(one, plan)}
    if needed := times.activities.get(name):
        wire["Seconds"] = round(needed.whole, 1)
    if one.error is not None:
        wire["Error"] = problem_json(one.error.problem())
    if one.skip is not None:
        wire["Reason"] = one.skip.reason
    if one.step is not None:
        wire["Key"] = one.key
        wire["Outputs"] = [
            {
                "Bucket": output.ref.bucket,
                "Object": output.ref.object,
                "Summary": output.summary,
                "SizeEstimate": output.size_estimate,
            }
            for output in one.step.outputs
        ]
        if one.taken:
            wire["Streams"] = {name: output.ref.to_wire() for name, output in one.taken.items()}
        wire["Outline"] = list(one.node.activity.outline([one.step]))
        wire["Commands"] = [list(command) for command in one.step.commands]
        wire["Parameters"] = dict(one.step.identity)
        if name in plan.forecasts:
            wire["Forecast"] = dict(plan.forecasts[name].data)
        wire["Warnings"] = [problem_json(problem) for problem in one.step.warnings]
    return wire


def _action(one: Planned, plan: Plan) -> str:
    if one.error is not None:
        return "fail"
    if one.skip is not None:
        return "skip"
    return "reuse" if one.node.name in plan.reused else "run"
