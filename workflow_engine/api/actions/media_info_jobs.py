"""Actions on media info jobs (specification, mediainfo, 1)."""

from typing import Annotated, NotRequired, TypedDict

from pydantic import Field

from workflow_engine.api.action import Request, action
from workflow_engine.api.jobs import InputParameter, job_shape, missing_jobs
from workflow_engine.api.parameters import Identifier, Identifiers, PlainUserData
from workflow_engine.api.shapes import Strings
from workflow_engine.engine import Engine
from workflow_engine.records import ExecutionKind, Json
from workflow_engine.topology.wire import Boolean

#: calls per second and account
_SUBMIT_RATE = 50

#: seconds that a call with Async=false waits for the result
PATIENCE = 30.0


class SubmitMediaInfoJobRequest(Request):
    """Parameters of SubmitMediaInfoJob."""

    input: InputParameter
    user_data: PlainUserData = ""
    pipeline_id: Identifier = ""
    asynchronous: Annotated[bool, Boolean()] = Field(True, alias="Async")


class SubmitMediaInfoJobAnswer(TypedDict):
    """The job."""

    MediaInfoJob: dict[str, Json]


@action("SubmitMediaInfoJob", rate=_SUBMIT_RATE)
def submit_media_info_job(
    engine: Engine, request: SubmitMediaInfoJobRequest
) -> SubmitMediaInfoJobAnswer:
    """Queue a job that probes an object; with Async=false wait for its result."""
    job = engine.jobs.media_info(
        request.input,
        pipeline_id=request.pipeline_id,
        user_data=request.user_data,
        request={"Async": request.asynchronous},
    )
    if not request.asynchronous:
        job = engine.jobs.wait(job.run_id, PATIENCE)
    return {"MediaInfoJob": job_shape(job)}


class MediaInfoJobItems(TypedDict):
    """The list of jobs."""

    MediaInfoJob: list[dict[str, Json]]


class QueryMediaInfoJobListRequest(Request):
    """Parameters of QueryMediaInfoJobList."""

    media_info_job_ids: Identifiers


class QueryMediaInfoJobListAnswer(TypedDict):
    """The jobs that exist, the newest first, and the ids of the others."""

    MediaInfoJobList: MediaInfoJobItems
    NonExistMediaInfoJobIds: NotRequired[Strings]


@action("QueryMediaInfoJobList")
def query_media_info_job_list(
    engine: Engine, request: QueryMediaInfoJobListRequest
) -> QueryMediaInfoJobListAnswer:
    """Return jobs by their ids."""
    jobs = engine.jobs.by_ids(ExecutionKind.MEDIA_INFO, request.media_info_job_ids)
    answer = QueryMediaInfoJobListAnswer(
        MediaInfoJobList={"MediaInfoJob": [job_shape(job) for job in jobs]}
    )
    if missing := missing_jobs(request.media_info_job_ids, jobs):
        answer["NonExistMediaInfoJobIds"] = {"String": missing}
    return answer
