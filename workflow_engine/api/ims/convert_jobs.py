"""Actions on convert jobs (specification, other_seeds, 2.1 and 2.3).

A job is one execution, in which each output is an activity: they share a decode, and one that fails
leaves the others alone.
"""

from typing import Annotated, NotRequired, TypedDict

from pydantic import TypeAdapter

from workflow_engine.api.action import Request, action
from workflow_engine.api.ims.convert_config import ConvertConfig, wanted_outputs
from workflow_engine.api.ims.inputs import job_input, validated
from workflow_engine.api.ims.lists import JobListRequest, existing_job
from workflow_engine.api.ims.media_info import media_info_property, with_numbers
from workflow_engine.api.parameters import Identifier, JsonText, UserData
from workflow_engine.buckets import object_url
from workflow_engine.engine import Engine
from workflow_engine.jobs.topologies import activity_of
from workflow_engine.messages.job_states import job_state
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    Json,
    Output,
    stable_id,
    wire_time,
)
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.wire import Choice, JsonObject, Text

_KIND = ExecutionKind.IMS_CONVERT

_STATUS = {
    ActivityState.WAITING: "Init",
    ActivityState.RUNNING: "Scheduled",
    ActivityState.SUCCESS: "Success",
    ActivityState.FAIL: "Failed",
    ActivityState.SKIPPED: "Skipped",
}


_CONFIG: TypeAdapter[ConvertConfig] = TypeAdapter(Annotated[ConvertConfig, JsonObject])


class SubmitMediaConvertJobRequest(Request):
    """Parameters of SubmitMediaConvertJob."""

    client_token: Annotated[str, Text(max_bytes=64)] = ""
    config: JsonText
    user_data: UserData = ""
    pipeline_id: Identifier = ""


class GetMediaConvertJobRequest(Request):
    """Parameters of GetMediaConvertJob."""

    job_id: Identifier


class ListMediaConvertJobsRequest(JobListRequest):
    """Parameters of ListMediaConvertJobs."""

    status: Annotated[str, Choice(("Inited", "Running", "Complete", "Error", "Cancelled"))] = ""


class FileShape(TypedDict):
    """An object."""

    Type: str
    Media: str
    Url: str


class ResultShape(TypedDict):
    """What came out of an output."""

    OutputFile: FileShape
    OutFileMeta: Json


class OutputDetail(TypedDict):
    """How an output goes."""

    Name: str
    TaskId: str
    Status: str
    CreateTime: str
    Code: NotRequired[str]
    Message: NotRequired[str]
    FinishTime: NotRequired[str]
    Result: NotRequired[ResultShape]


class GroupDetail(TypedDict):
    """How the outputs of a group go."""

    Name: str
    TaskId: str
    Status: str
    CreateTime: str
    FinishTime: NotRequired[str]
    Outputs: list[OutputDetail]


class JobShape(TypedDict):
    """A convert job."""

    JobId: str
    RequestId: str
    ClientToken: str
    Config: Json
    PipelineId: str
    UserData: str
    State: str
    Percent: int
    CreateTime: str
    Code: NotRequired[str]
    Message: NotRequired[str]
    FinishTime: NotRequired[str]
    OutputDetails: NotRequired[list[OutputDetail]]
    OutputGroupDetails: NotRequired[list[GroupDetail]]


class ConvertJobAnswer(TypedDict):
    """The job."""

    Job: JobShape


class ListMediaConvertJobsAnswer(TypedDict):
    """A page of the jobs, without what became of their outputs."""

    Jobs: list[JobShape]
    NextPageToken: str


@action("SubmitMediaConvertJob")
def submit_media_convert_job(
    engine: Engine, request: SubmitMediaConvertJobRequest
) -> ConvertJobAnswer:
    """Queue a job that makes outputs of an object; the same ClientToken gives the first one."""
    config = validated(_CONFIG, request.config, "/Config")
    outputs = wanted_outputs(config)
    job = engine.jobs.convert(
        job_input(engine, config.inputs[0].input_file, "/Config/Inputs/0/InputFile"),
        outputs,
        pipeline_id=request.pipeline_id,
        priority=max(output.priority for _, output in config.members()),
        user_data=request.user_data,
        token=request.client_token,
        request={
            "ClientToken": request.client_token,
            "Config": decode_json(request.config),
        },
    )
    return {"Job": _detailed(job)}


