"""What the log and traces say of a run: a line when it begins, one when it ends, and a span."""

import logging
from contextlib import AbstractContextManager

from workflow_engine.errors import Code
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
)
from workflow_engine.telemetry import Span, fields, span

log = logging.getLogger(__name__)


def begins(record: ExecutionRecord) -> None:
    """Log that a run begins, or continues after its process was killed."""
    begun = any(one.state is not ActivityState.WAITING for one in record.activities)
    how = "continues" if begun else "begins"
    log.info("run %s: %s", how, _subject(record), extra=_about(record))


def ends(record: ExecutionRecord, seconds: float) -> None:
    """Log how a run ended after so many seconds in this process."""
    about, subject = _about(record, seconds=round(seconds, 3)), _subject(record)
    if not record.state.ended:
        log.info("run left for the next process: %s", subject, extra=about)
        return
    outputs = [output for activity in record.activities for output in activity.outputs]
    size = sum(output.digests.size for output in outputs)
    failures = {one.name: one.code for one in record.activities if one.state is ActivityState.FAIL}
    about["fields"] |= {
        "state": str(record.state),
        "outputs": len(outputs),
        "bytes": size,
        "failed": failures,
    }
    if record.state is ExecutionState.FAIL:
        about["fields"] |= {"code": record.code}
        level = logging.INFO if record.code == Code.CANCELLED else logging.WARNING
        how = f"{record.code}: {record.message}"
    else:
        level = logging.WARNING if failures else logging.INFO
        how = f"{len(outputs)} outputs, {size} bytes"
        if failures:
            how += "; failed: " + ", ".join(f"{name} ({code})" for name, code in failures.items())
    log.log(
        level,
        "run ended as %s after %.1f s: %s: %s",
        record.state,
        seconds,
        subject,
        how,
        extra=about,
    )


def execution_span(record: ExecutionRecord) -> AbstractContextManager[Span]:
    """Begin the span of a run."""
    return span(
        f"execution {record.workflow}",
        {
            "mediaflow.run_id": record.run_id,
            "mediaflow.kind": str(record.kind),
            "mediaflow.workflow": record.workflow,
            "mediaflow.workflow_id": record.workflow_id,
            "mediaflow.object": _object(record),
        },
    )


def execution_ended(seen: Span, record: ExecutionRecord) -> None:
    """Put the end of a run into its span; it is an error when an activity failed."""
    seen.set({"mediaflow.state": record.shown_state})
    failed = [one for one in record.activities if one.state is ActivityState.FAIL]
    if record.state is ExecutionState.FAIL:
        _fail(seen, record.code, record.message)
    elif failed:
        _fail(seen, failed[0].code, failed[0].message)


def activity_span(
    record: ExecutionRecord, name: str, parent: Span | None
) -> AbstractContextManager[Span]:
    """Begin the span of an activity, below that of its run."""
    return span(
        f"activity {name}",
        {
            "mediaflow.run_id": record.run_id,
            "mediaflow.workflow": record.workflow,
            "mediaflow.activity": name,
            "mediaflow.type": record.activity(name).type,
        },
        parent=parent,
    )


def activity_ended(seen: Span, record: ActivityRecord) -> None:
    """Put the end of an activity into its span."""
    seen.set(
        {
            "mediaflow.state": str(record.state),
            "mediaflow.reused": record.reused,
            "mediaflow.failed_attempts": len(record.attempts),
        }
    )
    if record.state is ActivityState.FAIL:
        _fail(seen, record.code, record.message)


def _fail(seen: Span, code: str, message: str) -> None:
    seen.set({"mediaflow.code": code})
    seen.fail(code, message)


def _subject(record: ExecutionRecord) -> str:
    if record.kind is ExecutionKind.WORKFLOW:
        return f'workflow "{record.workflow}" on "{_object(record)}"'
    return f'{record.kind} job on "{_object(record)}"'


def _about(record: ExecutionRecord, **more: object) -> dict[str, dict[str, object]]:
    return fields(workflow=record.workflow, object=_object(record), **more)


def _object(record: ExecutionRecord) -> str:
    return f"{record.input.bucket}/{record.input.object}"
