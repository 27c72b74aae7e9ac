"""`store` and `execution list|resume --failed` on the command line, with what they print."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.queued import Queue
from tests.support.stores import activity, add, execution
from workflow_engine import cli
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ActivityState, ExecutionState, utc_now
from workflow_engine.records.catalog import ServiceRecord
from workflow_engine.store import Store


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Queue(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def store(queue: Queue) -> Store:
    return queue.store


def mediaflow(*arguments: str | Path, code: int = 0) -> str:
    """Return what a command printed."""
    ended = CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)
    assert ended.exit_code == code, ended.output
    return ended.stdout


def told(*arguments: str | Path, code: int = 0) -> Any:
    return json.loads(mediaflow(*arguments, "--json", code=code))


def ended(store: Store, *failed: str, days: float = 0, **changes: object) -> str:
    """Add an execution that has ended, some activities of it as Fail."""
    moment = utc_now() - timedelta(days=days)
    record = execution("a", "b", created=moment, **changes)
    claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
    for name in failed:
        store.steps.save(claim, activity(name, state=ActivityState.FAIL))
    state, code = ExecutionState.COMPLETED, ""
    if record.code:
        state, code = ExecutionState.FAIL, record.code
    store.executions.save(claim, state=state, code=code, message="", ended=moment)
    store.queue.release(claim)
    return claim.run_id


class TestFailed:
    def test_completed_is_not_all_that_people_are_told(self, store: Store):
        run_id = ended(store, "a", "b")
        good = ended(store)
        header, *lines = mediaflow("execution", "list").splitlines()
        state = slice(header.index("STATE"), header.index("WORKFLOW"))
        assert [line[state].strip() for line in lines] == ["Completed", "Completed, 2 failed"]
        assert "Completed, 2 failed" in mediaflow("execution", "show", run_id)
        assert "failed" not in mediaflow("execution", "show", good)
        # the words of the API stay
        assert told("execution", "show", run_id)["State"] == "Completed"
        assert {one["State"] for one in told("execution", "list")} == {"Completed"}

    def test_list(self, store: Store):
        ended(store)
        ended(store, code=str(Code.CANCELLED))
        add(store, "a")
        partly = ended(store, "a")
        broken = ended(store, code=str(Code.INTERRUPTED))
        other = ended(store, "b", workflow="other")
        wanted = [other, broken, partly]
        _, *lines = mediaflow("execution", "list", "--failed").splitlines()
        assert [line.split()[0] for line in lines] == wanted
        assert [one["RunId"] for one in told("execution", "list", "--failed")] == wanted
        _, line = mediaflow("execution", "list", "--failed", "--workflow", "other").splitlines()
        assert line.startswith(other)
        _, line = mediaflow("execution", "list", "--failed", "--limit", "1").splitlines()
        assert line.startswith(other)

    def test_resume_of_all_goes_through_the_queue(self, queue: Queue, store: Store):
        broken = {"Text": "b", "Fail": "InvalidParameter"}
        with queue.running():
            failing = [queue.submit(a={"Output": "{RunId}/a"}, b=broken) for _ in range(3)]
            for run_id in failing:
                assert queue.ended(run_id).failed == 1
        good = ended(store)
        old = ended(store, "a", days=9)
        mine = ended(store, "a", output_root="/out")
        before = {run_id: queue.record(run_id).activity("a").ended for run_id in failing}
        lines = mediaflow("execution", "resume", "--failed").splitlines()
        assert [line.split()[:2] for line in lines[:3]] == [[one, "queued"] for one in failing]
        assert lines[3].startswith(f"{mine}  left: ") and "alone" in lines[3]
        assert lines[4].startswith("No service is at work")
        assert queue.record(failing[0]).state is ExecutionState.QUEUED
        queue.fakes.ran.calls.clear()
        with queue.running():
            for run_id in failing:
                assert queue.ended(run_id).failed == 1
        # what had succeeded was kept
        assert queue.fakes.ran.calls == [("b",)] * 3
        assert {one: queue.record(one).activity("a").ended for one in failing} == before
        found = told("execution", "resume", old, good, code=2)
        assert found["Queued"] == [old]
        assert "already completed" in found["Problems"][0]["Message"]

    def test_resume_wants_one_or_the_other(self, store: Store):
        for arguments in ((), ("a", "--failed")):
            with pytest.raises(InvalidInputError, match="--failed"):
                mediaflow("execution", "resume", *arguments)
        assert "nothing has failed" in mediaflow("execution", "resume", "--failed")


class TestWaiting:
    def test_what_an_execution_waits_for_is_told(self, queue: Queue, store: Store):
        run_id = queue.submit(a={})
        assert "start mediaflow serve" in mediaflow("execution", "show", run_id)
        service = ServiceRecord(
            id="other",
            started=utc_now(),
            configuration="",
            data_dir="",
            workflows_dir="",
            buckets={"in": "/elsewhere"},
        )
        store.services.here(service)
        waits = f'waits for a process that knows the bucket "in" ({queue.path}/in)'
        assert waits in mediaflow("execution", "show", run_id)
        assert waits in mediaflow("execution", "list")
        fits = replace(service, id="fits", buckets=queue.engine.buckets.locations)
        store.services.here(fits)
        assert "waits for" not in mediaflow("execution", "show", run_id)
        assert "waits for" not in mediaflow("execution", "list")


class TestStore:
    def test_prune(self, store: Store):
        for days in (100, 95, 20, 1):
            ended(store, days=days)
        waiting = execution("a", created=utc_now() - timedelta(days=200))
        store.queue.add(waiting)
        assert mediaflow("store", "prune", "--dry-run").startswith("2 executions would be removed")
        assert len(store.executions.newest()) == 5
        assert mediaflow("store", "prune").startswith("2 executions were removed")
        assert told("store", "prune", "--days", "10")["Executions"] == 1
        assert len(store.executions.newest()) == 2

    def test_the_limits_are_those_of_the_configuration(self, queue: Queue, store: Store):
        for days in (30, 20, 3, 2):
            ended(store, days=days)
        with (queue.path / "mediaflow.toml").open("a") as file:
            file.write("[retention]\ndays = 25\nexecutions = 2\n")
        assert told("store", "prune", "--dry-run")["Executions"] >= 2
        assert told("store", "prune")["Executions"] == 2

    def test_backup_and_check(self, queue: Queue, store: Store):
        ended(store, "a")
        found = told("store", "check")
        assert found["Problems"] == [] and found["Executions"] == {"Completed": 1}
        assert "sound" in mediaflow("store", "check")
        assert (
            told("store", "backup", "copy.db")["Bytes"] == (queue.path / "copy.db").stat().st_size
        )
        with store._database.direct() as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("DELETE FROM executions")
            connection.execute("PRAGMA foreign_keys=ON")
        assert "damaged" in mediaflow("store", "check", code=1)
        assert told("store", "check", code=1)["Problems"]

    def test_they_create_no_store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
        monkeypatch.chdir(tmp_path)
        for command in (("prune",), ("check",), ("backup", "b.db")):
            with pytest.raises(InvalidInputError, match="no store"):
                mediaflow("store", *command)
        assert list(tmp_path.iterdir()) == []
