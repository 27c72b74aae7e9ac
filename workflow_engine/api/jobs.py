"""What the actions on jobs outside of workflows share: their Input, their lists, their answers."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import BeforeValidator

from workflow_engine.api.action import Request
from workflow_engine.api.parameters import (
    Identifier,
    LastMoment,
    Moment,
    NextPageToken,
    NotEmpty,
    PageSize,
)
from workflow_engine.api.shapes import missing, nested_properties
from workflow_engine.engine import Engine
from workflow_engine.jobs import JobInput
from workflow_engine.jobs.given import JobObject, from_url
from workflow_engine.messages.job_objects import job_object
from workflow_engine.records import ExecutionKind, ExecutionRecord, Json
from workflow_engine.store import Page
from workflow_engine.topology.wire import JsonObject

#: the object that a job works on, in any form of URL or as JSON (specification, api, 3)
InputParameter = Annotated[JobInput, JsonObject, BeforeValidator(from_url), NotEmpty]
#: an object that a job writes
OutputParameter = Annotated[JobObject, JsonObject, BeforeValidator(from_url), NotEmpty]


class JobPageRequest(Request):
    """Base of the parameters that list jobs; each kind has its own words for `state`."""

    next_page_token: NextPageToken = ""
    maximum_page_size: PageSize = 10
    state: str = "All"
    start_of_job_created_time_range: Moment | None = None
    end_of_job_created_time_range: LastMoment | None = None
    pipeline_id: Identifier = ""

    def page(self, engine: Engine, kind: ExecutionKind) -> Page[ExecutionRecord]:
        """Return the jobs that are asked for, the newest first. Raises InvalidInputError."""
        return engine.jobs.page(
            kind,
            state="" if self.state == "All" else self.state,
            since=self.start_of_job_created_time_range,
            until=self.end_of_job_created_time_range,
            pipeline_id=self.pipeline_id,
            limit=self.maximum_page_size,
            after=self.next_page_token,
        )


def job_shape(record: ExecutionRecord) -> dict[str, Json]:
    """Return a job as answers have it: every list an object that holds one array."""
    return nested_properties(job_object(record))


def missing_jobs(wanted: Sequence[str], found: Iterable[ExecutionRecord]) -> list[str]:
    """Return the ids among `wanted` that no job has."""
    return missing(wanted, (job.run_id for job in found))
