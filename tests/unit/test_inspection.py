"""Inspection without media: lines to samples, readings to spans, spans to results."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from activities.inspection.freeze import FreezeTracker
from activities.inspection.labels import Label
from activities.inspection.measure import GAIN, Rate, branches
from activities.inspection.notes import NoteReader, Sample
from activities.inspection.results import SUMMARY_MOST, Results
from activities.inspection.spans import MOST, Bounds, Moment, Reading, Span, SpanTracker

BOUNDS = Bounds(enter=2.0, leave=1.0, shortest=0.5, bridge=0.3)
STEP = 0.125
BRANCHES = branches(tuple(Label))


def found(values: Sequence[float | None], bounds: Bounds = BOUNDS) -> list[tuple[float, float]]:
    tracker = SpanTracker(bounds=bounds, step=STEP)
    spans: list[Span | None] = []
    for place, value in enumerate(values):
        reading = None if value is None else Reading(value=value)
        spans.append(tracker.feed(place * STEP, reading))
    spans.append(tracker.close())
    return [(span.begin, span.end) for span in spans if span]


def test_a_span_opens_high_and_closes_low():
    assert found([0, 1.5, 1.5, 2, 1.5, 1.5, 1.5, 0, 0, 0, 0]) == [(0.375, 0.875)]


def test_short_spans_are_left_out_and_short_gaps_bridged():
    assert found([0, 2, 2, 2, 0, 0, 0, 0]) == []
    assert found([2, 2, 2, 0, 2, 2, 0, 0, 0, 0]) == [(0.0, 0.75)]
    assert found([2, 2, 2, 2, 0, 0, 0, 2, 2, 2, 2]) == [(0.0, 0.5), (0.875, 1.375)]


def test_what_does_not_tell_changes_nothing():
    assert found([2, 2, None, None, None, None, None, 2, 2]) == [(0.0, 1.125)]
    assert found([None] * 9) == []


@given(st.integers(1, 5000))
def test_a_span_of_any_length_has_few_moments(count: int):
    tracker = SpanTracker(bounds=BOUNDS, step=STEP)
    for place in range(count):
        tracker.feed(place * STEP, Reading(value=3))
    span = tracker.close()
    if count * STEP < BOUNDS.shortest:
        assert span is None
        return
    assert span and len(span.moments) <= MOST + 1
    assert span.moments[0].time == 0 and span.moments[-1].time == (count - 1) * STEP
    times = [moment.time for moment in span.moments]
    assert times == sorted(set(times))
    if count * STEP < MOST:
        assert len(times) == len({int(place * STEP) for place in range(count)} | {-1}) - (
            ((count - 1) * STEP).is_integer()
        )


def freezes(*pops: float) -> list[tuple[float, float]]:
    """What is found of a film that stands from 3 to 7 s, but for single pictures that move."""
    tracker = FreezeTracker(step=STEP)
    found: list[Span | None] = []
    for place in range(80):
        time = place * STEP
        moves = time < 3 or time >= 7 or time in pops
        motion = {"YMAX": 8.0 * GAIN * moves, "YAVG": 1.0 * GAIN * moves}
        found.append(tracker.feed(Sample(time=time, numbers={"motion": motion}), flat=False))
    found.append(tracker.close())
    return [(span.begin, span.end) for span in found if span]


def test_a_single_picture_that_moves_is_within_a_freeze_and_a_second_one_ends_it():
    whole = [(2.875, 7.0)]
    assert freezes() == freezes(4.0) == freezes(4.0, 6.0) == freezes(6.5) == whole
    # what moves more often is a film of few pictures a second
    assert freezes(5.0, 6.0) == [(2.875, 5.0)]
    assert freezes(4.0, 5.0, 6.0) == freezes(3.5, 5.25) == []


def lines(time: float, branch: str, value: float) -> list[str]:
    head = f"frame:1    pts:1       pts_time:{time:g}"
    return [head, f"lavfi.signalstats.YAVG={value}", f"branch={branch}"]


def test_branches_may_be_out_of_step():
    seen: list[Sample] = []
    reader = NoteReader(take=seen.append, branches=BRANCHES)
    first, *others = sorted(BRANCHES)
    told = [(0.0, branch) for branch in others if branch != "motion"]
    told += [(0.125, branch) for branch in sorted(BRANCHES)] + [(0.0, first)]
    told += [(0.25, branch) for branch in sorted(BRANCHES)]
    for place, (time, branch) in enumerate(told):
        for line in (*lines(time, branch, place), "frame=12", "out_time_us=N/A", "progress=end"):
            reader.read(line + "\n")
    reader.finish()
    times = [sample.time for sample in seen]
    assert set(times) == {0.0, 0.125, 0.25} and times[-1] == 0.25
    assert seen[-1].numbers.keys() == BRANCHES and reader.count == len(seen)


def test_a_branch_that_is_silent_keeps_nothing_waiting():
    seen: list[Sample] = []
    reader = NoteReader(take=seen.append, branches=BRANCHES)
    for place in range(1000):
        for line in lines(place / 8, "tone", 1.0):
            reader.read(line)
    assert len(seen) > 900
    for broken in ("frame:", "frame:1 pts_time:nan?", "=", "lavfi.x=inf?", "branch=", "\ufffd"):
        reader.read(broken)
    reader.finish()
    assert reader.count == len(seen) == 1000


def test_only_the_branches_that_a_defect_needs_are_waited_for():
    assert branches([Label.BRIGHTNESS]) == {"tone"}
    seen: list[Sample] = []
    reader = NoteReader(take=seen.append, branches=branches([Label.NOISE]))
    for branch in ("tone", "noise", "tone"):
        for line in lines(0.5 if not seen else 0.625, branch, 1.0):
            reader.read(line)
    assert [sample.numbers.keys() for sample in seen] == [{"tone", "noise"}]


def moments(count: int) -> tuple[Moment, ...]:
    return tuple(Moment(time=n, told={"ratio": 0.5}) for n in range(count))


def test_the_summary_is_thinned_and_the_file_is_not(tmp_path: Path):
    rate = Rate(seen=Fraction(8), source=Fraction(25))
    results = Results(rate=rate, labels=tuple(Label))
    for begin in range(500):
        results.add(Label.NOISE, Span(begin=begin, end=begin + 1, moments=moments(2)))
    items = results.data()["VideoQualityResults"]["Noise"]
    assert SUMMARY_MOST / 2 < len(items) <= SUMMARY_MOST
    assert items[0] == {"TimeStamp": "00:00:00.000", "Ratio": "0.5"}
    results.write(tmp_path / "file")
    told = json.loads((tmp_path / "file").read_text())["noise"]
    assert len(told) == 1000
    assert told[1] == {"noise_rate": "0.5", "id": 25, "timestamp": 1000.0}


def test_nothing_found(tmp_path: Path):
    results = Results(rate=Rate(seen=Fraction(8), source=Fraction(25)), labels=(Label.NOISE,))
    results.add(Label.FREEZE, Span(begin=0, end=1, moments=moments(1)))  # nobody asked for it
    results.write(tmp_path / "file")
    assert (tmp_path / "file").read_text() == ""
    assert results.data() == {"VideoQualityResults": {}, "Spans": []}
