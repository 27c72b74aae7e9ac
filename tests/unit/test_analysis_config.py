"""What AnalysisConfig may hold, and what it changes in the plan, the forecast and the result."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activities.analysis import Analysis, AnalysisParameters
from activities.analysis.config import AnalysisConfig
from activities.probe import MediaInfo
from activities.templates import from_analysis, presets
from tests.support.context import make_plan_context
from tests.support.transcode_plans import plan
from workflow_engine.activity import Step, StepResult
from workflow_engine.errors import ActivityError, Code
from workflow_engine.topology import problems_of

QUALITY, PROPERTIES, LADDER = "QualityControl", "PropertiesControl", "Ladder"

#: a size that is measured in any case
SMALLER = {"Ladder": {"ForcedSizes": [540]}}


def media(width: int = 1920, height: int = 1080, duration: Any = "60", **stream: Any) -> MediaInfo:
    picture = {"codec_type": "video", "codec_name": "h264", "width": width, "height": height}
    timed = {"avg_frame_rate": "25/1", "duration": duration}
    return MediaInfo.parse(
        {
            "format": {"duration": duration, "format_name": "mov"},
            "streams": [{**picture, **timed, **stream}],
        }
    )


def planned(config: Any = None, only_highest: Any = False, **stream: Any) -> Step:
    context = make_plan_context(Path("c.mp4"), media=media(**stream).to_json())
    parameters = {"AnalysisConfig": config, "KeepOnlyHighestDefinition": only_highest}
    return Analysis().plan(AnalysisParameters.model_validate(parameters), context)


def forecast(config: Any = None, only_highest: Any = False, **stream: Any) -> dict[str, Any]:
    context = make_plan_context(Path("c.mp4"), media=media(**stream).to_json())
    step = planned(config, only_highest, **stream)
    return dict(Analysis().forecast(step, context).data)


def entries(config: Any = None, only_highest: Any = False, **stream: Any) -> list[Any]:
    stream = {"bit_rate": "9000000", **stream}
    return forecast(config, only_highest, **stream)["TemplateList"]


def graph_of(command: tuple[str, ...]) -> str:
    return command[command.index("-filter_complex") + 1]


def test_sizes_of_the_ladder_are_even_as_those_of_outputs_are() -> None:
    wire = {"ForcedSizes": [301], "AllowedSizes": [301, 480], "MinTopSize": 301}
    fences = AnalysisConfig.model_validate({"Ladder": wire}).ladder.fences
    assert (fences.forced, fences.allowed, fences.min_top) == ((300,), (480, 300), 300)


@pytest.mark.parametrize("value", ["30", 30, 30.0])
def test_the_quality_is_the_crf_of_samples(value: Any) -> None:
    config = {QUALITY: {"RateQuality": value}}
    (command, *_) = planned(config).commands
    assert command[command.index("-crf") + 1] == "30"
    assert forecast(config)["RateQuality"] == "30"
    (command, *_) = planned().commands
    assert command[command.index("-crf") + 1] == "25", "the default"


def test_each_offered_class_comes_in_three_containers() -> None:
    ids = [entry["Id"] for entry in entries()]
    assert len(ids) in (9, 12) and set(ids) <= set(presets())
    assert all(presets()[entry["Id"]].name == entry["Name"] for entry in entries())
    formats = {entry["Id"][10]: entry["Container"]["Format"] for entry in entries()}
    assert formats == {"0": "flv", "1": "m3u8", "2": "mp4"}
    assert len(entries(only_highest="True")) == 3


def test_entries_hold_strings_that_a_transcode_can_take() -> None:
    def scalars(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [item for inner in value.values() for item in scalars(inner)]
        return [value]

    for entry in (*entries(), *entries({PROPERTIES: {"Deinterlace": "Force"}})):
        assert all(isinstance(value, str) for value in scalars(entry))
        template = from_analysis(entry)
        assert template.video and template.video.preset == "medium"
        assert (template.video.crf is None) is (template.trans_config.trans_mode == "twopass")


@pytest.mark.proves("MethodStreaming", by="the result")
def test_local_players_bear_peaks_and_need_no_segments() -> None:
    network, local = (
        entries({QUALITY: {"MethodStreaming": method}}) for method in ("network", "local")
    )
    assert network == entries()
    assert any("MuxConfig" in one for one in network)
    assert not any("MuxConfig" in one for one in local)
    for one in local:
        high = int(one["Video"]["BitrateBnd"]["Max"])
        assert float(one["Video"]["Maxrate"]) == 2 * high
        assert one["TransConfig"]["TransMode"] == "twopass"


def test_an_interlaced_source_keeps_its_fields_on_request() -> None:
    config = {PROPERTIES: {"Deinterlace": "None"}}
    woven = entries(config, field_order="tt")
    assert {one["Video"]["ScanMode"] for one in woven} == {"interlaced"}
    assert not any("ScanMode" in one["Video"] for one in entries(config))
    (command, *_) = planned(config | SMALLER, field_order="tt").commands
    assert "interl=1" in graph_of(command) and "bwdif" not in graph_of(command)
    assert "+ilme+ildct" in command
    (command, *_) = planned(field_order="tt").commands
    assert "bwdif" in graph_of(command) and "+ilme+ildct" not in command


@pytest.mark.parametrize(
    ("told", "order"), [("progressive", "tff"), ("tt", "tff"), ("bb", "bff"), ("", "tff")]
)
def test_force_deinterlaces_whatever_the_flags_say(told: str, order: str) -> None:
    config = {PROPERTIES: {"Deinterlace": "Force"}}
    for one in entries(config, field_order=told):
        assert (one["Video"]["ScanMode"], one["Video"]["FieldOrder"]) == ("progressive", order)
    (command, *_) = planned(config | SMALLER, field_order=told).commands
    first, rest = graph_of(command).split("bwdif", 1)
    assert f"setfield=mode={order}" in first and "scale" in rest


def test_a_forced_crop_is_in_samples_templates_and_the_transcode_behind() -> None:
    box = {"Mode": "Force", "Width": "1920", "Height": 800, "Top": 140}
    config = {PROPERTIES: {"Crop": box}}
    assert {one["Video"]["Crop"] for one in entries(config)} == {"1920:800:0:140"}
    (command, *_) = planned(config).commands
    assert "crop=h=800:w=1920:x=0:y=140" in graph_of(command)
    # 800 lines are left, of which the ratio is kept
    sizes = {(one["Video"]["Width"], one["Video"]["Height"]) for one in entries(config)}
    assert all(int(w) == pytest.approx(int(h) * 2.4, abs=2) for w, h in sizes)
    result = StepResult(data={"TemplateList": entries(config)})
    output = {"OutputObject": "a", "TemplateId": entries(config)[-1]["Id"]}
    step = plan(output, source=media().to_json(), upstream={"Analysis": result})
    names = [one.name for one in step.resolved[0].rendition.picture.encoding.filters]
    assert names.index("crop") == len(names) - 1 - names[::-1].index("scale") - 1


def test_a_forced_crop_must_lie_inside_the_upright_picture() -> None:
    box = {"Mode": "Force", "Width": 1200, "Height": 1200}
    upright = {"side_data_list": [{"rotation": 90}]}
    with pytest.raises(ActivityError) as caught:
        planned({PROPERTIES: {"Crop": {**box, "Left": 0}}}, **upright)
    assert caught.value.code == Code.OUT_OF_RANGE
    assert caught.value.pointer == "/AnalysisConfig/PropertiesControl/Crop"
    assert planned({PROPERTIES: {"Crop": {**box, "Width": 1080}}}, **upright).commands


def test_a_transcode_behind_it_keeps_fields_as_well() -> None:
    config = {PROPERTIES: {"Deinterlace": "None"}}
    result = StepResult(data={"TemplateList": entries(config, field_order="tt")})
    interlaced = media(field_order="tt").to_json()
    output = {"OutputObject": "a", "TemplateId": "S00000000-200040"}
    step = plan(output, source=interlaced, upstream={"Analysis": result})
    (job,) = step.resolved
    assert job.rendition.picture.encoding.fields
    assert not any(step.name == "bwdif" for step in job.rendition.picture.encoding.filters)


def test_everything_that_shapes_the_result_makes_the_key() -> None:
    box = {"Mode": "Force", "Width": 640, "Height": 480}
    configs: list[Any] = [
        {},
        {QUALITY: {"RateQuality": 20}},
        {QUALITY: {"MethodStreaming": "local"}},
        {PROPERTIES: {"Deinterlace": "None"}},
        {PROPERTIES: {"Crop": {"Mode": "None"}}},
        {PROPERTIES: {"Crop": box}},
        {PROPERTIES: {"Crop": {**box, "Top": 8}}},
        *({LADDER: one} for one in LADDERS),
    ]
    keys = {json.dumps(planned(one).identity, sort_keys=True) for one in configs}
    assert len(keys) == len(configs)
    assert json.dumps(planned(only_highest="True").identity, sort_keys=True) not in keys
    explicit = {QUALITY: {"RateQuality": "25"}, PROPERTIES: {"Crop": {}}, LADDER: {}}
    assert planned(json.dumps(explicit)).identity == planned().identity


LADDERS: list[dict[str, Any]] = [
    {"TargetVmaf": 90},
    {"MinBitrate": 400},
    {"MaxBitrate": 1500},
    {"AllowedSizes": [720, 360]},
    {"ForcedSizes": [720]},
    {"MinTopSize": 720},
    {"MaxRungs": 2},
    {"MinStep": 1.5},
]


def test_a_target_quality_takes_the_place_of_the_crf() -> None:
    (command, *_) = planned({LADDER: {"TargetVmaf": "93"}, QUALITY: {"RateQuality": 40}}).commands
    assert command[command.index("-crf") + 1] == "25", "where the search begins"


@pytest.mark.parametrize(
    ("config", "size", "stream"),
    [
        ({}, "160x30", {"width": 160, "height": 30}),
        ({}, "30x160", {"width": 160, "height": 30, "side_data_list": [{"rotation": 90}]}),
        ({PROPERTIES: {"Crop": {"Mode": "Force", "Width": 64, "Height": 16}}}, "64x16", {}),
    ],
)
def test_a_target_quality_that_cannot_be_measured_is_refused(
    config: dict[str, Any], size: str, stream: dict[str, Any]
) -> None:
    planned(config, **stream)
    with pytest.raises(ActivityError, match=size) as caught:
        planned({**config, LADDER: {"TargetVmaf": 90}}, **stream)
    assert caught.value.code == Code.NOT_SUPPORTED
    assert caught.value.pointer == "/AnalysisConfig/Ladder/TargetVmaf"
    assert "RateQuality" in caught.value.remedy


@pytest.mark.parametrize("ladder", LADDERS[1:])
def test_fences_shape_the_forecast(ladder: dict[str, Any]) -> None:
    free, fenced = forecast(), forecast({LADDER: ladder})
    assert fenced["Forecast"] is True
    if ladder in ({"ForcedSizes": [720]}, {"MinTopSize": 720}, {"MinStep": 1.5}):
        return
    assert fenced["Rungs"] != free["Rungs"]
    assert all(rung["Detail"] for rung in fenced["Rungs"])


def test_a_forecast_judges_by_the_sources_own_rate() -> None:
    told = forecast(bit_rate="1100000")
    assert told["Forecast"] is True
    assert [rung["State"] for rung in told["Rungs"]] == ["Dropped", *["Offered"] * 3]
    assert told["TemplateList"][0]["Name"] == "FLV-HD"
    assert told["Rungs"][0]["Reason"] == "RateNotFilled"
    assert "PredictedVmaf" not in told["Rungs"][1]


def opened(form: str, picture: str, whole: str) -> list[tuple[float, float]]:
    """Where the samples of a source begin, and how long they are."""
    parts = media().probe
    told = {**parts, "format": {"duration": whole, "format_name": form}}
    told["streams"] = [{**parts["streams"][0], "duration": picture}]
    context = make_plan_context(Path("c.mp4"), media=MediaInfo.parse(told).to_json())
    step = Analysis().plan(AnalysisParameters(), context)
    found: list[tuple[float, float]] = []
    for line in step.commands:
        options = dict(itertools.pairwise(line[: line.index("-i")]))
        found.append((float(options.get("-ss", 0)), float(options["-t"])))
    return found


def test_no_sample_lies_behind_the_end_of_the_picture() -> None:
    # the sound goes on for an hour
    assert all(start + length <= 100 for start, length in opened("mov", "100", "3600"))
    # a raw stream is longer or shorter than its first frames let expect
    assert [start for start, _ in opened("h264", "100", "100")] == [0]


def test_plan_is_pure_and_shows_what_would_run() -> None:
    step = planned()
    assert len(step.commands) == 8 and "file:source.mp4" in step.commands[0]
    # the largest size alone; what else is encoded depends on its rate
    assert {command.count("libx264") for command in step.commands} == {1}
    (first, *_) = planned(SMALLER).commands
    assert graph_of(first).count("split") == 1, "two sizes share the decode"


@pytest.mark.parametrize("size", [(4400, 300), (300, 4400), (8192, 128), (64, 9000), (100, 80)])
def test_entries_of_odd_shapes_have_sizes_that_a_transcode_can_take(size: tuple[int, int]) -> None:
    for entry in entries(width=size[0], height=size[1]):
        assert from_analysis(entry).video
        output = {"OutputObject": "a", "TemplateId": entry["Id"]}
        result = StepResult(data={"TemplateList": [entry]})
        source = media(width=size[0], height=size[1]).to_json()
        step = plan(output, source=source, upstream={"Analysis": result})
        assert isinstance(step, Step)
        width, height = step.resolved[0].rendition.picture.size
        assert width <= size[0] and height <= size[1]


def test_sound_alone_cannot_be_analysed(tmp_path: Any) -> None:
    sound = MediaInfo.parse({"streams": [{"codec_type": "audio"}]})
    context = make_plan_context(tmp_path / "c.mp3", media=sound.to_json())
    with pytest.raises(ActivityError) as caught:
        Analysis().plan(AnalysisParameters(), context)
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_the_flag_is_a_boolean() -> None:
    with pytest.raises(ValidationError):
        AnalysisParameters.model_validate({"KeepOnlyHighestDefinition": "yes"})


@pytest.mark.parametrize(
    ("config", "code", "place"),
    [
        ({QUALITY: {"RateQuality": 0}}, Code.OUT_OF_RANGE, "/QualityControl/RateQuality"),
        ({QUALITY: {"RateQuality": "51"}}, Code.OUT_OF_RANGE, "/QualityControl/RateQuality"),
        ({QUALITY: {"RateQuality": "2.5"}}, Code.NUMBER_FORMAT, "/QualityControl/RateQuality"),
        ({QUALITY: {"MethodStreaming": "tape"}}, Code.INVALID, "/QualityControl/MethodStreaming"),
        ({PROPERTIES: {"Crop": {"Width": 640}}}, Code.NULL_VALUE, "/PropertiesControl/Crop"),
        (
            {PROPERTIES: {"Crop": {"Mode": "Force", "Width": 640}}},
            Code.NULL_VALUE,
            "/PropertiesControl/Crop",
        ),
        (
            {PROPERTIES: {"Crop": {"Mode": "Auto", "Width": "7"}}},
            Code.OUT_OF_RANGE,
            "/PropertiesControl/Crop/Width",
        ),
        ({LADDER: {"MinBitrate": 900, "MaxBitrate": 900}}, Code.OUT_OF_RANGE, "/Ladder"),
        ({LADDER: {"ForcedSizes": [720, 360], "MaxRungs": 1}}, Code.OUT_OF_RANGE, "/Ladder"),
        ({LADDER: {"ForcedSizes": [720], "AllowedSizes": [360]}}, Code.OUT_OF_RANGE, "/Ladder"),
        ({LADDER: {"AllowedSizes": "720"}}, Code.JSON_ARRAY_FORMAT, "/Ladder/AllowedSizes"),
        ({LADDER: {"AllowedSizes": ["x"]}}, Code.NUMBER_FORMAT, "/Ladder/AllowedSizes/0"),
        ("{", Code.JSON_OBJECT_FORMAT, ""),
    ],
)
def test_bad_configs(config: Any, code: str, place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        planned(config)
    (problem,) = problems_of(caught.value)
    assert (problem.code, problem.pointer) == (code, f"/AnalysisConfig{place}")
    assert problem.remedy or code == Code.NUMBER_FORMAT
