"""The selection rule: at which size and rate each class is offered, and which classes are not.

Pure: what a size needs, and how good it is at a rate, come from `Estimates`, measured or guessed.
Specification: analysis, 6 and 6a.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from activities.analysis.classes import (
    DEFINITIONS,
    Definition,
    Fences,
    Size,
    candidates,
    largest_edge,
)
from workflow_engine.errors import ActivityError, Code


class Reason(StrEnum):
    """Why a class is not offered."""

    #: the source has fewer lines than the class allows
    SOURCE_TOO_SMALL = "SourceTooSmall"
    #: the class below holds the quality at this size or a larger one
    RATE_NOT_FILLED = "RateNotFilled"
    #: the class below has the same size and nearly the same rate
    SAME_AS_BELOW = "SameAsBelow"
    #: KeepOnlyHighestDefinition
    NOT_HIGHEST = "NotHighest"
    #: Ladder.MaxRungs
    OVER_MAX_RUNGS = "OverMaxRungs"
    #: Ladder.MinBitrate
    BELOW_MIN_BITRATE = "BelowMinBitrate"
    #: Ladder.MaxBitrate
    ABOVE_MAX_BITRATE = "AboveMaxBitrate"
    #: Ladder.AllowedSizes and Ladder.MinTopSize
    SIZE_NOT_ALLOWED = "SizeNotAllowed"


class Estimates(Protocol):
    """What is known of the outputs of a source, by their short edges in pixels."""

    def rate(self, edge: int) -> float:
        """Return the average kbit/s that the quality needs; infinite where no rate reaches it."""
        ...

    def best(self, edges: Sequence[int], kbps: float) -> int:
        """Return the one of these edges that looks best at a rate."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """A class as it was judged. `kbps` is the target of its average rate.

    `edge` and `kbps` are None where no size was looked at. `capped` means that the rate is
    given and not the quality: no size holds the quality in the range of the class, or the source
    itself has no higher rate. `low` and
    `high` are the range within the fences. Without a `reason` the class is offered; `detail`
    tells in words.
    """

    definition: Definition
    low: float
    high: float
    edge: int | None = None
    kbps: float | None = None
    capped: bool = False
    reason: Reason | None = None
    detail: str = ""

    @property
    def offered(self) -> bool:
        """Whether it is among the results."""
        return self.reason is None

    def dropped(self, reason: Reason, detail: str) -> "Rung":
        """Return the class as one that is not offered."""
        return replace(self, reason=reason, detail=detail)


def select(
    source: Size,
    estimates: Estimates,
    *,
    most_kbps: float | None = None,
    fences: Fences | None = None,
    only_highest: bool = False,
) -> list[Rung]:
    """Judge each class for a source of this upright, cropped size; the highest comes first.

    `most_kbps` is more than which the source itself does not hold. Whether the fences are kept
    is for `require` to say, when the estimates are to be believed.
    """
    return _Selection(source, estimates, most_kbps, fences or Fences()).rungs(only_highest)


def require(rungs: Sequence[Rung], source: Size, estimates: Estimates, fences: Fences) -> None:
    """Raise ActivityError when rungs that were selected do not keep the fences.

    `InvalidParameter.NotSupported` for a forced size, `InvalidParameter.OutOfRange` for
    MinTopSize, and when nothing is offered.
    """
    require_lines(source, fences)
    offered = {rung.edge: rung for rung in rungs if rung.offered}
    why = "; ".join(f"{rung.definition.name}: {rung.detail}" for rung in rungs)
    for edge in fences.forced:
        if edge not in offered:
            kbps = estimates.rate(edge)
            needs = f"it needs {kbps:.0f} kbit/s" if math.isfinite(kbps) else "no rate is enough"
            raise _not_possible(edge, f"{needs}, and no class is offered with it ({why})")
    best = next((rung.edge or 0 for rung in rungs if rung.offered), None)
    if fences.min_top is not None and (best or 0) < fences.min_top:
        raise _not_so_large(
            fences.min_top, f"no class can be offered at that size or a larger one ({why})"
        )
    if best is None:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The Ladder leaves nothing to offer ({why}).",
            pointer="/AnalysisConfig/Ladder",
            remedy="Widen AllowedSizes, MinBitrate or MaxBitrate.",
        )


def require_lines(source: Size, fences: Fences) -> None:
    """Raise ActivityError as `require` does where fences ask for more lines than there are."""
    top = largest_edge(source)
    why = f"the short edge of the source is {top}"
    if fences.forced and fences.forced[0] > top:
        raise _not_possible(fences.forced[0], why)
    if fences.min_top is not None and fences.min_top > top:
        raise _not_so_large(fences.min_top, why)


class _Selection:
    def __init__(
        self, source: Size, estimates: Estimates, most_kbps: float | None, fences: Fences
    ) -> None:
        self._source, self._estimates = source, estimates
        self._most, self._fences = most_kbps, fences
        self._top = largest_edge(source)

    def rungs(self, only_highest: bool) -> list[Rung]:
        forced = self._forced()
        rungs: list[Rung] = []
        above: int | None = None
        for place, definition in enumerate(DEFINITIONS):
            below = max(
                (edge for name, edge in forced.items() if name in _names_after(place)), default=0
            )
            rung = self._judge(definition, above, below, forced.get(definition.name))
            rungs.append(rung)
            above = rung.edge if rung.offered else above
        if all(rung.reason is Reason.SOURCE_TOO_SMALL for rung in rungs):
            rungs[-1] = self._at_source_size(rungs[-1])
        rungs = _without_twins(rungs, self._fences.min_step)
        rungs = self._thinned(rungs, forced)
        return _highest_only(rungs) if only_highest else rungs

    def _judge(
        self, definition: Definition, above: int | None, below: int, forced: int | None
    ) -> Rung:
        """Judge a class whose size is at most `above` and at least `below`."""
        fences = self._fences
        low = max(definition.low, fences.min_kbps or 0.0)
        high = min(definition.high, fences.max_kbps or definition.high)
        rung = Rung(definition=definition, low=low, high=high)
        if self._top < definition.min_edge:
            return rung.dropped(
                Reason.SOURCE_TOO_SMALL,
                f"the short edge of the source is {self._top}, and the class begins at "
                f"{definition.min_edge}",
            )
        if low >= high:
            return _outside_fences(rung, fences)
        edges = self._edges(definition, above, below, forced)
        if not edges:
            return rung.dropped(Reason.SIZE_NOT_ALLOWED, self._no_size(definition, above))
        return self._filled(self._sized(rung, edges))

    def _edges(
        self, definition: Definition, above: int | None, below: int, forced: int | None
    ) -> list[int]:
        if forced is not None:
            return [forced]
        # as long as nothing is offered, the class may become the best one
        top = (self._fences.min_top or 0) if above is None else 0
        return candidates(
            self._source,
            at_least=max(definition.min_edge, below, top),
            at_most=min(one for one in (above, definition.max_edge, self._top) if one is not None),
            fences=self._fences,
        )

    def _sized(self, rung: Rung, edges: Sequence[int]) -> Rung:
        """Choose the largest size that holds the quality in the range, else the best at its end."""
        for edge in edges:
            kbps = self._estimates.rate(edge)
            if kbps <= rung.high:
                return replace(rung, edge=edge, kbps=kbps, detail=_needs(edge, kbps))
        edge = self._estimates.best(edges, rung.high)
        detail = (
            f"no size holds the quality within {rung.high:.0f} kbit/s, and {edge} lines look best "
            "there"
            if len(edges) > 1
            else f"{edge} lines do not hold the quality within {rung.high:.0f} kbit/s"
        )
        return replace(rung, edge=edge, kbps=rung.high, capped=True, detail=detail)

    def _filled(self, rung: Rung) -> Rung:
        """Bound the target by the source's own rate, and drop the class when it is not filled."""
        assert rung.kbps is not None
        if self._most is not None and rung.kbps > self._most:
            detail = f"the source itself holds no more than {self._most:.0f} kbit/s"
            rung = replace(rung, kbps=self._most, capped=True, detail=detail)
        assert rung.kbps is not None
        if rung.kbps < rung.definition.low:
            why = f"{rung.detail}: less than the {rung.low:.0f} kbit/s of the class"
            return rung.dropped(Reason.RATE_NOT_FILLED, why)
        if rung.kbps < rung.low:
            why = f"{rung.detail}: less than the MinBitrate {rung.low:.0f} kbit/s"
            return rung.dropped(Reason.BELOW_MIN_BITRATE, why)
        return rung

    def _no_size(self, definition: Definition, above: int | None) -> str:
        fences = self._fences
        if above is None and fences.min_top and fences.min_top > definition.min_edge:
            return f"no size from the MinTopSize {fences.min_top} on is possible in this class"
        highest = min(one for one in (above, definition.max_edge, self._top) if one is not None)
        return f"no size of the Ladder lies from {definition.min_edge} to {highest} lines"

    def _at_source_size(self, rung: Rung) -> Rung:
        """Offer the lowest class of a source that is smaller than every class."""
        rung, fences = replace(rung, reason=None), self._fences
        if rung.low >= rung.high:
            return _outside_fences(rung, fences)
        if fences.allowed and self._top not in fences.allowed:
            return rung.dropped(
                Reason.SIZE_NOT_ALLOWED,
                f"smaller than every class, and its {self._top} lines are not in the Ladder",
            )
        bounded = self._filled(self._sized(rung, [self._top]))
        if not bounded.offered:
            return bounded
        detail = f"smaller than every class, so offered at source size; {bounded.detail}"
        return replace(bounded, detail=detail)

    def _forced(self) -> dict[str, int]:
        """Return the forced size of each class that gets one: the highest that admits it."""
        found: dict[str, int] = {}
        free = list(DEFINITIONS)
        for edge in self._fences.forced:
            kbps = self._estimates.rate(edge) if edge <= self._top else 0.0
            if self._most is not None:
                kbps = min(kbps, self._most)
            fitting = [one for one in free if edge <= self._top and self._admits(one, edge, kbps)]
            if fitting:
                found[fitting[0].name] = edge
                free = free[free.index(fitting[0]) + 1 :]
        return found

    def _admits(self, definition: Definition, edge: int, kbps: float) -> bool:
        low = max(definition.low, self._fences.min_kbps or 0.0)
        high = min(definition.high, self._fences.max_kbps or definition.high)
        highest = definition.max_edge or edge
        return low < high and definition.min_edge <= edge <= highest and kbps >= low

    def _thinned(self, rungs: list[Rung], forced: dict[str, int]) -> list[Rung]:
        """Drop what is above MaxRungs: between the ends, the one with the closest neighbours."""
        most = self._fences.max_rungs
        while len(offered := [n for n, rung in enumerate(rungs) if rung.offered]) > most:
            free = [n for n in offered if rungs[n].definition.name not in forced]
            between = [n for n in free if n not in (offered[0], offered[-1])]
            if most > 1 and between:
                victim = min(between, key=lambda n: _gap(rungs, offered, n))
            else:
                victim = free[-1]
            rungs[victim] = rungs[victim].dropped(
                Reason.OVER_MAX_RUNGS, f"MaxRungs is {most}; {rungs[victim].detail}"
            )
        return rungs


