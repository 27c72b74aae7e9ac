"""Pipelines, by actions and by commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.catalog_calls import UNKNOWN, Call, execution, refused
from workflow_engine.cli import app
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import ExecutionKind, ExecutionState
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineState


def test_the_life_of_a_pipeline(call: Call):
    added = call(
        "AddPipeline",
        Name="night",
        Speed="Boost",
        SpeedLevel="2",
        QuotaAllocate="5",
        NotifyConfig='{"QueueName": "done"}',
        Role="Anyone",
    )["Pipeline"]
    pipeline_id = added["Id"]
    assert added == {
        "Id": pipeline_id,
        "Name": "night",
        "State": "Active",
        "Speed": "Boost",
        "SpeedLevel": 2,
        "NotifyConfig": {"QueueName": "done"},
        "Role": "Anyone",
        "QuotaAllocate": 5,
    }
    updated = call(
        "UpdatePipeline",
        PipelineId=pipeline_id,
        Name="day",
        State="Paused",
        NotifyConfig='{"Topic": "news"}',
    )["Pipeline"]
    kept = {"Id": pipeline_id, "Speed": "Boost", "QuotaAllocate": 5, "Role": "Anyone"}
    assert updated == kept | {
        "Name": "day",
        "State": "Paused",
        "NotifyConfig": {"Topic": "news"},
    }
    found = call("QueryPipelineList", PipelineIds=f"{UNKNOWN},{pipeline_id},{DEFAULT_PIPELINE_ID}")
    names = [item["Name"] for item in found["PipelineList"]["Pipeline"]]
    assert names == ["day", "default"]
    assert found["NonExistPids"] == {"String": [UNKNOWN]}
    assert call("DeletePipeline", PipelineId=pipeline_id) == {"PipelineId": pipeline_id}
    found = call("QueryPipelineList", PipelineIds=DEFAULT_PIPELINE_ID)
    assert "NonExistPids" not in found


def test_pausing_a_pipeline_keeps_where_its_messages_go(call: Call):
    added = call("AddPipeline", Name="night", NotifyConfig='{"QueueName": "done"}', Role="Anyone")
    same = {"PipelineId": added["Pipeline"]["Id"], "Name": "night"}
    paused = call("UpdatePipeline", **same, State="Paused", NotifyConfig="", Role="")["Pipeline"]
    assert (paused["NotifyConfig"], paused["Role"]) == ({"QueueName": "done"}, "Anyone")
    quiet = call("UpdatePipeline", **same, State="Active", NotifyConfig="{}", Role="Other")
    assert (quiet["Pipeline"]["NotifyConfig"], quiet["Pipeline"]["Role"]) == ({}, "Other")


def test_search_pipelines(call: Call):
    ids = [call("AddPipeline", Name=name)["Pipeline"]["Id"] for name in ("a", "b", "c")]
    call("UpdatePipeline", PipelineId=ids[1], Name="b", State="Paused")
    page = call("SearchPipeline", PageSize="2")
    assert [item["Name"] for item in page["PipelineList"]["Pipeline"]] == ["c", "b"]
    assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == (4, 1, 2)
    page = call("SearchPipeline", PageSize="2", PageNumber="2")
    assert [item["Name"] for item in page["PipelineList"]["Pipeline"]] == ["a", "default"]
    paused = call("SearchPipeline", State="Paused")["PipelineList"]["Pipeline"]
    assert [item["Name"] for item in paused] == ["b"] and paused[0]["CreationTime"]
    assert call("SearchPipeline", State="Active")["TotalCount"] == 3


@pytest.mark.parametrize(
    ("values", "code", "pointer"),
    [
        ({"name": "x" * 129}, "InvalidParameter.OutOfRange", "/Name"),
        ({"name": "-x"}, "InvalidParameter.Format", "/Name"),
        ({"name": "x\ny"}, "InvalidParameter.Format", "/Name"),
        ({"name": ""}, "InvalidParameter.EmptyValue", "/Name"),
        ({"speed": "Fast"}, "InvalidParameter", "/Speed"),
        ({"speed": "AIVideoCover"}, "InvalidParameter.NotSupported", "/Speed"),
        ({"speed": "AIAudioASR"}, "InvalidParameter.NotSupported", "/Speed"),
        ({"speed_level": 4}, "InvalidParameter.OutOfRange", "/SpeedLevel"),
        ({"quota": 1001}, "InvalidParameter.OutOfRange", "/QuotaAllocate"),
        ({"quota": -1}, "InvalidParameter.OutOfRange", "/QuotaAllocate"),
        ({"queue": "1done"}, "InvalidQueueName", "/NotifyConfig/QueueName"),
        ({"queue": "do_ne"}, "InvalidQueueName", "/NotifyConfig/QueueName"),
        ({"queue": "dnoe"}, "QueueNotExist", "/NotifyConfig/QueueName"),
        ({"topic": "-news"}, "TopicNameInvalid", "/NotifyConfig/Topic"),
        ({"topic": "1news"}, "TopicNotExist", "/NotifyConfig/Topic"),
        ({"queue": "done", "topic": "news"}, "InvalidParameter", "/NotifyConfig"),
    ],
)
def test_what_a_pipeline_cannot_be(engine: Engine, values: dict[str, Any], code: str, pointer: str):
    given = {"name": "night"} | values
    assert refused(engine.pipelines.add, **given) == (code, pointer)
    assert [record.name for record in engine.pipelines.all()] == ["default"]


def test_names_may_be_of_any_script(engine: Engine):
    assert engine.pipelines.add("管道" * 21).name == "管道" * 21
    assert engine.pipelines.add("_" + "x" * 127).quota == 0


def test_an_update_is_checked_like_an_addition(engine: Engine):
    pipeline = engine.pipelines.add("night")
    active = PipelineState.ACTIVE

    def update(name: str = "night", queue: str = "", pipeline_id: str = pipeline.id) -> None:
        engine.pipelines.update(pipeline_id, name=name, state=active, queue=queue)

    assert refused(update, name="!") == ("InvalidParameter.Format", "/Name")
    assert refused(update, queue="x") == ("QueueNotExist", "/NotifyConfig/QueueName")
    missing = ("InvalidParameter.ResourceNotFound", "/PipelineId")
    assert refused(update, pipeline_id=UNKNOWN) == missing
    assert refused(engine.pipelines.set_state, UNKNOWN, active) == missing
    assert refused(engine.pipelines.delete, UNKNOWN) == missing
    assert engine.pipelines.get(pipeline.id) == pipeline


def test_the_default_pipeline_can_be_paused_but_not_deleted(engine: Engine):
    assert refused(engine.pipelines.delete, DEFAULT_PIPELINE_ID) == (
        "InvalidParameter.InvalidState",
        "/PipelineId",
    )
    paused = engine.pipelines.set_state(DEFAULT_PIPELINE_ID, PipelineState.PAUSED)
    assert engine.pipelines.get(DEFAULT_PIPELINE_ID) == paused
    assert paused.state is PipelineState.PAUSED


@pytest.mark.parametrize("kind", [ExecutionKind.WORKFLOW, ExecutionKind.SNAPSHOT])
def test_a_pipeline_goes_when_its_executions_have_ended(engine: Engine, kind: ExecutionKind):
    pipeline = engine.pipelines.add("night")
    in_use = ("InvalidParameter.InvalidState", "/PipelineId")
    elsewhere = execution(kind=kind, pipeline_id=DEFAULT_PIPELINE_ID)
    waiting = execution(kind=kind, pipeline_id=pipeline.id)
    running = execution(kind=kind, pipeline_id=pipeline.id, state=ExecutionState.RUNNING)
    engine.store.queue.add(elsewhere)
    engine.store.queue.add(waiting)
    assert refused(engine.pipelines.delete, pipeline.id) == in_use
    engine.queue.cancel(waiting.run_id)
    claim = engine.store.queue.add_claimed(running, owner="test", lease_seconds=60)
    assert refused(engine.pipelines.delete, pipeline.id) == in_use
    engine.store.executions.save(claim, state=ExecutionState.COMPLETED, code="", message="")
    engine.pipelines.delete(pipeline.id)
    assert engine.pipelines.by_ids([pipeline.id]) == []


def test_pipelines_by_command(mediaflow: Callable[..., Any], engine: Engine):
    added = mediaflow("pipeline", "add", "night", "--quota", "2", "--queue", "done")
    assert (added["Name"], added["QuotaAllocate"]) == ("night", 2)
    assert added["NotifyConfig"] == {"QueueName": "done"}
    assert mediaflow("pipeline", "pause", "night")["State"] == "Paused"
    assert mediaflow("pipeline", "activate", added["Id"])["State"] == "Active"
    assert mediaflow("pipeline", "pause", "default")["Id"] == DEFAULT_PIPELINE_ID
    listed = mediaflow("pipeline", "list")
    assert [(item["Name"], item["State"]) for item in listed] == [
        ("night", "Active"),
        ("default", "Paused"),
    ]
    assert mediaflow("pipeline", "list", "--limit", "1") == listed[:1]
    engine.pipelines.add("night")
    with pytest.raises(InvalidInputError, match='2 pipelines with the name "night"'):
        mediaflow("pipeline", "pause", "night")


def test_what_people_read(engine: Engine, tmp_path: Path):
    def run(*arguments: str | Path) -> str:
        ended = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
        assert ended.exit_code == 0
        return ended.stdout

    assert run("template", "list") == "no templates yet\n"
    assert run("pipeline", "list") == f"{DEFAULT_PIPELINE_ID}  Active  default\n"
    record = engine.templates.add(
        "mine", {"Video": {"Bitrate": 500}, "Audio": {}, "MuxConfig": {"Segment": {"Duration": 5}}}
    )
    assert run("template", "list") == f"{record.id}  Normal   mine\n"
    shown = run("template", "show", record.id).splitlines()
    assert shown[-3:] == [
        "Video         Bitrate=500",
        "Audio         defaults",
        "MuxConfig     Segment.Duration=5",
    ]
