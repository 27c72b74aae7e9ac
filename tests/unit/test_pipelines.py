"""Requests and answers of the actions on pipelines, and what a name may be."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import pipelines
from workflow_engine.api.actions.pipelines import (
    AddPipelineRequest,
    SearchPipelineRequest,
    UpdatePipelineRequest,
    pipeline_shape,
)
from workflow_engine.records.catalog import PipelineRecord, PipelineState
from workflow_engine.topology import problems_of

ID = "0123456789abcdef0123456789abcdef"
RECORD = PipelineRecord(
    id=ID, name="night", quota=3, created=datetime(2024, 2, 29, 12, 30, 1, tzinfo=UTC)
)


def refused(request: Any, **values: str) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        request.model_validate(values)
    (problem,) = problems_of(caught.value)
    return str(problem.code), problem.pointer


def test_the_actions_and_their_rates():
    assert {action.name: action.rate for action in actions_of(pipelines)} == dict.fromkeys(
        (
            "AddPipeline",
            "UpdatePipeline",
            "QueryPipelineList",
            "SearchPipeline",
            "DeletePipeline",
        ),
        100,
    )


def test_requests_take_strings():
    request = AddPipelineRequest.model_validate(
        {
            "Name": "night",
            "SpeedLevel": "2",
            "QuotaAllocate": "10",
            "NotifyConfig": '{"QueueName": "done", "Topic": ""}',
            "Role": "",
            "OwnerAccount": "someone",
        }
    )
    assert (request.speed, request.speed_level, request.quota_allocate) == ("Standard", 2, 10)
    assert (request.notify_config.queue_name, request.notify_config.topic) == ("done", "")
    assert request.role == ""


@pytest.mark.parametrize(
    ("config", "code", "pointer"),
    [
        ("done", "InvalidParameter.JsonObjectFormatInvalid", "/NotifyConfig"),
        ('["done"]', "InvalidParameter.JsonObjectFormatInvalid", "/NotifyConfig"),
        ('{"MqTopic": "t"}', "InvalidParameter.NotSupported", "/NotifyConfig"),
        ('{"queuename": "done"}', "InvalidParameter.NotSupported", "/NotifyConfig"),
        ('{"QueueName": ["done"]}', "InvalidParameter.Format", "/NotifyConfig/QueueName"),
    ],
)
def test_a_notify_config_that_would_send_nothing_is_refused(config: str, code: str, pointer: str):
    assert refused(AddPipelineRequest, Name="n", NotifyConfig=config) == (code, pointer)


def test_required_parameters():
    assert refused(AddPipelineRequest) == ("InvalidParameter.NullValue", "/Name")
    assert refused(AddPipelineRequest, Name="") == ("InvalidParameter.EmptyValue", "/Name")
    given = {"PipelineId": ID, "Name": "n"}
    assert refused(UpdatePipelineRequest, **given) == ("InvalidParameter.NullValue", "/State")
    assert refused(UpdatePipelineRequest, **given, State="active") == ("InvalidParameter", "/State")
    given = {"PipelineId": "night", "Name": "n", "State": "Paused"}
    assert refused(UpdatePipelineRequest, **given) == (
        "InvalidParameter.UUIDFormatInvalid",
        "/PipelineId",
    )


@pytest.mark.parametrize("state", ["All", "Active", "Paused"])
def test_search_by_state(state: str):
    request = SearchPipelineRequest.model_validate({"State": state, "PageSize": "100"})
    assert (request.state, request.page_number, request.page_size) == (state, 1, 100)


def test_the_shape_leaves_out_what_is_not_there():
    assert pipeline_shape(RECORD) == {
        "Id": ID,
        "Name": "night",
        "State": "Active",
        "Speed": "Standard",
        "SpeedLevel": 0,
        "NotifyConfig": {},
        "QuotaAllocate": 3,
        "CreationTime": "2024-02-29T12:30:01Z",
    }
    full = replace(RECORD, state=PipelineState.PAUSED, topic="done", role="Anyone")
    shape = pipeline_shape(full)
    assert (shape["State"], shape["NotifyConfig"]) == ("Paused", {"Topic": "done"})
    assert shape.get("Role") == "Anyone"
    assert pipeline_shape(replace(RECORD, queue="q"))["NotifyConfig"] == {"QueueName": "q"}
