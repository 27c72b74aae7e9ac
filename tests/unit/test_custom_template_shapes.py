"""Requests and answers of the actions on templates and watermark templates."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import templates, watermark_templates
from workflow_engine.api.actions.templates import (
    AddTemplateRequest,
    QueryTemplateListRequest,
    SearchTemplateRequest,
    UpdateTemplateRequest,
    template_shape,
)
from workflow_engine.api.actions.watermark_templates import (
    AddWaterMarkTemplateRequest,
    UpdateWaterMarkTemplateRequest,
    watermark_shape,
)
from workflow_engine.catalog.templates import PRESETS_CREATED
from workflow_engine.records.catalog import TemplateKind, TemplateRecord
from workflow_engine.topology import problems_of

ID = "0123456789abcdef0123456789abcdef"
MOMENT = datetime(2024, 2, 29, 12, 30, 1, tzinfo=UTC)


def record(kind: TemplateKind, content: dict[str, Any], created: datetime = MOMENT):
    return TemplateRecord(id=ID, kind=kind, name="mine", content=content, created=created)


def refused(request: Any, **values: str) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        request.model_validate(values)
    (problem,) = problems_of(caught.value)
    return str(problem.code), problem.pointer


def test_every_action_is_there():
    assert [action.name for action in actions_of(templates)] == [
        "AddTemplate",
        "UpdateTemplate",
        "QueryTemplateList",
        "SearchTemplate",
        "DeleteTemplate",
    ]
    assert [action.name for action in actions_of(watermark_templates)] == [
        "AddWaterMarkTemplate",
        "UpdateWaterMarkTemplate",
        "QueryWaterMarkTemplateList",
        "SearchWaterMarkTemplate",
        "DeleteWaterMarkTemplate",
    ]


def test_sections_come_as_json_in_strings():
    request = AddTemplateRequest.model_validate(
        {"Name": "mine", "Video": '{"Codec": "H.265", "Crf": "26"}', "Audio": "", "MuxConfig": "{}"}
    )
    assert request.content() == {"Video": {"Codec": "H.265", "Crf": "26"}, "MuxConfig": {}}


def test_bad_parameters_are_named():
    bad_object = "InvalidParameter.JsonObjectFormatInvalid"
    assert refused(AddTemplateRequest, Name="n", Video="{") == (bad_object, "/Video")
    assert refused(AddTemplateRequest, Name="n", Audio="[]") == (bad_object, "/Audio")
    assert refused(UpdateTemplateRequest, Name="n") == ("InvalidParameter.NullValue", "/TemplateId")
    assert refused(AddWaterMarkTemplateRequest, Name="n") == (
        "InvalidParameter.NullValue",
        "/Config",
    )
    assert refused(AddWaterMarkTemplateRequest, Name="n", Config="x") == (bad_object, "/Config")
    assert refused(
        UpdateWaterMarkTemplateRequest, Name="n", Config="{}", WaterMarkTemplateId="x"
    ) == ("InvalidParameter.UUIDFormatInvalid", "/WaterMarkTemplateId")
    assert refused(SearchTemplateRequest, State="normal") == ("InvalidParameter", "/State")
    eleven = ",".join(f"S00000001-0000{n:02}" for n in range(11))
    assert refused(QueryTemplateListRequest, TemplateIds=eleven) == (
        "InvalidParameter.OutOfRange",
        "/TemplateIds",
    )


def test_every_value_of_a_section_is_a_string():
    content = {
        "Container": {"Format": "mp4"},
        "Video": {"Bitrate": 1800.0, "Crf": 23.5, "Width": 640, "LongShortMode": True},
        "MuxConfig": {"Segment": {"Duration": 10}},
    }
    assert template_shape(record(TemplateKind.TRANSCODE, content)) == {
        "Id": ID,
        "Name": "mine",
        "State": "Normal",
        "CreationTime": "2024-02-29T12:30:01Z",
        "Container": {"Format": "mp4"},
        "Video": {"Bitrate": "1800", "Crf": "23.5", "Width": "640", "LongShortMode": "true"},
        "MuxConfig": {"Segment": {"Duration": "10"}},
    }


def test_presets_have_no_creation_time():
    preset = record(TemplateKind.TRANSCODE, {}, created=PRESETS_CREATED)
    assert "CreationTime" not in template_shape(preset)


def test_a_watermark_tells_what_its_shares_are_shares_of():
    content = {
        "Width": "0.12",
        "Height": "30px",
        "Dx": 10,
        "Dy": 0.05,
        "ReferPos": "TopLeft",
        "Timeline": {"Start": 0, "Duration": "ToEND"},
    }
    assert watermark_shape(record(TemplateKind.WATERMARK, content)) == {
        "Id": ID,
        "Name": "mine",
        "State": "Normal",
        "Width": "0.12",
        "Height": "30",
        "Dx": "10",
        "Dy": "0.05",
        "ReferPos": "TopLeft",
        "Timeline": {"Start": "0", "Duration": "ToEND"},
        "RatioRefer": {"Width": "Width", "Dy": "Height"},
    }
    in_pixels = watermark_shape(record(TemplateKind.WATERMARK, {"Dx": "-8 px"}))
    assert in_pixels.get("Dx") == "-8" and "RatioRefer" not in in_pixels
