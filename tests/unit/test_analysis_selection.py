"""The selection rule: which classes a source is offered, at which size and rate, and why not."""

import itertools
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.analysis.classes import (
    DEFINITIONS,
    MIN_STEP,
    STANDARD_EDGES,
    Fences,
    candidates,
    largest_edge,
    size_of,
)
from activities.analysis.selection import Reason, Rung, require, require_lines, select
from workflow_engine.errors import ActivityError, Code

FULL, HD, SLIDES = (1920, 1080), (1280, 720), {720: 19.0}
FILM = {1080: 3000.0, 720: 1400.0, 576: 900.0, 360: 400.0}


class Curve:
    """Rates between and beyond some points, as straight lines of logarithms."""

    def __init__(self, points: Mapping[int, float], best: int | None = None) -> None:
        self.points, self._best = sorted(points.items()), best

    def rate(self, edge: int) -> float:
        if len(self.points) == 1:
            ((one, kbps),) = self.points
            return kbps * (edge / one) ** 1.6
        place = next((n for n, (one, _) in enumerate(self.points) if one > edge), len(self.points))
        place = min(max(place, 1), len(self.points) - 1)
        (low, least), (high, most) = self.points[place - 1 : place + 1]
        return least * (edge / low) ** (math.log(most / least) / math.log(high / low))

    def best(self, edges: Sequence[int], kbps: float) -> int:
        return self._best if self._best in edges else edges[-1]


def shown(rungs: Sequence[Rung]) -> str:
    return " ".join(
        f"{rung.definition.name}:{rung.edge}@{rung.kbps:.0f}" for rung in rungs if rung.offered
    )


def kept(
    source: tuple[int, int], curve: "Curve", fences: Fences, *, only_highest: bool = False
) -> list[Rung]:
    """The rungs that keep the fences. Raises ActivityError."""
    rungs = select(source, curve, fences=fences, only_highest=only_highest)
    require(rungs, source, curve, fences)
    return rungs


def reasons(rungs: Sequence[Rung]) -> dict[str, str]:
    return {rung.definition.name: str(rung.reason) for rung in rungs if rung.reason}


@pytest.mark.parametrize(
    ("size", "points", "expected"),
    [
        (HD, SLIDES, "LD:720@19"),
        (FULL, {1080: 1900, 720: 900, 480: 450}, "HD:1080@1900 SD:720@900 LD:480@450"),
        (FULL, FILM, "FHD:1080@3000 HD:720@1400 SD:576@900 LD:360@400"),
        (HD, {720: 30000}, "FHD:720@4000 HD:576@2000 SD:480@1000 LD:270@500"),
        # upright phones are judged by their short edge
        ((1080, 1920), FILM, "FHD:1080@3000 HD:720@1400 SD:576@900 LD:360@400"),
        # classes have no upper size but that of FHD
        ((3840, 2160), {2160: 480, 1080: 200}, "LD:2160@480"),
        ((3840, 2160), {2160: 9000, 1080: 2500}, "FHD:1080@2500 HD:900@1785 SD:648@973 LD:432@460"),
    ],
)
def test_what_sources_are_offered(
    size: tuple[int, int], points: dict[int, float], expected: str
) -> None:
    assert shown(select(size, Curve(points))) == expected


def test_noise_takes_the_size_that_looks_best() -> None:
    rungs = select(HD, Curve({720: 30000}, best=720))
    assert shown(rungs) == "FHD:720@4000 HD:720@2000 SD:720@1000 LD:720@500"
    assert all(rung.capped for rung in rungs)


def test_every_reason_is_told_in_words() -> None:
    rungs = select(HD, Curve(SLIDES))
    assert reasons(rungs) == dict.fromkeys(("FHD", "HD", "SD"), "RateNotFilled")
    assert rungs[0].detail == ("720 lines need 19 kbit/s: less than the 2000 kbit/s of the class")
    small = select((854, 480), Curve({480: 600}))
    assert reasons(small) == dict.fromkeys(("FHD", "HD"), "SourceTooSmall")
    assert "480" in small[0].detail and "720" in small[0].detail


def test_a_source_below_every_class_is_offered_as_it_is() -> None:
    rungs = select((160, 90), Curve({90: 30}))
    assert shown(rungs) == "LD:90@30" and "smaller than every class" in rungs[-1].detail
    assert shown(select((160, 90), Curve({90: 700}))) == "LD:90@500"


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1200, "HD:1080@1200 SD:576@900 LD:360@400"),
        (700, "SD:576@700 LD:360@400"),
        (100, "LD:360@100"),
    ],
)
def test_no_rung_has_more_than_the_source_itself(most: float, expected: str) -> None:
    points = FILM | {1080: 1950.0}
    rungs = select(FULL, Curve(points), most_kbps=most)
    assert shown(rungs) == expected
    assert all(rung.capped for rung in rungs if rung.offered and rung.kbps == most)