@action("GetMediaConvertJob")
def get_media_convert_job(engine: Engine, request: GetMediaConvertJobRequest) -> ConvertJobAnswer:
    """Return a job by its id, with its outputs."""
    return {"Job": _detailed(existing_job(engine, _KIND, request.job_id))}


@action("ListMediaConvertJobs")
def list_media_convert_jobs(
    engine: Engine, request: ListMediaConvertJobsRequest
) -> ListMediaConvertJobsAnswer:
    """Return a page of the jobs."""
    page = request.page(engine, _KIND)
    return {"Jobs": [_shape(job) for job in page.items], "NextPageToken": page.next_token}


def _shape(job: ExecutionRecord) -> JobShape:
    shape: JobShape = {
        "JobId": job.run_id,
        "RequestId": job.run_id,
        "ClientToken": str(job.request.get("ClientToken", "")),
        "Config": job.request.get("Config"),
        "PipelineId": job.pipeline_id,
        "UserData": job.user_data,
        "State": job_state(job),
        "Percent": _percent(job),
        "CreateTime": wire_time(job.created),
    }
    if job.code:
        shape["Code"], shape["Message"] = job.code, job.message
    if job.ended:
        shape["FinishTime"] = wire_time(job.ended)
    return shape


def _percent(job: ExecutionRecord) -> int:
    made = [one for one in job.activities if one.name.startswith("output-")]
    return int(100 * sum(one.progress for one in made) / len(made))


def _detailed(job: ExecutionRecord) -> JobShape:
    config = ConvertConfig.model_validate(job.request.get("Config"))
    details = [
        _output_detail(job, output.name, job.activity(activity_of(place)))
        for place, (_, output) in enumerate(config.members())
    ]
    shape = _shape(job)
    single, grouped = len(config.outputs), len(config.outputs)
    if single:
        shape["OutputDetails"] = details[:single]
    groups: list[GroupDetail] = []
    for number, group in enumerate(config.output_groups):
        inside = details[grouped : grouped + len(group.outputs)]
        grouped += len(group.outputs)
        groups.append(_group_detail(job, group.name, number, inside))
    if groups:
        shape["OutputGroupDetails"] = groups
    return shape


def _output_detail(job: ExecutionRecord, name: str, activity: ActivityRecord) -> OutputDetail:
    detail: OutputDetail = {
        "Name": name,
        "TaskId": stable_id(job.run_id, activity.name),
        "Status": _STATUS[activity.state],
        "CreateTime": wire_time(job.created),
    }
    if job.state.ended and not activity.state.ended:  # nothing more comes of it
        detail["Status"], detail["Code"], detail["Message"] = "Failed", job.code, job.message
    elif activity.code:
        detail["Code"], detail["Message"] = activity.code, activity.message
    if ended := activity.ended or job.ended:
        detail["FinishTime"] = wire_time(ended)
    if activity.outputs:
        detail["Result"] = _result(activity.outputs)
    return detail


def _result(outputs: tuple[Output, ...]) -> ResultShape:
    main = next((output for output in outputs if output.media), outputs[-1])
    url = object_url(main.ref)
    found = media_info_property(main.media, file=main.ref, url=url, media_id="", made=True)
    return {
        "OutputFile": {"Type": "OSS", "Media": url, "Url": url},
        "OutFileMeta": with_numbers(found),
    }


def _group_detail(
    job: ExecutionRecord, name: str, number: int, inside: list[OutputDetail]
) -> GroupDetail:
    states = {detail["Status"] for detail in inside}
    if states <= {"Success", "Skipped"}:
        status = "Success"
    elif "Failed" in states and not states & {"Init", "Scheduled"}:
        status = "Failed"
    else:
        status = "Init" if states == {"Init"} else "Running"
    detail: GroupDetail = {
        "Name": name,
        "TaskId": stable_id(job.run_id, f"group-{number}"),
        "Status": status,
        "CreateTime": wire_time(job.created),
        "Outputs": inside,
    }
    if status in ("Success", "Failed") and job.ended:
        detail["FinishTime"] = wire_time(job.ended)
    return detail
