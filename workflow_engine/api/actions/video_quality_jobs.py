"""Actions on video quality jobs (specification, api, 16.3)."""

import re
from typing import Annotated, Any, TypedDict, cast

from pydantic import AfterValidator, BeforeValidator, Field

from workflow_engine.api.action import Request, action
from workflow_engine.api.jobs import InputParameter, OutputParameter, job_shape
from workflow_engine.api.parameters import Identifier, JsonText, UserData
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionKind, Json
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.wire import Choice, Text, shown, wire_error

#: calls per second and account, of each of the two
_RATE = 50

#: what a parameter is set to by the specification's own samples, to say nothing
_UNSET = ("0", "null")


def _default_model(value: str) -> str:
    if value != "null":
        raise wire_error(
            Code.NOT_SUPPORTED,
            f"The model {shown(value)} does not exist here.",
            "Leave ModelId out.",
        )
    return value


def _job_params(value: Any) -> dict[str, Json]:
    if value in _UNSET:
        return {}
    try:
        params: Any = decode_json(value)
    except (ValueError, RecursionError):
        params = None
    if not isinstance(params, dict):
        raise wire_error(
            Code.JSON_OBJECT_FORMAT,
            f"The value {shown(value)} is not a JSON object.",
            'Write {"Labels": [...]}, or leave JobParams out.',
        )
    given = cast("dict[str, Json]", params)
    for name in given:
        if name != "Labels":
            raise wire_error(
                Code.NOT_SUPPORTED,
                f"The algorithm parameter {shown(name)} is not known.",
                "Use Labels, or leave JobParams out.",
            )
    return given


#: mns://ACCOUNT.mns.REGION.aliyuncs.com/queues/NAME
_QUEUE = re.compile(r"mns://[^/?#]+/queues/([^/?#]+)/?")


def _queue(value: str) -> str:
    match = _QUEUE.fullmatch(value)
    if match is None:
        raise wire_error(
            Code.FORMAT,
            f"The value {shown(value)} is not the URL of a queue.",
            "Use mns://ACCOUNT.mns.REGION.aliyuncs.com/queues/NAME.",
        )
    return match[1]


#: of an account: a number that is kept and compared
_UserId = Annotated[str, Text(pattern="[0-9]{1,19}", form="a whole number")]


class SubmitVideoQualityJobRequest(Request):
    """Parameters of SubmitVideoQualityJob. `schedule_params` has no effect."""

    user_id: _UserId
    source_type: Annotated[str, Choice(("Video",))]
    input: InputParameter
    output: OutputParameter
    pipeline_id: Identifier = ""
    model_id: Annotated[str, Text(), AfterValidator(_default_model)] = ""
    job_params: Annotated[dict[str, Any], BeforeValidator(_job_params)] = Field(
        default_factory=dict[str, Any]
    )
    schedule_params: JsonText = ""
    user_data: UserData = ""
    notify_url: Annotated[str, Text(max_bytes=1024), AfterValidator(_queue)] = ""


class SubmitVideoQualityJobAnswer(TypedDict):
    """The id of the job; the code is always `Success`."""

    JobId: str
    Code: str
    Message: str


@action("SubmitVideoQualityJob", rate=_RATE)
def submit_video_quality_job(
    engine: Engine, request: SubmitVideoQualityJobRequest
) -> SubmitVideoQualityJobAnswer:
    """Queue a job that looks for defects of the picture."""
    job = engine.jobs.video_quality(
        request.input,
        request.output,
        request.job_params,
        user_id=int(request.user_id),
        pipeline_id=request.pipeline_id,
        user_data=request.user_data,
        queue=request.notify_url,
    )
    return {"JobId": job.run_id, "Code": "Success", "Message": "The job was submitted."}


class QueryVideoQualityJobRequest(Request):
    """Parameters of QueryVideoQualityJob."""

    user_id: _UserId
    job_id: Identifier


class QueryVideoQualityJobAnswer(TypedDict):
    """The job; the code is always `Success`."""

    Job: dict[str, Json]
    Code: str
    Message: str


@action("QueryVideoQualityJob", rate=_RATE)
def query_video_quality_job(
    engine: Engine, request: QueryVideoQualityJobRequest
) -> QueryVideoQualityJobAnswer:
    """Return a job of a user; those of workflows belong to every user."""
    user_id = int(request.user_id)
    for record in engine.jobs.by_ids(ExecutionKind.VIDEO_QUALITY, [request.job_id]):
        if record.request.get("UserId", user_id) == user_id:
            job = {"UserId": user_id, **job_shape(record)}
            return {"Job": job, "Code": "Success", "Message": "The job was found."}
    raise InvalidInputError(
        Code.RESOURCE_NOT_FOUND,
        f'The user {user_id} has no video quality job with the id "{request.job_id}".',
        pointer="/JobId",
        remedy="Use a JobId that SubmitVideoQualityJob returned for this UserId.",
    )
