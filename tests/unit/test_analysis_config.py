"""What AnalysisConfig may hold, and what it changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activities.analysis import Analysis, AnalysisParameters
from activities.templates import from_analysis
from tests.support.context import make_plan_context
from tests.support.transcode_plans import plan
from tests.unit.test_analysis_classes import entries, media
from workflow_engine.activity import Step, StepResult
from workflow_engine.errors import Code
from workflow_engine.topology import problems_of

QUALITY, PROPERTIES = "QualityControl", "PropertiesControl"


def planned(config: Any, **stream: Any) -> Step:
    context = make_plan_context(Path("c.mp4"), media=media(**stream).to_json())
    return Analysis().plan(AnalysisParameters.model_validate({"AnalysisConfig": config}), context)


def forecast(config: Any) -> dict[str, Any]:
    step = planned(config)
    context = make_plan_context(Path("c.mp4"), media=media().to_json())
    return dict(Analysis().forecast(step, context).data)


@pytest.mark.parametrize("value", ["30", 30, 30.0])
def test_the_quality_sets_the_crf_of_samples_and_templates(value: Any) -> None:
    config = {QUALITY: {"RateQuality": value}}
    assert {one["Video"]["Crf"] for one in entries(config=config)} == {"31"}
    (command, *_) = planned(config).commands
    assert command[command.index("-crf") + 1] == "31"
    assert forecast(config)["RateQuality"] == "30"


def test_the_default_is_25_and_the_lowest_quality_has_a_crf_too() -> None:
    assert {one["Video"]["Crf"] for one in entries()} == {"26"}
    lowest = entries(config={QUALITY: {"RateQuality": "51"}})
    assert {one["Video"]["Crf"] for one in lowest} == {"51"}
    assert all(from_analysis(one).video for one in lowest)


def test_local_players_need_no_buffer_and_no_segments() -> None:
    network, local = (
        entries(config={QUALITY: {"MethodStreaming": method}}) for method in ("network", "local")
    )
    assert network == entries()
    assert {one["Video"].get("Bufsize") for one in network} == {"6000"}
    assert not any("Bufsize" in one["Video"] or "MuxConfig" in one for one in local)
    assert [one["Video"]["Maxrate"] for one in local] == [
        one["Video"]["Maxrate"] for one in network
    ]


def test_an_interlaced_source_keeps_its_fields_on_request() -> None:
    config = {PROPERTIES: {"Deinterlace": "None"}}
    woven = entries(config=config, field_order="tt")
    assert {one["Video"]["ScanMode"] for one in woven} == {"interlaced"}
    assert not any("ScanMode" in one["Video"] for one in entries(config=config))
    (command, *_) = planned(config, field_order="tt").commands
    chain = command[command.index("-filter_complex") + 1]
    assert "interl=1" in chain and "bwdif" not in chain and "+ilme+ildct" in command
    # fields of 4:2:0 need lines in fours
    (command, *_) = planned(config, field_order="tt", width=640, height=722).commands
    assert "scale=640:720:" in command[command.index("-filter_complex") + 1]
    (command, *_) = planned({}, field_order="tt").commands
    assert "bwdif" in command[command.index("-filter_complex") + 1]
    assert "+ilme+ildct" not in command


def test_a_transcode_behind_it_keeps_them_as_well() -> None:
    config = {PROPERTIES: {"Deinterlace": "None"}}
    result = StepResult(data={"TemplateList": entries(config=config, field_order="tt")})
    interlaced = media(field_order="tt").to_json()
    output = {"OutputObject": "a", "TemplateId": "S00000000-200040"}
    step = plan(output, source=interlaced, upstream={"Analysis": result})
    (job,) = step.resolved
    assert job.rendition.picture.encoding.fields
    assert not any(step.name == "bwdif" for step in job.rendition.picture.encoding.filters)


def test_everything_that_shapes_the_result_makes_the_key() -> None:
    configs: list[Any] = [
        {},
        {QUALITY: {"RateQuality": 20}},
        {QUALITY: {"MethodStreaming": "local"}},
        {PROPERTIES: {"Deinterlace": "None"}},
    ]
    assert len({json.dumps(planned(one).identity, sort_keys=True) for one in configs}) == 4
    explicit = {QUALITY: {"RateQuality": "25"}, PROPERTIES: {"Crop": {"Mode": "None"}}}
    assert planned(json.dumps(explicit)).identity == planned({}).identity


@pytest.mark.parametrize(
    "crop",
    [
        {},
        "{}",
        {"Mode": "None"},
        {"Mode": "Auto", "Width": "8", "Height": "8", "Top": "0", "Left": 0},
    ],
)
def test_crops_that_change_nothing(crop: Any) -> None:
    assert planned({PROPERTIES: {"Crop": crop}}).commands


@pytest.mark.parametrize(
    ("config", "code", "place"),
    [
        ({QUALITY: {"RateQuality": 0}}, Code.OUT_OF_RANGE, "/QualityControl/RateQuality"),
        ({QUALITY: {"RateQuality": "52"}}, Code.OUT_OF_RANGE, "/QualityControl/RateQuality"),
        ({QUALITY: {"RateQuality": "2.5"}}, Code.NUMBER_FORMAT, "/QualityControl/RateQuality"),
        ({QUALITY: {"MethodStreaming": "tape"}}, Code.INVALID, "/QualityControl/MethodStreaming"),
        (
            {PROPERTIES: {"Deinterlace": "Force"}},
            Code.NOT_SUPPORTED,
            "/PropertiesControl/Deinterlace",
        ),
        (
            {PROPERTIES: {"Crop": {"Mode": "Force", "Width": 640}}},
            Code.NOT_SUPPORTED,
            "/PropertiesControl/Crop/Mode",
        ),
        ({PROPERTIES: {"Crop": {"Width": 640}}}, Code.NULL_VALUE, "/PropertiesControl/Crop"),
        (
            {PROPERTIES: {"Crop": {"Mode": "Auto", "Width": "7"}}},
            Code.OUT_OF_RANGE,
            "/PropertiesControl/Crop/Width",
        ),
        ("{", Code.JSON_OBJECT_FORMAT, ""),
    ],
)
def test_bad_configs(config: Any, code: str, place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        planned(config)
    (problem,) = problems_of(caught.value)
    assert (problem.code, problem.pointer) == (code, f"/AnalysisConfig{place}")
    assert problem.remedy or code == Code.NUMBER_FORMAT
