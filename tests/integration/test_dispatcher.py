"""The queue at work with fake activities: what runs, what breaks, and what nothing may break."""

import fcntl
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.queued import CONFIGURATION, Queue
from tests.support.stores import execution, output, success
from tests.support.waiting import wait_for
from workflow_engine.buckets import LocalBucket
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError, StoreError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.messages import outbox
from workflow_engine.records import (
    ExecutionRecord,
    ExecutionState,
    Progress,
    new_id,
)
from workflow_engine.run import lease
from workflow_engine.run.journal import Observer
from workflow_engine.settings import load_settings
from workflow_engine.store import Claim, Waiting, connections


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Queue(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE", 1.0)
    monkeypatch.setattr(lease, "RENEWAL", 0.1)


def foreground(
    queue: Queue, observers: Sequence[Observer], **works: dict[str, Any]
) -> ExecutionRecord:
    """Run a workflow as `run` does."""
    (queue.path / "flow.json").write_text(queue.workflow(**works))
    workflow = queue.engine.load(queue.path / "flow.json")
    source = queue.engine.open_input(workflow, "oss://in/clip.txt")
    return queue.engine.run(workflow, source, executor=InlineExecutor(), observers=observers)


def test_what_is_queued_runs(queue: Queue):
    with queue.running() as runner:
        runs = [queue.submit(a={"Text": str(n)}) for n in range(5)]
        assert [str(queue.ended(one).state) for one in runs] == ["Completed"] * 5
        wait_for(lambda: not runner.running())
        assert runner.status() == ""
    assert list((queue.path / "data" / "work").iterdir()) == []


def test_a_process_that_was_suspended_goes_on_with_what_it_runs(queue: Queue):
    run_id = queue.submit(a={"Seconds": "1"})
    with queue.running():
        wait_for(lambda: queue.states(run_id)["a"] == "Running")
        queue.let_claims_lapse()
        assert queue.ended(run_id).state is ExecutionState.COMPLETED
    assert queue.fakes.ran.calls == [("a",)]


class TestWorkDirectories:
    def test_a_run_that_was_taken_over_leaves_the_new_one_its_files(self, queue: Queue):
        run_id = queue.submit(a={"Seconds": "3"})
        other = Queue(queue.path)
        with queue.running():
            wait_for(lambda: queue.states(run_id)["a"] == "Running")
            with other.running():
                queue.let_claims_lapse()  # the other one takes it, the first one has to stop
                assert queue.ended(run_id).state is ExecutionState.COMPLETED
        other.engine.close()
        assert other.fakes.ran.calls == [("a",)]
        assert set(queue.states(run_id).values()) == {"Success"}
        assert list((queue.path / "data" / "work").iterdir()) == []

    def test_those_of_another_store_stay_while_their_process_lives(self, queue: Queue):
        other = queue.path / "data" / "work" / new_id()
        left = queue.path / "data" / "work" / new_id()
        for path in (other, left):
            (path / "attempt-x").mkdir(parents=True)
        with (other / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            with queue.running():
                queue.ended(queue.submit(a={}))
            assert (other / "attempt-x").is_dir()
            assert not left.exists()


class TestStoreTrouble:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch, short_lease: None) -> None:
        monkeypatch.setattr(connections, "BUSY_SECONDS", 0.2)

    @contextmanager
    def locked(self, queue: Queue) -> Iterator[None]:
        """Hold the store as a backup would."""
        other = sqlite3.connect(
            queue.path / "data" / "mediaflow.db", timeout=10, check_same_thread=False
        )
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()

    def test_a_locked_store_fails_nothing(self, queue: Queue):
        run_id = queue.submit(a={"Seconds": "0.5"}, b={})
        with queue.running() as runner:
            wait_for(lambda: queue.states(run_id)["a"] == "Running")
            with self.locked(queue):
                wait_for(lambda: "cannot be read" in runner.status())
                time.sleep(0.5)
            record = queue.ended(run_id)
            assert runner.status() == ""
        assert record.state is ExecutionState.COMPLETED
        assert set(queue.states(run_id).values()) == {"Success"}

    def test_a_foreground_run_says_so_and_can_be_resumed(self, queue: Queue):
        held: list[Any] = []

        class Lock:
            def activity_changed(watch, record: Any) -> None:
                if record.name == "a" and not held:
                    held.append(self.locked(queue))
                    held[0].__enter__()

            def progressed(watch, name: str, progress: Progress) -> None:
                pass

        with pytest.raises(StoreError, match="locked"):
            foreground(queue, [Lock()], a={"Seconds": "0.3"})
        held[0].__exit__(None, None, None)
        (left,) = queue.store.executions.newest()
        assert left.state is ExecutionState.RUNNING
        wait_for(lambda: not queue.store.queue.is_running(left.run_id))
        again = queue.engine.resume(left.run_id, executor=InlineExecutor())
        assert again.state is ExecutionState.COMPLETED


class TestPoison:
    def test_a_topology_that_does_not_load_any_more_ends(self, queue: Queue):
        run_id = queue.submit(a={})
        job_id = queue.job(a={})
        del queue.fakes.registry["Work"]  # pyright: ignore
        with queue.running():
            assert "Work" in queue.ended(run_id).message
            assert queue.ended(job_id).state is ExecutionState.FAIL
        (message,) = queue.store.messages.of_run(job_id)
        assert json.loads(message.body)["State"] == "Fail"

    @pytest.mark.parametrize(
        "other", ['[buckets.renamed]\npath = "in"', '[buckets.in]\npath = "x"']
    )
    def test_what_needs_another_bucket_waits_for_it(self, queue: Queue, other: str):
        run_id = queue.submit(a={})
        queue.engine.close()
        text = CONFIGURATION.replace('[buckets.in]\npath = "in"', other)
        (queue.path / "mediaflow.toml").write_text(text)
        queue.engine = Engine(load_settings(None), registry=queue.fakes.registry)
        with queue.running():
            (queue.path / "x").mkdir()
            (queue.path / "x" / "clip.txt").write_text("content ")
            known = queue.engine.buckets.locations
            if "in" in known:  # another one runs meanwhile
                queue.ended(queue.submit(b={}))
            (waiting,) = queue.store.queue.waiting_elsewhere(known)
        assert waiting == Waiting(buckets={"in": f"{queue.path}/in"}, count=1)
        assert queue.record(run_id).state is ExecutionState.QUEUED
        queue.engine.close()
        (queue.path / "mediaflow.toml").write_text(CONFIGURATION)
        queue.engine = Engine(load_settings(None), registry=queue.fakes.registry)
        with queue.running():
            assert queue.ended(run_id).state is ExecutionState.COMPLETED

    def test_a_message_that_cannot_be_written_ends_no_run(
        self, queue: Queue, monkeypatch: pytest.MonkeyPatch
    ):
        def broken(record: ExecutionRecord) -> Any:
            raise KeyError("Format")

        monkeypatch.setattr(outbox, "job_message", broken)
        job_id = queue.job(a={})
        with queue.running():
            record = queue.ended(job_id)
        assert record.state is ExecutionState.COMPLETED
        assert record.message_result["ErrorCode"] == "InternalError"

    def test_a_run_whose_end_cannot_be_saved_lets_the_others_run(
        self, queue: Queue, monkeypatch: pytest.MonkeyPatch, short_lease: None
    ):
        save = queue.store.executions.save
        tried: list[float] = []

        def broken(claim: Claim, **changes: Any) -> None:
            if claim.run_id == poison and changes.get("ended"):
                tried.append(time.monotonic())
                raise RuntimeError("a bug")
            save(claim, **changes)

        poison = queue.submit(a={})
        monkeypatch.setattr(queue.store.executions, "save", broken)
        with queue.running():
            wait_for(lambda: tried)
            assert queue.ended(queue.submit(b={})).state is ExecutionState.COMPLETED
            wait_for(lambda: len(tried) == 3)
        assert tried[2] - tried[0] > 1.5  # not hot: each attempt waits for its claim to lapse

    def test_observers_change_nothing(self, queue: Queue):
        class Broken:
            def activity_changed(self, record: Any) -> None:
                raise BrokenPipeError

            def progressed(self, name: str, progress: Progress) -> None:
                raise BrokenPipeError

        record = foreground(queue, [Broken()], a={"Seconds": "0.1"})
        assert record.state is ExecutionState.COMPLETED
        assert {str(a.state) for a in record.activities} == {"Success"}

    def test_a_queue_that_cannot_be_read_is_told_once_and_awaited(
        self, queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        claim_next = queue.store.queue.claim_next
        tried: list[int] = []

        def broken(**how: Any) -> Claim | None:
            tried.append(1)
            if len(tried) < 4:
                raise RuntimeError("a bug")
            return claim_next(**how)

        monkeypatch.setattr(queue.store.queue, "claim_next", broken)
        with queue.running() as runner:
            wait_for(runner.status)
            assert queue.ended(queue.submit(a={})).state is ExecutionState.COMPLETED
            assert runner.status() == ""
        warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(warnings) == 1


class TestEnd:
    def test_what_runs_may_end_and_nothing_begins(self, queue: Queue):
        running = [queue.submit(a={"Seconds": "0.5"}) for _ in range(2)]
        with queue.running() as runner:
            wait_for(lambda: runner.running() == 2)
            assert not runner.idle()
            runner.close()
            waiting = queue.submit(a={})
            wait_for(runner.idle)
            assert [str(queue.record(one).state) for one in running] == ["Completed"] * 2
            assert queue.record(waiting).state is ExecutionState.QUEUED

    def test_what_is_left_goes_on_in_the_next_process(self, queue: Queue):
        runs = [queue.submit(a={}, b={"Text": str(n), "Seconds": "2"}) for n in range(2)]
        with queue.running():
            for one in runs:
                wait_for(lambda one=one: queue.states(one)["b"] == "Running")
        assert [str(queue.record(one).state) for one in runs] == ["Running"] * 2
        assert not any(queue.store.queue.is_running(one) for one in runs)
        with queue.running():
            for one in runs:
                assert queue.ended(one).state is ExecutionState.COMPLETED
        assert len([call for call in queue.fakes.ran.calls if call == ("a",)]) <= 2

    def test_waiting_for_the_end_has_one_limit(self, queue: Queue, monkeypatch: pytest.MonkeyPatch):
        hold = threading.Event()
        fetch = LocalBucket.fetch

        def slow(bucket: LocalBucket, key: str, target: Path, **pinned: Any) -> Any:
            hold.wait(20)
            return fetch(bucket, key, target, **pinned)

        monkeypatch.setattr(LocalBucket, "fetch", slow)
        runs = [queue.submit(a={}) for _ in range(2)]
        with queue.running() as runner:
            wait_for(lambda: all(queue.states(one)["start"] == "Running" for one in runs))
            runner.leave()
            begun = time.monotonic()
            assert not runner.join(0.5)
            assert time.monotonic() - begun < 0.9
            hold.set()


class TestCancel:
    def test_one_that_has_just_ended_was_not_cancelled(
        self, queue: Queue, monkeypatch: pytest.MonkeyPatch
    ):
        run_id = queue.submit(a={})
        request = queue.store.queue.request_cancel

        def late(run_id: str) -> ExecutionState:
            with queue.running():
                queue.ended(run_id)
            return request(run_id)

        monkeypatch.setattr(queue.store.queue, "request_cancel", late)
        with pytest.raises(InvalidInputError, match="ended as Completed"):
            queue.engine.queue.cancel(run_id)

    def test_a_running_one_ends_in_seconds(self, queue: Queue):
        run_id = queue.submit(a={"Seconds": "30"})
        with queue.running():
            wait_for(lambda: queue.states(run_id)["a"] == "Running")
            queue.engine.queue.cancel(run_id)
            record = queue.ended(run_id, 5)
        assert (record.state, record.code) == (ExecutionState.FAIL, "Cancelled")

    def test_one_that_is_just_claimed_ends(self, queue: Queue):
        run_id = queue.submit(a={"Seconds": "30"})
        claim = queue.store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        queue.engine.queue.cancel(run_id)
        record = queue.engine.runs.run_claimed(claim, executor=InlineExecutor())
        assert (record.state, record.code) == (ExecutionState.FAIL, "Cancelled")


def test_a_foreground_run_knows_what_became_of_its_messages(queue: Queue):
    record = foreground(queue, [], a={})
    results = [record.activity(name).message_result for name in ("start", "report")]
    assert all(result.get("MessageId") for result in results), results


def test_one_data_directory_is_swept_by_whoever_may(tmp_path: Path):
    from workflow_engine.run.work_directory import WorkDirectory, sweep

    first, second = (WorkDirectory(tmp_path, "run") for _ in range(2))
    kept = first.attempt()
    gone = second.attempt()
    second.remove()
    sweep(tmp_path)
    assert kept.is_dir() and not gone.exists()
    first.remove()
    assert os.listdir(tmp_path) == []


def test_a_service_takes_away_what_killed_runs_left(queue: Queue):
    """Those of the foreground, too, which nobody goes on with."""
    job = execution("a", state=ExecutionState.RUNNING, output_root=str(queue.path))
    bucket = queue.engine.buckets.get("out")
    handle = bucket.reserve("k")
    file = queue.path / "file"
    file.write_text("staged")
    bucket.stage(file, "k", handle)
    claim = queue.store.queue.add_claimed(job, owner="me", lease_seconds=0)
    left = success("a", replace(output("k"), place=bucket.place("k")))
    queue.store.steps.intend(claim, left, handles=[handle])
    left = queue.path / "data" / "work" / job.run_id / "attempt-x"
    left.mkdir(parents=True)
    assert list((queue.path / "out").iterdir())
    with queue.running():
        assert not left.exists()
        assert list((queue.path / "out").iterdir()) == []
