"""What encodes of samples tell of the whole: pictures, key frames of scenes, and of the clock."""

from itertools import pairwise

import pytest

from activities.analysis.inference import Encoded, Inference, part, whole
from activities.analysis.samples import Sample, samples
from activities.probe.curve import BIN, Curve, KeyFrame

RATE = 10
Packets = list[tuple[float, int, bool]]


def packets(sizes: list[int], keys: set[int] = frozenset({0})) -> Packets:  # type: ignore[assignment]
    return [(n / RATE, size, n in keys) for n, size in enumerate(sizes)]


def test_the_first_picture_of_a_sample_is_counted_apart() -> None:
    sample = Sample(start=8, length=5, skip=1, counted=3, weight=1)
    found = part(packets([10_000, *[125] * 12, *[250] * 27, *[125] * 10]), sample)
    assert found.ordinary == pytest.approx((27 * 250 + 3 * 125) * 8 / 3000)
    assert found.first == 10_000 - 125 and not found.keys


def test_a_sample_at_the_beginning_has_an_ordinary_picture_there() -> None:
    sample = Sample(start=0, length=4, skip=0, counted=3, weight=1)
    found = part(packets([10_000, *[250] * 39]), sample)
    assert found.ordinary == pytest.approx(20), "250 bytes, ten times a second"


def test_a_new_scene_in_a_sample_is_told_with_its_time() -> None:
    sample = Sample(start=8, length=5, skip=1, counted=3, weight=1)
    sizes = [125] * 50
    for place in (0, 5, 25, 45):  # before, within and behind what counts
        sizes[place] = 5000
    found = part(packets(sizes, {0, 5, 25, 45}), sample)
    assert found.keys == (KeyFrame(8 + 2.5, 5000 - 125),)
    assert found.ordinary == pytest.approx(10)


def test_a_whole_encode_counts_as_it_is() -> None:
    found = whole(packets([*[1125] * 30, *[125] * 30], {0, 7}), 6.0)
    assert found.ordinary == pytest.approx(50)
    only = Sample(start=0, length=6, skip=0, counted=6, weight=1)
    assert Inference([only], [], None).kbps({0: found}) == pytest.approx(50)


class Film:
    """A source, and what an encoder makes of it: `scenes` and `clock` are times of key frames."""

    def __init__(self, busy: list[int], scenes: list[float], clock: list[float]) -> None:
        self.busy, self.scenes, self.seconds = busy, scenes, float(len(busy))
        self.curve = Curve()
        for n in range(len(busy) * RATE):
            key = n / RATE in {0.0, *scenes, *clock}
            size = 100 * busy[n // RATE] + 9000 * key
            self.curve.add(n / RATE, 1 / RATE, size, key)
        self.curve.finish()

    def encoded(self, sample: Sample) -> Encoded:
        """Three tenths of the bytes; a key frame where a scene is new, and at the beginning."""
        first, end = round(sample.start * RATE), round((sample.start + sample.length) * RATE)
        made: Packets = []
        for n in range(first, end):
            key = n == first or n / RATE in self.scenes
            made.append(((n - first) / RATE, 30 * self.busy[n // RATE] + 3000 * key, key))
        return part(made, sample)

    @property
    def real(self) -> float:
        """The kbit/s of all of it, which has a key frame every ten seconds besides."""
        keys = {0.0, *self.scenes, *(float(n) for n in range(0, len(self.busy), 10))}
        return (sum(30 * RATE * one for one in self.busy) + 3000 * len(keys)) / 125 / self.seconds

    @property
    def told(self) -> float:
        """The kbit/s that samples tell."""
        chosen = samples(self.curve.bins, self.seconds)
        found = {n: self.encoded(one) for n, one in enumerate(chosen)}
        return Inference(chosen, self.curve.keys, self.seconds).kbps(found)


def every(seconds: float, end: int, start: float = 0.0) -> list[float]:
    count = int((end - start) / seconds)
    return [round(start + n * seconds, 1) for n in range(1, count + 1) if start + n * seconds < end]


@pytest.mark.parametrize(
    ("scenes", "clock"),
    [
        ([], []),
        (every(7.5, 60), []),  # slides: what may be the clock are scenes
        ([], every(2, 60)),  # a phone, which looks for no scenes
        ([13.1], [23.1, 33.1, 43.1, 53.1]),  # the clock begins anew with each scene
        (every(5, 60), []),  # half of them where the clock has one as well
    ],
    ids=["none", "slides", "phone", "by scene", "both at once"],
)
def test_key_frames_are_foretold_wherever_samples_lie(
    scenes: list[float], clock: list[float]
) -> None:
    film = Film([1 + n % 3 for n in range(60)], scenes, clock)
    assert film.told == pytest.approx(film.real, rel=0.06)


@pytest.mark.parametrize(
    "busy",
    [
        [1 + n // 6 for n in range(60)],
        [1 if n % 9 else 12 for n in range(90)],
        [30 if 40 <= n < 44 else 1 for n in range(60)],
    ],
    ids=["rising", "peaks", "one peak"],
)
def test_pictures_follow_those_of_the_source(busy: list[int]) -> None:
    film = Film(busy, [], [])
    assert film.told == pytest.approx(film.real, rel=0.05)


def test_samples_without_pictures_are_left_out() -> None:
    film = Film([2] * 60, every(7.5, 60), [])
    chosen = samples(film.curve.bins, 60.0)
    found = {n: film.encoded(one) for n, one in enumerate(chosen) if n not in (1, 5)}
    told = Inference(chosen, film.curve.keys, 60.0).kbps(found)
    assert told == pytest.approx(film.real, rel=0.06)


def test_the_excess_of_key_frames_is_no_part_of_the_curve() -> None:
    film = Film([3] * 60, every(4, 60), [])
    assert max(film.curve.bins) - min(film.curve.bins) < 0.1
    assert all(
        after.time - before.time == pytest.approx(4) for before, after in pairwise(film.curve.keys)
    )
    assert len(film.curve.bins) == 60 / BIN


def sample(start: float, *, weight: float = 0.5, busy: float = 1.0) -> Sample:
    return Sample(start=start, length=5, skip=1, counted=3, weight=weight, busy=busy)


def test_samples_that_are_busier_than_the_source_count_for_less() -> None:
    inference = Inference([sample(0, busy=3), sample(20)], [], 30.0)
    assert inference.kbps({0: Encoded(ordinary=30), 1: Encoded(ordinary=10)}) == 10


def test_key_frames_by_the_clock_are_as_large_as_the_scene_that_they_are_in() -> None:
    keys = [KeyFrame(0, 1000), KeyFrame(15, 3000)]
    inference = Inference([sample(2, weight=0.9), sample(17, weight=0.1)], keys, 30.0)
    found = {0: Encoded(ordinary=0, first=500), 1: Encoded(ordinary=0, first=1500)}
    # at 0, 10 and 20 s; the scene at 15 s is in no sample, and no other one is
    assert inference.kbps(found) == pytest.approx((500 + 500 + 1500) * 8 / 1000 / 30)


def test_key_frames_of_the_clock_of_the_source_are_told_from_those_of_scenes() -> None:
    times = [0, 12, 15, 27, 39, 42, 54]  # by the clock at 12 s behind another one
    keys = [KeyFrame(time, 100) for time in times]
    inference = Inference([sample(10), sample(13)], keys, 60.0)
    found = {
        0: Encoded(ordinary=0),
        1: Encoded(ordinary=0, keys=(KeyFrame(15.0, 60),)),
    }
    assert inference.kbps(found) == pytest.approx(2 * 60 * 8 / 1000 / 60), "at 15 and at 42 s"
