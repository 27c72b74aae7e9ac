"""The page of one execution: for its report file, and for `serve`.

`execution_page` makes what the template `execution.html` is given as `page`, out of
`ExecutionFacts`. Their `record` is an execution as the store has it, in whatever state; `edges` are
the successors of each activity, `exhibits` what its type has to show (`Activity.artifacts`).
Everything else may be left out: who does not know it shows less. `run/exhibits.py` makes facts of a
record and a graph.

The template `execution.html` extends `base.html`. Its blocks `controls` (behind the heading) and
`after` are empty, for pages of `serve` to fill in a template that extends it. All of what changes
while an execution runs is in `execution_body.html`, within `<div id="execution">`: a live page
renders that template again and puts it in the place of the old one.

`execution_outputs.py` has what came out, `dag.py`, `timeline.py` and `plots.py` make drawings.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from workflow_engine.activity import Exhibit, Thumbnail
from workflow_engine.pages.dag import Drawing, draw
from workflow_engine.pages.execution_outputs import (
    Link,
    Shown,
    no_link,
    shown_of,
)
from workflow_engine.pages.rendering import label
from workflow_engine.pages.timeline import Timeline, timeline
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
)

#: characters of the commands and of the last lines that are shown: of one activity, and of all
_MOST_TEXT, _MOST_IN_ALL = 20_000, 800_000
#: activities that are shown with all that is known of them
_MOST_ACTIVITIES = 200


@dataclass(frozen=True, kw_only=True)
class ExecutionFacts:
    """What a page of an execution is made of.

    `record` has the activities in the order of the topology. `side_inputs` has what each activity
    read beside the input, `tools` the versions of the programs, `thumbnails` small pictures of
    outputs by their places, `notices` sentences about the page itself. `link` makes the URL of an
    output, empty where a browser cannot have it; with `load_pictures` those without a thumbnail are
    loaded from there. `report` is the URL of the report for programs, and `now` where time stands.
    """

    record: ExecutionRecord
    edges: Mapping[str, Sequence[str]]
    exhibits: Mapping[str, Sequence[Exhibit]]
    now: datetime
    side_inputs: Mapping[str, Sequence[tuple[ObjectRef, Digests]]] = field(
        default_factory=dict[str, Sequence[tuple[ObjectRef, Digests]]]
    )
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    thumbnails: Mapping[str, Thumbnail] = field(default_factory=dict[str, Thumbnail])
    notices: Sequence[str] = ()
    link: Link = no_link
    load_pictures: bool = False
    report: str = ""


@dataclass(frozen=True, kw_only=True)
class ActivityPart:
    """What is shown of one activity; `number` names it in the page.

    `shown` is None for one that left nothing, or where there are too many.
    """

    number: int
    record: ActivityRecord
    seconds: float | None
    shown: Shown | None
    commands: tuple[str, ...]
    detail: str
    side_inputs: Sequence[tuple[ObjectRef, Digests]]

    @property
    def told(self) -> bool:
        """Whether there is more to show of it than a line."""
        return bool(
            self.shown
            or self.commands
            or self.detail
            or self.side_inputs
            or self.record.attempts
            or self.record.result.warnings
            or self.record.result.notes
        )


@dataclass(frozen=True, kw_only=True)
class ExecutionPage:
    """All that the templates show.

    `verdict` says how it went. `remedies` and `advice` are commands with what each does: what helps
    after failures, and what may be of use. `first` is what the first activity found in the input.
    """

    record: ExecutionRecord
    title: str
    verdict: str
    failures: tuple[ActivityPart, ...]
    remedies: tuple[tuple[str, str], ...]
    advice: tuple[tuple[str, str], ...]
    activities: tuple[ActivityPart, ...]
    first: Shown | None
    drawing: Drawing
    timeline: Timeline
    seconds: float
    tools: Mapping[str, str]
    notices: Sequence[str]
    report: str

    @property
    def results(self) -> list[ActivityPart]:
        """The activities that left something to look at, without the first one."""
        return [one for one in self.activities[1:] if one.shown]

    def part(self, name: str) -> ActivityPart:
        """Return an activity by its name."""
        return next(one for one in self.activities if one.record.name == name)


def execution_page(facts: ExecutionFacts) -> ExecutionPage:
    """Return what the page of an execution shows."""
    record = facts.record
    parts = tuple(_part(facts, number, one) for number, one in enumerate(record.activities))
    end = record.ended or facts.now
    return ExecutionPage(
        record=record,
        title=label(record.input.object.rpartition("/")[2], 60),
        verdict=" ".join(_verdict(record)),
        failures=tuple(one for one in parts if one.record.state is ActivityState.FAIL),
        remedies=tuple(_remedies(record)),
        advice=tuple(_advice(record)),
        activities=parts,
        first=parts[0].shown if parts else None,
        drawing=draw({one.name: facts.edges.get(one.name, ()) for one in record.activities}),
        timeline=timeline(record, facts.now),
        seconds=max((end - record.created).total_seconds(), 0.0),
        tools=facts.tools,
        notices=facts.notices,
        report=facts.report,
    )


def _part(facts: ExecutionFacts, number: int, record: ActivityRecord) -> ActivityPart:
    whole = number < _MOST_ACTIVITIES or record.state is ActivityState.FAIL
    end = record.ended or (facts.now if record.state is ActivityState.RUNNING else None)
    most = min(_MOST_TEXT, _MOST_IN_ALL // len(facts.record.activities))
    commands = [shlex.join(command) for command in record.result.commands]
    return ActivityPart(
        number=number,
        record=record,
        seconds=(end - record.started).total_seconds() if record.started and end else None,
        shown=shown_of(
            record,
            facts.exhibits.get(record.name, ()),
            facts.thumbnails,
            facts.link,
            load_pictures=facts.load_pictures,
        )
        if whole
        else None,
        commands=tuple(_within(commands, most)) if whole else (),
        detail=record.detail[-most:],
        side_inputs=facts.side_inputs.get(record.name, ()),
    )


def _within(texts: Sequence[str], most: int) -> Iterator[str]:
    """Yield texts until they are too long together, and how many are left out."""
    for number, text in enumerate(texts):
        most -= len(text)
        if most < 0:
            yield f"# {len(texts) - number} more: report.json has all of them"
            return
        yield text


def _verdict(record: ExecutionRecord) -> Iterator[str]:
    """Yield sentences: how far it is or how it ended, what came out."""
    count = _counter(record)
    outputs = [output for one in record.activities for output in one.outputs]
    if record.state is ExecutionState.QUEUED:
        yield "It waits in the queue."
        return
    if record.state is ExecutionState.RUNNING:
        ended = sum(one.state.ended for one in record.activities)
        yield f"{ended} of {_number(len(record.activities), 'activity', 'activities')} have ended."
    elif record.code:
        yield f"{record.code}: {record.message}"
    elif not outputs:
        yield "Nothing came out."
    if failed := count(ActivityState.FAIL):
        yield f"{_number(failed, 'activity', 'activities')} failed."
    if outputs:
        made = _number(len(outputs), "object", "objects")
        yield f"{made} came out."
    if skipped := count(ActivityState.SKIPPED):
        yield f"{_number(skipped, 'activity was', 'activities were')} skipped."


def _counter(record: ExecutionRecord) -> Callable[[ActivityState], int]:
    states = [one.state for one in record.activities]
    return states.count


def _number(count: int, one: str, many: str) -> str:
    """Return a number and what it counts.

    >>> _number(1, "object", "objects"), _number(2, "object", "objects")
    ('1 object', '2 objects')
    """
    return f"{count:,} {one if count == 1 else many}"


def _remedies(record: ExecutionRecord) -> Iterator[tuple[str, str]]:
    """Yield commands that help an execution with failures, and what each does."""
    if record.state is ExecutionState.FAIL or (record.state.ended and record.failed):
        yield (
            f"mediaflow execution resume {record.run_id}",
            "Once the cause is gone, run what failed again, and what depends on it; what succeeded "
            "is kept:",
        )


def _advice(record: ExecutionRecord) -> Iterator[tuple[str, str]]:
    """Yield commands and what each does."""
    if not record.state.ended:
        yield f"mediaflow execution cancel {record.run_id}", "End it now:"
    yield f"mediaflow execution show {record.run_id}", "Show states and outputs in a terminal:"
