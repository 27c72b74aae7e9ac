"""What is known of the outputs of a source: measured points, and what lies between them.

Rate over size and rate over Crf are smooth when both are taken as logarithms, so a few points tell
the others. What a decision rests on is measured all the same: `missing` says which points that
takes, until there are none. Pure. Specification: analysis, 6 and 6a (TargetVmaf).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from activities.analysis.selection import Rung

#: the least and the highest Crf that is tried
LEAST_CRF, MOST_CRF = 1.0, 51.0
#: where a search for a VMAF begins
FIRST_CRF = 25.0
#: how the rate grows with the short edge, and how much Crf doubles it, before more is known; of
#: pictures that no size holds, less does
_EDGE_POWER, _CRF_OCTAVE, _BUSY_OCTAVE = 1.6, 6.0, 4.5
#: what a step of Crf costs in quality, and what e times the rate gives, before more is known
_QUALITY_STEP, _QUALITY_GAIN = 1.0, 10.0
#: how far a measured rate may be from the one that is asked about, as a logarithm, and a measured
#: Crf from the one that a VMAF needs
_NEAR_RATE, _NEAR_CRF = 0.15, 1.0
#: points of quality between which it may be taken for a straight line
_NEAR_QUALITY = 2.0
#: share of a range of Crf that a search keeps off its ends
_OFF_ENDS = 0.2
#: points of one size that are measured at most
_MOST_POINTS = 6
#: sizes that are held against each other where none holds the quality
_COMPARED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """An output that can be measured: short edge in pixels, Crf, and whether quality is needed.

    A `rough` one is only to be compared with others, so that few samples will do.
    """

    edge: int
    crf: float
    quality: bool = False
    rough: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What an output was measured to be.

    `quality` is VMAF, or SSIM in percent, None where
    it was not measured; `seconds` is the time that a second of the source takes to encode. `rough`
    means that few samples tell so.
    """

    kbps: float
    quality: float | None
    seconds: float
    rough: bool = False


