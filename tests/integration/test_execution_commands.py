"""`execution show|watch|logs` and RunIds by their beginnings, with what they print."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.queued import Queue
from tests.support.stores import activity, execution, queue, success
from tests.support.waiting import wait_for
from workflow_engine import cli
from workflow_engine.cli.run_ids import complete
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import (
    ActivityState,
    ExecutionState,
    FailedAttempt,
    utc_now,
)
from workflow_engine.store import Claim, Store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Queue(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def store(home: Queue) -> Store:
    return home.store


def mediaflow(*arguments: str, code: int = 0) -> str:
    """Return what a command printed."""
    ended = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert ended.exit_code == code, ended.output
    return ended.stdout


def running(store: Store, run_id: str, *activities: str) -> Claim:
    """Add an execution that somebody runs."""
    record = execution(*activities, run_id=run_id, state=ExecutionState.RUNNING)
    return store.queue.add_claimed(record, owner="me", lease_seconds=60)


A, B, OTHER = (first + "0" * (32 - len(first)) for first in ("abc1", "abc2", "0123"))


class TestRunIds:
    @pytest.mark.parametrize("command", ["show", "cancel", "logs"])
    def test_so_much_is_enough_as_is_unique(self, store: Store, command: str):
        for run_id in (A, B, OTHER):
            queue(store, run_id=run_id)
        answer = mediaflow("execution", command, "0", "--json")
        assert json.loads(answer)  # of the right one, or this is another execution's
        if command != "logs":
            assert json.loads(answer)["RunId"] == OTHER
        mediaflow("execution", command, "abc2")

    def test_candidates_are_named(self, store: Store):
        for run_id in (A, B, OTHER):
            queue(store, run_id=run_id)
        with pytest.raises(InvalidInputError) as caught:
            mediaflow("execution", "show", "abc")
        assert A in caught.value.message and B in caught.value.message
        assert OTHER not in caught.value.message
        with pytest.raises(InvalidInputError, match="no execution"):
            mediaflow("execution", "show", "abd")
        with pytest.raises(InvalidInputError, match="no execution"):
            mediaflow("execution", "show", "%")

    def test_a_shell_is_offered_them(self, store: Store):
        for run_id in (A, B, OTHER):
            queue(store, run_id=run_id)
        assert {run_id for run_id, _ in complete("abc")} == {A, B}
        assert {about for _, about in complete("")} == {"wf in/a/b/c.flv"}


class TestLogs:
    def test_what_happened_in_the_order_of_time(self, store: Store):
        claim = running(store, A, "one", "two")
        begun = utc_now()

        def after(seconds: float):
            return begun + timedelta(seconds=seconds)

        attempt = FailedAttempt(ended=after(2), code="StorageUnavailable", message="It is away.")
        one = success("one", commands=(("ffmpeg", "-i", "a b"),), warnings=("Too loud.",))
        one = replace(one, started=after(1), ended=after(5), attempts=(attempt,))
        two = activity("two", started=after(3), ended=after(4), state=ActivityState.FAIL)
        two = replace(two, code="InternalError", message="No.", detail="line 1\nline 2")
        for record in (one, two):
            store.steps.save(claim, record)
        store.executions.save(claim, state=ExecutionState.COMPLETED, ended=after(6))
        printed = mediaflow("execution", "logs", A)
        lines = [line.split("Z  ", 1)[-1].strip() for line in printed.splitlines()]
        expected = [
            "accepted: wf on in/a/b/c.flv",
            "one  Transcode started",
            "one  attempt 1 failed: StorageUnavailable: It is away.",
            "two  Transcode started",
            "two  Fail after 1.0 s: InternalError: No.",
            "line 1",
            "line 2",
            "one  Success after 4.0 s",
            "$ ffmpeg -i 'a b'",
            "warning: Too loud.",
        ]
        assert lines[:-1] == expected
        assert lines[-1].startswith("Completed, 1 failed after ")
        events = json.loads(mediaflow("execution", "logs", A, "--json"))
        assert [event["Time"] for event in events] == sorted(event["Time"] for event in events)
        assert events[4] | {"Time": ""} == {
            "Time": "",
            "Activity": "two",
            "Text": "Fail after 1.0 s: InternalError: No.",
            "Lines": ["line 1", "line 2"],
        }


class TestWatch:
    def test_a_run_of_another_process_until_it_ends(self, home: Queue, store: Store):
        claim = running(store, A, "a")
        printed: list[str] = []

        def watch() -> None:
            printed.append(mediaflow("execution", "watch", "abc1", "--json", code=1))

        watching = threading.Thread(target=watch)
        watching.start()
        store.steps.save(claim, activity("a", state=ActivityState.RUNNING, started=utc_now()))
        assert not printed and watching.is_alive()
        store.steps.save(claim, activity("a", state=ActivityState.FAIL, ended=utc_now()))
        store.executions.save(claim, state=ExecutionState.COMPLETED, ended=utc_now())
        watching.join(60)
        assert json.loads(printed[0])["State"] == "Completed"  # and exit code 1: an activity failed

    def test_the_run_of_an_object(self, home: Queue):
        run_id = ""
        printed: list[str] = []

        def watch() -> None:
            printed.append(mediaflow("execution", "watch", "oss://in/clip.txt"))

        watching = threading.Thread(target=watch)
        watching.start()  # before there is any run
        run_id = home.submit(a={})
        with home.running():
            wait_for(lambda: home.record(run_id).state.ended, 60)
        watching.join(60)
        assert f"RunId     {run_id}\n" in printed[0] and "State     Completed\n" in printed[0]

    def test_nobody_runs_it_any_more(self, store: Store):
        claim = running(store, A, "a")
        store.queue.release(claim)
        shown = mediaflow("execution", "watch", A, code=1)
        assert "State     Running\n" in shown


class TestShow:
    def test_workflow_object_and_times(self, store: Store):
        claim = running(store, A)
        record = store.executions.get(A)
        assert record is not None
        ended = record.created + timedelta(seconds=185)
        store.executions.save(claim, state=ExecutionState.COMPLETED, ended=ended)
        shown = mediaflow("execution", "show", A)
        assert "Workflow  wf\nInput     in/a/b/c.flv\nState     Completed\n" in shown
        assert "took 3 min 5 s\n" in shown
        header, line = mediaflow("execution", "list").splitlines()
        assert header.split() == ["RUNID", "CREATED", "TOOK", "STATE", "WORKFLOW", "INPUT"]
        took = slice(header.index("TOOK"), header.index("STATE"))
        assert (line[: len(A)], line[took].strip()) == (A, "3 min 5 s")
