"""Lines of ffmpeg's stdout to the measures of one picture after the other, in bounded memory.

Each branch of `measure.command` prints what it found of a picture under its time. Branches are not
in step: a picture is complete once each has told of it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from activities.inspection.measure import BRANCH

#: pictures that may be under way; a branch is one or two behind another
_MOST = 64
_PREFIX = "lavfi."


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What was measured of the picture at `time` (seconds): numbers by branch and name.

    >>> Sample(time=0.5, numbers={"tone": {"YAVG": 16.0}}).get("tone", "YAVG")
    16.0
    """

    time: float
    numbers: Mapping[str, Mapping[str, float]]

    def get(self, branch: str, name: str) -> float | None:
        """Return a number, None where the branch had nothing to say."""
        return self.numbers.get(branch, {}).get(name)


@dataclass(kw_only=True)
class NoteReader:
    """Takes lines, and hands each picture on once all `branches` told of it, in order of time.

    Lines that are no notes are left out. `finish` hands on what has remained.
    """

    take: Callable[[Sample], None]
    branches: frozenset[str]
    #: pictures that were handed on
    count: int = 0
    _waiting: dict[float, dict[str, dict[str, float]]] = field(
        default_factory=dict[float, dict[str, dict[str, float]]]
    )
    _time: float | None = None
    _branch: str = ""
    _numbers: dict[str, float] = field(default_factory=dict[str, float])

    def read(self, line: str) -> None:
        """Take one line of ffmpeg's stdout."""
        if line.startswith("frame:"):
            self._store()
            self._time = _number(line.rpartition("pts_time:")[2])
            return
        key, _, value = line.strip().partition("=")
        if key == BRANCH:
            self._branch = value
        elif key.startswith(_PREFIX) and (number := _number(value)) is not None:
            self._numbers[key.rpartition(".")[2]] = number

    def finish(self) -> None:
        """Hand on the pictures that are left."""
        self._store()
        self._hand_on(math.inf)

    def _store(self) -> None:
        """Keep what the lines since the last head have told."""
        if self._time is not None and self._branch:
            told = self._waiting.setdefault(self._time, {})
            told[self._branch] = self._numbers
            if told.keys() >= self.branches:
                self._hand_on(self._time)
            elif len(self._waiting) > _MOST:
                self._hand_on(min(self._waiting))
        self._branch, self._numbers = "", {}

    def _hand_on(self, until: float) -> None:
        for time in sorted(time for time in self._waiting if time <= until):
            self.count += 1
            self.take(Sample(time=time, numbers=self._waiting.pop(time)))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
