"""Rules of registered workflows that need no store, and what their actions take and answer."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.topologies import minimal, report, start, text, topology
from workflow_engine.activity import load_registry
from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import executions, workflows
from workflow_engine.api.actions.executions import (
    ListMediaWorkflowExecutionsRequest,
    QueryMediaWorkflowExecutionListRequest,
    execution_shape,
)
from workflow_engine.api.actions.workflows import (
    AddMediaWorkflowRequest,
    MediaWorkflowRequest,
    SearchMediaWorkflowRequest,
    UpdateMediaWorkflowTriggerModeRequest,
    workflow_shape,
)
from workflow_engine.catalog.workflow_rules import check_name, problem_text
from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError
from workflow_engine.planning import graph
from workflow_engine.records.catalog import WorkflowRecord, WorkflowState
from workflow_engine.store import ActivitySummary, ExecutionSummary
from workflow_engine.topology import problems_of

REGISTRY = load_registry()
ID = "0123456789abcdef0123456789abcdef"
MOMENT = datetime(2024, 2, 29, 12, 30, 1, tzinfo=UTC)


def refused(request: Any, **values: str) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        request.model_validate(values)
    problem = next(iter(problems_of(caught.value)))
    return str(problem.code), problem.pointer


class TestRules:
    @pytest.mark.parametrize("name", ["a", "x" * 64, "视频 转码", "🎬" * 64, "a/b: c", " "])
    def test_names(self, name: str):
        check_name(name)

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("", Code.EMPTY_VALUE),
            ("x" * 65, Code.OUT_OF_RANGE),
            ("a\nb", Code.FORMAT),
            ("a\x85b", Code.FORMAT),
            ("a\udcff", Code.FORMAT),
            ("a\uffff", Code.FORMAT),
        ],
    )
    def test_names_that_cannot_be(self, name: str, code: Code):
        with pytest.raises(InvalidInputError) as caught:
            check_name(name)
        assert (caught.value.code, caught.value.pointer) == (code, "/Name")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("given", "prefix"),
        [
            ({"Bucket": "in", "ObjectPrefix": "a%2Fb%20c/"}, "a/b c/"),
            ({"Bucket": "in", "ObjectPrefix": "a+b"}, "a+b"),
            ({"Bucket": "in", "ObjectPrefix": ""}, ""),
            ({"Bucket": "in"}, ""),
            ('{"Bucket": "in", "ObjectPrefix": "%E4%B8%AD/"}', "中/"),
        ],
    )
    def test_what_a_topology_is_bound_to(self, given: Any, prefix: str):
        value = topology({"start": start(InputFile=given), "report": report()})
        binding = graph.load(text(value), REGISTRY).binding
        assert (binding.bucket, binding.prefix) == ("in", prefix)

    def test_a_prefix_that_is_no_text(self):
        given = {"Bucket": "in", "ObjectPrefix": "%FF"}
        value = topology({"start": start(InputFile=given), "report": report()})
        with pytest.raises(TopologyError) as caught:
            _ = graph.load(text(value), REGISTRY).binding
        (problem,) = caught.value.problems
        assert problem.code == Code.OBJECT_KEY
        assert problem.pointer == "/Activities/start/Parameters/InputFile/ObjectPrefix"
        assert problem.line > 1

    def test_every_problem_of_a_file_is_a_line(self):
        value = minimal()
        value["Dependencies"]["sd"] = ["repotr"]
        value["Activities"]["sd"]["Type"] = "Transcod"
        with pytest.raises(TopologyError) as caught:
            graph.load(text(value), REGISTRY)
        lines = problem_text("/w/a.json", caught.value).splitlines()
        assert len(lines) == len(caught.value.problems) >= 2
        assert all(line.startswith("/w/a.json:") for line in lines)

    def test_a_file_of_nothing_but_problems(self):
        problems = [Problem(code="C", message=str(n), line=n + 1) for n in range(1000)]
        lines = problem_text("a.json", TopologyError(problems)).splitlines()
        assert (len(lines), lines[-1]) == (101, "a.json: 900 more problems")


class TestRequests:
    def test_the_actions(self):
        names = {action.name for module in (workflows, executions) for action in actions_of(module)}
        assert names == {
            "AddMediaWorkflow",
            "ActivateMediaWorkflow",
            "DeactivateMediaWorkflow",
            "DeleteMediaWorkflow",
            "UpdateMediaWorkflow",
            "UpdateMediaWorkflowTriggerMode",
            "QueryMediaWorkflowList",
            "SearchMediaWorkflow",
            "QueryMediaWorkflowExecutionList",
            "ListMediaWorkflowExecutions",
        }

    def test_defaults(self):
        added = AddMediaWorkflowRequest.model_validate({"Name": "a", "Topology": "{}"})
        assert added.trigger_mode == "OssAutoTrigger"
        search = SearchMediaWorkflowRequest.model_validate({"StateList": "", "PageSize": ""})
        assert (search.page_number, search.page_size) == (1, 10)
        assert search.state_list == ("Active", "Inactive", "Deleted")
        listed = ListMediaWorkflowExecutionsRequest.model_validate({})
        assert (listed.maximum_page_size, listed.next_page_token) == (10, "")

    def test_lists(self):
        search = SearchMediaWorkflowRequest.model_validate({"StateList": "Active, Deleted"})
        assert search.state_list == ("Active", "Deleted")
        query = QueryMediaWorkflowExecutionListRequest.model_validate({"RunIds": f"{ID},{ID}"})
        assert query.run_ids == (ID,)

    def test_the_url_keeps_its_capitals(self):
        request = ListMediaWorkflowExecutionsRequest.model_validate({"InputFileURL": "oss://b/k"})
        assert request.input_file_url == "oss://b/k"

    @pytest.mark.parametrize(
        ("request_type", "values", "code", "name"),
        [
            (AddMediaWorkflowRequest, {"Topology": "{}"}, Code.NULL_VALUE, "Name"),
            (AddMediaWorkflowRequest, {"Name": "", "Topology": "{}"}, Code.EMPTY_VALUE, "Name"),
            (AddMediaWorkflowRequest, {"Name": "a", "Topology": ""}, Code.EMPTY_VALUE, "Topology"),
            (
                AddMediaWorkflowRequest,
                {"Name": "a", "Topology": "{}", "TriggerMode": "Auto"},
                Code.INVALID,
                "TriggerMode",
            ),
            (MediaWorkflowRequest, {}, Code.NULL_VALUE, "MediaWorkflowId"),
            (MediaWorkflowRequest, {"MediaWorkflowId": "x"}, Code.UUID_FORMAT, "MediaWorkflowId"),
            (
                UpdateMediaWorkflowTriggerModeRequest,
                {"MediaWorkflowId": ID},
                Code.NULL_VALUE,
                "TriggerMode",
            ),
            (SearchMediaWorkflowRequest, {"StateList": "Gone"}, Code.INVALID, "StateList"),
            (SearchMediaWorkflowRequest, {"PageSize": "101"}, Code.OUT_OF_RANGE, "PageSize"),
            (QueryMediaWorkflowExecutionListRequest, {"RunIds": ","}, Code.EMPTY_VALUE, "RunIds"),
            (
                ListMediaWorkflowExecutionsRequest,
                {"MaximumPageSize": "0"},
                Code.OUT_OF_RANGE,
                "MaximumPageSize",
            ),
            (
                ListMediaWorkflowExecutionsRequest,
                {"InputFileURL": "oss://b/" + "k" * 3200},
                Code.OUT_OF_RANGE,
                "InputFileURL",
            ),
        ],
    )
    def test_refusals(self, request_type: Any, values: dict[str, str], code: Code, name: str):
        assert refused(request_type, **values) == (code, f"/{name}")


class TestShapes:
    def test_workflow(self):
        record = WorkflowRecord(
            id=ID,
            name="ladder",
            topology="{}",
            state=WorkflowState.INACTIVE,
            created=MOMENT,
            bucket="in",
            file="/w/ladder.json",
        )
        assert workflow_shape(record) == {
            "MediaWorkflowId": ID,
            "Name": "ladder",
            "Topology": "{}",
            "State": "Inactive",
            "TriggerMode": "OssAutoTrigger",
            "CreationTime": "2024-02-29T12:30:01Z",
        }

    def test_execution(self):
        moment = "2024-02-29T12:30:01Z"
        failed = ActivitySummary(
            position=1,
            name="hd",
            type="Transcode",
            state="Fail",
            job_id="2" * 32,
            started=moment,
            ended=moment,
            code="C",
            message="m",
            message_result='{"ErrorCode": "E", "ErrorMessage": "e"}',
            further_jobs=None,
        )
        waiting = failed._replace(name="report", state="Waiting")
        record = ExecutionSummary(
            run_id=ID,
            workflow_id="1" * 32,
            workflow="ladder",
            state="Queued",
            media_id="3" * 32,
            bucket="in",
            object="a b.mp4",
            location="here",
            user_data="u",
            created=moment,
            activities=[failed, waiting],
        )
        assert execution_shape(record) == {
            "RunId": ID,
            "MediaWorkflowId": "1" * 32,
            "Name": "ladder",
            "State": "Running",
            "MediaId": "3" * 32,
            "Input": {
                "InputFile": {"Bucket": "in", "Location": "here", "Object": "a b.mp4"},
                "UserData": "u",
            },
            "ActivityList": {
                "Activity": [
                    {
                        "Name": "hd",
                        "Type": "Transcode",
                        "State": "Fail",
                        "JobId": "2" * 32,
                        "Code": "C",
                        "Message": "m",
                        "StartTime": moment,
                        "EndTime": moment,
                        "MNSMessageResult": {"ErrorCode": "E", "ErrorMessage": "e"},
                    }
                ]
            },
            "CreationTime": moment,
        }
        ended = record._replace(state="Completed", activities=[])
        shape = execution_shape(ended)
        assert (shape["State"], shape["ActivityList"]) == ("Completed", {"Activity": []})
