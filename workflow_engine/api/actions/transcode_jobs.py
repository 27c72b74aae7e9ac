"""Actions on transcode jobs (specification, api, 5)."""

from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import AfterValidator

from workflow_engine.api.action import Request, action
from workflow_engine.api.jobs import InputParameter, JobPageRequest, job_shape, missing_jobs
from workflow_engine.api.parameters import Identifier, Identifiers, NotEmpty
from workflow_engine.api.shapes import Strings, nested_properties
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.jobs import Target, output_echo
from workflow_engine.records import ExecutionKind, ExecutionRecord, Json
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.wire import Choice, JsonArray, Text, wire_error

#: most outputs of one call, a job each
MAX_OUTPUTS = 30


def _count(outputs: list[Any]) -> list[Any]:
    if not 1 <= len(outputs) <= MAX_OUTPUTS:
        raise wire_error(
            Code.OUT_OF_RANGE if outputs else Code.EMPTY_VALUE,
            f"The list has {len(outputs)} outputs.",
            f"Give 1 to {MAX_OUTPUTS} outputs.",
        )
    return outputs


class SubmitJobsRequest(Request):
    """Parameters of SubmitJobs."""

    input: InputParameter
    outputs: Annotated[list[Any], JsonArray, AfterValidator(_count), NotEmpty]
    output_bucket: BucketName
    output_location: Annotated[str, Text()] = ""
    pipeline_id: Identifier


class JobResult(TypedDict):
    """What became of one output: its job, or why there is none, with a Job that has no JobId."""

    Success: bool
    Code: NotRequired[str]
    Message: NotRequired[str]
    Job: dict[str, Json]


class JobResults(TypedDict):
    """The list of results."""

    JobResult: list[JobResult]


class SubmitJobsAnswer(TypedDict):
    """A result for each output, in their order."""

    JobResultList: JobResults


@action("SubmitJobs")
def submit_jobs(engine: Engine, request: SubmitJobsRequest) -> SubmitJobsAnswer:
    """Queue a job for each output."""
    target = Target(bucket=request.output_bucket, location=request.output_location)
    jobs = engine.jobs.transcode(
        request.input, request.outputs, target, pipeline_id=request.pipeline_id
    )
    made = zip(request.outputs, jobs, strict=True)
    return {"JobResultList": {"JobResult": [_result(request, *one) for one in made]}}


def _result(
    request: SubmitJobsRequest, output: Json, job: ExecutionRecord | InvalidInputError
) -> JobResult:
    if isinstance(job, ExecutionRecord):
        return {"Success": True, "Job": job_shape(job)}
    asked = {
        "PipelineId": request.pipeline_id,
        "Input": request.input.ref.to_wire(),
        "Output": output_echo(output),
    }
    message = f"{job.message} ({job.pointer}) {job.remedy}".strip()
    return {
        "Success": False,
        "Code": job.code,
        "Message": message,
        "Job": nested_properties(asked),
    }


class CancelJobRequest(Request):
    """Parameters of CancelJob."""

    job_id: Identifier


class CancelJobAnswer(TypedDict):
    """The job that was cancelled."""

    JobId: str


@action("CancelJob")
def cancel_job(engine: Engine, request: CancelJobRequest) -> CancelJobAnswer:
    """Cancel a job that has not begun."""
    engine.jobs.cancel(request.job_id)
    return {"JobId": request.job_id}


class JobItems(TypedDict):
    """The list of jobs."""

    Job: list[dict[str, Json]]


class QueryJobListRequest(Request):
    """Parameters of QueryJobList; without JobIds it has an error code of its own."""

    job_ids: Identifiers = ()


class QueryJobListAnswer(TypedDict):
    """The jobs that exist, the newest first, and the ids of the others."""

    JobList: JobItems
    NonExistJobIds: NotRequired[Strings]


@action("QueryJobList")
def query_job_list(engine: Engine, request: QueryJobListRequest) -> QueryJobListAnswer:
    """Return jobs by their ids."""
    if not request.job_ids:
        raise InvalidInputError(
            Code.INVALID,
            'The parameter "JobIds" is missing.',
            pointer="/JobIds",
            remedy="Give up to ten JobIds; ListJob finds them.",
        )
    jobs = engine.jobs.by_ids(ExecutionKind.TRANSCODE, request.job_ids)
    answer = QueryJobListAnswer(JobList={"Job": [job_shape(job) for job in jobs]})
    if missing := missing_jobs(request.job_ids, jobs):
        answer["NonExistJobIds"] = {"String": missing}
    return answer


_STATES = (
    *("All", "Submitted", "Transcoding"),
    *("TranscodeSuccess", "TranscodeFail", "TranscodeCancelled"),
)


class ListJobRequest(JobPageRequest):
    """Parameters of ListJob."""

    state: Annotated[str, Choice(_STATES)] = "All"


class ListJobAnswer(TypedDict):
    """A page of jobs, the newest first."""

    JobList: JobItems
    NextPageToken: NotRequired[str]


@action("ListJob")
def list_job(engine: Engine, request: ListJobRequest) -> ListJobAnswer:
    """Return the jobs that were created in a time, in a state, in a pipeline."""
    page = request.page(engine, ExecutionKind.TRANSCODE)
    answer = ListJobAnswer(JobList={"Job": [job_shape(job) for job in page.items]})
    if page.next_token:
        answer["NextPageToken"] = page.next_token
    return answer
