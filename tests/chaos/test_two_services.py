"""Two services with different configurations on one store: neither harms the other's work."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.service_home import COVER, START, topology
from tests.support.waiting import wait_for
from workflow_engine.records import ExecutionState


def made(home: Path, clip: Path, workflow: str, extra: str = "", **settings: str) -> Service:
    """A service with one workflow and a clip in its bucket."""
    service = Service(home, extra, **settings)
    shutil.copy(clip, service.bucket("uploads") / "clip.mp4")
    text = topology(start=START, cover=COVER, report={"Type": "Report"})
    (home / f"workflows/{workflow}.json").write_text(text)
    return service


@pytest.fixture
def first(tmp_path: Path, clip: Path) -> Iterator[Service]:
    service = made(tmp_path / "first", clip, "cover")
    try:
        yield service.start()
    finally:
        service.close()


@pytest.fixture
def second(first: Service, tmp_path: Path, clip: Path) -> Iterator[Service]:
    """Its buckets have the names of the first one's, and lie elsewhere."""
    service = made(
        tmp_path / "second",
        clip,
        "other",
        f'[prefect]\napi_url = "{first.prefect}/api"\n',
        MEDIAFLOW_STORE__URL=f"sqlite:///{first.data}/mediaflow.db",
    )
    try:
        yield service.start()
    finally:
        service.close()


def submit(service: Service, workflow: str) -> str:
    """Queue a run without a word to the service."""
    added = service.json("media", "add", "oss://uploads/clip.mp4", "--workflow", workflow)
    return added["RunIdList"][0]  # the newest first


def ended(service: Service, run_id: str) -> str:
    wait_for(lambda: service.record(run_id).state.ended)
    return service.record(run_id).shown_state


@pytest.mark.long
def test_each_runs_what_its_buckets_serve(first: Service, second: Service):
    own = {first: submit(first, "cover"), second: submit(second, "other")}
    for service, run_id in own.items():
        assert ended(first, run_id) == "Completed"
        assert [path.name for path in service.bucket("renditions").iterdir()] == [run_id]
    states = {one["Name"]: one["State"] for one in first.json("workflow", "list")}
    assert states == {"cover": "Active", "other": "Active"}

    # each said what it works with, and that there is another one
    for service, other in ((first, second), (second, first)):
        assert f"Configuration {service.home}/mediaflow.toml, data {service.data}" in service.log
        wait_for(lambda service=service: "works on this store" in service.log)
        assert f'"{other.home}/mediaflow.toml" there' in service.log
        told = service.get("/readyz")["configuration"]
        assert "another configuration" in told and str(other.home) not in told

    # what needs the first one waits for it, although the second one is idle
    first.kill()
    run_id = submit(first, "cover")
    told = wait_for(lambda: "waiting" in (text := second.get("/readyz")["configuration"]) and text)
    assert "uploads" in told
    assert first.record(run_id).state is ExecutionState.QUEUED
    first.start()
    assert ended(first, run_id) == "Completed"
    assert (first.bucket("renditions") / run_id).is_dir()
    states = {one["Name"]: one["State"] for one in first.json("workflow", "list")}
    assert states == {"cover": "Active", "other": "Active"}
    assert first.json("execution", "list", "--failed") == []
