"""Sessions end by themselves, and guesses cost time."""

import pytest

from workflow_engine.errors import InvalidInputError
from workflow_engine.web import sessions as module
from workflow_engine.web.sessions import (
    FREE_GUESSES,
    IDLE_SECONDS,
    LONGEST_WAIT,
    GuessedTooOftenError,
    Sessions,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions({"me": "secret"}, clock=clock)


def test_a_session_ends_when_nobody_uses_it(sessions: Sessions, clock: Clock):
    session = sessions.sign_in("me", "secret", "a")
    clock.now = IDLE_SECONDS - 1
    assert sessions.find(session.id) is session
    clock.now += IDLE_SECONDS - 1
    assert sessions.find(session.id, use=False) is session, "it was used in between"
    clock.now += 1
    assert sessions.find(session.id) is None


def test_sessions_and_tokens_are_not_alike(sessions: Sessions):
    first, second = (sessions.sign_in("me", "secret", "a") for _ in range(2))
    assert len({first.id, second.id, first.token, second.token}) == 4
    sessions.sign_out(first.id)
    assert sessions.find(first.id) is None
    assert sessions.find(second.id) is second


def test_wrong_keys_make_an_address_wait_longer_and_longer(sessions: Sessions, clock: Clock):
    for _ in range(FREE_GUESSES):
        guess(sessions)
    waits: list[int] = []
    for _ in range(8):
        guess(sessions)
        with pytest.raises(GuessedTooOftenError) as caught:
            sessions.sign_in("me", "secret", "a")
        waits.append(caught.value.retry_after)
        clock.now += waits[-1]
    assert waits[:3] == [2, 4, 8]
    assert waits[-1] == LONGEST_WAIT
    assert sessions.sign_in("me", "secret", "a"), "it has waited"
    guess(sessions)
    assert sessions.sign_in("me", "secret", "a"), "the right key begins anew"


def test_other_addresses_do_not_wait(sessions: Sessions):
    for _ in range(FREE_GUESSES + 1):
        guess(sessions)
    assert sessions.sign_in("me", "secret", "b")


def test_guesses_at_others_keep_nobody_out(sessions: Sessions):
    """Behind a proxy everybody comes from one address."""
    for number in range(FREE_GUESSES + 1):
        guess(sessions, account=f"nobody-{number}")
    with pytest.raises(GuessedTooOftenError):
        sessions.sign_in("somebody", "wrong", "a")
    assert sessions.sign_in("me", "secret", "a")


def test_guesses_fill_no_memory(sessions: Sessions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_GUESSED", 2)
    for address in ("a", "b", "c"):
        for _ in range(FREE_GUESSES + 1):
            guess(sessions, address=address)
    assert sessions.sign_in("me", "secret", "a"), "the oldest is forgotten"
    with pytest.raises(GuessedTooOftenError):
        sessions.sign_in("me", "secret", "c")


def guess(sessions: Sessions, *, account: str = "me", address: str = "a") -> None:
    with pytest.raises(InvalidInputError) as caught:
        sessions.sign_in(account, "wrong", address)
    assert not isinstance(caught.value, GuessedTooOftenError)
