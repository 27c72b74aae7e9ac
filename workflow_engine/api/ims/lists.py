"""What the lists of IMS have in common (specification, other_seeds, 2.3)."""

from typing import Annotated

from workflow_engine.api.action import Request
from workflow_engine.api.parameters import Identifier, LastMoment, Moment, NextPageToken, PageSize
from workflow_engine.topology.wire import Choice


class JobListRequest(Request):
    """Base of the parameters; each kind of job has words of its own for `status`."""

    job_id: Identifier = ""
    start_of_create_time: Moment | None = None
    end_of_create_time: LastMoment | None = None
    order_by: Annotated[str, Choice(("CreateTimeDesc",), later=("CreateTimeAsc",))] = (
        "CreateTimeDesc"
    )
    next_page_token: NextPageToken = ""
    page_size: PageSize = 20