def _names_after(place: int) -> list[str]:
    return [definition.name for definition in DEFINITIONS[place + 1 :]]


def _needs(edge: int, kbps: float) -> str:
    return f"{edge} lines need {kbps:.0f} kbit/s"


def _outside_fences(rung: Rung, fences: Fences) -> Rung:
    definition = rung.definition
    if fences.min_kbps is not None and definition.high <= fences.min_kbps:
        return rung.dropped(
            Reason.BELOW_MIN_BITRATE,
            f"the class ends at {definition.high:.0f} kbit/s, and MinBitrate is "
            f"{fences.min_kbps:.0f}",
        )
    return rung.dropped(
        Reason.ABOVE_MAX_BITRATE,
        f"the class begins at {rung.low:.0f} kbit/s, and MaxBitrate is {fences.max_kbps:.0f}",
    )


def _not_so_large(edge: int, why: str) -> ActivityError:
    return ActivityError(
        Code.OUT_OF_RANGE,
        f"MinTopSize {edge} cannot be kept: {why}.",
        pointer="/AnalysisConfig/Ladder/MinTopSize",
        remedy="Lower MinTopSize, or widen the other fields of Ladder.",
    )


def _not_possible(edge: int, why: str) -> ActivityError:
    return ActivityError(
        Code.NOT_SUPPORTED,
        f"The forced size {edge} cannot be a rung: {why}.",
        pointer="/AnalysisConfig/Ladder/ForcedSizes",
        remedy="Take it out of ForcedSizes, or use another size.",
    )


