"""What is guessed between measured points, and what has to be measured before it is believed."""

import math

import pytest

from activities.analysis.classes import Fences, candidates
from activities.analysis.estimates import Measured, Point, Reading
from activities.analysis.selection import Rung, select


class Encoder:
    """An encoder whose rates and qualities follow simple laws, and a count of what was asked."""

    def __init__(self, kbps: float, power: float = 1.7, octave: float = 6.0) -> None:
        self.kbps, self.power, self.octave = kbps, power, octave
        self.encoded: set[tuple[int, float]] = set()
        self.exact: set[tuple[int, float]] = set()

    def rate(self, edge: int, crf: float) -> float:
        return self.kbps * (edge / 1080) ** self.power * 2 ** ((25 - crf) / self.octave)

    def quality(self, edge: int, crf: float) -> float:
        lost = 4 * math.log2(1080 / edge) if edge < 1080 else 0.0
        return 100 - 0.9 * max(0.0, crf - 15) - lost

    def measure(self, point: Point) -> Reading:
        self.encoded.add((point.edge, point.crf))
        if not point.rough:
            self.exact.add((point.edge, point.crf))
        rough = (point.edge, point.crf) not in self.exact
        quality = self.quality(point.edge, point.crf) if point.quality else None
        rate = self.rate(point.edge, point.crf)
        return Reading(kbps=rate, quality=quality, seconds=1.0, rough=rough)


def settled(
    encoder: Encoder, measured: Measured, size: tuple[int, int] = (1920, 1080)
) -> list[Rung]:
    """Measure until nothing is missing, as the activity does."""
    for point in measured.first(candidates(size, at_least=270)):
        measured.add(point, encoder.measure(point))
    for _ in range(20):
        rungs = select(size, measured, fences=Fences())
        points = measured.missing(rungs)
        if not points:
            return rungs
        held = [point for point in points if not (point.rough or point.quality)]
        assert len(held) <= 1, "each shows better how large the next one may be"
        for point in points:
            measured.add(point, encoder.measure(point))
    raise AssertionError("it never ends")


def test_every_offered_size_is_measured_and_few_others_are() -> None:
    encoder, measured = Encoder(3000), Measured(25)
    rungs = settled(encoder, measured)
    edges = {rung.edge for rung in rungs if rung.offered}
    assert all((edge, 25) in encoder.encoded for edge in edges)
    assert len(encoder.encoded) <= len(edges) + 2
    for rung in rungs:
        assert rung.edge and rung.kbps == pytest.approx(encoder.rate(rung.edge, 25))
        assert measured.quality(rung.edge, rung.kbps) == encoder.quality(rung.edge, 25)


def test_a_source_that_only_its_own_size_is_worth_is_measured_at_that_alone() -> None:
    encoder = Encoder(100)
    settled(encoder, Measured(25))
    assert encoder.encoded == {(1080, 25)}


def test_before_smaller_sizes_are_chosen_few_samples_show_their_rates() -> None:
    encoder = Encoder(3000, power=1.2)
    settled(encoder, Measured(25))
    assert (540, 25) in encoder.encoded, "half the size of the source"
    assert (540, 25) not in encoder.exact


def test_rates_between_two_sizes_lie_on_a_line_of_logarithms() -> None:
    measured = Measured(25)
    for edge, kbps in ((1080, 4000.0), (270, 250.0)):
        measured.add(Point(edge=edge, crf=25), Reading(kbps=kbps, quality=None, seconds=1))
    assert measured.rate(540) == pytest.approx(1000) and measured.rate(2160) == pytest.approx(16000)


