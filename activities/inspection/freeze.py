"""Pictures that stop: a film that stands still, which slides and title cards do by nature.

What stands still is a freeze when the picture moved for most of the time before and stopped
within a scene. What comes by a cut and stands, as a slide, a title card or a photograph does, is
meant to stand; so is what never moved.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from activities.inspection.measure import GAIN
from activities.inspection.notes import Sample
from activities.inspection.spans import Bounds, Reading, Span, SpanTracker

#: seconds that a freeze lasts at least: drawn figures hold still for a second
_SHORTEST = 1.5
#: seconds before a freeze that are looked at, how much of them must be there, and the share of
#: them that must have moved
_BEFORE, _BEFORE_LEAST, _MOVED = 2.0, 0.75, 0.75
#: levels of the cell that differs most: up to the first nothing has moved, from the second on
#: something has. Encoders refine a picture that stands by less
_STILL, _MOVING = 1.0, 2.0
#: a step this many times as large as those before it is a cut
_CUT = 4.0
#: levels of the whole picture below which a step is no cut
_CUT_LEAST = 2.0
#: seconds between two single pictures that move within a freeze, such as an encoder's key frames;
#: what moves more often is a film of few pictures a second
_POPS_APART = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """How much a picture differs from the one before: its most different cell, and on average."""

    most: float
    average: float


@dataclass(kw_only=True)
class FreezeTracker:
    """Follows one stream; `step` is the time between two samples, in seconds."""

    step: float
    _tracker: SpanTracker = field(init=False)
    _before: deque[_Step] = field(init=False)
    #: pictures since the last one that stood
    _moving: int = 0
    _counts: bool = False
    _last: float = 0.0
    #: when a single picture moved, and what has stood since: part of the freeze unless another
    #: one moves soon
    _popped: float | None = None
    _held: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        bounds = Bounds(enter=1.0, leave=1.0, shortest=_SHORTEST, bridge=1.6 * self.step)
        self._tracker = SpanTracker(bounds=bounds, step=self.step)
        self._before = deque(maxlen=max(2, round(_BEFORE / self.step)))

    def feed(self, sample: Sample, *, flat: bool) -> Span | None:
        """Take the next sample; return the freeze that has ended by it.

        A `flat` picture is one colour, and no freeze.
        """
        most, average = sample.get("motion", "YMAX"), sample.get("motion", "YAVG")
        last, self._last = self._last, sample.time
        if most is None or average is None:
            return None
        step = _Step(most=most / GAIN, average=average / GAIN)
        still = step.most <= _STILL and not flat
        if still and self._moving > 1:
            self._counts = self._stopped()
        elif still and self._moving == 1 and self._counts:
            self._pop(last)
        self._moving = 0 if still else self._moving + 1
        self._before.append(step)
        if self._moving > 1 or (
            self._popped is not None and sample.time - self._popped >= _POPS_APART
        ):
            self._keep_held()
        if still and self._counts:
            # it stands since the picture before
            self._held += (last, sample.time)
        if self._popped is not None:
            return None
        if self._held:
            self._keep_held()
            return None
        return self._tracker.feed(sample.time, Reading(value=0.0))

    def close(self) -> Span | None:
        """Return the freeze that lasts until the end, if there is one."""
        self._keep_held()
        return self._tracker.close()

    def _pop(self, time: float) -> None:
        """Note that a single picture moved; of a second one soon after, the freeze had ended."""
        if self._popped is None:
            self._popped = time
        else:
            self._popped, self._counts = None, False
            self._held.clear()

    def _keep_held(self) -> None:
        """Take what is held for a part of the freeze."""
        for time in self._held:
            self._tracker.feed(time, Reading(value=1.0, told=_FROZEN))
        self._popped = None
        self._held.clear()

    def _stopped(self) -> bool:
        """Whether the picture moved until now, and did not come by a cut."""
        steps = list(self._before)
        if len(steps) * self.step < _BEFORE_LEAST:
            return False
        moved = sum(step.most >= _MOVING for step in steps)
        if moved < _MOVED * len(steps):
            return False
        usual = median(step.average for step in steps)
        return steps[-1].average < max(_CUT_LEAST, _CUT * usual)


_FROZEN = {"result": "freeze", "score": 1.0}
