"""A real Prefect server is told late which executions have ended."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.support.prefect_runs import asked, task_states
from workflow_engine.executor import prefect_ends
from workflow_engine.executor.prefect_ends import tell_ends
from workflow_engine.executor.prefect_server import LocalServer
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    new_id,
    utc_now,
)

S = ActivityState
STATES = {"start": S.SUCCESS, "hd": S.FAIL, "fhd": S.SKIPPED, "ld": S.WAITING}


class Runs:
    """Flow runs as killed processes leave them, and a store that knows what became of them."""

    def __init__(self, api: str) -> None:
        self.api = api
        self.store: dict[str, ExecutionRecord] = {}
        self._flow = asked(api, "/flows/", {"name": "left"})["id"]

    def add(self, kind: str, tasks: Mapping[str, str], **record: Any) -> str:
        """Add a flow run in a type of state, with task runs; `record`: of its execution."""
        run_id = new_id()
        body = {"flow_id": self._flow, "name": kind, "idempotency_key": run_id, "tags": [run_id]}
        flow_run = asked(self.api, "/flow_runs/", {**body, "state": {"type": kind}})["id"]
        for name, state in tasks.items():
            body = {"flow_run_id": flow_run, "name": name, "task_key": "a", "dynamic_key": name}
            asked(self.api, "/task_runs/", {**body, "state": {"type": state}})
        if record:
            self.store[run_id] = ExecutionRecord(
                run_id=run_id,
                workflow_id="",
                workflow="w",
                topology="",
                input=ObjectRef(bucket="b", object="o"),
                media_id="",
                created=utc_now(),
                activities=tuple(
                    ActivityRecord(name=name, type="T", state=state, code="C", message="m")
                    for name, state in STATES.items()
                ),
                **record,
            )
        return flow_run

    def lookup(self, run_ids: Collection[str]) -> Sequence[ExecutionRecord]:
        return [self.store[one] for one in run_ids if one in self.store]

    def state(self, flow_run: str) -> tuple[str, str | None]:
        state = asked(self.api, f"/flow_runs/{flow_run}")["state"]
        return state["type"], state["message"]


def test_only_runs_of_ended_executions_are_ended(
    prefect: LocalServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prefect_ends, "_PAGE", 2)  # nothing is lost between two pages
    runs = Runs(prefect.api_url)
    long_ago = utc_now() - timedelta(hours=1)
    ended: dict[str, Any] = {"state": ExecutionState.COMPLETED, "ended": long_ago}
    left = dict.fromkeys(STATES, "RUNNING") | {"start": "COMPLETED", "fhd-1f3": "PENDING"}
    left["ld"] = "PENDING"
    told = [runs.add(kind, left, **ended) for kind in ("RUNNING", "PENDING", "CANCELLING")]
    alone = {
        "of another store": runs.add("RUNNING", left),
        "still runs": runs.add("RUNNING", left, state=ExecutionState.RUNNING),
        "tells it itself": runs.add(
            "RUNNING", left, state=ExecutionState.COMPLETED, ended=utc_now()
        ),
    }
    forgotten = runs.add("COMPLETED", left, **ended)
    cancelled = runs.add(
        "RUNNING", {}, state=ExecutionState.FAIL, code="Cancelled", message="By.", ended=long_ago
    )
    tell_ends(prefect.api_url, runs.lookup)
    shown = {"start": "Completed", "hd": "Failed", "fhd": "Skipped", "ld": "Cancelled"}
    shown["fhd-1f3"] = "Skipped"  # so Prefect calls one that never ran
    for flow_run in told:
        assert runs.state(flow_run) == ("FAILED", "1 of 4 activities failed: hd (C): m")
        assert task_states(prefect.api_url, flow_run) == shown
    for why, flow_run in alone.items():
        assert runs.state(flow_run)[0] == "RUNNING", why
        assert task_states(prefect.api_url, flow_run)["hd"] == "Running", why
    assert runs.state(forgotten)[0] == "COMPLETED"
    assert task_states(prefect.api_url, forgotten) == shown
    assert runs.state(cancelled) == ("CANCELLED", "By.")


def test_what_ended_without_being_shown_is_shown_as_it_ended(prefect: LocalServer):
    """A task run was told to be cancelled when its run was left; another process finished it."""
    runs = Runs(prefect.api_url)
    long_ago = utc_now() - timedelta(hours=1)
    left = {"start": "CANCELLED", "hd": "CRASHED", "fhd": "CANCELLED"}
    flow_run = runs.add("PENDING", left, state=ExecutionState.COMPLETED, ended=long_ago)
    tell_ends(prefect.api_url, runs.lookup)
    shown = task_states(prefect.api_url, flow_run)
    assert (shown["start"], shown["hd"]) == ("Completed", "Failed")


def test_a_server_that_is_away_is_no_error():
    tell_ends("http://127.0.0.1:9/api", lambda run_ids: [])
