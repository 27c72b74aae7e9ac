"""Runs teach how long such work takes; plans and later runs tell it."""

from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.support.bench import Bench
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionState, Progress
from workflow_engine.run.estimates import Estimates
from workflow_engine.run.work import Forecast


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MEDIAFLOW_RUNNER__PROCESSES", "1")
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def forecast(bench: Bench) -> Forecast:
    workflow = bench.engine.load(bench.path / "flow.json")
    source = bench.engine.open_input(workflow, str(bench.input))
    return bench.engine.forecast(workflow, bench.engine.plan(workflow, source, fresh=True))


class Watch:
    """Keeps the first that is said of each activity."""

    def __init__(self) -> None:
        self.seen: dict[str, Progress] = {}
        self.later: list[Progress] = []

    def activity_changed(self, record: ActivityRecord) -> None:
        pass

    def progressed(self, name: str, progress: Progress) -> None:
        self.seen.setdefault(name, progress)
        self.later.append(progress)


def test_a_run_teaches_the_next_plan_and_the_next_run(bench: Bench):
    edges = {"start": ["a"], "a": ["b"], "b": ["report"], "report": []}

    def run(seconds: str, **options: Any) -> Watch:
        watch = Watch()
        works = {"a": {"Seconds": seconds}, "b": {"Seconds": seconds}}
        record = bench.run(works, edges, fresh=True, observers=[watch], **options)
        assert {one.state for one in record.activities} == {ActivityState.SUCCESS}
        return watch

    with closing(bench.engine):
        first = run("0.1")  # too short to be worth anything
        assert forecast(bench).seconds is None
        assert all(one.run_seconds_left is None for one in first.later)
        run("0.6")
        known = forecast(bench)
        assert known.seconds is not None and known.runs == 1
        both = known.activities["a"].whole + known.activities["b"].whole
        assert 1.2 <= both <= known.seconds
        # more than the one activity: what waits behind it counts
        second = run("0.6").seen["a"]
        assert second.seconds_left is not None and second.run_seconds_left is not None
        assert second.run_seconds_left > second.seconds_left
        assert forecast(bench).runs > 1
        # nothing of what an earlier step has left takes time
        workflow = bench.engine.load(bench.path / "flow.json")
        source = bench.engine.open_input(workflow, str(bench.input))
        reused = bench.engine.forecast(workflow, bench.engine.plan(workflow, source))
        assert reused.activities.keys() == {"report"} and reused.seconds is None


def test_what_cannot_be_learnt_changes_no_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(estimates: Estimates) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(Estimates, "measured", broken)
    with closing(bench.engine):
        edges = {"start": ["a"], "a": ["report"], "report": []}
        record = bench.run({"a": {"Seconds": "0.1"}}, edges)
    assert record.state is ExecutionState.COMPLETED and "not kept" in caplog.text
