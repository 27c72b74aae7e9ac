"""DAGs, plots and timelines, as numbers that templates draw."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.test_report import HD, NOW, START, execution
from workflow_engine.activity import Plot, Series
from workflow_engine.pages.dag import HEIGHT, WIDTH, Drawing, draw
from workflow_engine.pages.plots import FIELD, drawn
from workflow_engine.pages.timeline import timeline
from workflow_engine.records import ActivityState, ExecutionState, FailedAttempt


def places(drawing: Drawing) -> dict[str, tuple[float, float]]:
    return {box.name: (box.x, box.y) for box in drawing.boxes}


def test_boxes_stand_behind_all_that_they_wait_for_and_never_on_each_other():
    edges = {
        "start": ["a", "b", "end"],
        "a": ["a2"],
        "b": ["b2"],
        "a2": ["end"],
        "b2": ["end"],
        "end": [],
    }
    drawing = draw(edges)
    at = places(drawing)
    for name, after in edges.items():
        assert all(at[name][0] + WIDTH < at[one][0] for one in after)
    boxes = list(at.values())
    for number, (x, y) in enumerate(boxes):
        assert 0 <= x <= drawing.width - WIDTH and 0 <= y <= drawing.height - HEIGHT
        for other_x, other_y in boxes[:number]:
            assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT
    assert len(drawing.lines) == 7 + 2, "start -> end passes two levels"


def test_lines_pass_beside_the_boxes_of_the_levels_between():
    edges = {"start": ["hd", "cover", "end"], "hd": ["package"], "cover": ["end"]}
    edges |= {"package": ["end"], "end": []}
    drawing = draw(edges)
    lanes = [re.match(r"M(\S+) (\S+)H", line) for line in drawing.lines]
    found = [(float(lane[1]), float(lane[2])) for lane in lanes if lane]
    assert len(found) == 2, "cover -> end shares that of start -> end"
    for x, y in found:
        beside = [box for box in drawing.boxes if box.x == x]
        assert beside
        assert not any(box.y <= y <= box.y + HEIGHT for box in beside)
        assert 0 <= y <= drawing.height


def test_a_level_is_sorted_so_that_lines_do_not_cross():
    edges = {"start": ["a", "b"], "a": [], "b": [], "of b": [], "of a": []}
    edges |= {"a": ["of a"], "b": ["of b"]}
    at = places(draw(edges))
    assert (at["a"][1] < at["b"][1]) == (at["of a"][1] < at["of b"][1])


@pytest.mark.parametrize(
    ("edges", "boxes"), [({}, 0), ({"a": ["b"], "b": ["a"]}, 2), ({"a": ["gone"]}, 1)]
)
def test_any_graph_has_a_drawing(edges: dict[str, list[str]], boxes: int):
    drawing = draw(edges)
    assert len(drawing.boxes) == boxes and drawing.height >= 0


def test_a_plot_fills_its_field_and_has_round_numbers_beside_it():
    series = Series(name="a.mp4", points=((0.0, 0.0), (5.0, 1400.0), (10.0, float("nan"))))
    plot = drawn(Plot(title="t", x="seconds", y="kbit/s", series=(series,), levels={"asked": 700}))
    (line,) = plot.series
    # the lower left corner, and 1400 of 1500 at the right
    assert line.points == f"0.0,{FIELD}.0 {FIELD}.0,66.7" and line.largest == "1,400"
    assert [number for number, _ in plot.rows] == ["0", "500", "1,000", "1,500"]
    assert [y for _, y in plot.rows] == [1000.0, 666.7, 333.3, 0.0]
    assert plot.columns[0] == ("0", 0.0) and plot.columns[-1] == ("4", 800.0)
    assert plot.levels[0].y == pytest.approx(FIELD * (1 - 700 / 1500))


def test_a_plot_without_values_is_no_error():
    plot = drawn(Plot(title="t", x="s", y="kbit/s", series=(Series(name="a", points=()),)))
    assert plot.series[0].points == "" and plot.rows[0] == ("0", FIELD)


def test_bars_are_shares_of_the_whole_time_and_running_ones_grow():
    failed = FailedAttempt(ended=NOW - timedelta(seconds=15), code="NoSpace", message="full")
    running = replace(
        HD,
        name="sd",
        state=ActivityState.RUNNING,
        started=NOW - timedelta(seconds=6),
        ended=None,
        attempts=(failed,),
    )
    record = replace(execution(START, HD, running), state=ExecutionState.RUNNING)
    shown = timeline(record, NOW)
    assert shown.seconds == 30
    hd, sd = shown.bars  # Start has no times
    assert (hd.begin, hd.length, hd.seconds) == (33.33, 41.67, 12.5)
    assert (sd.begin, sd.length, sd.failed) == (80.0, 20.0, (50.0,))
