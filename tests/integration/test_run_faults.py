"""Faults at the seams of a run: between staging and names, between two owners, between siblings."""

import errno
import os
import resource
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.bench import Bench, states
from tests.support.queued import Queue
from workflow_engine.activity import ActivityResult, Produced
from workflow_engine.buckets import LocalBucket, files
from workflow_engine.buckets.local import StagedFile
from workflow_engine.errors import Code, LeaseLostError, MediaflowError, StoreError, Transient
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionRecord, ObjectRef
from workflow_engine.run import publisher, work_directory
from workflow_engine.run.shared_process import SharedProcess
from workflow_engine.store import Claim


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLOW_RETRY__FIRST_PAUSE", "0.05")
    monkeypatch.setenv("MEDIAFLOW_RETRY__LONGEST_PAUSE", "0.1")
    monkeypatch.setenv("MEDIAFLOW_RETRY__ATTEMPTS", "4")


def away() -> MediaflowError:
    return MediaflowError(Code.STORAGE, "The storage is away.", transient=Transient.STORAGE)


def free_claims(bench: Bench) -> None:
    """Let the leases lapse of processes that are gone."""
    with bench.engine.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE executions SET lease_until = NULL, owner = NULL")


def run_until_names(bench: Bench, monkeypatch: pytest.MonkeyPatch, **works: Any) -> ExecutionRecord:
    """Run until the outputs of an activity are staged; then the store fails."""

    def fail(claim: Claim) -> None:
        raise StoreError(Code.INTERNAL, "The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(bench.engine.store.queue, "check", fail)
        with pytest.raises(StoreError):
            bench.run(works)
    free_claims(bench)
    (record,) = bench.engine.store.executions.newest()
    return record


# --- names


def failing_sync(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let so many names be given without anybody knowing whether they are on the disk."""
    real, left = files.sync_folder, [times]

    def sync(folder: Path) -> None:
        if folder.name == "out" and list(folder.glob("a")) and left[0]:
            left[0] -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(folder)

    monkeypatch.setattr(files, "sync_folder", sync)


def test_a_name_whose_way_to_the_disk_failed_is_synced_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    failing_sync(monkeypatch, 2)
    record = bench.run({"a": {"Text": "A"}})
    assert set(states(record).values()) == {"Success"} and bench.ran == [("a",)]
    assert os.listdir(bench.out) == ["a"]


def test_an_output_that_may_be_visible_stays_known(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    failing_sync(monkeypatch, 99)
    record = bench.run({"a": {"Text": "A"}})
    assert states(record)["a"] == "Fail" and (bench.out / "a").exists()
    (intent,) = bench.engine.store.steps.intents(record.run_id)
    assert intent.output.ref.object == "a"


def test_an_intent_that_cannot_be_completed_fails_its_activity_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    left = run_until_names(bench, monkeypatch, a={"Text": "A"}, b={"Text": "B"})
    for name in "ab":
        (bench.out / name).mkdir()
    (bench.out / "b").rmdir()
    record = bench.engine.resume(left.run_id, executor=InlineExecutor())
    assert states(record) == {"start": "Success", "a": "Fail", "b": "Success", "report": "Success"}


# --- owners


def test_what_is_staged_outlives_a_failure_of_the_store(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    left = run_until_names(bench, monkeypatch, a={"Text": "A"})
    record = bench.engine.resume(left.run_id, executor=InlineExecutor())
    assert set(states(record).values()) == {"Success"} and bench.ran == [("a",)]
    assert os.listdir(bench.out) == ["a"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["known", "forgotten"])
def test_what_a_lost_claim_had_staged_is_left_to_the_new_owner_if_he_knows_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, forgotten: bool
):
    real_stage = LocalBucket.stage
    store = bench.engine.store
    claims: list[Claim] = []

    def stage_late(bucket: LocalBucket, *given: Any, **more: Any) -> StagedFile:
        if bucket.name == "out" and not claims:
            (running,) = store.executions.newest()
            free_claims(bench)  # the lease lapsed
            claims.append(store.queue.claim(running.run_id, owner="another", lease_seconds=60))
            if forgotten:
                store.steps.reset(claims[0], "a")
        return real_stage(bucket, *given, **more)

    monkeypatch.setattr(LocalBucket, "stage", stage_late)
    with pytest.raises(LeaseLostError):
        bench.run({"a": {"Text": "A"}})
    assert [name for name in os.listdir(bench.out) if not name.startswith(".")] == []
    assert len(os.listdir(bench.out)) == (0 if forgotten else 1)
    store.queue.release(claims[0])
    record = bench.engine.resume(claims[0].run_id, executor=InlineExecutor())
    assert set(states(record).values()) == {"Success"}
    assert os.listdir(bench.out) == ["a"] and bench.ran == [("a",)] * (2 if forgotten else 1)


def test_no_further_name_is_given_once_another_process_has_the_execution(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    store, publish = bench.engine.store, StagedFile.publish
    claims: list[Claim] = []

    def run(step: Any, context: Any) -> ActivityResult:
        files = [context.work / name for name in "123"]
        for file in files:
            file.write_text(file.name)
        refs = [ObjectRef(bucket="out", object=file.name) for file in files]
        return ActivityResult(
            outputs=tuple(Produced(path=p, ref=r) for p, r in zip(files, refs, strict=True))
        )

    def lose_the_claim(staged: StagedFile) -> str:
        if not claims:
            (running,) = store.executions.newest()
            free_claims(bench)
            claims.append(store.queue.claim(running.run_id, owner="another", lease_seconds=60))
        return publish(staged)

    monkeypatch.setattr(publisher, "CHECKED_FOR", 0)
    monkeypatch.setattr(bench.fakes.registry["Work"], "run", run)
    monkeypatch.setattr(StagedFile, "publish", lose_the_claim)
    with pytest.raises(LeaseLostError):
        bench.run({"a": {}})
    assert [name for name in os.listdir(bench.out) if not name.startswith(".")] == ["1"]
    store.queue.release(claims[0])
    record = bench.engine.resume(claims[0].run_id, executor=InlineExecutor())
    assert set(states(record).values()) == {"Success"}
    assert sorted(os.listdir(bench.out)) == ["1", "2", "3"]


# --- siblings


def test_a_sibling_that_comes_late_leaves_the_process_of_the_others_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    side = bench.path / "outputs" / "side"
    side.mkdir(parents=True)
    (side / "s").write_text("side")
    real = bench.engine._inputs.side

    def open_late(ref: Any, find: Callable[[str], Any]) -> Any:
        if not bench.fakes.ran.calls:
            raise away()
        return real(ref, find)

    monkeypatch.setattr(bench.engine._inputs, "side", open_late)
    shared = {"Share": "x", "Seconds": "1"}
    record = bench.run({"a": shared, "b": shared, "c": {"Share": "x", "Reads": "s"}})
    assert bench.ran == [("a", "b"), ("c",)]
    assert set(states(record).values()) == {"Success"}


def test_a_process_that_failed_takes_its_directories_along():
    """Who is told late must not take away what the next attempt works in."""

    def run_shared(pairs: object) -> None:
        raise away()

    activity = SimpleNamespace(run_shared=run_shared)
    members: Any = [
        SimpleNamespace(node=SimpleNamespace(name=name, activity=activity), step=None)
        for name in "ab"
    ]
    gone: list[str] = []
    shared = SharedProcess(members, lambda members: nullcontext(()), gone.append)
    for name in "ab":
        with pytest.raises(MediaflowError, match="away"):
            shared.result(name)
        assert gone == ["a", "b"]


# --- attempts


def test_a_resumed_run_is_as_patient_as_the_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    queue = Queue(tmp_path)
    real, failures = queue.engine._inputs.again, [4]

    def again(record: ExecutionRecord) -> Any:
        if failures[0]:
            failures[0] -= 1
            raise away()
        return real(record)

    monkeypatch.setattr(queue.engine._inputs, "again", again)
    with queue.running():
        run_id = queue.submit(a={"Text": "A"})
        assert queue.ended(run_id).activity("start").code == Code.STORAGE
        failures[0] = 2
        queue.engine.queue.requeue(run_id)
        record = queue.ended(run_id)
    assert set(states(record).values()) == {"Success"}
    queue.engine.close()


def test_no_file_to_open_is_no_reason_not_to_begin(tmp_path: Path):
    (tmp_path / "0").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(tmp_path, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        work_directory.sweep(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / "0").exists()
