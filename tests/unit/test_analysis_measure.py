"""What the packets of a sample encode tell."""

from fractions import Fraction

import pytest

from activities.analysis.measure import rates_of
from activities.analysis.samples import Sample

RATE = Fraction(10)


def packets(sizes: list[int]) -> list[tuple[float, int]]:
    return [(float(n / RATE), size) for n, size in enumerate(sizes)]


def test_the_first_picture_of_a_sample_is_counted_apart() -> None:
    sample = Sample(start=8, length=5, skip=1, counted=3, weight=1)
    sizes = [10_000, *[125] * 9, *[250] * 30, *[125] * 10]
    kbps, peak, key = rates_of(packets(sizes), sample, RATE, whole=False)
    assert kbps == peak == pytest.approx(20), "250 bytes, ten times a second"
    assert key == pytest.approx((10_000 - sum(sizes[1:]) / 49) * 8 / 1000)


def test_a_sample_at_the_beginning_has_an_ordinary_picture_there() -> None:
    sample = Sample(start=0, length=4, skip=0, counted=3, weight=1)
    kbps, _, _ = rates_of(packets([10_000, *[250] * 39]), sample, RATE, whole=False)
    assert kbps == pytest.approx(20)


@pytest.mark.parametrize(
    ("sizes", "average", "busiest"),
    [
        ([125] * 40, 10, 10),
        ([*[1125] * 30, *[125] * 30], 50, 90),
        ([125] * 5, 10, 10),
    ],
)
def test_a_whole_encode_counts_as_it_is(sizes: list[int], average: float, busiest: float) -> None:
    length = len(sizes) / 10
    sample = Sample(start=0, length=length, skip=0, counted=length, weight=1)
    found = rates_of(packets(sizes), sample, RATE, whole=True)
    assert found == pytest.approx((average, busiest, 0))
