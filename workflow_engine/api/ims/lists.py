"""How the jobs of IMS are found: by id, or page by page (specification, other_seeds, 2.3)."""

from typing import Annotated

from workflow_engine.api.action import Request
from workflow_engine.api.parameters import Identifier, LastMoment, Moment, NextPageToken, PageSize
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionKind, ExecutionRecord
from workflow_engine.store import Page
from workflow_engine.topology.wire import Choice


class JobListRequest(Request):
    """Base of the parameters; each kind of job has words of its own for `status`."""

    job_id: Identifier = ""
    status: str = ""
    start_of_create_time: Moment | None = None
    end_of_create_time: LastMoment | None = None
    order_by: Annotated[str, Choice(("CreateTimeDesc",), later=("CreateTimeAsc",))] = (
        "CreateTimeDesc"
    )
    next_page_token: NextPageToken = ""
    page_size: PageSize = 20

    def page(self, engine: Engine, kind: ExecutionKind) -> Page[ExecutionRecord]:
        """Return the jobs that are asked for, the newest first. Raises InvalidInputError."""
        if self.job_id:
            return Page(items=engine.jobs.by_ids(kind, [self.job_id]))
        return engine.jobs.page(
            kind,
            state=self.status,
            since=self.start_of_create_time,
            until=self.end_of_create_time,
            limit=self.page_size,
            after=self.next_page_token,
        )


def existing_job(engine: Engine, kind: ExecutionKind, job_id: str) -> ExecutionRecord:
    """Return a job. Raises InvalidInputError when there is none of this kind."""
    found = engine.jobs.by_ids(kind, [job_id])
    if not found:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no job of this kind with the id "{job_id}".',
            pointer="/JobId",
            remedy="Use a JobId that the action which submits such jobs returned.",
        )
    return found[0]
