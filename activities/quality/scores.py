"""What the values of all pictures come to: mean, 5th percentile, the worst picture and its time."""

import heapq
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from activities.quality.metrics import Metric, Size

#: share of the pictures that may be worse than the percentile
_FIFTH = 0.05


class Statistic(StrEnum):
    """Which number stands for a whole film."""

    #: the average of all pictures
    MEAN = "mean"
    #: the 5th percentile: 19 of 20 pictures are at least as good
    P5 = "p5"
    #: the worst picture
    MIN = "min"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a metric said of two sides of `size`, in its own unit.

    `pictures` is how many were measured; the worst of them is shown `worst` seconds after the
    first picture.
    """

    metric: Metric
    size: Size
    pictures: int
    mean: float
    p5: float
    lowest: float
    worst: float

    def value(self, statistic: Statistic) -> float:
        """Return one of the statistics."""
        return {
            Statistic.MEAN: self.mean,
            Statistic.P5: self.p5,
            Statistic.MIN: self.lowest,
        }[statistic]


def summed_up(
    values: Iterable[float], metric: Metric, size: Size, *, rate: Fraction, subsample: int
) -> Comparison | None:
    """Return the statistics of the values of every `subsample`-th picture; None without any.

    `rate` is in pictures per second. They take about ten bytes for each value.
    """
    kept = array("f", values)
    if not kept:
        return None
    lowest = min(kept)
    return Comparison(
        metric=metric,
        size=size,
        pictures=len(kept),
        mean=math.fsum(kept) / len(kept),
        # (a sorted list would hold every value as an object)
        p5=heapq.nsmallest(max(1, math.ceil(_FIFTH * len(kept))), kept)[-1],
        lowest=lowest,
        worst=float(kept.index(lowest) * subsample / rate),
    )
