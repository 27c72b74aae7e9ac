"""From one reading after the other to spans of time with a defect, in bounded memory.

A span opens where a reading reaches `Bounds.enter`, and goes on as long as readings stay above
`leave`: so one that lies between both makes no row of short spans.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workflow_engine.records import Json

#: seconds between two moments of a span that are told; twice as many where a span would have more
#: than MOST
APART = 1.0
MOST = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How strong a defect is in one picture, and what is told of it: fields of the API."""

    value: float
    told: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A picture with a defect, at `time` (seconds)."""

    time: float
    told: Mapping[str, Json]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A defect from `begin` to `end`, in seconds, and moments of it: the first, some, the last."""

    begin: float
    end: float
    moments: tuple[Moment, ...]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """When a span opens and closes.

    It is told of when it lasts `shortest` seconds; readings below `leave` do not end it within
    `bridge` seconds.
    """

    enter: float
    leave: float
    shortest: float
    bridge: float = 0.3


@dataclass(kw_only=True)
class SpanTracker:
    """Follows one defect; `step` is the time that a picture stands for, in seconds."""

    bounds: Bounds
    step: float
    _moments: list[Moment] = field(default_factory=list[Moment])
    _apart: float = APART
    _last: Moment | None = None

    def feed(self, time: float, reading: Reading | None) -> Span | None:
        """Take the reading of the next picture; return the span that has ended by it.

        None says that the picture does not tell: the span stays as it is.
        """
        if reading is None:
            return None
        if self._last is None:
            if reading.value >= self.bounds.enter:
                self._open(Moment(time=time, told=reading.told))
        elif reading.value >= self.bounds.leave:
            self._extend(Moment(time=time, told=reading.told))
        elif time - self._last.time > self.bounds.bridge:
            return self.close()
        return None

    def close(self) -> Span | None:
        """End the span that is open; return it when it is long enough."""
        if self._last is None:
            return None
        begin, end, last = self._moments[0].time, self._last.time + self.step, self._last
        moments = self._moments if self._moments[-1] is last else [*self._moments, last]
        self._moments, self._apart, self._last = [], APART, None
        if end - begin < self.bounds.shortest:
            return None
        return Span(begin=begin, end=end, moments=tuple(moments))

    def _open(self, moment: Moment) -> None:
        self._moments, self._last = [moment], moment

    def _extend(self, moment: Moment) -> None:
        self._last = moment
        if moment.time - self._moments[-1].time >= self._apart - self.step / 2:
            self._moments.append(moment)
        if len(self._moments) > MOST:
            self._moments, self._apart = self._moments[::2], 2 * self._apart
