"""Actions on analysis jobs (specification, analysis, 2)."""

from typing import Annotated, NotRequired, TypedDict

from workflow_engine.api.action import Request, action
from workflow_engine.api.jobs import InputParameter, job_shape, missing_jobs
from workflow_engine.api.parameters import Identifier, Identifiers, JsonText, PlainUserData
from workflow_engine.api.shapes import Strings
from workflow_engine.engine import Engine
from workflow_engine.records import DEFAULT_PRIORITY, ExecutionKind, Json
from workflow_engine.topology.wire import Number


class SubmitAnalysisJobRequest(Request):
    """Parameters of SubmitAnalysisJob."""

    input: InputParameter
    analysis_config: JsonText = ""
    pipeline_id: Identifier
    priority: Annotated[int, Number(1, 10)] = DEFAULT_PRIORITY
    user_data: PlainUserData = ""


class SubmitAnalysisJobAnswer(TypedDict):
    """The job."""

    AnalysisJob: dict[str, Json]


@action("SubmitAnalysisJob")
def submit_analysis_job(
    engine: Engine, request: SubmitAnalysisJobRequest
) -> SubmitAnalysisJobAnswer:
    """Queue a job that finds the intelligent templates for an object."""
    job = engine.jobs.analysis(
        request.input,
        request.analysis_config,
        pipeline_id=request.pipeline_id,
        priority=request.priority,
        user_data=request.user_data,
    )
    return {"AnalysisJob": job_shape(job)}


class AnalysisJobItems(TypedDict):
    """The list of jobs."""

    AnalysisJob: list[dict[str, Json]]


class QueryAnalysisJobListRequest(Request):
    """Parameters of QueryAnalysisJobList."""

    analysis_job_ids: Identifiers


class QueryAnalysisJobListAnswer(TypedDict):
    """The jobs that exist, the newest first, and the ids of the others."""

    AnalysisJobList: AnalysisJobItems
    NonExistAnalysisJobIds: NotRequired[Strings]


@action("QueryAnalysisJobList")
def query_analysis_job_list(
    engine: Engine, request: QueryAnalysisJobListRequest
) -> QueryAnalysisJobListAnswer:
    """Return jobs by their ids."""
    jobs = engine.jobs.by_ids(ExecutionKind.ANALYSIS, request.analysis_job_ids)
    answer = QueryAnalysisJobListAnswer(
        AnalysisJobList={"AnalysisJob": [job_shape(job) for job in jobs]}
    )
    if missing := missing_jobs(request.analysis_job_ids, jobs):
        answer["NonExistAnalysisJobIds"] = {"String": missing}
    return answer
