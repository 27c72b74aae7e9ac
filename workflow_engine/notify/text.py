"""What notifications say, in plain text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from workflow_engine.errors import Code
from workflow_engine.records import (
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    escaped,
)
from workflow_engine.store.notifications import NotifyBatch

# a file called "@everyone.mp4" must not wake everybody in a chat
_MENTION = re.compile(r"@(?=everyone|here|channel)|<(?=!)", re.I)
_WORD_JOINER = "\u2060"
#: failed activities that are told of one execution
_FAILURES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A message to people: one line, and what stands below it."""

    title: str
    body: str


def trial_note(name: str) -> Note:
    """Return what `mediaflow notify test` sends to a target."""
    return Note(
        title="mediaflow: test",
        body=f"This is a test of [notify.{name}]. Ends of executions will be told here.",
    )


def note_of(record: ExecutionRecord, public_url: str = "") -> Note:
    """Return what is told of one execution; `public_url` leads to the pages of `serve`."""
    lines = [
        f"Workflow: {_shown(_workflow(record))}",
        f"Object: {_shown(_object(record))}",
        f"State: {record.shown_state}",
        f"RunId: {record.run_id}",
    ]
    if record.ended:
        lines.append(f"Ended: {_moment(record.ended)}{_took(record)}")
    failures = _failures(record)
    lines += ["", *failures] if failures else []
    lines.append("")
    if public_url:
        lines.append(f"Page: {_page(public_url, record)}")
    if record.report:
        lines.append(f"Report: {_shown(record.report)}")
    if failures and record.code != Code.CANCELLED:
        lines.append(f"To try again: mediaflow execution resume {record.run_id}")
    return Note(title=f"mediaflow: {_headline(record)}", body="\n".join(lines).rstrip())


def summary_of(
    batch: NotifyBatch, records: Sequence[ExecutionRecord], public_url: str = ""
) -> Note:
    """Return what is told of many executions; `records` are some of them, failures first."""
    counts = {"failed": batch.failed, "cancelled": batch.cancelled, "completed": batch.completed}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lines: list[str] = []
    for record in records:
        lines.append(f"- {_headline(record)} ({record.run_id})")
        lines += [f"    {line}" for line in _failures(record)]
        if public_url:
            lines.append(f"    {_page(public_url, record)}")
    if more := batch.count - len(records):
        lines.append(f"- and {more} more")
    if public_url:
        lines += ["", f"Page: {public_url.rstrip('/')}/executions"]
    return Note(title=f"mediaflow: {told}", body="\n".join(lines))


def _headline(record: ExecutionRecord) -> str:
    subject = _shown(f"{_workflow(record)} on {_object(record)}")
    if record.code == Code.CANCELLED:
        return f"Cancelled: {subject}"
    if record.state is ExecutionState.FAIL:
        return f"Failed: {subject}"
    if record.failed:
        return f"{record.failed} of {len(record.activities)} activities failed: {subject}"
    return f"Completed: {subject}"


def _failures(record: ExecutionRecord) -> list[str]:
    """Return lines of the first failed activities, and one of the execution that says more."""
    failed = [one for one in record.activities if one.state is ActivityState.FAIL]
    lines = [_shown(f"{one.name}: {one.code}: {one.message}") for one in failed[:_FAILURES]]
    if more := len(failed) - len(lines):
        lines.append(f"and {more} more")
    if record.code and record.message not in [one.message for one in failed]:
        lines.insert(0, _shown(f"{record.code}: {record.message}"))
    return lines


def _workflow(record: ExecutionRecord) -> str:
    if record.kind is ExecutionKind.WORKFLOW:
        return record.workflow
    return f"{record.kind} job"


def _object(record: ExecutionRecord) -> str:
    return f"{record.input.bucket}/{record.input.object}"


def _page(public_url: str, record: ExecutionRecord) -> str:
    return f"{public_url.rstrip('/')}/executions/{record.run_id}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _took(record: ExecutionRecord) -> str:
    begun = [one.started for one in record.activities if one.started]
    if not begun or not record.ended:
        return ""
    return f", after {(record.ended - min(begun)).total_seconds():.1f} s"


def _shown(text: str) -> str:
    return _MENTION.sub(lambda found: found[0] + _WORD_JOINER, escaped(text))
