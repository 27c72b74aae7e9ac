"""`execution logs`: what happened in one execution, in the order of time."""

import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from workflow_engine.cli import run_ids
from workflow_engine.cli.common import (
    AsJson,
    duration_text,
    emit,
    print_json,
    printable,
    settings,
    size_text,
)
from workflow_engine.cli.run_ids import RunIdArgument
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, Json


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened: to an activity, or to the execution where that is empty.

    `lines` belong to it: commands, and what a tool printed last.
    """

    time: datetime
    activity: str
    text: str
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The event as `--json` prints it."""
        time = self.time.isoformat(timespec="milliseconds")
        where: dict[str, Json] = {"Activity": self.activity} if self.activity else {}
        return {"Time": time, **where, "Text": self.text, "Lines": list(self.lines)}


def logs(given: RunIdArgument, as_json: AsJson = False) -> None:
    """Say what happened in an execution, in the order of time.

    When activities began and how they ended, attempts that failed, warnings, the commands of
    finished activities, and the last lines of ffmpeg of failed ones. Times are UTC.
    """
    from workflow_engine.store import Store

    with closing(Store.open(settings().store.url)) as store:
        record = run_ids.execution(store, given)
    events = sorted(_events(record), key=lambda event: event.time)
    if as_json:
        print_json([event.to_json() for event in events])
        return
    width = max(len(activity.name) for activity in record.activities) if record.activities else 0
    for event in events:
        time = event.time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        emit(printable(f"{time}  {event.activity:<{width}}  {event.text}").rstrip())
        for line in event.lines:
            emit(printable(f"    {line}"))


def _events(record: ExecutionRecord) -> Iterator[Event]:
    about = f"{record.workflow} on {record.input.bucket}/{record.input.object}"
    yield Event(time=record.created, activity="", text=f"accepted: {about}")
    for activity in record.activities:
        yield from _events_of(activity)
    if record.ended:
        why = f", {record.code}: {record.message}" if record.code else ""
        took = duration_text((record.ended - record.created).total_seconds())
        text = f"{record.shown_state} after {took}{why}"
        yield Event(time=record.ended, activity="", text=text)


def _events_of(activity: ActivityRecord) -> Iterator[Event]:
    name = activity.name
    if activity.started:
        yield Event(time=activity.started, activity=name, text=f"{activity.type} started")
    for number, attempt in enumerate(activity.attempts, 1):
        text = f"attempt {number} failed: {attempt.code}: {attempt.message}"
        yield Event(time=attempt.ended, activity=name, text=text)
    if activity.state is ActivityState.RUNNING and activity.message and activity.attempts:
        yield Event(time=activity.attempts[-1].ended, activity=name, text=activity.message)
    if activity.ended:
        yield Event(time=activity.ended, activity=name, text=_end(activity), lines=_lines(activity))


def _end(activity: ActivityRecord) -> str:
    if activity.state is ActivityState.SUCCESS and activity.reused:
        return "reused: an earlier run had finished it"
    code = f"{activity.code}: " if activity.code else ""
    why = f": {code}{activity.message}" if activity.message else ""
    took = ""
    if activity.started and activity.ended and activity.state is not ActivityState.SKIPPED:
        took = f" after {duration_text((activity.ended - activity.started).total_seconds())}"
    return f"{activity.state}{took}{why}"


def _lines(activity: ActivityRecord) -> tuple[str, ...]:
    """Return the commands, warnings, outputs and last lines of an activity that has ended."""
    result = activity.result
    return (
        *(f"$ {shlex.join(command)}" for command in result.commands),
        *(f"warning: {warning}" for warning in result.warnings),
        *(f"{output.place}  ({size_text(output.digests.size)})" for output in activity.outputs),
        *activity.detail.splitlines(),
    )
