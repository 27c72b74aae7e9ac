"""An execution as lines of text."""

from collections.abc import Iterator

from workflow_engine.cli.common import duration_text, size_text
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    Output,
    utc_now,
    wire_time,
)

_MARKS = {
    ActivityState.SUCCESS: "ok  ",
    ActivityState.FAIL: "FAIL",
    ActivityState.SKIPPED: "skip",
    ActivityState.RUNNING: "run ",
    ActivityState.WAITING: "wait",
}
#: outputs of one activity that are listed; a long sequence of segments is summed up
_LISTED = 4


def execution_lines(record: ExecutionRecord) -> Iterator[str]:
    """Yield the summary that `run` and `execution show` print."""
    why = f"  {record.code}: {record.message}" if record.code else ""
    yield f"RunId     {record.run_id}"
    yield f"Workflow  {record.workflow}"
    yield f"Input     {record.input.bucket}/{record.input.object}"
    yield f"State     {record.shown_state}{why}"
    yield f"Created   {_times(record)}"
    yield ""
    names = max((len(a.name) for a in record.activities), default=0)
    types = max((len(a.type) for a in record.activities), default=0)
    for activity in record.activities:
        yield from _activity_lines(activity, names, types)
    yield ""
    if record.report:
        yield f"Report    {record.report}"
    if record.prefect_url:
        yield f"Prefect   {record.prefect_url}"


def _times(record: ExecutionRecord) -> str:
    """When an execution was accepted, and how long it took from then, or has taken so far."""
    begun = wire_time(record.created)
    if record.ended:
        return f"{begun}, took {duration_text((record.ended - record.created).total_seconds())}"
    return f"{begun}, {duration_text((utc_now() - record.created).total_seconds())} ago"


def _activity_lines(activity: ActivityRecord, names: int, types: int) -> Iterator[str]:
    line = f"{_MARKS[activity.state]} {activity.name:<{names}}  {activity.type:<{types}}"
    if activity.started and activity.ended:
        line += f"  {(activity.ended - activity.started).total_seconds():6.1f} s"
    if activity.reused:
        line += "  reused"
    if activity.message:
        line += f"  {activity.code + ': ' if activity.code else ''}{activity.message}"
    yield line.rstrip()
    for warning in activity.result.warnings:
        yield f"     warning: {warning}"
    for note in activity.result.notes:
        yield f"     {note}"
    shown = activity.outputs
    if len(shown) > _LISTED:
        total = sum(output.digests.size for output in shown)
        yield f"     {len(shown)} objects, {size_text(total)}, among them"
        shown = (shown[0], shown[-1])
    for output in shown:
        yield f"     {_output_text(output)}"


def _output_text(output: Output) -> str:
    facts = [size_text(output.digests.size)]
    if duration := output.media.get("Duration"):
        facts.append(f"{float(duration):.1f} s")
    if output.media.get("Width"):
        facts.append(f"{output.media['Width']}x{output.media['Height']}")
    return f"{output.place}  ({', '.join(facts)})"
