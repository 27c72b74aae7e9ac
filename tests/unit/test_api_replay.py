"""Nonces are taken once, in every process and after every restart."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow_engine.api.limits import ThrottledError
from workflow_engine.api.replay import Nonces
from workflow_engine.api.signing import CLOCK_WINDOW
from workflow_engine.errors import SettingsError

NOW = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[[], Nonces]:
    return lambda: Nonces(tmp_path / "nonces", clock=clock)


Make = Callable[[], Nonces]


def test_a_nonce_is_taken_once(make: Make) -> None:
    nonces = make()
    assert nonces.use("key", "a", NOW)
    assert nonces.use("key", "b", NOW)
    assert not nonces.use("key", "a", NOW)


def test_each_access_key_has_its_own(make: Make) -> None:
    nonces = make()
    assert nonces.use("key", "a", NOW)
    assert nonces.use("other", "a", NOW)
    assert nonces.use("ke", "ya", NOW)


def test_a_restart_forgets_nothing(make: Make) -> None:
    nonces = make()
    assert nonces.use("key", "a", NOW)
    nonces.close()
    again = make()
    assert not again.use("key", "a", NOW)
    assert again.use("key", "b", NOW)


def test_without_an_end(make: Make) -> None:
    assert make().use("key", "a", NOW)
    # the first was not closed, as after a kill
    assert not make().use("key", "a", NOW)


def test_processes_that_share_the_folder(make: Make) -> None:
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


def test_what_is_too_old_is_deleted(make: Make, clock: Clock, tmp_path: Path) -> None:
    nonces = make()
    for step in range(50):
        clock.now = NOW + step * 60
        assert nonces.use("key", str(step), clock.now)
        assert nonces.use("key", f"ahead {step}", clock.now + CLOCK_WINDOW)
    assert len(list((tmp_path / "nonces").iterdir())) <= 3
    assert len(nonces) <= 2 * 3 * CLOCK_WINDOW / 60
    clock.now += 10 * CLOCK_WINDOW
    make()
    assert list((tmp_path / "nonces").iterdir()) == []


def test_a_clock_that_was_set_forward_does_not_reopen_the_past(make: Make, clock: Clock) -> None:
    nonces = make()
    clock.now = NOW + 10 * CLOCK_WINDOW
    assert not nonces.use("key", "a", NOW)


@pytest.mark.parametrize("torn", [b"half", b"\xff\n", b"0" * 31, b"\n\n"])
def test_a_torn_record_harms_no_other(make: Make, tmp_path: Path, torn: bytes) -> None:
    first = make()
    assert first.use("key", "a", NOW)
    (file,) = (tmp_path / "nonces").iterdir()
    with file.open("ab") as broken:
        broken.write(torn)
    assert first.use("key", "b", NOW)
    for nonces in (make(), make()):
        assert not nonces.use("key", "a", NOW)
        assert not nonces.use("key", "b", NOW)
    assert make().use("key", "c", NOW)
    assert not first.use("key", "c", NOW)


def test_processes_that_add_at_the_same_time(tmp_path: Path, clock: Clock) -> None:
    """Each nonce is taken by exactly one of several stores of the same folder."""
    taken: list[bool] = []
    barrier = threading.Barrier(4)

    def use() -> None:
        nonces = Nonces(tmp_path, clock=clock)
        barrier.wait()
        taken.extend([nonces.use("key", str(number), NOW) for number in range(200)])

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count(True), len(taken)) == (200, 800)


def test_memory_is_bounded_and_nothing_is_forgotten_for_it(tmp_path: Path, clock: Clock) -> None:
    nonces = Nonces(tmp_path, clock=clock, most=3)
    assert all(nonces.use("key", name, NOW) for name in "abc")
    with pytest.raises(ThrottledError):
        nonces.use("key", "d", NOW)
    assert not nonces.use("key", "a", NOW)
    clock.now += 3 * CLOCK_WINDOW
    assert nonces.use("key", "d", clock.now)


def test_threads_agree_on_who_was_first(make: Make) -> None:
    nonces = make()
    taken: list[bool] = []
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        for number in range(50):
            taken.append(nonces.use("key", str(number), NOW))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count(True), len(taken)) == (50, 400)


def test_files_are_private(make: Make, tmp_path: Path) -> None:
    make().use("key", "a", NOW)
    (file,) = (tmp_path / "nonces").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert b"key" not in file.read_bytes()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError) as caught:
        Nonces(tmp_path / "file" / "nonces")
    assert str(tmp_path / "file") in str(caught.value)


def test_other_files_in_the_folder_stay(make: Make, tmp_path: Path) -> None:
    (tmp_path / "nonces").mkdir()
    (tmp_path / "nonces" / "notes.nonces").write_text("mine")
    assert make().use("key", "a", NOW)
    assert (tmp_path / "nonces" / "notes.nonces").read_text() == "mine"
    assert len(os.listdir(tmp_path / "nonces")) == 2
