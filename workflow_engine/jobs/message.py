"""The message at the end of a job (specification, api, 7)."""

from workflow_engine.jobs.objects import job_object
from workflow_engine.records import ExecutionKind, ExecutionRecord, Json

_TYPES = {
    ExecutionKind.TRANSCODE: "Transcode",
    ExecutionKind.SNAPSHOT: "Snapshot",
    ExecutionKind.ANALYSIS: "Analysis",
    ExecutionKind.MEDIA_INFO: "MediaInfo",
}


def job_message(record: ExecutionRecord) -> dict[str, Json]:
    """Return the message that tells how a job ended: its type and id, and the job object, flat."""
    return {"Type": _TYPES[record.kind], "JobId": record.run_id, **job_object(record)}