def test_two_classes_that_are_alike_become_the_lower_one() -> None:
    # the source holds 1060, so that HD and SD come out at one size
    flat = {1080: 1400.0, 720: 1399.0, 480: 990.0}
    rungs = select(FULL, Curve(flat), most_kbps=1060)
    assert shown(rungs).startswith("HD:1080@1060 SD:480@990")
    one_size = Fences(allowed=(720,))
    rungs = select(HD, Curve({720: 1500}), most_kbps=1050, fences=one_size)
    assert reasons(rungs)["HD"] == "SameAsBelow" and shown(rungs).startswith("SD:720@1000")
    apart = Fences(allowed=(720,), min_step=1.04)
    assert "HD" not in reasons(select(HD, Curve({720: 1500}), most_kbps=1050, fences=apart))


@pytest.mark.proves("KeepOnlyHighestDefinition", by="the rule")
def test_only_the_highest_is_kept_on_request() -> None:
    rungs = select(FULL, Curve({1080: 1900, 720: 900, 480: 450}), only_highest=True)
    assert shown(rungs) == "HD:1080@1900"
    assert reasons(rungs) == {
        "FHD": "RateNotFilled",
        "SD": "NotHighest",
        "LD": "NotHighest",
    }


@pytest.mark.proves(
    "Ladder.MinBitrate, MaxBitrate",
    "Ladder.AllowedSizes, ForcedSizes, MinTopSize",
    "Ladder.MaxRungs, MinStep",
    by="the rule",
)
@pytest.mark.parametrize(
    ("fences", "expected", "why"),
    [
        (Fences(max_kbps=1500), "HD:720@1400 SD:576@900 LD:360@400", {"FHD": "AboveMaxBitrate"}),
        (
            Fences(min_kbps=950),
            "FHD:1080@3000 HD:720@1400",
            {"SD": "BelowMinBitrate", "LD": "BelowMinBitrate"},
        ),
        (Fences(max_kbps=2500), "FHD:900@2130 HD:720@1400 SD:576@900 LD:360@400", {}),
        (
            Fences(allowed=(540, 360)),
            "SD:540@805 LD:360@400",
            dict.fromkeys(("FHD", "HD"), "SizeNotAllowed"),
        ),
        (Fences(forced=(540,)), "FHD:1080@3000 HD:720@1400 SD:540@805 LD:360@400", {}),
        (Fences(forced=(1080, 576)), "FHD:1080@3000 HD:720@1400 SD:576@900 LD:360@400", {}),
        (Fences(max_rungs=1), "FHD:1080@3000", dict.fromkeys(("HD", "SD", "LD"), "OverMaxRungs")),
        (
            # the neighbours of HD (3000, 900) are closer than those of SD (1400, 400)
            Fences(max_rungs=3),
            "FHD:1080@3000 SD:576@900 LD:360@400",
            {"HD": "OverMaxRungs"},
        ),
        (
            Fences(max_rungs=3, forced=(720,)),
            "FHD:1080@3000 HD:720@1400 LD:360@400",
            {"SD": "OverMaxRungs"},
        ),
        (Fences(min_top=1080), "FHD:1080@3000 HD:720@1400 SD:576@900 LD:360@400", {}),
    ],
)
def test_fences(fences: Fences, expected: str, why: dict[str, str]) -> None:
    rungs = select(FULL, Curve(FILM), fences=fences)
    assert shown(rungs) == expected and reasons(rungs) == why


def test_the_best_rung_may_have_to_be_large() -> None:
    # without it FHD would be 900 lines at 3820
    noisy = {1080: 5300.0, 720: 2500.0}
    assert shown(select(FULL, Curve(noisy))).startswith("FHD:900@")
    rungs = select(FULL, Curve(noisy), fences=Fences(min_top=1080))
    assert shown(rungs).startswith("FHD:1080@4000") and rungs[0].capped


@pytest.mark.parametrize(
    ("fences", "code", "field"),
    [
        (Fences(forced=(1440,)), Code.NOT_SUPPORTED, "ForcedSizes"),
        (Fences(forced=(360, 270)), Code.NOT_SUPPORTED, "ForcedSizes"),
        (Fences(min_top=1440), Code.OUT_OF_RANGE, "MinTopSize"),
        (Fences(allowed=(1440,)), Code.OUT_OF_RANGE, "Ladder"),
        # what contradicts itself: a forced size that is small, and the best one is not
        (Fences(forced=(270,), max_rungs=1, min_top=480), Code.OUT_OF_RANGE, "MinTopSize"),
    ],
)
def test_fences_that_cannot_be_kept(fences: Fences, code: str, field: str) -> None:
    with pytest.raises(ActivityError) as caught:
        kept(FULL, Curve(FILM), fences)
    assert caught.value.code == code and caught.value.pointer.endswith(field)
    assert caught.value.remedy


def test_only_the_highest_and_a_smaller_forced_size_contradict_each_other() -> None:
    kept(FULL, Curve(FILM), Fences(forced=(360,)))
    with pytest.raises(ActivityError, match="forced size 360"):
        kept(FULL, Curve(FILM), Fences(forced=(360,)), only_highest=True)


