"""What jobs are asked for, and how errors name it."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from activities.probe import RawSound
from workflow_engine.activity import load_registry
from workflow_engine.errors import Code, InvalidInputError, TopologyError
from workflow_engine.jobs import JobInput, Target, boost, topologies
from workflow_engine.jobs.given import refuse_workflow_placeholders
from workflow_engine.planning.graph import Graph, load
from workflow_engine.records import ObjectRef, utc_now
from workflow_engine.records.catalog import PipelineRecord, TemplateKind, TemplateRecord
from workflow_engine.topology import problems_of

PIPELINE = "0123456789abcdef0123456789abcdef"
SOURCE = JobInput(Bucket="in-bucket", Location="local", Object="a/b.mp4")
OUT = Target(bucket="out-bucket", location="local")


def parse(text: str) -> Graph:
    return load(text, load_registry())


def refused(text: str, *, output: int = 0) -> InvalidInputError:
    with pytest.raises(TopologyError) as caught:
        parse(text)
    return topologies.asked(caught.value, output=output)


def input_problem(**changes: Any) -> tuple[str, str]:
    given = {"Bucket": "in-bucket", "Location": "local", "Object": "a.mp4", **changes}
    with pytest.raises(ValidationError) as caught:
        JobInput.model_validate(given)
    (problem,) = problems_of(caught.value, "/Input")
    return problem.code, problem.pointer


def test_an_input_is_decoded():
    given = JobInput.model_validate({"Bucket": "in-bucket", "Object": "a%20b%2Fc+d.mp4"})
    assert given.ref == ObjectRef(bucket="in-bucket", object="a b/c+d.mp4")


def test_wrong_inputs():
    assert input_problem(Bucket="-no") == (Code.BUCKET_NAME, "/Input/Bucket")
    assert input_problem(Object="%2Froot.mp4") == (Code.OBJECT_KEY, "/Input/Object")
    assert input_problem(Object="%ff") == (Code.OBJECT_KEY, "/Input/Object")
    assert input_problem(Object="") == (Code.EMPTY_VALUE, "/Input/Object")
    assert input_problem(Bucket=None) == (Code.NULL_VALUE, "/Input/Bucket")


def test_the_topology_of_an_output():
    output = {"OutputObject": "{FileName}.mp4", "TemplateId": "S00000001-200010"}
    graph = parse(topologies.transcode(SOURCE, PIPELINE, output, OUT))
    assert graph.order == ("start", "transcode")
    assert graph.warnings == ()


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        ({"Container": {"Format": "s16"}}, Code.INVALID, "/Input/Container/Format"),
        ({"Container": "{"}, Code.JSON_OBJECT_FORMAT, "/Input/Container"),
        ({"Container": {}}, Code.NULL_VALUE, "/Input/Container/Format"),
        (
            {"Audio": '{"Channels": "9", "Samplerate": "8000"}'},
            *(Code.OUT_OF_RANGE, "/Input/Audio/Channels"),
        ),
        ({"Audio": {"Channels": "2"}}, Code.NULL_VALUE, "/Input/Audio/Samplerate"),
        ({"Container": None}, Code.NULL_VALUE, "/Input"),
        ({"Audio": None}, Code.NULL_VALUE, "/Input"),
    ],
)
def test_raw_sound_is_described_whole(raw: dict[str, Any], code: str, pointer: str):
    described = {"Container": '{"Format": "mulaw"}', "Audio": {"Channels": "2", "Samplerate": 8000}}
    given = {"Bucket": "in-bucket", "Object": "a.raw", **described}
    (start,) = parse(topologies.media_info(JobInput(**given), PIPELINE)).nodes.values()
    found = start.parameters.input_file.raw
    assert found == RawSound(format="mulaw", channels=2, samplerate=8000)
    error = refused(topologies.media_info(JobInput(**given | raw), PIPELINE))
    assert (error.code, error.pointer) == (code, pointer)


def test_the_topology_of_an_intelligent_output():
    output = json.dumps({"OutputObject": "{FileName}.mp4", "TemplateId": "S00000000-200030"})
    graph = parse(topologies.transcode(SOURCE, PIPELINE, output, OUT, analysed={}))
    assert graph.order == ("start", "analysis", "transcode")
    assert refused(topologies.transcode(SOURCE, PIPELINE, output, OUT)).code == (
        Code.TEMPLATE_NOT_SUPPORTED
    )


def test_the_topologies_of_the_other_jobs():
    file = {"Bucket": "out-bucket", "Location": "local", "Object": "{FileName}.jpg"}
    pictures = {"OutputFile": json.dumps(file), "Time": "0"}
    config = {"QualityControl": {"RateQuality": "22"}}
    assert parse(topologies.media_info(SOURCE, PIPELINE)).order == ("start",)
    assert parse(topologies.snapshot(SOURCE, PIPELINE, json.dumps(pictures))).order == (
        "start",
        "snapshot",
    )
    graph = parse(topologies.analysis(SOURCE, PIPELINE, json.dumps(config)))
    assert graph.order == ("start", "analysis")
    assert graph.warnings == ()


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"Video": {"Bitrate": "1"}}, Code.OUT_OF_RANGE, "/Outputs/3/Video/Bitrate"),
        ({"Video": '{"Bitrate": "1"}'}, Code.OUT_OF_RANGE, "/Outputs/3/Video/Bitrate"),
        ({"TemplateId": "no-such"}, Code.TEMPLATE_NOT_FOUND, "/Outputs/3/TemplateId"),
        ({"OutputObject": "{No}.mp4"}, Code.INVALID, "/Outputs/3/OutputObject"),
        ({"Video": "{"}, Code.JSON_OBJECT_FORMAT, "/Outputs/3/Video"),
    ],
)
def test_a_wrong_output_is_named_by_its_place(change: dict[str, Any], code: str, pointer: str):
    output = {"OutputObject": "{FileName}.mp4", "TemplateId": "S00000001-200010", **change}
    error = refused(topologies.transcode(SOURCE, PIPELINE, output, OUT), output=3)
    assert (error.code, error.pointer) == (code, pointer)


def test_an_output_that_is_no_object():
    error = refused(topologies.transcode(SOURCE, PIPELINE, "x", OUT), output=2)
    assert (error.code, error.pointer) == (Code.JSON_OBJECT_FORMAT, "/Outputs/2")


def test_a_wrong_snapshot_or_analysis_is_named_by_its_parameter():
    file = {"Bucket": "out-bucket", "Object": "x.jpg"}
    error = refused(topologies.snapshot(SOURCE, PIPELINE, {"OutputFile": file, "Time": "-1"}))
    assert (error.code, error.pointer) == (Code.OUT_OF_RANGE, "/SnapshotConfig/Time")
    error = refused(topologies.snapshot(SOURCE, PIPELINE, "["))
    assert (error.code, error.pointer) == (Code.JSON_OBJECT_FORMAT, "/SnapshotConfig")
    config = {"QualityControl": {"RateQuality": "60"}}
    error = refused(topologies.analysis(SOURCE, PIPELINE, config))
    assert error.pointer == "/AnalysisConfig/QualityControl/RateQuality"


def test_placeholders_of_workflows_are_refused():
    refuse_workflow_placeholders("{ObjectPrefix}{FileName}-{DestMd5}.mp4", "/x")
    for name in ("{RunId}.mp4", "a%2F%7BMediaId%7D.mp4"):
        with pytest.raises(InvalidInputError) as caught:
            refuse_workflow_placeholders(name, "/x")
        assert (caught.value.code, caught.value.pointer) == (Code.INVALID, "/x")


def pipeline(speed: str) -> PipelineRecord:
    return PipelineRecord(id=PIPELINE, name="p", speed=speed, created=utc_now())


def custom(**content: Any) -> TemplateRecord:
    kind = TemplateKind.TRANSCODE
    return TemplateRecord(id="t", kind=kind, name="t", content=content, created=utc_now())


def boost_refuses(
    template: TemplateRecord | None = None, duration: float | None = None, speed: str = "Boost"
) -> str:
    try:
        boost.refuse_source(pipeline(speed), duration)
        boost.refuse_template(pipeline(speed), "t", template)
    except InvalidInputError as error:
        return error.code
    return ""


def test_what_a_boost_pipeline_refuses():
    hls = custom(Container={"Format": "m3u8"})
    assert boost_refuses(None) == Code.BOOST_SYSTEM_TEMPLATE
    assert boost_refuses(custom()) == Code.BOOST_CONTAINER
    assert boost_refuses(custom(Container='{"Format": "flv"}')) == Code.BOOST_CONTAINER
    assert boost_refuses(hls, 1799.0) == Code.BOOST_DURATION
    assert boost_refuses(hls, 1800.0) == ""
    assert boost_refuses(hls, None) == ""
    with pytest.raises(InvalidInputError) as caught:
        boost.refuse_analysis(pipeline("Boost"))
    assert caught.value.code == Code.BOOST_ANALYSIS


def test_other_pipelines_refuse_nothing():
    boost.refuse_analysis(pipeline("Standard"))
    assert boost_refuses(None, 3.0, speed="Standard") == ""
