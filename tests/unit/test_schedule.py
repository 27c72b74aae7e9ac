"""How long a graph takes: what waits for what, and for a place among the processes."""

from typing import Any

from workflow_engine.planning.schedule import Task, length


def task(name: str, seconds: float, before: str = "", **more: Any) -> Task:
    return Task(names=tuple(name), seconds=seconds, before=frozenset(before), **more)


def test_what_depends_follows_and_what_does_not_runs_beside():
    tasks = [task("a", 1), task("b", 5, "a"), task("c", 3, "a"), task("d", 1, "bc")]
    assert length(tasks, processes=2) == 7
    assert length(tasks, processes=1) == 10
    assert length([], processes=1) == 0


def test_what_runs_holds_its_place():
    tasks = [task("a", 4, running=True), task("b", 2)]
    assert length(tasks, processes=1) == 6
    assert length(tasks, processes=2) == 4
    # more run than may now: those that began go on
    assert length([task("a", 4, running=True), task("b", 3, running=True)], processes=1) == 4


def test_what_is_published_leaves_its_place_and_is_waited_for():
    tasks = [task("a", 2, after=10), task("b", 2), task("c", 1, "a")]
    assert length(tasks, processes=1) == 13


def test_a_group_ends_as_one():
    assert length([task("ab", 3), task("c", 1, "b")], processes=1) == 4


def test_what_waits_for_something_that_is_over_begins():
    assert length([task("b", 2, "a")], processes=1) == 2
