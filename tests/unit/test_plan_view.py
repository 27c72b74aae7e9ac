"""A plan as people read it: what an activity expects to find, and that it is a forecast."""

from pathlib import Path

from activities.analysis import Analysis
from tests.support.topologies import start, text, topology
from tests.support.transcode_plans import media
from workflow_engine.activity import StepResult, load_registry
from workflow_engine.cli.plan_view import plan_json, plan_lines
from workflow_engine.planning.graph import load
from workflow_engine.planning.plan import Input, Planned, plan_all
from workflow_engine.records import Digests, ObjectRef
from workflow_engine.run.work import Forecast, TimeNeeded
from workflow_engine.topology.placeholders import Names

UNKNOWN = Forecast(activities={}, seconds=None, runs=0)
SOURCE = ObjectRef(bucket="uploads", object="incoming/in.mov", location="local")


def test_what_an_analysis_expects_is_told_as_a_forecast(tmp_path: Path) -> None:
    activities = {"start": start(), "look": {"Type": Analysis.type_name, "Parameters": {}}}
    graph = load(text(topology(activities, {"start": ["look"], "look": []})), load_registry())
    given = Input(
        ref=SOURCE,
        digests=Digests(size=1, sha256="0" * 64, md5="0" * 32),
        names=Names.of(SOURCE.object, run_id="0" * 32),
    )
    plan = plan_all(graph, given, StepResult(data=media()), lambda planned: None)
    lines = list(plan_lines("w", SOURCE, plan, UNKNOWN))
    place = next(n for n, line in enumerate(lines) if "a forecast" in line)
    assert lines[place + 1].split() == [
        *("Class", "State", "Size", "kbit/s", "VMAF", "Reason", "Detail")
    ]
    rows = lines[place + 2 : place + 6]
    assert [row.split()[0] for row in rows] == ["FHD", "HD", "SD", "LD"]
    column = lines[place + 1].index("Detail")
    assert all(row[column - 1] == " " and row[column] != " " for row in rows)
    (_, look) = plan_json("w", SOURCE, plan, UNKNOWN)["Activities"]
    assert len(look["Forecast"]["Rungs"]) == 4
    # a result that is there already is told as what it is
    result = plan.forecasts["look"]

    def finished(planned: Planned) -> StepResult | None:
        return result if planned.node.name == "look" else None

    again = plan_all(graph, given, StepResult(data=media()), finished)
    lines = list(plan_lines("w", SOURCE, again, UNKNOWN))
    place = next(n for n, line in enumerate(lines) if line.strip() == "Definitions")
    assert [row.split()[0] for row in lines[place + 2 : place + 6]] == ["FHD", "HD", "SD", "LD"]
    assert not any("forecast" in line for line in lines)


def test_about_how_long_it_takes_is_told_where_it_is_known(tmp_path: Path) -> None:
    activities = {"start": start(), "look": {"Type": Analysis.type_name, "Parameters": {}}}
    graph = load(text(topology(activities, {"start": ["look"], "look": []})), load_registry())
    given = Input(
        ref=SOURCE,
        digests=Digests(size=1, sha256="0" * 64, md5="0" * 32),
        names=Names.of(SOURCE.object, run_id="0" * 32),
    )
    plan = plan_all(graph, given, StepResult(data=media()), lambda planned: None)
    quick = TimeNeeded(seconds=0.2, after=0.0, runs=12)
    times = {"start": quick, "look": TimeNeeded(seconds=170.0, after=9.0, runs=12)}
    known = Forecast(activities=times, seconds=179.2, runs=12)
    lines = list(plan_lines("w", SOURCE, plan, known))
    assert "start [Start]  runs" in lines and "look [Analysis]  runs, about 3 min" in lines
    assert lines[-1] == "It would take about 3 min, as in 12 earlier runs on this machine."
    wire = plan_json("w", SOURCE, plan, known)
    assert (wire["Seconds"], wire["EarlierRuns"]) == (179.2, 12)
    assert [one["Seconds"] for one in wire["Activities"]] == [0.2, 179.0]
    unknown = plan_json("w", SOURCE, plan, UNKNOWN)
    assert unknown["Seconds"] is None and "Seconds" not in unknown["Activities"][1]
    assert "would take" not in "".join(plan_lines("w", SOURCE, plan, UNKNOWN))
