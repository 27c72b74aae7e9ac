"""How a result template keeps the average rate of its class."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.analysis.classes import DEFINITIONS, Definition
from activities.analysis.rates import RateControl, rate_control, share_cut
from activities.analysis.selection import Rung


def control(
    kbps: float,
    duration: float | None = 60.0,
    *,
    place: int = 1,
    capped: bool = False,
    local: bool = False,
    cut: float = 0.0,
    whole: bool = False,
) -> RateControl:
    definition = DEFINITIONS[place]
    rung = Rung(
        definition=definition,
        low=definition.low,
        high=definition.high,
        edge=720,
        kbps=kbps,
        capped=capped,
    )
    return rate_control(rung, 25, duration, local=local, cut=lambda limit: cut, whole=whole)


def test_a_rate_well_inside_the_class_is_left_to_the_quality() -> None:
    found = control(1300)
    assert (found.crf, found.bitrate, found.mode) == (25, None, "onepass")
    # a full buffer may be spent on top of Maxrate
    assert found.maxrate + found.bufsize / 60 <= 2000 and found.maxrate >= 1.1 * 1300
    assert 1000 <= found.bufsize <= 6000


@pytest.mark.parametrize(
    ("found", "bitrate"),
    [
        (control(1990), 1940),  # 3 % off the upper end
        (control(1005), 1020),  # 2 % off the lower end
        (control(2000, capped=True), 1940),
        (control(1300, cut=0.1), 1300),  # a Maxrate would cut the busiest seconds
        (control(1500, 6.0), 1500),
        (control(1500, 6.0, whole=True, cut=0.1), 1500),
        (control(1990, 6.0, whole=True), 1940),
        (control(1500, None), 1500),
        (control(1500, local=True), 1500),
        (control(5, 6.0, place=3), 10),
    ],
)
def test_all_else_is_given_a_rate_in_two_passes(found: RateControl, bitrate: float) -> None:
    assert (found.crf, found.bitrate, found.mode) == (None, bitrate, "twopass")


def test_what_was_measured_on_all_of_a_clip_is_left_to_the_quality() -> None:
    found = control(1500, 6.0, whole=True, cut=0.01)
    assert (found.crf, found.bitrate, found.maxrate, found.bufsize) == (25, None, 2000, 4000)


def test_a_rate_that_the_source_bounds_is_left_to_the_crf_that_has_it() -> None:
    # two passes miss the average of pictures that stand still
    assert control(1300, capped=True).crf == 25
    assert control(1300, 9.0, capped=True, whole=True).bitrate == 1300, "it was not measured"


def test_what_needs_less_than_a_template_can_say_is_left_to_the_quality() -> None:
    assert control(3, 6.0, place=3, whole=True).crf == 25
    assert control(3, 6.0, place=3, whole=True, capped=True).bitrate == 10


def test_buffers_of_short_clips_are_small_and_local_peaks_high() -> None:
    assert control(1500, 6.0).bufsize == 1000 and control(1990).bufsize == 6000
    assert control(1500, 6.0).maxrate == 2000 and control(1500, local=True).maxrate == 4000


@given(
    definition=st.sampled_from(DEFINITIONS),
    share=st.floats(0.001, 1),
    duration=st.none() | st.floats(0.1, 20_000),
    capped=st.booleans(),
)
def test_no_average_can_leave_its_class(
    definition: Definition, share: float, duration: float | None, capped: bool
) -> None:
    kbps = definition.low + share * (definition.high - definition.low)
    rung = Rung(
        definition=definition,
        low=definition.low,
        high=definition.high,
        edge=720,
        kbps=kbps,
        capped=capped,
    )
    found = rate_control(rung, 25, duration, local=False, cut=lambda limit: 0.0)
    assert 1000 <= found.bufsize <= 6000 and 10 <= found.maxrate <= definition.high
    if found.bitrate is not None:
        low, high = max(1.02 * definition.low, 10), 0.97 * definition.high
        assert low - 0.1 <= found.bitrate <= high + 0.1
        assert found.bitrate == pytest.approx(min(max(kbps, low), high), abs=0.1)
    else:
        assert duration is not None
        assert found.maxrate + found.bufsize / duration <= definition.high
        assert found.maxrate >= 1.1 * kbps


def test_what_does_not_fit_into_the_buffer_is_cut() -> None:
    limit, rate = RateControl(crf=25, maxrate=1000, bufsize=1000), Fraction(25)
    second = [5000] * 25  # bytes: exactly 1000 kbit/s
    assert share_cut(second * 60, rate, limit) == 0
    # a burst of what the buffer holds, and one of more
    assert share_cut([8000, *[12000] * 10, *second], rate, limit) == 0
    assert share_cut([8000, *[14000] * 15, *second], rate, limit) > 0
    assert share_cut([5100] * 25 * 60, rate, limit) > 0, "2 % above it, for a minute"
    # more than is there at first: 225 kB are asked for, and 112.5 kB are there
    assert share_cut([225_000], rate, limit) == 0.5
    # what a quiet stretch saves is no more than the buffer holds: 125 kB
    assert share_cut([0] * 100 + [125_000], rate, limit) == 0
    assert share_cut([0] * 100 + [250_000], rate, limit) == 0.5
