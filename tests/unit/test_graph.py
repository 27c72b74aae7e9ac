import json
from typing import Any

import pytest

from tests.support.topologies import minimal, report, snapshot, start, text, topology, transcode
from workflow_engine.activity import load_registry
from workflow_engine.errors import Problem, Severity, TopologyError
from workflow_engine.planning.graph import Graph, load


def problems(value: Any) -> list[Problem]:
    source = value if isinstance(value, str) else text(value)
    try:
        return list(load(source, load_registry(), "f.json").warnings)
    except TopologyError as error:
        return list(error.problems)


def errors(value: Any) -> list[tuple[str, str]]:
    return [(str(p.code), p.pointer) for p in problems(value) if p.severity is Severity.ERROR]


def loaded(value: Any) -> Graph:
    return load(text(value), load_registry(), "f.json")


def test_dependencies_list_successors():
    graph = loaded(minimal())
    assert list(graph.dag.edges) == [("start", "sd"), ("sd", "report")]
    assert graph.order == ("start", "sd", "report")
    assert graph.start.name == "start" and graph.report and graph.report.name == "report"


def test_screenshot_is_an_alias():
    value = topology({"start": start(), "shot": snapshot(), "report": report()})
    value["Activities"]["shot"]["Type"] = "Screenshot"
    assert loaded(value).nodes["shot"].type == "Snapshot"


def test_the_nearest_ancestor_of_a_type():
    activities = {
        "start": start(),
        "a1": {"Type": "Analysis", "Parameters": {}},
        "a2": {"Type": "Analysis", "Parameters": {}},
        "t": transcode(template="S00000000-200020"),
    }
    graph = loaded(topology(activities, {"start": ["a1"], "a1": ["a2"], "a2": ["t"], "t": []}))
    assert graph.nearest["t"] == {"Start": "start", "Analysis": "a2"}


CASES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {}


def case(name: str, expected: tuple[str, str], **changes: Any) -> None:
    value = minimal()
    value["Activities"] |= changes.get("activities", {})
    value["Dependencies"] |= changes.get("edges", {})
    CASES[name] = (value, expected)


INVALID = "InvalidParameter"
case("second start", (INVALID, "/Activities/s2/Type"), activities={"s2": start()})
case(
    "second report",
    (INVALID, "/Activities/r2/Type"),
    activities={"r2": report()},
    edges={"sd": ["report", "r2"]},
)
case("edge into start", (INVALID, "/Dependencies/sd/1"), edges={"sd": ["report", "start"]})
case("edge out of report", (INVALID, "/Dependencies/report/0"), edges={"report": ["sd"]})
case("unknown successor", (INVALID, "/Dependencies/sd/1"), edges={"sd": ["report", "repotr"]})
case("unknown source", (INVALID, "/Dependencies/nobody"), edges={"nobody": ["sd"]})
case("unreachable", (INVALID, "/Activities/lost"), activities={"lost": transcode("lost")})
case("self loop", (INVALID, "/Dependencies/sd/1"), edges={"sd": ["report", "sd"]})
case("unknown type", (INVALID, "/Activities/sd/Type"), activities={"sd": {"Type": "Transcod"}})
case("no type", (INVALID + ".NullValue", "/Activities/sd/Type"), activities={"sd": {}})
case(
    "name mismatch",
    (INVALID, "/Activities/sd/Name"),
    activities={"sd": {**transcode(), "Name": "other"}},
)
case(
    "activity is a list",
    (INVALID + ".JsonObjectFormatInvalid", "/Activities/sd"),
    activities={"sd": []},
)
case(
    "successors are an object",
    (INVALID + ".JsonArrayFormatInvalid", "/Dependencies/sd"),
    edges={"sd": {}},
)
case(
    "unknown template",
    (INVALID + ".TemplateNotFound", "/Activities/sd/Parameters/Outputs/0/TemplateId"),
    activities={"sd": transcode(template="S00000001-299999")},
)
case(
    "intelligent template without analysis",
    (INVALID + ".TemplateNotSupported", "/Activities/sd/Parameters/Outputs/0/TemplateId"),
    activities={"sd": transcode(template="S00000000-200020")},
)
case(
    "bit rate out of range",
    (INVALID + ".OutOfRange", "/Activities/sd/Parameters/Outputs/0/Video/Bitrate"),
    activities={"sd": transcode(Video={"Bitrate": "5"})},
)
case(
    "parameter of a later version",
    (INVALID + ".NotSupported", "/Activities/sd/Parameters/Outputs/0/SuperReso"),
    activities={"sd": transcode(SuperReso={"IsHalfSample": "true"})},
)
case(
    "object name leaves the bucket",
    (INVALID + ".ObjectKeyInvalid", "/Activities/sd/Parameters/Outputs/0/OutputObject"),
    activities={"sd": transcode("..%2F..%2F{FileName}")},
)


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_code_and_pointer(name: str):
    value, expected = CASES[name]
    assert expected in errors(value)


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_a_place_and_says_more_than_the_code(name: str):
    for problem in problems(CASES[name][0]):
        assert problem.file == "f.json" and problem.line > 0 and problem.column > 0
        assert problem.message.endswith(".") and len(problem.message) > 20


