"""The words for the state of a job, kind by kind (specification, api, 5 and 9; analysis, 2).

A job that was cancelled is an execution that failed with the code `Cancelled`; only transcode
jobs have a word of their own for that.
"""

from dataclasses import dataclass

from workflow_engine.errors import Code
from workflow_engine.records import ExecutionKind, ExecutionRecord, ExecutionState


@dataclass(frozen=True, kw_only=True)
class Words:
    """What the states of an execution are called for one kind of job."""

    queued: str
    running: str
    completed: str = "Success"
    failed: str = "Fail"
    cancelled: str = "Fail"


WORDS = {
    ExecutionKind.TRANSCODE: Words(
        queued="Submitted",
        running="Transcoding",
        completed="TranscodeSuccess",
        failed="TranscodeFail",
        cancelled="TranscodeCancelled",
    ),
    ExecutionKind.SNAPSHOT: Words(queued="Submitted", running="Snapshoting"),
    ExecutionKind.ANALYSIS: Words(queued="Submitted", running="Analyzing"),
    ExecutionKind.MEDIA_INFO: Words(queued="Analyzing", running="Analyzing"),
    ExecutionKind.VIDEO_QUALITY: Words(queued="Submitted", running="Processing"),
    ExecutionKind.IMS_MEDIA_INFO: Words(queued="Init", running="Init"),
    ExecutionKind.IMS_CONVERT: Words(
        queued="Inited",
        running="Running",
        completed="Complete",
        failed="Error",
        cancelled="Cancelled",
    ),
}


def job_state(record: ExecutionRecord) -> str:
    """Return the word for the state of a job."""
    words = WORDS[record.kind]
    match record.state:
        case ExecutionState.QUEUED:
            return words.queued
        case ExecutionState.RUNNING:
            return words.running
        case ExecutionState.COMPLETED:
            return words.completed
        case ExecutionState.FAIL:
            return words.cancelled if record.code == Code.CANCELLED else words.failed
