"""How an activity ends, as a success, skipped or failed, and how its execution does then."""

from dataclasses import dataclass, replace

from workflow_engine.activity import Exhibit, StepResult
from workflow_engine.errors import Code
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    utc_now,
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an activity ended, and what there is to show beside it."""

    record: ActivityRecord
    artifacts: tuple[Exhibit, ...] = ()


def succeeded(record: ActivityRecord, finished: StepResult, *, reused: bool) -> ActivityRecord:
    """Return an activity that has made its outputs, or found them."""
    return replace(
        record,
        state=ActivityState.SUCCESS,
        ended=utc_now(),
        progress=1.0,
        message="",
        reused=reused,
        result=finished,
    )


def skipped(record: ActivityRecord, reason: str) -> ActivityRecord:
    """Return an activity that a rule left out."""
    now = utc_now()
    started = record.started or now
    return replace(
        record,
        state=ActivityState.SKIPPED,
        job_id="",
        further_jobs=(),
        started=started,
        ended=now,
        message=reason,
    )


def failed(record: ActivityRecord, code: str, message: str, detail: str = "") -> ActivityRecord:
    """Return an activity that an error has ended."""
    return replace(
        record,
        state=ActivityState.FAIL,
        ended=utc_now(),
        code=str(code),
        message=message,
        detail=detail,
    )


def verdict(execution: ExecutionRecord, start: str) -> tuple[ExecutionState, str, str]:
    """Return state, code and message of an execution that came to its end.

    `start` is the name of its Start. A workflow fails with that only (specification, topology, 8);
    a job with any activity.
    """
    first = execution.activity(start)
    if first.state is not ActivityState.SUCCESS:
        return ExecutionState.FAIL, first.code, first.message
    if execution.kind is not ExecutionKind.WORKFLOW:
        for record in execution.activities:
            if record.state is ActivityState.FAIL:
                return ExecutionState.FAIL, record.code, record.message
            if record.state is ActivityState.SKIPPED:
                return ExecutionState.FAIL, Code.TEMPLATE_NOT_SUPPORTED, record.message
    return ExecutionState.COMPLETED, "", ""
