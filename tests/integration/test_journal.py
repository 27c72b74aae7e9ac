"""The record of a run while it runs: its progress costs one commit a second, whatever it does."""

from collections.abc import Mapping
from typing import NoReturn

import pytest

from tests.support.stores import execution, load
from workflow_engine.messages import Outbox
from workflow_engine.records import ActivityState, Progress
from workflow_engine.run import journal
from workflow_engine.run.completion import Completion
from workflow_engine.run.journal import Journal
from workflow_engine.store import Claim, Store


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(journal, "time", made)
    return made


def test_progress_is_saved_once_a_second_for_all_activities(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    commits: list[Mapping[str, float]] = []
    real = store.steps.save_progress

    def counted(claim: Claim, fractions: Mapping[str, float]) -> None:
        commits.append(fractions)
        real(claim, fractions)

    monkeypatch.setattr(store.steps, "save_progress", counted)
    record = execution("a", "b", "c")
    claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
    made = Journal(record, claim, store, Completion(store, Outbox({}), None), [])
    for name in "abc":
        running = made.activity(name)
        made.save(type(running)(name=name, type=running.type, state=ActivityState.RUNNING))
    seen: list[tuple[str, float]] = []

    class Watch:
        def activity_changed(self, record: object) -> None:
            pass

        def progressed(self, name: str, progress: Progress) -> None:
            seen.append((name, progress.fraction))

    made.watch(Watch())

    def saved() -> list[float]:
        return [activity.progress for activity in load(store, claim).activities]

    for hundredth in range(1, 51):
        made.progress("a", hundredth / 100)
        made.progress("b", hundredth / 200)
    assert len(seen) == 100 and commits == [{"a": 0.01}]
    clock.now += journal.PROGRESS_SECONDS
    made.progress("b", 0.3)
    assert commits[1:] == [{"a": 0.5, "b": 0.3}] and saved() == [0.5, 0.3, 0]
    made.progress("c", 0.9)
    made.reset("c")  # its next attempt begins at nothing
    clock.now += journal.PROGRESS_SECONDS
    made.progress("a", 0.6)
    assert commits[2:] == [{"a": 0.6}] and saved() == [0.6, 0.3, 0]


def test_an_estimate_that_fails_is_told_once(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> NoReturn:
        raise ZeroDivisionError

    seen: list[float] = []

    class Watch:
        def activity_changed(self, record: object) -> None:
            pass

        def progressed(self, name: str, progress: Progress) -> None:
            seen.append(progress.fraction)

    record = execution("a")
    claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
    outbox = Completion(store, Outbox({}), None)
    made = Journal(record, claim, store, outbox, [Watch()], broken)
    for _ in range(3):
        made.tell_progress("a")
    assert seen == [0, 0, 0] and caplog.text.count("cannot be estimated") == 1