def test_where_no_size_holds_the_quality_the_best_one_is_found_by_measuring() -> None:
    encoder, measured = Encoder(40_000, octave=4.0), Measured(25)
    rungs = settled(encoder, measured)
    for rung in rungs:
        assert rung.capped and rung.edge and rung.kbps == rung.definition.high
        crf = 25 + encoder.octave * math.log2(encoder.rate(rung.edge, 25) / rung.kbps)
        told = measured.quality(rung.edge, rung.kbps)
        assert told == pytest.approx(encoder.quality(rung.edge, crf), abs=1.0)
    # this encoder loses less by fewer lines than by a higher Crf
    assert (rungs[0].edge, rungs[-1].edge) != (1080, 1080)


def test_sizes_are_compared_roughly_and_told_exactly() -> None:
    encoder, measured = Encoder(40_000, octave=4.0), Measured(25)
    points: list[Point] = []
    measure = encoder.measure
    encoder.measure = lambda point: points.append(point) or measure(point)  # type: ignore[method-assign]
    rungs = settled(encoder, measured)
    exact = {one.edge for one in points if one.quality and not one.rough}
    assert exact == {rung.edge for rung in rungs}
    assert any(one.rough for one in points)


class Grainy(Encoder):
    """Noise that an encoder keeps up to a Crf, and drops behind it: rates fall off a cliff."""

    def rate(self, edge: int, crf: float) -> float:
        noise = 40_000 * (edge / 1080) ** self.power / (1 + math.exp(2.5 * (crf - 26)))
        return super().rate(edge, crf) + noise

    def quality(self, edge: int, crf: float) -> float:
        return super().quality(edge, crf) - 12 / (1 + math.exp(-2.5 * (crf - 26)))


def test_a_rate_on_a_cliff_is_found_in_a_few_steps() -> None:
    encoder, measured = Grainy(1500, octave=4.0), Measured(25)
    settled(encoder, measured)
    fhd = [crf for edge, crf in encoder.encoded if edge == 1080]
    exact = [crf for edge, crf in encoder.exact if edge == 1080]
    assert len(fhd) <= 6 and len(exact) <= 3
    crf = next(c / 100 for c in range(2500, 3200) if encoder.rate(1080, c / 100) <= 4000)
    told = measured.quality(1080, 4000)
    assert told == pytest.approx(encoder.quality(1080, crf), abs=1.5)


def test_forced_sizes_are_measured_whatever_the_rungs_are() -> None:
    points = Measured(25).first([1080, 720, 540], [300])
    assert {(one.edge, one.crf) for one in points} == {(1080, 25), (300, 25)}
    measured = Measured(25, 80.0)
    points = measured.first([1080, 720, 540], [300])
    assert {(one.edge, one.crf) for one in points} == {(1080, 25), (540, 25), (300, 25)}
    encoder = Encoder(3000)
    for point in points:
        measured.add(point, encoder.measure(point))
    assert [point.edge for point in measured.missing([])] == [300], "its Crf is searched for"


def test_no_guess_of_a_quality_is_beyond_the_scale() -> None:
    measured = Measured(25)
    for crf, kbps, quality in ((25, 1000.0, 90.0), (20, 1500.0, 97.0)):
        reading = Reading(kbps=kbps, quality=quality, seconds=1)
        measured.add(Point(edge=720, crf=crf), reading)
    assert measured.quality(720, 3000) == 100 and measured.quality(720, 1) == 0


@pytest.mark.parametrize("target", [95.0, 88.0, 80.0])
def test_the_crf_of_a_target_is_searched_for_each_size(target: float) -> None:
    encoder, measured = Encoder(3000), Measured(25, target)
    for rung in settled(encoder, measured):
        if not rung.capped and rung.edge:
            reached = encoder.quality(rung.edge, measured.crf(rung.edge))
            assert reached == pytest.approx(target, abs=1.0)


def test_a_size_that_never_reaches_the_target_is_not_taken() -> None:
    encoder, measured = Encoder(200), Measured(25, 97.0)
    (offered,) = [rung for rung in settled(encoder, measured) if rung.offered and not rung.capped]
    assert offered.edge == 1080, "smaller ones lose too much by their size alone"
