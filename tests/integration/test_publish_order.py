"""What is about to become visible is known first: to who cleans up, and to who watches.

Decision 6: the intent is committed before anything is staged, the success after all has its name.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.bench import Bench, states
from workflow_engine.buckets import LocalBucket
from workflow_engine.errors import ActivityError, Code, StoreError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records.ingest import Notice

SETTLE = 0.1  # seconds
CONFIGURATION = f"""
[buckets.out]
path = "outputs/out"
events = "watch"
settle_seconds = {SETTLE}
"""


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench whose outputs lie in a bucket that is watched."""
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mediaflow.toml").write_text(CONFIGURATION)
    (tmp_path / "outputs/out").mkdir(parents=True)
    made = Bench(tmp_path)
    with closing(made.engine):
        yield made


def test_the_intent_is_there_before_a_file_is_staged(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    real_stage, known = LocalBucket.stage, dict[str, str]()

    def stage(bucket: LocalBucket, path: Path, key: str, handle: str, **more: Any) -> Any:
        (running,) = bench.engine.store.executions.newest()
        for intent in bench.engine.store.steps.intents(running.run_id):
            known[intent.handle] = intent.output.ref.object
        assert known.get(handle) == key
        return real_stage(bucket, path, key, handle, **more)

    monkeypatch.setattr(LocalBucket, "stage", stage)
    record = bench.run({"a": {"Text": "A"}, "b": {"Text": "B"}})
    assert set(states(record).values()) == {"Success"}
    assert {"a", "b"} <= set(known.values())
    assert bench.engine.store.steps.intents(record.run_id) == []


def test_what_a_dead_process_had_staged_in_part_does_not_stay(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """Nobody knows of it but by the intent."""
    store = bench.engine.store

    def die(claim: object) -> None:
        raise StoreError(Code.INTERNAL, "The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(store.queue, "check", die)
        with pytest.raises(StoreError):
            bench.run({"a": {"Text": "A"}})
    (left,) = store.executions.newest()
    (part,) = bench.out.iterdir()
    assert part.name.startswith(".")
    part.write_text("cont")
    with store._database.write() as connection:  # its lease lapses
        connection.exec_driver_sql("UPDATE executions SET lease_until = NULL, owner = NULL")
    record = bench.engine.resume(left.run_id, executor=InlineExecutor())
    assert set(states(record).values()) == {"Success"} and bench.ran == [("a",)] * 2
    assert os.listdir(bench.out) == ["a"]
    assert (bench.out / "a").read_text() == "content A"


def test_an_output_in_flight_starts_nothing(watched: Bench, monkeypatch: pytest.MonkeyPatch):
    """It has its name, and its activity has not succeeded yet."""
    store, intake = watched.engine.store, watched.engine.intake
    bound = {"Bucket": "out", "Location": "local"}
    chain = {
        "Activities": {
            "start": {"Type": "Start", "Parameters": {"InputFile": bound}},
            "report": {"Type": "Report"},
        },
        "Dependencies": {"start": ["report"], "report": []},
    }
    watched.engine.workflows.add("what lands in out", json.dumps(chain))
    time.sleep(0.02)
    intake.begin()
    finish, landed = store.steps.finish, list[str]()

    def look_first(claim: Any, record: Any, **more: Any) -> None:
        if record.name == "a":
            landed.extend(os.listdir(watched.out))
            settle()
        finish(claim, record, **more)

    def settle() -> None:
        intake.note([Notice(bucket="out", key=key, source="watch") for key in ("a", "other")])
        deadline = time.monotonic() + 20
        while store.arrivals.count():
            assert time.monotonic() < deadline
            time.sleep(min(intake.settle(), 0.05))

    monkeypatch.setattr(store.steps, "finish", look_first)
    (watched.out / "other").write_text("not of ours")
    record = watched.run({"a": {"Text": "A"}})
    assert set(states(record).values()) == {"Success"} and sorted(landed) == ["a", "other"]
    settle()
    started = [one.input.object for one in store.executions.newest() if one.run_id != record.run_id]
    assert started == ["other"]


@pytest.mark.parametrize("code", [Code.TIMEOUT, Code.NO_SPACE])
def test_what_would_hit_each_alone_is_not_repeated(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: Code
):
    """A shared process that ran out of time or space fails its members; none runs alone."""
    calls: list[int] = []

    def run_shared(pairs: Any) -> Any:
        calls.append(len(pairs))
        raise ActivityError(code, "As it would each of them.")

    monkeypatch.setattr(bench.fakes.registry["Work"], "run_shared", run_shared)
    record = bench.run({name: {"Share": "x", "Text": name} for name in "ab"})
    assert calls == [2] and bench.ran == []
    assert {a.code for a in record.activities if a.type == "Work"} == {code}
