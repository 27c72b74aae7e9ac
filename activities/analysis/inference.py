"""What the encodes of samples tell of an encode of the whole source.

Three things make a rate, and each is carried over by what it follows. Ordinary pictures follow the
bytes of the source's own pictures, which are known of all of it. Key frames of new scenes follow
the key frames of the source: a sample shows how large they become, or that a scene does not change
there at all and the source only had one by the clock. Key frames by the clock of the output are as
large as the first pictures of samples, and their number is known.

Pure. Rates in kbit/s, times in seconds from the start of the source. Specification: analysis, 6.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from activities.analysis.samples import Sample
from activities.probe.curve import Curve, KeyFrame

#: seconds between key frames of the outputs (specification, transcode, 4: Gop)
KEY_SECONDS = 10.0
#: seconds that key frames of one scene may be apart in two encodes
_SAME_SCENE = 0.2
#: seconds that two distances of key frames by the clock may differ
_SAME_DISTANCE = 0.1
#: seconds that a key frame of a scene may be from where the clock has one, and replace it
_SAME_TIME = 0.06
#: share of the size of a key frame of the source from which on it is taken for one of a scene
_SCENE = 0.1
#: kbit of a byte
_KBIT = 8 / 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """What an encode of a sample is made of.

    `ordinary` is the kbit/s of the pictures that count, with as much of each key frame as another
    picture has. `keys` are the key frames among them, behind the first picture; `first` is the
    excess of that one, in bytes.
    """

    ordinary: float
    keys: tuple[KeyFrame, ...] = ()
    first: float = 0.0


def whole(packets: Sequence[tuple[float, int, bool]], seconds: float) -> Encoded:
    """Return an encode of the whole source, which has its key frames where they will be.

    `packets` are their times of decoding, bytes, and whether they are key frames.
    """
    return Encoded(ordinary=sum(size for _, size, _ in packets) * _KBIT / seconds)


def part(packets: Sequence[tuple[float, int, bool]], sample: Sample) -> Encoded:
    """Return an encode of a sample, whose first picture would be an ordinary one in the whole."""
    curve = Curve()
    for time, size, key in packets:
        curve.add(time, None, size, key)
    curve.finish()
    first = curve.keys[0].excess if curve.keys and curve.keys[0].time == 0 else 0.0
    end = sample.skip + sample.counted
    inside = [one for one in curve.keys if one.time > 0 and sample.skip <= one.time < end]
    counted = sum(size for time, size, _ in packets if sample.skip <= time < end)
    total = counted - (first if sample.skip == 0 else 0.0)
    excess = sum(one.excess for one in inside)
    return Encoded(
        ordinary=(total - excess) * _KBIT / sample.counted,
        keys=tuple(KeyFrame(sample.start + one.time, one.excess) for one in inside),
        first=first,
    )


class Inference:
    """What samples of one source tell of all of it."""

    def __init__(
        self, samples: Sequence[Sample], keys: Sequence[KeyFrame], seconds: float | None
    ) -> None:
        """`keys` are the key frames of the source; `seconds` is its length, if it is known."""
        self.samples, self._seconds = samples, seconds
        self._keys, self._kinds = keys, _kinds(keys)

    def mean(self, values: Mapping[int, float]) -> float:
        """Return the mean of what samples have, by how much of the source each stands for."""
        total = sum(self.samples[n].weight for n in values)
        return sum(self.samples[n].weight * value for n, value in values.items()) / total

    def kbps(self, encoded: Mapping[int, Encoded]) -> float:
        """Return the average rate of the whole source, by the encodes of some samples."""
        ordinary = self.mean({n: one.ordinary for n, one in encoded.items()})
        # where samples are busier than the source, they count for less
        ordinary /= self.mean({n: self.samples[n].busy for n in encoded})
        if len(self.samples) == 1 or self._seconds is None:
            return ordinary
        scenes, known = self._scenes(encoded)
        return ordinary + (scenes + self._clock(encoded, known)) * _KBIT / self._seconds

    def _clock(self, encoded: Mapping[int, Encoded], scenes: Sequence[KeyFrame]) -> float:
        """Return the bytes of key frames by the clock, but where a scene has one anyway.

        A picture is as large beside others as the last key frame of the source before it.
        """
        assert self._seconds
        first = self.mean({n: one.first for n, one in encoded.items()})
        before = self.mean({n: self._last_before(self.samples[n].start) for n in encoded})
        count = math.ceil(self._seconds / KEY_SECONDS)
        times = [place * KEY_SECONDS for place in range(count)]
        left = [time for time in times if not _at(time, scenes)]
        if before <= 0:
            return first * len(left)
        return first / before * sum(self._last_before(time) for time in left)

    def _last_before(self, time: float) -> float:
        """Return the excess of the last key frame of the source up to a time, in bytes."""
        place = bisect_right(self._keys, time + _SAME_TIME, key=lambda key: key.time)
        return self._keys[place - 1].excess if place else 0.0

    def _scenes(self, encoded: Mapping[int, Encoded]) -> tuple[float, Sequence[KeyFrame]]:
        """Return the bytes of key frames of new scenes, and those of the source that are there."""
        assert self._seconds
        left = {n: one.keys for n, one in encoded.items()}
        had: list[float] = []
        made: list[float] = []
        for kind in self._kinds:
            there = {n: self._counted(kind, n) for n in encoded}
            mine = {n: [key for key in left[n] if _beside(key, there[n])] for n in encoded}
            left = {n: tuple(key for key in left[n] if key not in mine[n]) for n in encoded}
            had.append(self._each_second(there))
            made.append(self._each_second(mine))
        total = self._each_second(left) * self._seconds
        scenes: list[KeyFrame] = []
        for place, kind in enumerate(self._kinds):
            # a kind that no sample has is taken to be like the others
            of, to = (made[place], had[place]) if had[place] else (sum(made), sum(had))
            ratio = of / to if to else 0.0
            total += ratio * sum(key.excess for key in kind)
            scenes += kind if ratio > _SCENE else ()
        return total, sorted(scenes)

    def _counted(self, keys: Iterable[KeyFrame], number: int) -> list[KeyFrame]:
        """Return the key frames in what counts of a sample."""
        sample = self.samples[number]
        begin = sample.start + sample.skip
        return [key for key in keys if begin <= key.time < begin + sample.counted]

    def _each_second(self, keys: Mapping[int, Iterable[KeyFrame]]) -> float:
        """Return the excess of key frames in samples, in bytes per second of the source."""
        samples = self.samples
        return self.mean(
            {n: sum(key.excess for key in some) / samples[n].counted for n, some in keys.items()}
        )


def _kinds(keys: Sequence[KeyFrame]) -> tuple[Sequence[KeyFrame], ...]:
    """Return key frames that may be there by the clock, and the others; none of the first one.

    An encoder that looks for scenes has the longest distance where it finds none.
    """
    distances = [after.time - before.time for before, after in pairwise(keys)]
    longest = max(distances, default=0.0) - _SAME_DISTANCE
    kinds: tuple[list[KeyFrame], list[KeyFrame]] = ([], [])
    for distance, key in zip(distances, keys[1:], strict=True):
        kinds[distance < longest].append(key)
    return kinds


def _beside(key: KeyFrame, others: Iterable[KeyFrame]) -> bool:
    return any(abs(key.time - other.time) <= _SAME_SCENE for other in others)


def _at(time: float, keys: Sequence[KeyFrame]) -> bool:
    """Whether one of these key frames, which are in their order, is at a time."""
    place = bisect_left(keys, time - _SAME_TIME, key=lambda key: key.time)
    return place < len(keys) and keys[place].time <= time + _SAME_TIME
