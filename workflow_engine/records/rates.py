"""How long kinds of work took, and how long they will probably take: rates that are learnt."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

#: measurements, those of amounts most like the wanted one, whose median counts
_NEAREST = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """So much of one kind of work.

    `kind` holds all that shapes how long a unit of it takes: codec, preset. `amount` is what
    doubles when the time doubles; the amounts of the kinds of one activity type are of one scale,
    so that something can be said of how a time that was measured for all of them divides.
    """

    kind: str
    amount: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """How many seconds some work took."""

    work: Work
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What is known of one kind of work: amounts and the seconds that they took."""

    samples: tuple[tuple[float, float], ...]

    def seconds(self, amount: float) -> float:
        """Return how long an amount probably takes: by the median of those of similar size."""

        def distance(sample: tuple[float, float]) -> float:
            return abs(math.log(sample[0] / amount))

        nearest = sorted(self.samples, key=distance)[:_NEAREST]
        return amount * median(seconds / own for own, seconds in nearest)


#: rates by kind of work
Rates = Mapping[str, Rate]


def expected(works: Iterable[Work], rates: Rates) -> float | None:
    """Return how long some work takes in all, None where the rate of a part is not known."""
    total = 0.0
    for work in works:
        rate = rates.get(work.kind)
        if rate is None:
            return None
        total += rate.seconds(work.amount)
    return total


def divided(works: Iterable[Work], seconds: float, rates: Rates) -> list[Measurement]:
    """Return how long each kind of work took, of the time that all of them took together.

    Kinds whose rates are known take as much as these say, what is left is for the others, by their
    amounts. Where all are known, all were as much slower or quicker than usual.
    """
    amounts: dict[str, float] = {}
    for work in works:
        amounts[work.kind] = amounts.get(work.kind, 0.0) + work.amount
    known = {kind: rates[kind].seconds(amount) for kind, amount in amounts.items() if kind in rates}
    unknown = {kind: amount for kind, amount in amounts.items() if kind not in rates}
    if unknown:
        # however slow the known ones should be, the others took some of the time
        left = max(seconds - sum(known.values()), seconds * _share(unknown, amounts) / 2)
        scale = left / sum(unknown.values())
        known |= {kind: amount * scale for kind, amount in unknown.items()}
    total = sum(known.values())
    return [
        Measurement(work=Work(kind=kind, amount=amounts[kind]), seconds=seconds * part / total)
        for kind, part in known.items()
    ]


def _share(some: Mapping[str, float], of: Mapping[str, float]) -> float:
    return sum(some.values()) / sum(of.values())


def least_known(kinds: Iterable[str], rates: Rates) -> int:
    """Return by how many measurements that kind is known which is known least."""
    return min((len(rates[kind].samples) for kind in kinds if kind in rates), default=0)


def samples_of(rows: Iterable[tuple[str, float, float]]) -> Rates:
    """Return rates of rows of kind, amount and seconds."""
    found: dict[str, list[tuple[float, float]]] = {}
    for kind, amount, seconds in rows:
        found.setdefault(kind, []).append((amount, seconds))
    return {kind: Rate(samples=tuple(samples)) for kind, samples in found.items()}
