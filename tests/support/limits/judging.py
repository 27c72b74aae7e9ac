"""What a topology is told when a field of it has some value."""

import json
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

from tests.support import topologies
from tests.support.limits.others import PACKAGE
from tests.support.limits.outputs import MP4, Limit
from workflow_engine.activity import load_registry
from workflow_engine.errors import Problem, Severity, TopologyError
from workflow_engine.planning.graph import load

#: codes and pointers
Told = list[tuple[str, str]]


def field(at: str, **output: Any) -> Limit:
    """A field of an output without any rule."""
    room = {"OutputObject": "{FileName}", "TemplateId": MP4, **output}
    return Limit("Transcode", f"/Outputs/0{at}", room={"OutputBucket": "out", "Outputs": [room]})


def with_value(given: Any, parts: list[str], value: Any, strings: Iterator[bool]) -> Any:
    """A copy of parameters with the value in its place; `strings` says what is encoded as JSON."""
    if not parts:
        return value
    head, *rest = parts
    if isinstance(given, list):
        copy: Any = list(given)
        copy[int(head)] = with_value(given[int(head)], rest, value, strings)
    else:
        copy = dict(given or {})
        copy[head] = with_value(copy.get(head), rest, value, strings)
    return json.dumps(copy) if next(strings) else copy


def placed(limit: Limit, value: Any, strings: Iterable[bool] = repeat(False)) -> Any:
    """The parameters of the activity with the value."""
    return with_value(limit.room, limit.at.split("/")[1:], value, iter(strings))


def errors(topology: Any) -> list[Problem]:
    """What is wrong with a topology, without warnings."""
    try:
        load(json.dumps(topology), load_registry())
    except TopologyError as error:
        assert all(problem.line for problem in error.problems)
        return [one for one in error.problems if one.severity is Severity.ERROR]
    return []


def side_by_side(activities: Iterable[tuple[str, Any]]) -> Any:
    """A topology of activities a0, a1, ... of these types and parameters."""
    middle = {f"a{n}": {"Type": kind, "Parameters": p} for n, (kind, p) in enumerate(activities)}
    return topologies.topology(
        {"start": topologies.start(), **middle, "report": topologies.report()}
    )


def told(limit: Limit, values: Iterable[Any]) -> list[Told]:
    """What is wrong with each value of a field, pointers below the parameters."""
    given = [placed(limit, value) for value in values]
    name, whole = limit.kind, PACKAGE
    if limit.kind in ("Start", "Report"):
        name, whole = limit.kind.lower(), topologies.minimal()
    if name in whole["Activities"]:
        return [below(name, errors(_changed(whole, name, parameters))) for parameters in given]
    problems = errors(side_by_side((limit.kind, parameters) for parameters in given))
    return [below(f"a{n}", problems) for n in range(len(given))]


def _changed(whole: Any, name: str, parameters: Any) -> Any:
    changed = {**whole["Activities"][name], "Parameters": parameters}
    return {**whole, "Activities": {**whole["Activities"], name: changed}}


def below(name: str, problems: Iterable[Problem]) -> Told:
    """What is wrong with the parameters of one activity."""
    base = f"/Activities/{name}/Parameters"
    found = [(str(one.code), one.pointer) for one in problems]
    return [(code, at.removeprefix(base)) for code, at in found if at.startswith(f"{base}/")]