class Measured:
    """Points by size and Crf; `Estimates` of the selection rule.

    The quality to hold is `crf`, or, with a `target`, a value of the metric.
    """

    def __init__(self, crf: float, target: float | None = None) -> None:
        self._crf, self._target = crf, target
        self._readings: dict[int, dict[float, Reading]] = {}
        self._compared: list[tuple[int, float]] = []
        self._forced: frozenset[int] = frozenset()
        self._half = 0

    def add(self, point: Point, reading: Reading) -> None:
        """Take what a point was measured to be."""
        self._readings.setdefault(point.edge, {})[point.crf] = reading

    def first(self, edges: Sequence[int], forced: Iterable[int] = ()) -> list[Point]:
        """Return where to begin, for the sizes that outputs may have, the largest first.

        The rates of `forced` sizes are measured in any case.
        """
        self._forced = frozenset(forced)
        top = next((edge for edge in edges if edge <= 1080), edges[-1])
        self._half = min(edges, key=lambda edge: abs(edge - top / 2))
        begin = {top, *self._forced}
        if self._target is None:
            crf, wanted = self._crf, False
        else:
            crf, wanted = FIRST_CRF, True
            begin.add(self._half)
        points = [Point(edge=one, crf=crf, quality=wanted) for one in begin]
        return sorted(points, key=lambda point: -point.edge)

    def rate(self, edge: int) -> float:
        """Return the average kbit/s that the quality needs; infinite where no rate reaches it."""
        known = {one: kbps for one in self._readings if (kbps := self._own_rate(one)) is not None}
        if edge in known:
            return known[edge]
        if not known:
            return math.inf
        if len(known) == 1:
            (one, kbps) = next(iter(known.items()))
            return kbps * (edge / one) ** _EDGE_POWER
        lower, upper = _around(edge, known)
        if math.inf in (known[lower], known[upper]):
            return math.inf
        power = math.log(known[upper] / known[lower]) / math.log(upper / lower)
        return known[lower] * (edge / lower) ** power

    def best(self, edges: Sequence[int], kbps: float) -> int:
        """Return the one of these edges that looks best at a rate, of some that are measured."""
        if len(edges) == 1:
            return edges[0]
        some = _spread(edges, _COMPARED)
        self._compared += [(edge, kbps) for edge in some]
        found = {edge: self.quality(edge, kbps) for edge in some}
        known = {edge: value for edge, value in found.items() if value is not None}
        # of equals the smaller one, which is cheaper to play
        return max(known, key=lambda edge: (round(known[edge], 1), -edge)) if known else some[-1]

    def crf(self, edge: int) -> float:
        """Return the Crf that holds the quality at a size."""
        if self._target is None:
            return self._crf
        return round(self._crf_for(edge, self._target), 1)

    def quality(self, edge: int, kbps: float) -> float | None:
        """Return the quality of a size at a rate, None where nothing near it was measured."""
        known = [one for one in self._readings.get(edge, {}).values() if one.quality is not None]
        exact = [one for one in known if not one.rough]
        points = [(math.log(one.kbps), one.quality or 0.0) for one in exact or known]
        if not points:
            return None
        return min(max(_line(points, math.log(kbps), slope=_QUALITY_GAIN), 0.0), 100.0)

    def seconds(self, edge: int) -> float | None:
        """Return how long a second of the source takes to encode at a size, None if unknown."""
        known = [one.seconds for one in self._readings.get(edge, {}).values()]
        return sum(known) / len(known) if known else None

    def missing(self, rungs: Iterable[Rung]) -> list[Point]:
        """Return what has to be measured before these rungs, chosen by this, can be believed."""
        compared, self._compared = self._compared, []
        rungs = list(rungs)
        held = {rung.edge for rung in rungs if rung.edge is not None and not rung.capped}
        held |= self._forced
        wanted = [self._holding(edge) for edge in sorted(held, reverse=True)]
        if self._target is None:
            # one size after the other: each shows better how large the next one may be
            wanted = [point for point in wanted if point][:1]
        wanted += [self._at_rate(edge, kbps, rough=True) for edge, kbps in compared]
        points = {point for point in wanted if point}
        if points and len(self._readings) == 1 and self._half not in self._readings:
            # before sizes are guessed, few samples show how rates grow with them
            return [Point(edge=self._half, crf=self._crf, rough=True)]
        if points:
            return sorted(points, key=lambda point: (-point.edge, point.crf))
        # what is offered is told with its quality
        offered = [rung for rung in rungs if rung.offered and rung.edge is not None]
        told = [self._told(rung) for rung in offered]
        return sorted({point for point in told if point}, key=lambda point: -point.edge)

    def _told(self, rung: Rung) -> Point | None:
        assert rung.edge is not None and rung.kbps is not None
        if rung.capped:
            return self._at_rate(rung.edge, rung.kbps, rough=False)
        readings, holding = self._readings[rung.edge], self.crf(rung.edge)
        crf = min(readings, key=lambda one: abs(one - holding))
        if readings[crf].quality is not None:
            return None
        return Point(edge=rung.edge, crf=crf, quality=True)

    def _holding(self, edge: int) -> Point | None:
        """Return what is to be measured to know the rate of a size, None if it is known."""
        readings = self._readings.get(edge, {})
        if self._target is None:
            exact = self._crf in readings and not readings[self._crf].rough
            return None if exact else Point(edge=edge, crf=self._crf)
        crf = round(self._crf_for(edge, self._target), 1)
        if len(readings) >= _MOST_POINTS or any(abs(one - crf) <= _NEAR_CRF for one in readings):
            return None
        return Point(edge=edge, crf=crf, quality=True)

    def _at_rate(self, edge: int, kbps: float, *, rough: bool) -> Point | None:
        """Return what is to be measured to know the quality of a size at a rate, None if known.

        The Crf of the rate is searched for on few samples, and the quality measured where it is
        found.
        """
        readings = self._readings.get(edge, {})
        if not rough and self._lies_between(edge, kbps):
            return None

        def distance(crf: float) -> float:
            return abs(math.log(readings[crf].kbps / kbps))

        crf = min(readings, key=distance, default=None)
        if crf is None or not self._searched(crf, readings, kbps):
            # whether it is near shows only when it is encoded
            return Point(edge=edge, crf=self.crf_at(edge, kbps), rough=True)
        near = readings[crf]
        if near.quality is None or (near.rough and not rough):
            return Point(edge=edge, crf=crf, quality=True, rough=near.rough and rough)
        return None

    def _searched(self, crf: float, readings: Mapping[float, Reading], kbps: float) -> bool:
        """Whether no Crf is worth looking for that is nearer to a rate than this one."""
        above = readings[crf].kbps / kbps
        return (
            abs(math.log(above)) <= _NEAR_RATE
            or len(readings) >= _MOST_POINTS
            or (crf == MOST_CRF and above > 1)
            or (crf == LEAST_CRF and above < 1)
        )

    def _lies_between(self, edge: int, kbps: float) -> bool:
        """Whether a rate lies between two measured ones of nearly the same quality."""
        known = [
            (one.kbps, one.quality)
            for one in self._readings.get(edge, {}).values()
            if one.quality is not None and not one.rough
        ]
        below = max((one for one in known if one[0] <= kbps), default=None)
        above = min((one for one in known if one[0] >= kbps), default=None)
        return bool(below and above and above[1] - below[1] <= _NEAR_QUALITY)

    def crf_at(self, edge: int, kbps: float) -> float:
        """Return the Crf that a size has at a rate, as far as that is known."""
        readings = self._readings.get(edge, {})
        points = [(math.log2(one.kbps), crf) for crf, one in readings.items()]
        if not points:
            rate = self.rate(edge)
            crf = self._crf if self._target is None else FIRST_CRF
            points = [(math.log2(rate if math.isfinite(rate) else kbps), crf)]
        found = _line(points, math.log2(kbps), slope=-_BUSY_OCTAVE)
        low = max((crf for crf, one in readings.items() if one.kbps >= kbps), default=None)
        high = min((crf for crf, one in readings.items() if one.kbps <= kbps), default=None)
        if low is not None and high is not None and low < high:
            # near the point at which an encoder drops noise, rates fall off a cliff: a line would
            # end beside the same point again and again
            off = (high - low) * _OFF_ENDS
            found = min(max(found, low + off), high - off)
        return _tried(found)

    def _crf_for(self, edge: int, target: float) -> float:
        """Return the Crf with which a size reaches a quality."""
        readings = self._readings.get(edge, {})
        points = [(one.quality, crf) for crf, one in readings.items() if one.quality is not None]
        return _tried(_line(points, target, slope=-1 / _QUALITY_STEP)) if points else FIRST_CRF

    def _own_rate(self, edge: int) -> float | None:
        """Return the rate that the quality needs, by the points of this size alone."""
        readings = self._readings[edge]
        if self._target is None:
            return readings[self._crf].kbps if self._crf in readings else None
        points = [(one.quality, one.kbps) for one in readings.values() if one.quality is not None]
        if not points:
            return None
        reached = max(quality for quality, _ in points)
        if reached < self._target and LEAST_CRF in readings:
            return math.inf
        logs = [(quality, math.log2(kbps)) for quality, kbps in points]
        return 2 ** _line(logs, self._target, slope=_QUALITY_STEP / _CRF_OCTAVE)


