"""Actions on executions of workflows (specification, api, 11; object: topology, 8)."""

from typing import Annotated, NotRequired, TypedDict

import orjson
from pydantic import Field

from workflow_engine.api.action import Request, action
from workflow_engine.api.parameters import Identifier, Identifiers, NextPageToken, PageSize
from workflow_engine.api.shapes import missing
from workflow_engine.buckets import parse
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ActivityState, ExecutionKind, ExecutionState, ObjectRef
from workflow_engine.store import ActivitySummary, ExecutionFilter, ExecutionSummary
from workflow_engine.topology.wire import Text


class MessageResultShape(TypedDict):
    """How the message of an activity went."""

    MessageId: NotRequired[str]
    ErrorCode: NotRequired[str]
    ErrorMessage: NotRequired[str]


class JobIds(TypedDict):
    """The jobs of an activity that has several: one for each output. An extension."""

    JobId: list[str]


class ActivityShape(TypedDict):
    """An activity that has begun (specification, topology, 7)."""

    Name: str
    Type: str
    JobId: NotRequired[str]
    JobIdList: NotRequired[JobIds]
    State: str
    Code: NotRequired[str]
    Message: NotRequired[str]
    StartTime: NotRequired[str]
    EndTime: NotRequired[str]
    MNSMessageResult: NotRequired[MessageResultShape]


class ActivityItems(TypedDict):
    """The list of activities."""

    Activity: list[ActivityShape]


class InputFileShape(TypedDict):
    """The object that a run works on."""

    Bucket: str
    Location: str
    Object: str


class InputShape(TypedDict):
    """What a run was given."""

    InputFile: InputFileShape
    UserData: str


class ExecutionShape(TypedDict):
    """An execution as answers have it."""

    RunId: str
    MediaWorkflowId: str
    Name: str
    State: str
    MediaId: str
    Input: InputShape
    ActivityList: ActivityItems
    CreationTime: str


class ExecutionItems(TypedDict):
    """The list of executions."""

    MediaWorkflowExecution: list[ExecutionShape]


class RunIds(TypedDict):
    """A list of identifiers."""

    RunId: list[str]


def execution_shape(summary: ExecutionSummary) -> ExecutionShape:
    """Return what answers tell of an execution."""
    queued = summary.state == ExecutionState.QUEUED
    return {
        "RunId": summary.run_id,
        "MediaWorkflowId": summary.workflow_id,
        "Name": summary.workflow,
        "State": str(ExecutionState.RUNNING) if queued else summary.state,
        "MediaId": summary.media_id,
        "Input": {
            "InputFile": {
                "Bucket": summary.bucket,
                "Location": summary.location,
                "Object": summary.object,
            },
            "UserData": summary.user_data,
        },
        "ActivityList": {
            "Activity": [
                _activity_shape(activity)
                for activity in summary.activities
                if activity.state != ActivityState.WAITING
            ]
        },
        "CreationTime": summary.created,
    }


def _activity_shape(summary: ActivitySummary) -> ActivityShape:
    shape: ActivityShape = {"Name": summary.name, "Type": summary.type, "State": summary.state}
    if summary.job_id:
        shape["JobId"] = summary.job_id
    if summary.further_jobs:
        shape["JobIdList"] = {"JobId": [summary.job_id, *orjson.loads(summary.further_jobs)]}
    if summary.code:
        shape["Code"] = summary.code
    if summary.message:
        shape["Message"] = summary.message
    if summary.started:
        shape["StartTime"] = summary.started
    if summary.ended:
        shape["EndTime"] = summary.ended
    if summary.message_result:
        shape["MNSMessageResult"] = orjson.loads(summary.message_result)
    return shape


class QueryMediaWorkflowExecutionListRequest(Request):
    """Parameters of QueryMediaWorkflowExecutionList."""

    run_ids: Identifiers


class QueryMediaWorkflowExecutionListAnswer(TypedDict):
    """The executions that exist, and the ids of the others."""

    MediaWorkflowExecutionList: ExecutionItems
    NonExistRunIds: NotRequired[RunIds]


@action("QueryMediaWorkflowExecutionList")
def query_media_workflow_execution_list(
    engine: Engine, request: QueryMediaWorkflowExecutionListRequest
) -> QueryMediaWorkflowExecutionListAnswer:
    """Return executions by their RunIds, newest first."""
    found = engine.store.executions.summaries_by_id(request.run_ids, kind=ExecutionKind.WORKFLOW)
    answer = QueryMediaWorkflowExecutionListAnswer(
        MediaWorkflowExecutionList={
            "MediaWorkflowExecution": [execution_shape(summary) for summary in found]
        }
    )
    if absent := missing(request.run_ids, (summary.run_id for summary in found)):
        answer["NonExistRunIds"] = {"RunId": absent}
    return answer


class ListMediaWorkflowExecutionsRequest(Request):
    """Parameters of ListMediaWorkflowExecutions; what is given must all fit."""

    media_workflow_id: Identifier = ""
    media_workflow_name: Annotated[str, Text()] = ""
    input_file_url: Annotated[str, Text(max_bytes=3200), Field(alias="InputFileURL")] = ""
    next_page_token: NextPageToken = ""
    maximum_page_size: PageSize = 10


class ListMediaWorkflowExecutionsAnswer(TypedDict):
    """A page of executions, and the token of the next one if there is one."""

    MediaWorkflowExecutionList: ExecutionItems
    NextPageToken: NotRequired[str]


@action("ListMediaWorkflowExecutions")
def list_media_workflow_executions(
    engine: Engine, request: ListMediaWorkflowExecutionsRequest
) -> ListMediaWorkflowExecutionsAnswer:
    """Return a page of executions, newest first."""
    file = _input_of(request.input_file_url)
    page = engine.history.summary_page(
        ExecutionFilter(
            kind=ExecutionKind.WORKFLOW,
            workflow_id=request.media_workflow_id,
            workflow=request.media_workflow_name,
            bucket=file.bucket if file else "",
            object=file.object if file else "",
        ),
        limit=request.maximum_page_size,
        after=request.next_page_token,
    )
    answer = ListMediaWorkflowExecutionsAnswer(
        MediaWorkflowExecutionList={
            "MediaWorkflowExecution": [execution_shape(summary) for summary in page.items]
        }
    )
    if page.next_token:
        answer["NextPageToken"] = page.next_token
    return answer


def _input_of(url: str) -> ObjectRef | None:
    """Return the object that a URL names, None for no URL. Raises InvalidInputError."""
    if not url:
        return None
    try:
        found = parse(url)
    except InvalidInputError as error:
        raise InvalidInputError(
            error.code, error.message, pointer="/InputFileURL", remedy=error.remedy
        ) from None
    if found is None:
        raise InvalidInputError(
            Code.INVALID,
            f'The value "{url}" is not a URL.',
            pointer="/InputFileURL",
            remedy="Use http://BUCKET.REGION.aliyuncs.com/KEY or oss://BUCKET/KEY.",
        )
    return found
