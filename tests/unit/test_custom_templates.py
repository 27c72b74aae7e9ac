"""Custom templates: found by id, judged as documents, overridden like presets."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from activities.templates import Kind, find
from activities.transcode import Transcode
from tests.support.topologies import minimal, text
from tests.support.transcode_plans import MP4, plan
from tests.unit.test_transcode_check import problems
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    PlanContext,
    Step,
    StepResult,
    load_registry,
)
from workflow_engine.errors import ActivityError, Code, InvalidInputError, TopologyError
from workflow_engine.planning.graph import load
from workflow_engine.planning.plan import Input, Planner, plan_all
from workflow_engine.records import Digests, ObjectRef
from workflow_engine.testing import FakeRegistry
from workflow_engine.topology import problems_of
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel

ID = "f" * 32
SMALL = {
    "Name": "small",
    "Container": '{"Format": "ts"}',
    "Video": {"Width": "320", "Bitrate": "300", "Crf": "30"},
    "Audio": {"Bitrate": "64"},
    "MuxConfig": {"Segment": {"Duration": "4"}},
}


def lookup(sections: dict[str, Any] | None = None):
    return {ID: SMALL if sections is None else sections}.get


def made(template: dict[str, Any], **fields: Any) -> Step:
    output = {"OutputObject": "a/{FileName}", "TemplateId": ID} | fields
    step = plan(output, templates=lookup(template))
    assert isinstance(step, Step)
    return step


def faults(document: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        Transcode.documents["Template"].model_validate(document)
    except ValidationError as error:
        return [(problem.code, problem.pointer) for problem in problems_of(error)]
    return []


def test_a_custom_template_is_found_with_its_sections():
    template = find(ID, lookup())
    assert (template.id, template.name, template.kind) == (ID, "small", Kind.CUSTOM)
    assert template.container.format == "ts"
    assert template.video and (template.video.width, template.video.crf) == (320, 30)
    assert template.mux_config.segment.duration == 4


def test_absent_sections_are_mp4_without_that_stream():
    template = find(ID, lookup({"Name": "sound", "Audio": "{}", "Video": None}))
    assert (template.container.format, template.video) == ("mp4", None)
    assert template.audio and template.audio.bitrate == 128
    assert template.trans_config.trans_mode == "onepass"
    assert template.mux_config.segment.model_fields_set == set()


def test_an_unknown_id_is_an_error_and_presets_stay():
    assert find(MP4, lookup()).id == MP4
    with pytest.raises(InvalidInputError) as caught:
        find("e" * 32, lookup())
    assert caught.value.code == Code.TEMPLATE_NOT_FOUND and caught.value.remedy
    with pytest.raises(InvalidInputError) as caught:
        find("S00000001-20003", lookup())
    assert "S00000001-2000" in caught.value.remedy


def test_an_output_overrides_it_field_by_field():
    (output,) = made(SMALL).outputs
    assert output.ref.object == "a/in.ts"
    assert output.summary == "ts 320x180 h264 crf 30 + aac 64k"
    (output,) = made(SMALL, Video={"Bitrate": "900"}, Container={"Format": "m3u8"}).outputs
    assert output.ref.object == "a/in.m3u8"
    assert output.summary == "m3u8 320x180 h264 900k + aac 64k"


def test_what_it_resolves_to_makes_the_key_and_not_its_id():
    step = made({"Video": {"Width": "1280", "Bitrate": "1800"}, "Audio": {}})
    assert step.identity == plan({"OutputObject": "b", "TemplateId": MP4}).identity
    assert made({"Video": {"Width": "1280"}}).identity != step.identity


def test_a_template_that_went_away_fails_the_activity():
    with pytest.raises(ActivityError) as caught:
        plan({"OutputObject": "a", "TemplateId": ID})
    assert caught.value.code == Code.TEMPLATE_NOT_FOUND
    assert caught.value.pointer == "/Outputs/0/TemplateId"


def test_a_stored_template_that_this_version_cannot_read_is_one_sentence():
    with pytest.raises(InvalidInputError) as caught:
        find(ID, lookup({"Video": {"Width": "9"}}))
    error = caught.value
    assert error.code == Code.OUT_OF_RANGE and f'"{ID}"' in error.message
    assert 'Video.Width: The value "9"' in error.message


def topology(template_id: str) -> str:
    value = minimal()
    value["Activities"]["sd"]["Parameters"]["Outputs"][0]["TemplateId"] = template_id
    return text(value)


def test_a_topology_may_name_the_templates_that_the_lookup_knows():
    graph = load(topology(ID), load_registry(), templates=lookup())
    assert not graph.warnings
    with pytest.raises(TopologyError) as caught:
        load(topology(ID), load_registry())
    (problem,) = caught.value.problems
    assert problem.code == Code.TEMPLATE_NOT_FOUND
    assert problem.pointer.endswith("/Outputs/0/TemplateId") and problem.line


class Asking(Activity[WireModel]):
    type_name = "Work"
    parameters = WireModel

    def plan(self, parameters: WireModel, context: PlanContext) -> Step:
        return Step(identity={"Found": context.templates(ID)})

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        raise NotImplementedError


def test_plans_pass_the_lookup_to_the_activities():
    bound = {"InputFile": {"Bucket": "in"}}
    activities = {"start": {"Type": "Start", "Parameters": bound}, "ask": {"Type": "Work"}}
    value = {"Activities": activities, "Dependencies": {"start": ["ask"], "ask": []}}
    graph = load(text(value), {**FakeRegistry().registry, "Work": Asking()})
    given = Input(
        ref=ObjectRef(bucket="in", object="a"),
        digests=Digests(size=0, sha256="", md5=""),
        names=Names.of("a"),
    )
    start = StepResult()
    for templates in (lookup(), lookup({"Name": "other"})):
        wanted = {"Found": templates(ID)}
        planner = Planner(graph, given, templates=templates)
        planner.keep("start", start)
        planned = planner.plan("ask")
        assert planned.step and planned.step.identity == wanted
        whole = plan_all(graph, given, start, lambda planned: None, templates=templates)
        step = whole.activities[-1].step
        assert step and step.identity == wanted


def test_faults_of_a_template_are_told_where_it_is_named():
    bad = lookup({"Container": {"Format": "mp3"}, "Video": {}})
    told = problems([{"OutputObject": "a", "TemplateId": ID}], templates=bad)
    assert {(p.code, p.pointer) for p in told} == {(Code.NOT_SUPPORTED, "/Outputs/0/TemplateId")}


@pytest.mark.parametrize(
    "document",
    [
        {"Video": {}},
        {"Audio": "{}"},
        # out of an answer
        {"Video": {"Degrain": "2", "MaxFps": "60"}, "Audio": {"Qscale": "3"}},
        SMALL,
        # segments of an mp4 have no effect, and many templates name them
        {"Video": {"Bitrate": "500"}, "MuxConfig": {"Segment": {"Duration": "10"}}},
        {"Container": {"Format": "m4a"}, "Audio": {"Channels": "6"}},
        {"Container": {"Format": "HLS"}, "Video": json.dumps({"Codec": "h.265"})},
    ],
)
def test_documents_that_outputs_can_use(document):
    assert faults(document) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, [(Code.NULL_VALUE, "/Video")]),
        ({"Container": {"Format": "flv"}}, [(Code.NULL_VALUE, "/Video")]),
        ({"Video": {"Remove": "true"}}, [(Code.INVALID, "")]),
        ({"Video": {"Bitrate": "5"}}, [(Code.OUT_OF_RANGE, "/Video/Bitrate")]),
        ({"Video": "["}, [(Code.JSON_OBJECT_FORMAT, "/Video")]),
        ({"Video": {"Codec": "AV1", "Preset": "fast"}}, [(Code.NOT_SUPPORTED, "/Video/Preset")]),
        (
            {"Container": {"Format": "flv"}, "Video": {"Codec": "H.265"}},
            [(Code.NOT_SUPPORTED, "/Video/Codec")],
        ),
        (
            {"Video": {"Bitrate": "900", "Maxrate": "800"}, "Audio": {"Channels": "3"}},
            [(Code.OUT_OF_RANGE, "/Video/Bitrate"), (Code.OUT_OF_RANGE, "/Audio/Channels")],
        ),
        # what a default brings has the place where it can be changed
        ({"Container": {"Format": "mp3"}, "Audio": {}}, [(Code.NOT_SUPPORTED, "/Audio/Codec")]),
        (
            {"Video": {}, "TransConfig": {"TransMode": "twopass"}},
            [(Code.NOT_SUPPORTED, "/TransConfig/TransMode")],
        ),
    ],
)
def test_faults_of_documents_are_told_where_they_stand(document, expected):
    assert faults(document) == expected


def test_documents_keep_only_what_was_given():
    model = Transcode.documents["Template"].model_validate({"Video": {"Width": "640"}})
    assert model.model_dump(by_alias=True, exclude_unset=True) == {"Video": {"Width": 640}}


def test_presets_are_told_in_wire_form():
    presets = Transcode().presets()
    assert len(presets) == 65
    assert presets[MP4] == {
        "Name": "MP4-HD",
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264", "Width": "1280", "Bitrate": "1800"},
        "Audio": {"Codec": "AAC", "Bitrate": "128"},
    }
    assert "Video" not in presets["S00000001-300020"]
    assert presets["S00000001-200000"]["Video"] == {}


@pytest.mark.parametrize("number", range(4))
def test_a_preset_s_wire_form_makes_the_same_output(number):
    preset = (MP4, "S00000001-000010", "S00000001-100040", "S00000001-300020")[number]
    sections = dict(Transcode().presets()[preset])
    step = made(sections, OutputObject="same")
    assert step.identity == plan({"OutputObject": "same", "TemplateId": preset}).identity
