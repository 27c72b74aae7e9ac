"""What travels between the modules: identifiers, states, and frozen records.

The ground floor: nothing here imports anything else of the engine, or does anything but compute.
`catalog` (what is registered) and `ingest` (what lands in buckets) are imported by their names.
"""

from workflow_engine.records.executions import (
    DEFAULT_PRIORITY,
    ActivityJob,
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    FailedAttempt,
    StepResult,
    shown_state,
)
from workflow_engine.records.ids import (
    new_id,
    run_id_of,
    stable_id,
    utc_now,
    wire_time,
)
from workflow_engine.records.objects import (
    Block,
    Digests,
    DigestSum,
    Json,
    ObjectRef,
    Output,
    ReadContent,
    content_version,
)
from workflow_engine.records.predictions import Figure, Prediction
from workflow_engine.records.progress import Progress, about
from workflow_engine.records.rates import Work
from workflow_engine.records.text import escaped

__all__ = [
    "DEFAULT_PRIORITY",
    "ActivityJob",
    "ActivityRecord",
    "ActivityState",
    "Block",
    "DigestSum",
    "Digests",
    "ExecutionKind",
    "ExecutionRecord",
    "ExecutionState",
    "FailedAttempt",
    "Figure",
    "Json",
    "ObjectRef",
    "Output",
    "Prediction",
    "Progress",
    "ReadContent",
    "StepResult",
    "Work",
    "about",
    "content_version",
    "escaped",
    "new_id",
    "run_id_of",
    "shown_state",
    "stable_id",
    "utc_now",
    "wire_time",
]
