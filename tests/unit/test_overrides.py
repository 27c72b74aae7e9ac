import json

import pytest

from tests.support.topologies import minimal, text
from workflow_engine.errors import TopologyError
from workflow_engine.topology.overrides import apply_overrides


def overridden(overrides: object, value: object = None) -> dict[str, object]:
    changed = apply_overrides(text(value or minimal()), json.dumps(overrides), "o.json")
    return json.loads(changed)["Activities"]["sd"]["Parameters"]


def test_hls_subtitles():
    entry = {"RefActivityName": "sd", "WebVTTSubtitleURL": "http://h/a.vtt"}
    parameters = overridden({"WebVTTSubtitleOverrides": [entry]})
    assert parameters["WebVTTSubtitleURL"] == "http://h/a.vtt"
    assert parameters["OutputBucket"] == "out"


def test_dash_subtitles_in_a_topology_of_encoded_strings():
    config = {"Format": "vtt", "InputFile": {"URL": "http://h/a.vtt"}}
    value = minimal()
    value["Activities"]["sd"]["Parameters"] = json.dumps(value["Activities"]["sd"]["Parameters"])
    parameters = overridden({"sd": {"InputConfig": config}}, value)
    assert parameters["InputConfig"] == config
    assert parameters["OutputBucket"] == "out"


def test_encoded_overrides_and_absent_parameters():
    value = minimal()
    value["Activities"]["sd"]["Parameters"] = None
    parameters = overridden({"sd": json.dumps({"InputConfig": {"Format": "vtt"}})}, value)
    assert parameters == {"InputConfig": {"Format": "vtt"}}


@pytest.mark.parametrize(
    ("overrides", "code", "pointer"),
    [
        ({"ds": {"InputConfig": {}}}, "InvalidParameter", "/ds"),
        (
            {"WebVTTSubtitleOverrides": [{"RefActivityName": "x", "WebVTTSubtitleURL": "u"}]},
            "InvalidParameter",
            "/WebVTTSubtitleOverrides/0/RefActivityName",
        ),
        (
            {"sd": {"InputConfig": {}, "Other": 1}},
            "InvalidParameter.JsonObjectFormatInvalid",
            "/sd",
        ),
        ({"sd": {"Other": 1}}, "InvalidParameter.JsonObjectFormatInvalid", "/sd"),
        ([], "InvalidParameter.JsonObjectFormatInvalid", ""),
    ],
)
def test_what_cannot_be_applied_is_an_error(overrides: object, code: str, pointer: str):
    with pytest.raises(TopologyError) as caught:
        overridden(overrides)
    (problem,) = caught.value.problems
    assert (problem.code, problem.pointer, problem.file) == (code, pointer, "o.json")
    assert problem.line == 1
