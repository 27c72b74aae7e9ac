"""Actions on media info jobs (specification, mediainfo, 4; other_seeds, 2.2 and 2.3)."""

from typing import Annotated, NotRequired, TypedDict, cast

from workflow_engine.api.action import Request, action
from workflow_engine.api.ims.inputs import ImsFile, job_input
from workflow_engine.api.ims.lists import JobListRequest, existing_job
from workflow_engine.api.ims.media_info import media_info_property
from workflow_engine.api.parameters import Identifier, PageSize, UserData
from workflow_engine.buckets import object_url
from workflow_engine.engine import Engine
from workflow_engine.messages.job_states import job_state
from workflow_engine.records import (
    DEFAULT_PRIORITY,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    Json,
    wire_time,
)
from workflow_engine.topology.wire import Choice, JsonObject, Number, Text, WireModel

_KIND = ExecutionKind.IMS_MEDIA_INFO


class ScheduleConfig(WireModel):
    """When the job may start."""

    pipeline_id: Identifier = ""
    priority: Annotated[int, Number(1, 10)] = DEFAULT_PRIORITY


class SubmitMediaInfoJobRequest(Request):
    """Parameters of SubmitMediaInfoJob."""

    name: Annotated[str, Text(max_bytes=256)] = ""
    input: Annotated[ImsFile, JsonObject]
    user_data: UserData = ""
    schedule_config: Annotated[ScheduleConfig, JsonObject] | None = None


class JobShape(TypedDict):
    """A media info job."""

    JobId: str
    Name: str
    TriggerSource: str
    Input: Json
    Async: bool
    UserData: str
    ScheduleConfig: Json
    Status: str
    SubmitResultJson: Json
    MediaInfoProperty: NotRequired[Json]
    SubmitTime: str
    FinishTime: NotRequired[str]


class MediaInfoJobAnswer(TypedDict):
    """The job."""

    MediaInfoJob: JobShape


class GetMediaInfoJobRequest(Request):
    """Parameters of GetMediaInfoJob."""

    job_id: Identifier


class ListMediaInfoJobsRequest(JobListRequest):
    """Parameters of ListMediaInfoJobs."""

    status: Annotated[str, Choice(("Init", "Success", "Fail"))] = ""
    page_size: PageSize = 10


class ListMediaInfoJobsAnswer(TypedDict):
    """A page of the jobs."""

    Jobs: list[JobShape]
    NextPageToken: str


@action("SubmitMediaInfoJob")
def submit_media_info_job(engine: Engine, request: SubmitMediaInfoJobRequest) -> MediaInfoJobAnswer:
    """Queue a job that probes an object."""
    schedule = request.schedule_config or ScheduleConfig()
    job = engine.jobs.media_info(
        job_input(engine, request.input, "/Input"),
        kind=_KIND,
        pipeline_id=schedule.pipeline_id,
        priority=schedule.priority,
        user_data=request.user_data,
        request={
            "Name": request.name,
            "Input": {"Type": request.input.type, "Media": request.input.media},
        },
    )
    return {"MediaInfoJob": _shape(job)}


@action("GetMediaInfoJob")
def get_media_info_job(engine: Engine, request: GetMediaInfoJobRequest) -> MediaInfoJobAnswer:
    """Return a job by its id."""
    return {"MediaInfoJob": _shape(existing_job(engine, _KIND, request.job_id))}


@action("ListMediaInfoJobs")
def list_media_info_jobs(
    engine: Engine, request: ListMediaInfoJobsRequest
) -> ListMediaInfoJobsAnswer:
    """Return a page of the jobs."""
    page = request.page(engine, _KIND)
    return {"Jobs": [_shape(job) for job in page.items], "NextPageToken": page.next_token}


def _shape(job: ExecutionRecord) -> JobShape:
    request = job.request
    shape: JobShape = {
        "JobId": job.run_id,
        "Name": str(request.get("Name", "")),
        "TriggerSource": "API",
        "Input": request.get("Input"),
        "Async": True,
        "UserData": job.user_data,
        "ScheduleConfig": {"PipelineId": job.pipeline_id, "Priority": job.priority},
        "Status": job_state(job),
        "SubmitResultJson": {},
        "SubmitTime": wire_time(job.created),
    }
    if job.code:
        shape["SubmitResultJson"] = {"Code": job.code, "Message": job.message}
    if job.ended:
        shape["FinishTime"] = wire_time(job.ended)
    (start, *_) = job.activities
    properties = start.result.data.get("Properties")
    if start.state is ActivityState.SUCCESS and properties:
        given = cast("dict[str, str]", request.get("Input"))
        shape["MediaInfoProperty"] = media_info_property(
            cast("dict[str, Json]", properties),
            file=job.input,
            url=given["Media"] if "://" in given["Media"] else object_url(job.input),
            media_id=job.media_id,
        )
    return shape