def test_no_start():
    value = minimal()
    del value["Activities"]["start"], value["Dependencies"]["start"]
    assert (INVALID, "/Activities") in errors(value)


@pytest.mark.parametrize("key", ["Activities", "Dependencies"])
def test_both_keys_are_needed(key: str):
    value = minimal()
    del value[key]
    assert errors(value) == [("InvalidParameter.NullValue", "/" + key)]


@pytest.mark.parametrize("value", ["[]", "3", "null", '"text"'])
def test_the_wrong_json_type(value: str):
    assert {code for code, _ in errors(value)} <= {
        "InvalidParameter.JsonObjectFormatInvalid",
        "InvalidParameter.JsonFormatInvalid",
    }


def test_all_faults_come_in_one_pass():
    value = minimal()
    value["Activities"] |= {
        "lost": transcode("lost"),
        "s2": start(),
        "typo": {"Type": "Transcod"},
        "other": {**transcode("other", Video={"Bitrate": "5"}), "Name": "another"},
    }
    value["Dependencies"] |= {"sd": ["report", "sd", "other", "typo"], "report": ["x"]}
    assert {pointer for _, pointer in errors(value)} == {
        "/Activities/lost",
        "/Activities/other/Name",
        "/Activities/other/Parameters/Outputs/0/Video/Bitrate",
        "/Activities/s2/Type",
        "/Activities/typo/Type",
        "/Dependencies/report/0",
        "/Dependencies/sd/1",
    }


def test_an_unreadable_activity_still_counts_in_the_structure():
    value = minimal()
    value["Activities"]["start"]["Parameters"] = []
    assert errors(value) == [
        ("InvalidParameter.JsonObjectFormatInvalid", "/Activities/start/Parameters")
    ]


def test_one_wrong_value_hides_no_others():
    value = minimal()
    outputs = [
        {"OutputObject": "a", "TemplateId": "S00000001-299999", "Video": {"Fps": "61"}},
        {"OutputObject": "../b", "TemplateId": "S00000001-200020", "Wrong": 1},
    ]
    value["Activities"]["sd"]["Parameters"]["Outputs"] = json.dumps(outputs)
    base = "/Activities/sd/Parameters/Outputs"
    assert {p.pointer for p in problems(value)} == {
        f"{base}/0/Video/Fps",
        f"{base}/0/TemplateId",
        f"{base}/1/OutputObject",
        f"{base}/1/Wrong",
    }


def test_unreadable_dependencies_hide_no_problem_of_an_activity():
    value = minimal()
    value["Activities"]["sd"]["Type"] = "Transcod"
    value["Dependencies"] = 5
    assert {pointer for _, pointer in errors(value)} == {
        "/Dependencies",
        "/Activities/sd/Type",
    }


def test_a_cycle_is_named():
    activities = {"start": start(), **{n: transcode(n) for n in "abc"}, "report": report()}
    edges = {"start": ["a"], "a": ["b"], "b": ["c"], "c": ["a", "report"], "report": []}
    (found,) = (p for p in problems(topology(activities, edges)) if "form a cycle" in p.message)
    names = found.message.removesuffix(".").split(": ")[1].split(" -> ")
    assert names[0] == names[-1] and set(names) == {"a", "b", "c"}
    assert found.pointer.startswith("/Dependencies/")


def test_two_separate_cycles_are_two_problems():
    activities = {"start": start(), **{n: transcode(n) for n in "abcd"}}
    edges = {"start": ["a", "c"], "a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}
    found = [p for p in problems(topology(activities, edges)) if "form a cycle" in p.message]
    assert len(found) == 2


def test_did_you_mean():
    value = minimal()
    value["Dependencies"]["sd"] = ["Report"]
    assert any(p.remedy == 'Did you mean "report"?' for p in problems(value))


def test_the_place_inside_an_encoded_string():
    value = minimal()
    parameters = value["Activities"]["sd"]["Parameters"]
    parameters["Outputs"][0]["Video"] = json.dumps({"Crf": "23", "Bitrate": "5"})
    parameters["Outputs"] = json.dumps(parameters["Outputs"])
    source = text(value)
    (found,) = problems(source)
    line = source.split("\n")[found.line - 1]
    assert line[found.column - 1 :].startswith('\\\\\\"5')


def test_unknown_keys_are_warnings():
    value = minimal()
    value["Activities"]["sd"]["Parameters"]["OutputBukcet"] = "x"
    (found,) = loaded(value).warnings
    assert found.severity is Severity.WARNING
    assert found.remedy == 'Did you mean "OutputBucket"?'
