"""A service in a directory of its own with three workflows, and what it takes to use it."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service, wait_for
from workflow_engine.executor.prefect_server import LocalServer
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


@pytest.fixture
def home(tmp_path: Path, clip: Path) -> Path:
    """The directory of a service: a clip in its bucket, and three workflows."""
    (tmp_path / "buckets/uploads").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "buckets/uploads/clip.mp4")
    (tmp_path / "workflows").mkdir()
    head = {"start": START, "cover": COVER}
    workflows = {
        "quick": topology(**head, report=REPORT),
        "slow": topology(**head, large=enlarged("S00000001-200040"), report=REPORT),
        "very slow": topology(**head, large=enlarged("S00000001-200070"), report=REPORT),
    }
    for name, text in workflows.items():
        (tmp_path / f"workflows/{name}.json").write_text(text)
    return tmp_path


@pytest.fixture
def service(home: Path, prefect: LocalServer) -> Iterator[Service]:
    service = Service(home, f'[prefect]\napi_url = "{prefect.api_url}"\n')
    try:
        yield service.start().shown()
    finally:
        service.close()


@pytest.fixture
def own_prefect(home: Path, prefect: LocalServer) -> Iterator[Service]:
    """A service that has to start its Prefect server, on a database that is made already."""
    service = Service(home)
    (service.data / "prefect").mkdir(parents=True)
    made = Path(f"/proc/{prefect.pid}/cwd/prefect.db")
    with (
        closing(sqlite3.connect(made)) as source,
        closing(sqlite3.connect(service.data / "prefect/prefect.db")) as target,
    ):
        source.backup(target)
    try:
        yield service
    finally:
        service.close()


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
