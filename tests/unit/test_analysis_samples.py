"""Which stretches of a source are encoded: by the sizes of its packets, whatever its length."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.analysis.samples import COUNTED, SHORT, Sample, longest, samples
from activities.probe import MediaInfo
from activities.probe.curve import BIN, Curve, bytes_over_time
from tests.support import media


def told(found: Sequence[Sample], curve: Sequence[float]) -> float:
    """The bytes a second that the samples tell of a source, by its own curve."""

    def inside(one: Sample) -> float:
        first = round((one.start + one.skip) / BIN)
        return sum(curve[first : first + round(one.counted / BIN)]) / one.counted

    return sum(one.weight * inside(one) for one in found)


@pytest.mark.parametrize("duration", [None, 0.5, 12.0, SHORT])
def test_short_sources_are_taken_whole(duration: float | None) -> None:
    (whole,) = samples([], duration)
    assert (whole.start, whole.skip, whole.weight) == (0, 0, 1)
    assert whole.length == whole.counted == (duration or SHORT)


def test_what_cannot_be_opened_later_is_taken_from_the_beginning() -> None:
    (begin,) = samples([], 100.0, seekable=False)
    assert (begin.start, begin.length) == (0, SHORT)


@given(curve=st.lists(st.floats(0, 1e6), min_size=50, max_size=400), missing=st.integers(0, 20))
def test_samples_lie_inside_and_stand_for_all_of_it(curve: list[float], missing: int) -> None:
    duration = len(curve) * BIN + missing
    found = samples(curve, duration)
    assert 4 <= len(found) <= 8 and len({one.start for one in found}) == len(found)
    assert sum(one.weight for one in found) == pytest.approx(1)
    for one in found:
        assert one.start >= 0 and one.start + one.length <= duration + 1e-6
        assert COUNTED <= one.counted < COUNTED + 0.5
        assert one.skip + one.counted <= one.length + 1e-6
    assert samples(curve, duration) == found, "the same source has the same samples"


def test_a_busy_minority_is_seen_and_not_overrated() -> None:
    # a tenth of the film has half of its bytes
    curve = [100.0 + (900.0 if second // 30 % 10 == 3 else 0.0) for second in range(1200)]
    found = samples(curve, 600.0)
    busy = sum(curve[round((one.start + one.skip) / BIN)] > 500 for one in found)
    assert 3 <= busy <= 5
    assert told(found, curve) == pytest.approx(sum(curve) / 600, rel=0.1)


@pytest.mark.parametrize("duration", [20.5, 23.5, 61.5, 62.5])
def test_what_is_busy_at_the_very_end_is_seen(duration: float) -> None:
    count = round(duration / BIN)
    curve = [100.0 if place < count - 4 else 2000.0 for place in range(count)]
    found = samples(curve, duration)
    assert max(one.start + one.skip + one.counted for one in found) == pytest.approx(duration)
    assert told(found, curve) == pytest.approx(sum(curve) / duration, rel=0.2)


def test_a_film_of_rare_pictures_is_taken_whole(media_dir: Path) -> None:
    rare = media.make(
        media_dir / "rare.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=0.2:duration=40"),
        *("-c:v", "libx264", "-preset", "ultrafast"),
    )
    (video,) = MediaInfo.of(rare).videos
    (whole,) = samples([], 40.0, whole=longest(video))
    assert (whole.counted, whole.weight) == (40, 1)


def test_a_film_that_only_becomes_busier_is_estimated_without_bias() -> None:
    curve = [float(place) for place in range(7200)]
    assert told(samples(curve, 3600.0), curve) == pytest.approx(sum(curve) / 3600, rel=0.02)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_the_curve_is_that_of_the_packets(media_dir: Path, container: str) -> None:
    # noise in the second second only
    source = media.make(
        media_dir / f"curve.{container}",
        *("-f", "lavfi", "-i", "color=gray:size=160x90:rate=10:duration=3"),
        *("-vf", "noise=alls=60:allf=t:enable='between(t,1,1.95)'"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "300"),
    )
    probe = MediaInfo.of(source).probe
    curve = bytes_over_time(probe, source, 0).bins
    assert len(curve) == 6
    assert sum(curve[2:4]) > 20 * (sum(curve[:2]) + sum(curve[4:])) / 2


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_key_frames_stand_beside_the_curve(media_dir: Path, container: str) -> None:
    # a picture that stands still, and another one from the second second on
    source = media.make(
        media_dir / f"keys.{container}",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=3"),
        *("-vf", "select='eq(n,0)+eq(n,10)',fps=10", "-t", "2.5"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-force_key_frames", "1"),
    )
    curve = bytes_over_time(MediaInfo.of(source).probe, source, 0)
    assert [round(key.time, 2) for key in curve.keys] == [0, 1]
    largest = max(curve.bins)
    assert all(key.excess > 2 * largest for key in curve.keys), "no bin has a key frame in it"


def test_where_all_are_key_frames_none_stands_out() -> None:
    curve = Curve()
    for n in range(50):
        curve.add(n / 10, 0.1, 100, True)
    curve.finish()
    assert not curve.keys and curve.bins == [500.0] * 10


def test_a_curve_is_bounded_whatever_the_times_say() -> None:
    curve = Curve()
    for begin in (5.0, None, 1e12, -3.0):
        curve.add(begin, 0.04, 100)
    assert curve.bins[0] == 300 and len(curve.bins) == 1 << 18
