"""How long a run still takes: by its own speed, by what such work took, or not told at all."""

import threading
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from workflow_engine.activity import PlannedOutput, Produced, Step
from workflow_engine.errors import Code, StoreError
from workflow_engine.planning.graph import Graph, load
from workflow_engine.planning.plan import Planned
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ObjectRef,
    Progress,
    Work,
)
from workflow_engine.records.rates import Rate, Rates
from workflow_engine.run.estimates import Estimates
from workflow_engine.run.job import Job
from workflow_engine.run.side_inputs import NotReadError
from workflow_engine.testing import FakeRegistry

TOPOLOGY = """{"Activities": {
  "start": {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "in"}}},
  "a": {"Type": "Work"}, "b": {"Type": "Work"}, "c": {"Type": "Work"},
  "report": {"Type": "Report"}},
 "Dependencies": {"start": ["a", "b"], "a": ["c"], "b": ["report"], "c": ["report"], "report": []}}
"""
RUNNING, SUCCESS = ActivityState.RUNNING, ActivityState.SUCCESS
OUT = PlannedOutput(ref=ObjectRef(bucket="out", object="o"), summary="", size_estimate=2_000_000)


class Scene:
    """A run of five activities with a clock that stands still until it is told."""

    def __init__(self, **seconds: float) -> None:
        """`seconds` is how long a unit of a kind takes."""
        self.now = 1000.0
        self.rates = {name.replace("_", " "): value for name, value in seconds.items()}
        self.asked: list[str] = []
        self.graph: Graph = load(TOPOLOGY, FakeRegistry().registry)
        self.states = {name: ActivityRecord(name=name, type="") for name in self.graph.order}
        self.states["start"] = replace(self.states["start"], state=SUCCESS)
        self.estimates = Estimates(
            self.graph, learnt=self.learnt, processes=1, fuse=True, clock=lambda: self.now
        )
        self.plans = {name: self.planned(name) for name in "abc"}
        self.estimates.outlook = lambda: self.plans

    def learnt(self, kinds: Collection[str]) -> Rates:
        self.asked += kinds
        return {
            kind: Rate(samples=((1.0, self.rates[kind]),)) for kind in kinds if kind in self.rates
        }

    def planned(self, name: str, amount: float = 10.0, **more: object) -> Planned:
        work: Mapping[str, Work] = {"work": Work(kind="x", amount=amount)}
        return Planned(node=self.graph.nodes[name], step=replace(Step(work=work), **more))

    @contextmanager
    def slot(self) -> Generator[None]:
        yield

    def begin(self, *members: Planned) -> Job:
        self.states |= {
            one.node.name: replace(self.states[one.node.name], state=RUNNING) for one in members
        }
        job = self.estimates.begin(members, self.slot)
        with job.process():
            pass
        return job

    def at(self, seconds: float, fraction: float, name: str = "a") -> Progress:
        self.now = 1000.0 + seconds
        self.states[name] = replace(self.states[name], progress=fraction)
        return self.estimates.progress(name, self.states)


def test_without_rates_its_own_speed_counts_once_it_says_something():
    scene = Scene()
    job = scene.begin(scene.planned("a"))
    job.speed = 2.5
    assert scene.at(1, 0.0) == Progress(fraction=0.0, speed=2.5)
    assert scene.at(2, 0.2).seconds_left is None  # too early
    assert scene.at(3.5, 0.01).seconds_left is None
    assert scene.at(5, 0.1).seconds_left == pytest.approx(45)
    assert scene.at(40, 0.8).seconds_left == pytest.approx(10)
    # of the others nothing is known
    assert scene.at(41, 0.8).run_seconds_left is None


def test_rates_count_first_and_its_own_speed_by_and_by():
    scene = Scene(Work_x=2.0)
    scene.begin(scene.planned("a"))
    assert scene.at(1, 0.0).seconds_left == pytest.approx(19)
    assert scene.at(25, 0.0).seconds_left is None  # it should be over
    # ten seconds for a sixth: between the usual 20 and its own 60
    assert scene.at(10, 1 / 6).seconds_left == pytest.approx(5 / 6 * 40, rel=0.02)
    assert scene.at(20, 0.5).seconds_left == pytest.approx(20)


def test_waiting_for_a_place_is_no_work():
    scene = Scene(Work_x=2.0)
    job = scene.estimates.begin([scene.planned("a")], scene.slot)
    scene.states["a"] = replace(scene.states["a"], state=RUNNING)
    taken, free = threading.Event(), threading.Event()

    @contextmanager
    def slot() -> Generator[None]:
        taken.set()
        free.wait(5)
        yield

    job._slot = slot

    def work() -> None:
        with job.process():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    taken.wait(5)
    assert scene.at(50, 0.0).seconds_left == pytest.approx(20)
    assert not job.begun
    free.set()
    thread.join()
    assert scene.at(55, 0.0).seconds_left == pytest.approx(15)