def _without_twins(rungs: Sequence[Rung], min_step: float) -> list[Rung]:
    """Drop the upper one of two offered classes that are alike in size and rate."""
    kept: list[Rung] = []
    below: Rung | None = None
    for rung in reversed(rungs):
        if rung.offered and below and _alike(rung, below, min_step):
            rung = rung.dropped(
                Reason.SAME_AS_BELOW,
                f"{rung.kbps:.0f} kbit/s, and {below.definition.name} has the same size at "
                f"{below.kbps:.0f}",
            )
        kept.append(rung)
        below = rung if rung.offered else below
    return kept[::-1]


def _alike(rung: Rung, below: Rung, min_step: float) -> bool:
    same = rung.edge == below.edge
    return same and (rung.kbps or 0.0) <= min_step * (below.kbps or 0.0)


def _highest_only(rungs: Sequence[Rung]) -> list[Rung]:
    highest = next((n for n, rung in enumerate(rungs) if rung.offered), 0)
    name = rungs[highest].definition.name
    return [
        rung.dropped(Reason.NOT_HIGHEST, f"{name} is offered; {rung.detail}")
        if rung.offered and n > highest
        else rung
        for n, rung in enumerate(rungs)
    ]


def _gap(rungs: Sequence[Rung], offered: Sequence[int], place: int) -> float:
    """Return how far apart the neighbours of an offered class are in rate, as a ratio."""
    at = offered.index(place)
    above, below = rungs[offered[at - 1]], rungs[offered[at + 1]]
    return (above.kbps or 0.0) / max(below.kbps or 0.0, 1e-9)
