"""A service in a directory of its own with three workflows, and what it takes to use it."""

import json
from typing import Any

from tests.support.service import Service
from tests.support.waiting import wait_for
from workflow_engine.records import ActivityState, ExecutionRecord, ExecutionState

START = {
    "Type": "Start",
    "Parameters": {"InputFile": {"Bucket": "uploads"}, "PipelineId": "0" * 32},
}
REPORT = {"Type": "Report"}
COVER = {
    "Type": "Snapshot",
    "Parameters": {
        "SnapshotConfig": {
            "OutputFile": {"Bucket": "renditions", "Object": "{RunId}/cover.jpg"},
            "Time": "500",
        }
    },
}


def enlarged(template: str, bitrate: int = 0) -> dict[str, Any]:
    """An activity that takes a while: its picture is far larger than that of the clip.

    Those of different bitrates, in kbit/s, are not reused for each other.
    """
    outputs: list[dict[str, Any]] = [{"OutputObject": "{RunId}/large", "TemplateId": template}]
    if bitrate:
        outputs[0]["Video"] = {"Bitrate": str(bitrate)}
    parameters = {"OutputBucket": "renditions", "Outputs": outputs}
    return {"Type": "Transcode", "Parameters": parameters}


def topology(**activities: Any) -> str:
    """A chain of activities."""
    names = list(activities)
    edges = {name: names[n : n + 1] for n, name in enumerate(names, 1)}
    return json.dumps({"Activities": activities, "Dependencies": edges})


def submit(service: Service, workflow: str = "slow") -> str:
    with service.store() as store:
        found = store.workflows.named(workflow)
    assert found is not None
    media = service.legacy()(
        "AddMedia", FileURL="http://uploads.local.aliyuncs.com/clip.mp4", MediaWorkflowId=found.id
    )["Media"]
    return media["RunIdList"]["RunId"][0]


def encoding(service: Service, run_id: str) -> None:
    """Wait until ffmpeg writes the large picture."""
    wait_for(lambda: list(service.data.glob(f"work/{run_id}/attempt-*/[!s]*.mp4")), 120)


def ended(service: Service, run_id: str, seconds: float = 120) -> ExecutionRecord:
    wait_for(lambda: service.record(run_id).state.ended, seconds)
    return service.record(run_id)


def completed(service: Service, run_id: str, seconds: float = 120) -> ExecutionRecord:
    record = ended(service, run_id, seconds)
    assert record.state is ExecutionState.COMPLETED, (record.code, record.message)
    assert {a.state for a in record.activities} == {ActivityState.SUCCESS}
    return record
