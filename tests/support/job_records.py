"""Executions that are jobs, to be told as job objects."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    Output,
    StepResult,
)

JOB = "0123456789abcdef0123456789abcdef"
PIPELINE = "f" * 32
CREATED = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
ENDED = datetime(2024, 5, 1, 12, 3, 0, tzinfo=UTC)

_TYPES = {
    ExecutionKind.TRANSCODE: "Transcode",
    ExecutionKind.SNAPSHOT: "Snapshot",
    ExecutionKind.ANALYSIS: "Analysis",
    ExecutionKind.MEDIA_INFO: "Start",
}


def job(
    kind: ExecutionKind,
    state: ExecutionState = ExecutionState.QUEUED,
    last: ActivityRecord | None = None,
    **values: Any,
) -> ExecutionRecord:
    """A job on `in/a b/c.mp4`; `last` is the activity that it is about."""
    return ExecutionRecord(
        run_id=JOB,
        workflow_id="",
        workflow=str(kind),
        topology="{}",
        input=ObjectRef(bucket="in", location="local", object="a b/c.mp4"),
        media_id="e" * 32,
        kind=kind,
        pipeline_id=PIPELINE,
        state=state,
        created=CREATED,
        ended=ENDED if state.ended else None,
        activities=(last or ActivityRecord(name="work", type=_TYPES[kind]),),
        **values,
    )


def done(kind: ExecutionKind, *outputs: Output, **data: Any) -> ActivityRecord:
    """The activity of a job that ended well."""
    return ActivityRecord(
        name="work",
        type=_TYPES[kind],
        state=ActivityState.SUCCESS,
        progress=1.0,
        result=StepResult(data=data, outputs=outputs),
    )


def running(kind: ExecutionKind, progress: float) -> ActivityRecord:
    """The activity of a job that is under way."""
    return replace(done(kind), state=ActivityState.RUNNING, progress=progress)


def output(key: str, **media: Any) -> Output:
    """A published object."""
    ref = ObjectRef(bucket="out", location="local", object=key)
    digests = Digests(size=1, sha256="0" * 64, md5="0" * 32)
    return Output(ref=ref, place=f"/out/{key}", digests=digests, media=media)
