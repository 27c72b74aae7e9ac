"""What work took, in the store: the latest of each kind, and of this machine only."""

import platform

import pytest
import sqlalchemy as sa

from workflow_engine.records import Work
from workflow_engine.records.rates import Measurement, Rate
from workflow_engine.store import Store, rates


def took(kind: str, seconds: float, amount: float = 1.0) -> Measurement:
    return Measurement(work=Work(kind=kind, amount=amount), seconds=seconds)


def test_the_latest_of_each_kind_are_kept(store: Store):
    assert store.rates.of(["a"]) == {}
    store.rates.add([took("b", 7, amount=2)])
    for seconds in range(rates.KEPT + 3):
        store.rates.add([took("a", seconds + 1.0)])
    found = store.rates.of(["a", "b", "c"])
    assert set(found) == {"a", "b"} and found["b"] == Rate(samples=((2, 7),))
    assert sorted(seconds for _, seconds in found["a"].samples) == [
        seconds + 1.0 for seconds in range(3, rates.KEPT + 3)
    ]
    store.rates.add([took("a", 100.0 + n) for n in range(2 * rates.KEPT)])
    assert {seconds for _, seconds in store.rates.of(["a"])["a"].samples} == {
        100.0 + n for n in range(rates.KEPT, 2 * rates.KEPT)
    }


def test_kinds_without_end_do_not_fill_the_store(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rates, "MOST", 20)
    monkeypatch.setattr(rates, "_LESS", 5)
    names = [f"kind {n}" for n in range(21)]
    for name in names:
        store.rates.add([took(name, 1)])
    assert set(store.rates.of(names)) == set(names[-15:])


def test_machines_without_end_do_not_fill_the_store(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rates, "MOST", 20)
    monkeypatch.setattr(rates, "_LESS", 5)
    monkeypatch.setattr(rates, "_MACHINES", 2)
    for n in range(9):
        monkeypatch.setattr(store.rates, "_machine", f"pod-{n}")
        store.rates.add([took(f"kind {n}", 1) for n in range(10)])
    with store.rates._database.read() as connection:
        found = sa.select(sa.func.count(), sa.func.min(rates.rates.c.machine))
        assert connection.execute(found).one() == (35, "pod-5")


def test_another_machine_has_rates_of_its_own(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
):
    store.rates.add([took("a", 1)])
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    other = Store.open(url)
    assert other.rates.of(["a"]) == {}
    other.rates.add([took("a", 9)] * (rates.KEPT + 1))
    assert store.rates.of(["a"]) == {"a": Rate(samples=((1, 1),))}
    other.close()
