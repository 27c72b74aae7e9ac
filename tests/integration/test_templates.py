"""Templates of outputs and of watermarks, by actions and by commands."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.catalog_calls import PRESET, UNKNOWN, Call, execution, refused
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError, TopologyError
from workflow_engine.records import ExecutionKind
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID


def test_the_life_of_a_template(call: Call):
    added = call(
        "AddTemplate",
        Name="mine",
        Container='{"Format": "MP4"}',
        Video='{"Codec":"H.264","Profile":"high","Bitrate":"500","Width":"256","Gop":"10s"}',
        Audio='{"Codec":"AAC","Samplerate":"44100","Bitrate":"128","Channels":"2"}',
        TransConfig='{"TransMode":"onepass","IsCheckReso":"True"}',
        MuxConfig='{"Segment":{"Duration":"10"}}',
    )["Template"]
    template_id = added["Id"]
    sections = {
        "Container": {"Format": "mp4"},
        "Video": {
            "Codec": "H.264",
            "Profile": "high",
            "Bitrate": "500",
            "Width": "256",
            "Gop": "10s",
        },
        "Audio": {"Codec": "AAC", "Samplerate": "44100", "Bitrate": "128", "Channels": "2"},
        "TransConfig": {"TransMode": "onepass", "IsCheckReso": "true"},
        "MuxConfig": {"Segment": {"Duration": "10"}},
    }
    assert added == {"Id": template_id, "Name": "mine", "State": "Normal"} | sections
    updated = call("UpdateTemplate", TemplateId=template_id, Name="sound", Audio="{}")["Template"]
    assert updated == {
        "Id": template_id,
        "Name": "sound",
        "State": "Normal",
        "Container": {"Format": "mp4"},
        "Audio": {},
    }
    assert call("DeleteTemplate", TemplateId=template_id) == {"TemplateId": template_id}
    (found,) = call("QueryTemplateList", TemplateIds=template_id)["TemplateList"]["Template"]
    assert found.pop("CreationTime")
    assert found == updated | {"State": "Deleted"}


def test_presets_can_be_queried_but_not_searched_or_changed(call: Call, engine: Engine):
    found = call("QueryTemplateList", TemplateIds=f"{PRESET},S00000001-999999")
    (preset,) = found["TemplateList"]["Template"]
    assert (preset["Id"], preset["Name"], preset["State"]) == (PRESET, "MP4-HD", "Normal")
    assert preset["Video"]["Width"] == "1280" and "CreationTime" not in preset
    assert found["NonExistTids"] == {"String": ["S00000001-999999"]}
    assert call("SearchTemplate")["TotalCount"] == 0
    unchangeable = ("InvalidParameter.NotSupported", "/TemplateId")
    assert refused(engine.templates.update, PRESET, "mine", {"Audio": {}}) == unchangeable
    assert refused(engine.templates.delete, PRESET) == unchangeable
    assert len(engine.templates.presets()) == 65
    assert engine.watermark_templates.presets() == []


def test_search_templates(call: Call):
    ids = [call("AddTemplate", Name=name, Audio="{}")["Template"]["Id"] for name in ("a", "b", "c")]
    call("AddWaterMarkTemplate", Name="w", Config="{}")
    call("DeleteTemplate", TemplateId=ids[1])
    page = call("SearchTemplate", PageSize="2")
    assert [item["Name"] for item in page["TemplateList"]["Template"]] == ["c", "b"]
    assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == (3, 1, 2)
    (last,) = call("SearchTemplate", PageSize="2", PageNumber="2")["TemplateList"]["Template"]
    assert last["Name"] == "a" and last["CreationTime"]
    deleted = call("SearchTemplate", State="Deleted")["TemplateList"]["Template"]
    assert [item["Name"] for item in deleted] == ["b"]
    assert call("SearchTemplate", State="Normal")["TotalCount"] == 2


@pytest.mark.parametrize(
    ("content", "code", "pointer"),
    [
        ({}, "InvalidParameter.NullValue", "/Video"),
        ({"Container": {"Format": "mp4"}}, "InvalidParameter.NullValue", "/Video"),
        ({"Video": {"Bitrate": "5"}}, "InvalidParameter.OutOfRange", "/Video/Bitrate"),
        ({"Video": {"Codec": "H.266"}}, "InvalidParameter", "/Video/Codec"),
        (
            {"Video": {"Codec": "H.265", "Profile": "high"}},
            "InvalidParameter.NotSupported",
            "/Video/Profile",
        ),
        (
            {"Video": {}, "MuxConfig": {"Segment": {"Duration": 61}}},
            "InvalidParameter.OutOfRange",
            "/MuxConfig/Segment/Duration",
        ),
    ],
)
def test_what_a_template_cannot_hold(
    engine: Engine, content: dict[str, Any], code: str, pointer: str
):
    assert refused(engine.templates.add, "mine", content) == (code, pointer)
    assert engine.templates.search(None, page_number=1, page_size=10) == ([], 0)


def test_every_problem_of_a_template_is_told(engine: Engine):
    content = {"Video": {"Crf": 99, "Width": 1}, "Audio": {"Channels": 9}}
    with pytest.raises(TopologyError) as caught:
        engine.templates.add("mine", content)
    assert [problem.pointer for problem in caught.value.problems] == [
        "/Video/Crf",
        "/Video/Width",
        "/Audio/Channels",
    ]


def test_keys_without_effect_are_told_and_left_out(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    content = {"Video": {"Bitrat": "500"}, "MuxConfig": {"Segment": {"Durations": 1}}}
    record = engine.templates.add("mine", content)
    assert record.content == {
        "Container": {"Format": "mp4"},
        "Video": {},
        "MuxConfig": {"Segment": {}},
    }
    assert "/Video/Bitrat" in caplog.text and '"Bitrate"?' in caplog.text


def test_a_name_is_required_and_limited(engine: Engine):
    too_long = "é" * 65
    assert refused(engine.templates.add, too_long, {"Audio": {}}) == (
        "InvalidParameter.OutOfRange",
        "/Name",
    )
    record = engine.templates.add("mine", {"Audio": {}})
    assert refused(engine.templates.update, record.id, "", {"Audio": {}}) == (
        "InvalidParameter.EmptyValue",
        "/Name",
    )
    assert engine.templates.get(record.id) == record


def test_a_deleted_template_stays_as_it_is(engine: Engine):
    record = engine.templates.add("mine", {"Audio": {}})
    deleted = engine.templates.delete(record.id)
    gone = ("InvalidParameter.ResourceDeleted", "/TemplateId")
    assert refused(engine.templates.update, record.id, "other", {"Video": {}}) == gone
    assert refused(engine.templates.delete, record.id) == gone
    assert engine.templates.get(record.id) == deleted


def test_unknown_templates_and_those_of_the_other_kind(engine: Engine):
    watermark = engine.watermark_templates.add("w", {})
    template = engine.templates.add("t", {"Audio": {}})
    missing = "InvalidParameter.ResourceNotFound"
    for template_id in (UNKNOWN, watermark.id, "S00000001-999999"):
        assert refused(engine.templates.get, template_id) == (missing, "/TemplateId")
        assert refused(engine.templates.delete, template_id) == (missing, "/TemplateId")
    for template_id in (UNKNOWN, template.id, PRESET):
        parameter = "/WaterMarkTemplateId"
        assert refused(engine.watermark_templates.delete, template_id) == (missing, parameter)
    assert engine.watermark_templates.by_ids([template.id, watermark.id]) == [watermark]
    assert engine.templates.by_ids([watermark.id, PRESET, template.id])[1:] == [template]


def test_a_template_of_a_waiting_job_cannot_be_changed(engine: Engine):
    record = engine.templates.add("mine", {"Audio": {}})
    other = engine.templates.add("other", {"Audio": {}})
    job = execution(
        kind=ExecutionKind.TRANSCODE,
        pipeline_id=DEFAULT_PIPELINE_ID,
        topology={"Outputs": [{"TemplateId": record.id}]},
    )
    engine.store.queue.add(job)
    in_use = ("InvalidParameter.InvalidState", "/TemplateId")
    assert refused(engine.templates.update, record.id, "x", {"Audio": {}}) == in_use
    assert refused(engine.templates.delete, record.id) == in_use
    engine.templates.delete(other.id)
    engine.queue.cancel(job.run_id)
    engine.templates.delete(record.id)


# --- watermark templates ---------------------------------------------------------------------


def test_the_life_of_a_watermark_template(call: Call):
    added = call(
        "AddWaterMarkTemplate",
        Name="logo",
        Config='{"Width":"0.12","Height":"30","Dx":"10px","ReferPos":"TopLeft","Type":"Image",'
        '"Timeline":{"Start":"0","Duration":"ToEND"}}',
    )["WaterMarkTemplate"]
    template_id = added["Id"]
    assert added == {
        "Id": template_id,
        "Name": "logo",
        "State": "Normal",
        "Type": "Image",
        "Width": "0.12",
        "Height": "30",
        "Dx": "10",
        "ReferPos": "TopLeft",
        "Timeline": {"Start": "0", "Duration": "ToEND"},
        "RatioRefer": {"Width": "Width"},
    }
    updated = call(
        "UpdateWaterMarkTemplate",
        WaterMarkTemplateId=template_id,
        Name="corner",
        Config='{"Width": "10px"}',
    )["WaterMarkTemplate"]
    assert updated == {"Id": template_id, "Name": "corner", "State": "Normal", "Width": "10"}
    assert call("DeleteWaterMarkTemplate", WaterMarkTemplateId=template_id) == {
        "WaterMarkTemplateId": template_id
    }
    found = call("QueryWaterMarkTemplateList", WaterMarkTemplateIds=f"{template_id},{UNKNOWN}")
    assert found == {
        "WaterMarkTemplateList": {"WaterMarkTemplate": [updated | {"State": "Deleted"}]},
        "NonExistWids": {"String": [UNKNOWN]},
    }
    page = call("SearchWaterMarkTemplate", State="Normal")
    assert page["WaterMarkTemplateList"] == {"WaterMarkTemplate": []}
    assert call("SearchWaterMarkTemplate")["TotalCount"] == 1


@pytest.mark.parametrize(
    ("config", "code", "name"),
    [
        ({"Width": "7"}, "InvalidParameter.OutOfRange", "Width"),
        ({"Type": "Text"}, "InvalidParameter.NotSupported", "Type"),
        ({"ReferPos": "Middle"}, "InvalidParameter", "ReferPos"),
        ({"RatioRefer": {"Width": "Long"}}, "InvalidParameter.NotSupported", "RatioRefer"),
    ],
)
def test_what_a_watermark_cannot_be(engine: Engine, config: dict[str, Any], code: str, name: str):
    assert refused(engine.watermark_templates.add, "logo", config) == (code, f"/Config/{name}")


def test_a_watermark_template_of_a_waiting_job_cannot_be_changed(engine: Engine):
    record = engine.watermark_templates.add("logo", {})
    job = execution(
        kind=ExecutionKind.TRANSCODE,
        pipeline_id=DEFAULT_PIPELINE_ID,
        topology={"Outputs": [{"WaterMarks": [{"WaterMarkTemplateId": record.id}]}]},
    )
    engine.store.queue.add(job)
    in_use = ("InvalidParameter.InvalidState", "/WaterMarkTemplateId")
    assert refused(engine.watermark_templates.delete, record.id) == in_use


# --- command line ----------------------------------------------------------------------------


def test_templates_by_command(mediaflow: Callable[..., Any], tmp_path: Path):
    file = tmp_path / "mine.json"
    file.write_text('{"Name": "other", "Video": {"Bitrate": "500"}}')
    added = mediaflow("template", "add", "mine", file)
    assert (added["Name"], added["Video"]) == ("mine", {"Bitrate": "500"})
    assert mediaflow("template", "show", added["Id"]) == added
    # what is shown can be given back
    file.write_text(json.dumps(added | {"Audio": {"Bitrate": 96}}))
    updated = mediaflow("template", "update", added["Id"], file)
    assert updated == added | {"Audio": {"Bitrate": "96"}}
    file.write_text('{"Audio": {}}')
    assert mediaflow("template", "update", added["Id"], file)["Name"] == "mine"
    assert mediaflow("template", "delete", added["Id"])["State"] == "Deleted"
    (listed,) = mediaflow("template", "list")
    assert (listed["Id"], listed["State"]) == (added["Id"], "Deleted")
    assert len(mediaflow("template", "list", "--presets", "--limit", "100")) == 65
    assert len(mediaflow("template", "list", "--presets")) == 50
    assert mediaflow("template", "show", PRESET)["Name"] == "MP4-HD"


def test_watermark_templates_by_command(mediaflow: Callable[..., Any], tmp_path: Path):
    file = tmp_path / "logo.json"
    file.write_text('{"Width": "0.2", "ReferPos": "TopLeft"}')
    added = mediaflow("template", "add", "logo", file, "--watermark")
    assert added["RatioRefer"] == {"Width": "Width"}
    file.write_text(json.dumps(added | {"Width": "0.3"}))
    updated = mediaflow("template", "update", added["Id"], file, "--watermark")
    assert updated == added | {"Width": "0.3"}
    assert mediaflow("template", "list", "--watermark") == [updated]
    assert mediaflow("template", "list") == []


def test_problems_of_a_file_have_their_places(mediaflow: Callable[..., Any], tmp_path: Path):
    file = tmp_path / "mine.json"
    file.write_text('{\n "Video": {},\n "Audio": {"Bitrate": "5000"}\n}')
    with pytest.raises(TopologyError, match=re.escape(f"{file}:3:23: InvalidParameter.OutOf")):
        mediaflow("template", "add", "mine", file)
    file.write_text('{\n "ReferPos": "Middle"}')
    with pytest.raises(TopologyError, match=re.escape(f"{file}:2:14: InvalidParameter:")):
        mediaflow("template", "add", "logo", file, "--watermark")
    file.write_text("[]")
    with pytest.raises(InvalidInputError, match="does not hold a JSON object"):
        mediaflow("template", "add", "mine", file)
