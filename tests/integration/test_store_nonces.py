"""Nonces of API calls are taken once, in every process and after every restart."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from tests.support.stores import lines_of, process
from workflow_engine.api.replay import Nonces
from workflow_engine.api.signing import CLOCK_WINDOW
from workflow_engine.store import Store

NOW = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[[], Nonces]


@pytest.fixture
def make(url: str, clock: Clock) -> Iterator[Make]:
    """What opens the store once more, as another process does."""
    with ExitStack() as opened:

        def made() -> Nonces:
            store = Store.open(url)
            opened.callback(store.close)
            return Nonces(store.nonces, clock=clock)

        yield made


def rows(url: str) -> list[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = list(connection.scalars(sa.text("SELECT digest FROM nonces")))
    engine.dispose()
    return found


def test_a_nonce_is_taken_once(make: Make) -> None:
    nonces = make()
    assert nonces.use("key", "a", NOW)
    assert nonces.use("key", "b", NOW)
    assert not nonces.use("key", "a", NOW)


def test_each_access_key_has_its_own(make: Make, url: str) -> None:
    nonces = make()
    assert nonces.use("key", "a", NOW)
    assert nonces.use("other", "a", NOW)
    assert nonces.use("ke", "ya", NOW)
    assert all(len(digest) == 32 and "key" not in digest for digest in rows(url))


def test_processes_that_share_the_store(make: Make) -> None:
    one, other = make(), make()
    assert one.use("key", "a", NOW)
    assert not other.use("key", "a", NOW)
    assert other.use("key", "b", NOW)
    assert not one.use("key", "b", NOW)


@pytest.mark.parametrize("ahead", [-CLOCK_WINDOW, -1, 0, 1, CLOCK_WINDOW])
def test_it_counts_as_long_as_its_request(make: Make, clock: Clock, ahead: float) -> None:
    signed_at = NOW + ahead
    assert make().use("key", "a", signed_at)
    for moment in (signed_at + CLOCK_WINDOW / 2, signed_at + CLOCK_WINDOW):
        clock.now = max(moment, NOW)
        assert not make().use("key", "a", signed_at)


def test_what_is_too_old_is_forgotten(make: Make, clock: Clock, url: str) -> None:
    nonces = make()
    for step in range(40):
        clock.now = NOW + step * 60
        assert nonces.use("key", str(step), clock.now)
    assert len(rows(url)) <= CLOCK_WINDOW / 60 + 2
    clock.now += 10 * CLOCK_WINDOW
    assert nonces.use("key", "last", clock.now)
    assert len(rows(url)) == 1


def test_a_clock_that_was_set_forward_does_not_reopen_the_past(make: Make, clock: Clock) -> None:
    nonces = make()
    clock.now = NOW + 10 * CLOCK_WINDOW
    assert not nonces.use("key", "a", NOW)


def test_threads_agree_on_who_was_first(make: Make) -> None:
    nonces = make()
    taken: list[bool] = []
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        for number in range(25):
            taken.append(nonces.use("key", str(number), NOW))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count(True), len(taken)) == (25, 200)


def test_processes_that_add_at_the_same_time(url: str) -> None:
    Store.open(url).close()
    script = f"""
        for number in range(50):
            print(store.nonces.use(str(number), {int(NOW) + 9}, {NOW}))
        os._exit(0) if sys.stdout.flush() is None else None  # as after a kill
    """
    found = lines_of(*(process(url, script) for _ in range(3)))
    assert (found.count("True"), len(found)) == (50, 150)
    assert len(rows(url)) == 50


def test_the_next_commit_waits_for_the_disk_again(url: str, store: Store) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("has other means")
    assert store.nonces.use("0" * 32, int(NOW) + 9, NOW)
    with store.upkeep._database.write() as connection:  # pyright: ignore[reportPrivateUsage]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
