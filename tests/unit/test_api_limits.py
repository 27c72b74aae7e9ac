"""How many calls a second an action takes, and what a caller hears who makes more."""

import pytest

from workflow_engine.api.action import DEFAULT_RATE
from workflow_engine.api.limits import RateLimits, ThrottledError
from workflow_engine.errors import SettingsError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


RATES = {"SubmitJobs": DEFAULT_RATE, "ListAllMediaBucket": 10}


def calls(limits: RateLimits, action: str, account: str = "a") -> int:
    """How many calls are let in at once."""
    for number in range(1000):
        try:
            limits.admit(account, action)
        except ThrottledError:
            return number
    return 1000


@pytest.mark.parametrize(
    ("table", "jobs", "buckets"),
    [
        ({}, 100, 10),
        ({"default": 5}, 5, 10),
        ({"SubmitJobs": 7, "default": 5}, 7, 10),
        ({"ListAllMediaBucket": 3}, 100, 3),
        ({"ListAllMediaBucket": 0}, 100, 1000),
        ({"default": 0}, 1000, 10),
    ],
)
def test_which_limit_counts(clock: Clock, table: dict[str, int], jobs: int, buckets: int) -> None:
    limits = RateLimits(RATES, table, clock=clock)
    assert (calls(limits, "SubmitJobs"), calls(limits, "ListAllMediaBucket")) == (jobs, buckets)


def test_the_window_slides(clock: Clock) -> None:
    limits = RateLimits({"A": 2}, {}, clock=clock)
    limits.admit("a", "A")
    clock.now += 0.75
    limits.admit("a", "A")
    with pytest.raises(ThrottledError) as caught:
        limits.admit("a", "A")
    assert caught.value.code == "Throttling"
    assert caught.value.retry_after == 250
    clock.now += 0.25
    limits.admit("a", "A")
    with pytest.raises(ThrottledError) as caught:
        limits.admit("a", "A")
    assert caught.value.retry_after == 750


def test_refused_calls_do_not_count(clock: Clock) -> None:
    limits = RateLimits({"A": 1}, {}, clock=clock)
    assert calls(limits, "A") == 1
    for _ in range(10):
        clock.now += 0.09
        assert calls(limits, "A") == 0
    clock.now += 0.1
    assert calls(limits, "A") == 1


def test_accounts_and_actions_do_not_share(clock: Clock) -> None:
    limits = RateLimits({"A": 1, "B": 1}, {}, clock=clock)
    assert calls(limits, "A", "a") == calls(limits, "B", "a") == calls(limits, "A", "b") == 1


def test_a_limit_of_an_unknown_action_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r'"SubmitJob".*Did you mean "SubmitJobs"'):
        RateLimits(RATES, {"SubmitJob": 1})
