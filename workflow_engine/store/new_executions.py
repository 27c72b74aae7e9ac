"""New executions: their rows, those of their activities, and the media of their inputs.

Each function runs inside a caller's transaction.
"""

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import ExecutionKind, ExecutionRecord
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, MediaRecord
from workflow_engine.store import bucket_sets
from workflow_engine.store.catalog_schema import pipelines
from workflow_engine.store.fast_queries import write_all
from workflow_engine.store.json_params import elements
from workflow_engine.store.mapping import EXECUTION, activity_row
from workflow_engine.store.media import put_media
from workflow_engine.store.schema import activities, executions
from workflow_engine.store.types import to_json

#: columns of an execution that its record does not have
Columns = dict[str, Any]


def add_all(connection: sa.Connection, new: Sequence[tuple[ExecutionRecord, Columns]]) -> None:
    """Add executions with their activities, and the media of the inputs of workflows.

    The columns of each go before what its record says. Raises IntegrityError when the dedupe key
    or the run id of one was added before.
    """
    bucket_sets.add_sets(connection, (record.buckets for record, _ in new))
    execution_rows = [
        EXECUTION.row(record) | {"bucket_set": bucket_sets.set_id(record.buckets)} | _NEW | columns
        for record, columns in new
    ]
    write_all(connection, _ADD_EXECUTIONS, execution_rows)
    for alike, group in groupby(new, key=lambda one: one[0].activities):
        run_ids = to_json([record.run_id for record, _ in group])
        for position, activity in enumerate(alike):
            values = activity_row(activity) | {"position": position}
            statement = _add_activity(connection.dialect.name)
            connection.execute(statement, values | {"run_ids": run_ids})
    inputs = (record for record, _ in new if record.kind is ExecutionKind.WORKFLOW)
    put_media(
        connection,
        (MediaRecord(id=one.media_id, file=one.input, created=one.created) for one in inputs),
    )


_NEW: Columns = {"fence": 0, "lapses": 0, "cancel_requested": False}
_ADD_EXECUTIONS = sa.insert(executions)


@cache
def _add_activity(dialect: str) -> sa.Insert:
    """Return what adds an activity to many executions at once."""
    run_ids = elements(dialect, "run_ids")
    later = ("run_id", "step_key", "intended")
    columns = [column for column in activities.c if column.name not in later]
    values = [sa.bindparam(column.name, type_=column.type) for column in columns]
    names = ["run_id", *(column.name for column in columns)]
    return sa.insert(activities).from_select(names, sa.select(run_ids.c.value, *values))


def known_pipeline(connection: sa.Connection, pipeline_id: str) -> str:
    """Return the id of a pipeline that stays until the transaction ends, else the default one's."""
    query = sa.select(pipelines.c.id).where(pipelines.c.id == pipeline_id)
    return connection.scalar(query.with_for_update(read=True)) or DEFAULT_PIPELINE_ID


def first_like(connection: sa.Connection, run_id: str, dedupe_key: str | None) -> str | None:
    """Return the run id of the execution with this dedupe key, else of that with this run id."""
    same = executions.c.run_id == run_id
    if dedupe_key is not None:
        same |= executions.c.dedupe_key == dedupe_key
    by_key_first = sa.case((executions.c.dedupe_key == dedupe_key, 0), else_=1)
    return connection.scalar(sa.select(executions.c.run_id).where(same).order_by(by_key_first))