def _tried(crf: float) -> float:
    return round(min(max(crf, LEAST_CRF), MOST_CRF), 1)


def _around(edge: int, known: Iterable[int]) -> tuple[int, int]:
    """Return the two known edges that an edge lies between, or the two that are nearest to it."""
    ordered = sorted(known)
    place = next((n for n, one in enumerate(ordered) if one > edge), len(ordered) - 1)
    place = min(max(place, 1), len(ordered) - 1)
    return ordered[place - 1], ordered[place]


def _spread(edges: Sequence[int], count: int) -> list[int]:
    """Return some of the edges: both ends, and those between at equal distances."""
    if len(edges) <= count:
        return list(edges)
    return [edges[round(n * (len(edges) - 1) / (count - 1))] for n in range(count)]


def _line(points: Sequence[tuple[float, float]], x: float, *, slope: float) -> float:
    """Return y at x: between the two points around it, beyond them from the two that are nearest.

    `slope` is that of a single point.
    """
    ordered = sorted(points)
    if len(ordered) == 1:
        return ordered[0][1] + slope * (x - ordered[0][0])
    place = next((n for n, (one, _) in enumerate(ordered) if one >= x), len(ordered) - 1)
    (x0, y0), (x1, y1) = ordered[max(place, 1) - 1], ordered[max(place, 1)]
    if x1 == x0:
        return (y0 + y1) / 2
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
