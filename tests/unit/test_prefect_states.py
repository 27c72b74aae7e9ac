"""What people read in Prefect about executions that have ended."""

from dataclasses import replace

import pytest

from workflow_engine.errors import Code
from workflow_engine.executor.prefect_states import StateType, flow_state, task_state
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    utc_now,
)


def activity(name: str, state: ActivityState = ActivityState.SUCCESS, code: str = ""):
    return ActivityRecord(name=name, type="T", state=state, code=code, message="Why.")


def execution(*activities: ActivityRecord) -> ExecutionRecord:
    return ExecutionRecord(
        run_id="0" * 32,
        workflow_id="",
        workflow="w",
        topology="",
        input=ObjectRef(bucket="b", object="o"),
        media_id="",
        created=utc_now(),
        state=ExecutionState.COMPLETED,
        activities=activities,
    )


def test_failed_activities_make_the_flow_run_failed_although_the_execution_is_completed():
    hd, cover = (activity(name, ActivityState.FAIL, "NoSpace") for name in ("hd", "cover"))
    state = flow_state(execution(activity("start"), hd, cover))
    assert state.type is StateType.FAILED
    assert state.message == "2 of 3 activities failed: hd (NoSpace), cover (NoSpace)"


def test_a_single_failure_says_why():
    start = activity("start", ActivityState.FAIL, "InvalidParameter")
    assert flow_state(execution(start)).message == (
        "1 of 1 activities failed: start (InvalidParameter): Why."
    )


def test_many_failures_do_not_fill_the_page():
    failed = [activity(f"a{n}", ActivityState.FAIL, "C") for n in range(300)]
    message = flow_state(execution(*failed)).message
    assert message.startswith("300 of 300 activities failed: a0 (C), ")
    assert message.endswith(" and 280 more") and len(message) < 500


@pytest.mark.parametrize("code", [Code.CANCELLED, Code.INTERRUPTED])
def test_what_was_stopped_is_cancelled(code: Code):
    failed = activity("hd", ActivityState.FAIL, code)
    stopped = replace(execution(failed), state=ExecutionState.FAIL, code=code, message="Stopped.")
    state = flow_state(stopped)
    assert (state.type, state.message) == (StateType.CANCELLED, "Stopped.")


def test_an_execution_that_fails_without_a_failed_activity_is_failed():
    """As a job does when its only activity is skipped."""
    skipped = activity("job", ActivityState.SKIPPED)
    failed = replace(execution(skipped), state=ExecutionState.FAIL, code="C", message="m")
    assert flow_state(failed).message == "C: m"


def test_what_was_skipped_is_not_drawn_like_a_success():
    assert flow_state(execution(activity("a", ActivityState.SKIPPED))).type is StateType.COMPLETED
    state = task_state(activity("a", ActivityState.SKIPPED))
    assert (state.type, state.name) == (StateType.CANCELLED, "Skipped")
    assert task_state(activity("a")).type is StateType.COMPLETED
