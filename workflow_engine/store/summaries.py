"""Executions as lists show them, each one row of the database.

A summary has what the API tells of an execution, in the form in which it tells it: its moments
are text, and nothing is read that is not shown. `pages.py` chooses the executions.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from workflow_engine.store.expressions import JsonArrays, WireTime
from workflow_engine.store.schema import activities, executions


class ActivitySummary(NamedTuple):
    """What lists show of an activity.

    Moments are as in `YYYY-MM-DDThh:mm:ssZ`. `further_jobs` and `message_result` are JSON text,
    None for nothing.
    """

    position: int
    name: str
    type: str
    state: str
    job_id: str
    further_jobs: str | None
    code: str
    message: str
    started: str | None
    ended: str | None
    message_result: str | None


class ExecutionSummary(NamedTuple):
    """What lists show of an execution. `created` is as in `YYYY-MM-DDThh:mm:ssZ`."""

    run_id: str
    workflow_id: str
    workflow: str
    state: str
    media_id: str
    bucket: str
    location: str
    object: str
    user_data: str
    created: str
    activities: list[ActivitySummary]


class ExecutionLine(NamedTuple):
    """What a line of a list for people shows of an execution.

    `failed` counts the activities that had failed at its end, `bucket_set` names the buckets that
    it needs.
    """

    run_id: str
    workflow: str
    state: str
    failed: int
    bucket: str
    object: str
    bucket_set: str
    created: datetime
    ended: datetime | None


#: as text: nothing is made of it here
_STATE = sa.type_coerce(executions.c.state, sa.Text).label("state")

#: every execution as `ExecutionLine` has it
LINES = sa.select(
    executions.c.run_id,
    executions.c.workflow,
    _STATE,
    executions.c.failed,
    executions.c.bucket,
    executions.c.object,
    executions.c.bucket_set,
    executions.c.created,
    executions.c.ended,
)

_ACTIVITIES = (
    sa.select(
        JsonArrays(
            activities.c.position,
            activities.c.name,
            activities.c.type,
            activities.c.state,
            activities.c.job_id,
            sa.func.nullif(activities.c.further_jobs, "[]"),
            activities.c.code,
            activities.c.message,
            WireTime(activities.c.started),
            WireTime(activities.c.ended),
            sa.func.nullif(activities.c.message_result, "{}"),
        )
    )
    .where(activities.c.run_id == executions.c.run_id)
    .correlate(executions)
    .scalar_subquery()
)

#: every execution as `summary_of` reads it; the last column is only there to order by
SUMMARIES = sa.select(
    executions.c.run_id,
    executions.c.workflow_id,
    executions.c.workflow,
    _STATE,
    executions.c.media_id,
    executions.c.bucket,
    executions.c.location,
    executions.c.object,
    executions.c.user_data,
    WireTime(executions.c.created).label("moment"),
    _ACTIVITIES.label("activities"),
    sa.type_coerce(executions.c.created, sa.types.NullType()).label("created"),
)


def summary_of(row: Sequence[Any]) -> ExecutionSummary:
    """Return the summary that a row of `SUMMARIES` holds."""
    *columns, begun, _ = row
    # the database gives them in any order
    ordered: list[list[Any]] = sorted(orjson.loads(begun))
    return ExecutionSummary._make((*columns, list(starmap(ActivitySummary, ordered))))