def test_the_run_takes_what_waits_as_well_and_a_report_nothing():
    scene = Scene(Work_x=1.0, publish_out=4.0)
    scene.begin(scene.planned("a", outputs=(OUT,)))
    scene.plans["c"] = scene.planned("c", amount=7)
    # 10 s of a, 9 s until its output is there; b meanwhile, then c
    found = scene.at(0, 0.0)
    assert found.seconds_left == pytest.approx(19)
    assert found.run_seconds_left == pytest.approx(10 + 10 + 7)
    # looked up once a second at most: until then the time that went by is less
    asked = len(scene.asked)
    scene.plans["c"] = scene.planned("c", amount=100)
    assert scene.at(0.5, 0.0).run_seconds_left == pytest.approx(26.5)
    assert scene.at(1.5, 0.0).run_seconds_left == pytest.approx(8.5 + 10 + 100)
    assert len(scene.asked) == asked  # each kind once


@pytest.mark.parametrize("how", ["unknown kind", "not planned", "not read"])
def test_of_a_run_with_something_unknown_nothing_is_said(how: str):
    scene = Scene(Work_x=1.0)
    scene.begin(scene.planned("a"))
    if how == "unknown kind":
        scene.plans["b"] = Planned(
            node=scene.graph.nodes["b"], step=Step(work={"w": Work(kind="y", amount=1)})
        )
    elif how == "not planned":
        del scene.plans["b"]
    else:
        scene.plans["b"] = Planned(node=scene.graph.nodes["b"], error=NotReadError())
    found = scene.at(1, 0.0)
    assert found.seconds_left == pytest.approx(9) and found.run_seconds_left is None


def test_members_of_a_group_share_time_and_speed():
    scene = Scene(Work_x=1.0)
    both: list[Planned] = []
    for name in "ab":
        work = {"decode": Work(kind="x", amount=4), name: Work(kind="x", amount=3)}
        both.append(Planned(node=scene.graph.nodes[name], step=Step(work=work, share="s")))
    scene.begin(*both).speed = 3.0
    scene.at(2, 0.0)
    # the decode counts once
    assert scene.at(2, 0.0, "b") == Progress(
        fraction=0.0, speed=3.0, seconds_left=8.0, run_seconds_left=18.0
    )
    # for the run, the one that is told first counts
    assert scene.at(5, 0.5).run_seconds_left == pytest.approx(5 + 10)


def test_what_is_measured_is_kept_where_it_took_long_enough(tmp_path: Path):
    file = tmp_path / "o"
    file.write_bytes(b"1" * 750_000)
    scene = Scene()
    job = scene.begin(scene.planned("a"))
    scene.now += 0.4
    scene.estimates.end(job)
    assert scene.estimates.measured() == []
    with scene.estimates.published("a", [Produced(path=file, ref=OUT.ref)]):
        scene.now += 2
    found = {one.work: one.seconds for one in scene.estimates.measured()}
    assert found == {
        Work(kind="Work x", amount=10.0): pytest.approx(0.4),
        Work(kind="publish out", amount=1.0): pytest.approx(2),
    }


def test_an_ended_process_leaves_the_time_to_publish(tmp_path: Path):
    scene = Scene(Work_x=1.0, publish_out=2.0)
    file = tmp_path / "o"
    file.write_bytes(b"1" * 750_000)
    job = scene.begin(scene.planned("a", outputs=(OUT,)))
    scene.now += 3
    scene.estimates.end(job)
    assert scene.at(3, 1.0).seconds_left == pytest.approx(4.5)  # of the estimated size
    with scene.estimates.published("a", [Produced(path=file, ref=OUT.ref)]):
        assert scene.at(3.5, 1.0).seconds_left == pytest.approx(1.5)
    assert scene.at(3.5, 1.0).seconds_left == 0


def test_a_store_that_cannot_be_asked_costs_nothing_but_the_estimate():
    scene = Scene()

    def away(kinds: Collection[str]) -> Rates:
        raise StoreError(Code.STORAGE, "away")

    scene.estimates._learnt = away
    scene.begin(scene.planned("a"))
    assert scene.at(5, 0.5).seconds_left == pytest.approx(5)


def test_no_work_at_all_is_no_measure():
    scene = Scene()
    job = scene.begin(scene.planned("a", amount=0.0))
    scene.now += 2
    scene.estimates.end(job)
    assert scene.estimates.measured() == []
    assert scene.at(2, 0.5).seconds_left == 0
