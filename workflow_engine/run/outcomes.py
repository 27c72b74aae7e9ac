"""How an activity ends: as a success, skipped or failed."""

from dataclasses import dataclass, replace

from workflow_engine.activity import Artifact, StepResult
from workflow_engine.records import ActivityRecord, ActivityState, utc_now


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an activity ended, and what there is to show beside it."""

    record: ActivityRecord
    artifacts: tuple[Artifact, ...] = ()


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
    return replace(record, state=ActivityState.SKIPPED, started=started, ended=now, message=reason)


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