@pytest.mark.parametrize("fences", [Fences(forced=(1440, 360)), Fences(min_top=1440)])
def test_lines_that_the_source_lacks_are_refused_before_anything_is_measured(
    fences: Fences,
) -> None:
    with pytest.raises(ActivityError, match=r"1440 cannot be .*short edge of the source is 1080"):
        require_lines(FULL, fences)


@pytest.mark.parametrize(
    ("fences", "reason"),
    [
        (Fences(min_kbps=50), "BelowMinBitrate"),
        (Fences(min_kbps=600), "BelowMinBitrate"),
        (Fences(allowed=(480,)), "SizeNotAllowed"),
    ],
)
def test_a_source_below_every_class_keeps_the_fences_too(fences: Fences, reason: str) -> None:
    rungs = select((160, 90), Curve({90: 30}), fences=fences)
    assert reasons(rungs)["LD"] == reason and not any(rung.offered for rung in rungs)
    with pytest.raises(ActivityError, match="leaves nothing"):
        kept((160, 90), Curve({90: 30}), fences)
    assert shown(select((160, 90), Curve({90: 30}), fences=Fences(allowed=(90,)))) == "LD:90@30"


@pytest.mark.parametrize(
    ("source", "edge", "size"),
    [
        ((1920, 1080), 720, (1280, 720)),
        ((1080, 1920), 720, (720, 1280)),
        ((3840, 1608), 1080, (2580, 1080)),
        ((4400, 300), 278, (4078, 278)),
    ],
)
def test_sizes_keep_the_ratio(source: tuple[int, int], edge: int, size: tuple[int, int]) -> None:
    assert size_of(source, edge) == size


def test_sizes_are_even_never_enlarged_and_within_what_templates_name() -> None:
    assert largest_edge((1281, 721)) == 720 and largest_edge((4400, 300)) == 278
    assert candidates((1281, 721), at_least=576) == [720, 648, 576]
    assert candidates((1000, 600), at_least=270, fences=Fences(allowed=(720, 500))) == [500]
    assert max(size_of((8192, 128), largest_edge((8192, 128)))) <= 4096


SIZES = st.tuples(st.integers(16, 4096), st.integers(16, 2304))
EDGES = st.sampled_from(STANDARD_EDGES)
FENCES = st.builds(
    Fences,
    min_kbps=st.none() | st.floats(10, 1500),
    max_kbps=st.none() | st.floats(1501, 6000),
    allowed=st.just(()) | st.lists(EDGES, unique=True, min_size=1, max_size=5).map(tuple),
    min_top=st.none() | EDGES,
    max_rungs=st.integers(1, 4),
    min_step=st.floats(1, 2),
)


@given(
    size=SIZES,
    kbps=st.floats(1, 60_000),
    power=st.floats(0.3, 2.5),
    most=st.none() | st.floats(10, 9000),
    fences=st.just(Fences()) | FENCES,
    highest=st.booleans(),
)
def test_whatever_the_source_the_promises_hold(
    size: tuple[int, int],
    kbps: float,
    power: float,
    most: float | None,
    fences: Fences,
    highest: bool,
) -> None:
    curve = Curve({1080: kbps, 540: kbps * 0.5**power})
    try:
        rungs = select(size, curve, most_kbps=most, fences=fences, only_highest=highest)
        require(rungs, size, curve, fences)
    except ActivityError as error:
        assert fences != Fences() and error.code == Code.OUT_OF_RANGE
        return
    assert [rung.definition for rung in rungs] == list(DEFINITIONS)
    offered = [rung for rung in rungs if rung.offered]
    assert 1 <= len(offered) <= (1 if highest else fences.max_rungs)
    top = largest_edge(size)
    edges = [rung.edge or 0 for rung in offered]
    assert edges == sorted(edges, reverse=True) and edges[0] <= top
    assert edges[0] >= (fences.min_top or 0)
    assert all(rung.detail for rung in rungs)
    for rung in offered:
        assert rung.kbps is not None and rung.edge is not None
        assert rung.definition.low <= rung.kbps <= rung.definition.high
        assert (fences.min_kbps or 0) <= rung.kbps <= (fences.max_kbps or math.inf)
        assert rung.edge >= min(rung.definition.min_edge, top)
        assert not fences.allowed or rung.edge in fences.allowed
        assert most is None or rung.kbps <= most
        if not rung.capped:
            assert rung.kbps == curve.rate(rung.edge)
    for above, below in itertools.pairwise(offered):
        assert above.kbps and below.kbps
        step = min(fences.min_step, MIN_STEP)
        assert above.edge != below.edge or above.kbps > step * below.kbps
        assert above.kbps >= below.kbps


def test_the_largest_size_that_holds_the_quality_is_taken() -> None:
    for rung in select(FULL, Curve(FILM)):
        larger = [
            edge
            for edge in candidates(FULL, at_least=rung.definition.min_edge)
            if edge > (rung.edge or 0) and edge <= (rung.definition.max_edge or edge)
        ]
        assert all(Curve(FILM).rate(edge) > rung.definition.high for edge in larger)
        assert rung.reason is not Reason.RATE_NOT_FILLED
