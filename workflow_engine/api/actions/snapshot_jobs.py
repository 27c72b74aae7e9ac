"""Actions on snapshot jobs (specification, api, 9; snapshot, 1 and 7)."""

from typing import Annotated, NotRequired, TypedDict

from workflow_engine.api.action import Request, action
from workflow_engine.api.jobs import InputParameter, JobPageRequest, job_shape, missing_jobs
from workflow_engine.api.parameters import Identifier, Identifiers, JsonText, PlainUserData
from workflow_engine.api.shapes import Strings
from workflow_engine.engine import Engine
from workflow_engine.records import ExecutionKind, Json
from workflow_engine.topology.wire import Choice, Number

#: calls per second and account
_SUBMIT_RATE = 50


class SubmitSnapshotJobRequest(Request):
    """Parameters of SubmitSnapshotJob."""

    input: InputParameter
    snapshot_config: JsonText
    user_data: PlainUserData = ""
    pipeline_id: Identifier = ""


class SubmitSnapshotJobAnswer(TypedDict):
    """The job."""

    SnapshotJob: dict[str, Json]


@action("SubmitSnapshotJob", rate=_SUBMIT_RATE)
def submit_snapshot_job(
    engine: Engine, request: SubmitSnapshotJobRequest
) -> SubmitSnapshotJobAnswer:
    """Queue a job that takes pictures."""
    job = engine.jobs.snapshot(
        request.input,
        request.snapshot_config,
        pipeline_id=request.pipeline_id,
        user_data=request.user_data,
    )
    return {"SnapshotJob": job_shape(job)}


class SnapshotJobItems(TypedDict):
    """The list of jobs."""

    SnapshotJob: list[dict[str, Json]]


class QuerySnapshotJobListRequest(JobPageRequest):
    """Parameters of QuerySnapshotJobList; with ids the others have no effect."""

    snapshot_job_ids: Identifiers = ()
    maximum_page_size: Annotated[int, Number(1, 300)] = 30
    state: Annotated[str, Choice(("All", "Submitted", "Snapshoting", "Success", "Fail"))] = "All"


class QuerySnapshotJobListAnswer(TypedDict):
    """Jobs, the newest first; either by their ids, or a page."""

    SnapshotJobList: SnapshotJobItems
    NonExistSnapshotJobIds: NotRequired[Strings]
    NextPageToken: NotRequired[str]


@action("QuerySnapshotJobList")
def query_snapshot_job_list(
    engine: Engine, request: QuerySnapshotJobListRequest
) -> QuerySnapshotJobListAnswer:
    """Return jobs by their ids, or those of a time, a state, a pipeline."""
    kind = ExecutionKind.SNAPSHOT
    if request.snapshot_job_ids:
        jobs, token = engine.jobs.by_ids(kind, request.snapshot_job_ids), ""
    else:
        page = request.page(engine, kind)
        jobs, token = page.items, page.next_token
    answer = QuerySnapshotJobListAnswer(
        SnapshotJobList={"SnapshotJob": [job_shape(job) for job in jobs]}
    )
    if missing := missing_jobs(request.snapshot_job_ids, jobs):
        answer["NonExistSnapshotJobIds"] = {"String": missing}
    if token:
        answer["NextPageToken"] = token
    return answer
