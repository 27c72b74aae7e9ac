"""How long work takes, told from what it took before: medians of what is most alike."""

import pytest

from workflow_engine.records import Work, about
from workflow_engine.records.rates import Rate, divided, expected, least_known, samples_of


def rate(*samples: tuple[float, float]) -> Rate:
    return Rate(samples=samples)


def test_a_slow_day_does_not_count():
    usual = rate(*[(10.0, 5.0)] * 6, (10.0, 80.0), (10.0, 90.0))
    assert usual.seconds(20) == pytest.approx(10)


def test_amounts_of_like_size_count_first():
    # what is short has the start of its process in it
    short, long = [(0.1, 0.3)] * 7, [(100.0, 50.0)] * 7
    assert rate(*short, *long).seconds(200) == pytest.approx(100)
    assert rate(*long, *short).seconds(0.05) == pytest.approx(0.15)


def test_what_is_not_known_is_not_guessed():
    rates = {"a": rate((1, 2))}
    assert expected([Work(kind="a", amount=3)], rates) == 6
    assert expected([Work(kind="a", amount=3), Work(kind="b", amount=1)], rates) is None
    assert expected([], {}) == 0


def test_a_time_is_divided_by_what_is_known_of_the_kinds():
    works = [Work(kind="a", amount=2), Work(kind="b", amount=1), Work(kind="a", amount=2)]

    def seconds(took: float, **rates: Rate) -> dict[str, float]:
        return {one.work.kind: one.seconds for one in divided(works, took, rates)}

    assert seconds(10) == {"a": 8, "b": 2}
    assert seconds(10, a=rate((1, 1))) == {"a": 4, "b": 6}
    # all were twice as slow as usual
    assert seconds(10, a=rate((1, 1)), b=rate((1, 1))) == {"a": 8, "b": 2}
    # more than the known kind could leave: the other one took some of it all the same
    left = seconds(10, a=rate((1, 100)))
    assert sum(left.values()) == pytest.approx(10) and 0 < left["b"] < 1
    assert {one.work.kind: one.work.amount for one in divided(works, 10, {})} == {"a": 4, "b": 1}


def test_the_rows_of_a_store_are_rates_by_kind():
    rates = samples_of([("a", 1, 2), ("b", 3, 4), ("a", 5, 6)])
    assert rates == {"a": rate((1, 2), (5, 6)), "b": rate((3, 4))}
    assert least_known(["a", "b", "c"], rates) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "a few seconds"),
        (4.9, "a few seconds"),
        (6, "about 5 s"),
        (38, "about 40 s"),
        (52.4, "about 50 s"),
        (56, "about 1 min"),
        (89, "about 1 min"),
        (185, "about 3 min"),
        (570, "about 10 min"),
        (1000, "about 15 min"),
        (3600, "about 1 h"),
        (4700, "about 1 h 20 min"),
        (36_100, "about 10 h"),
        (100_000, "about 28 h"),
    ],
)
def test_durations_are_told_as_nobody_takes_for_exact(seconds: float, said: str):
    assert about(seconds) == said
