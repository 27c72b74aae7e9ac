"""The queue: what comes into it, who runs what, and what runs next.

An execution is free without owner, or once its lease is over. What is free and Running was left
by a process that was killed; it goes on first. What is free and Queued starts as its pipeline
allows. What takes every process that runs it down with it is given up at some time, for the
others' sake. Each function runs inside a caller's transaction.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby

import sqlalchemy as sa

from workflow_engine.errors import Code, Interruption, InvalidInputError
from workflow_engine.records import ExecutionKind, ExecutionRecord, ExecutionState
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, MediaRecord, PipelineState
from workflow_engine.store import bucket_sets, rows, statements
from workflow_engine.store.catalog_schema import pipelines
from workflow_engine.store.json_rows import elements
from workflow_engine.store.media import put_media
from workflow_engine.store.prepared import Select, write_all
from workflow_engine.store.schema import activities, executions, is_begun, is_queued
from workflow_engine.store.statements import Claim

#: any number, the same in every process: one process at a time looks for what runs next
CLAIM_TURN = 0x6D666C78
#: claims in a row that may lapse, because their processes were killed, without any success
MOST_LAPSES = 20


def add(
    connection: sa.Connection,
    record: ExecutionRecord,
    dedupe_key: str | None,
    columns: rows.Row,
) -> None:
    """Add an execution with its activities, and the media of a workflow's input.

    `columns` go before what the record says. Raises IntegrityError when its dedupe key or its
    run id was added before.
    """
    add_all(connection, [(record, {"dedupe_key": dedupe_key} | columns)])


_NEW: rows.Row = {"fence": 0, "lapses": 0, "cancel_requested": False}


def add_all(connection: sa.Connection, new: Sequence[tuple[ExecutionRecord, rows.Row]]) -> None:
    """Add executions, each with its columns, as `add` does."""
    bucket_sets.add_sets(connection, (record.buckets for record, _ in new))
    execution_rows = [
        rows.execution_row(record)
        | {"bucket_set": bucket_sets.set_id(record.buckets)}
        | _NEW
        | columns
        for record, columns in new
    ]
    write_all(connection, _ADD_EXECUTIONS, execution_rows)
    for alike, group in groupby(new, key=lambda one: one[0].activities):
        run_ids = rows.to_json([record.run_id for record, _ in group])
        for position, activity in enumerate(alike):
            values = {"name": activity.name, "position": position} | rows.activity_row(activity)
            statement = _add_activity(connection.dialect.name)
            connection.execute(statement, values | {"run_ids": run_ids})
    inputs = (record for record, _ in new if record.kind is ExecutionKind.WORKFLOW)
    put_media(
        connection,
        (MediaRecord(id=one.media_id, file=one.input, created=one.created) for one in inputs),
    )


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


def claim(
    connection: sa.Connection, run_id: str, *, owner: str, now: datetime, lease_seconds: float
) -> Claim:
    """Hand an execution that is free to an owner, whatever its state; a cancel is forgotten.

    Raises LeaseLostError while another claim holds, InvalidInputError for an unknown run id.
    """
    row = _known(connection, run_id)
    if _is_held(row, now):
        raise statements.lease_lost(run_id, row["owner"])
    return _hand_over(connection, row, owner, now + timedelta(seconds=lease_seconds))


def claim_next(
    connection: sa.Connection,
    *,
    owner: str,
    now: datetime,
    lease_seconds: float,
    busy: Collection[str],
    buckets: bucket_sets.Buckets | None,
) -> Claim | None:
    """Hand over what should run next; what was to be cancelled, or is given up, ends instead.

    The caller has `CLAIM_TURN`, runs `busy` already, and knows `buckets`, None for all of them.
    """
    sets = bucket_sets.fitting(connection, buckets)
    # an empty list would become a subquery
    while row := _next_free(connection, {"now": now, "busy": list(busy) or [""]}, sets):
        lapses = 0 if row["owner"] is None else row["lapses"] + 1
        if row["cancel_requested"]:
            _end(connection, row, now, *Interruption.CANCELLED.value)
        elif lapses > MOST_LAPSES:
            _end(connection, row, now, *_GIVEN_UP)
        else:
            until = now + timedelta(seconds=lease_seconds)
            return _hand_over(connection, row, owner, until, lapses)
    return None


_GIVEN_UP = (
    Code.INTERNAL,
    f"Given up: {MOST_LAPSES + 1} processes in a row were killed while they ran it.",
)


def request_cancel(
    connection: sa.Connection, run_id: str, now: datetime, *, only_queued: bool
) -> ExecutionState:
    """End an execution that nobody runs, else ask its owner to; return its state now.

    With `only_queued` nothing happens to one that was begun. Raises InvalidInputError for an
    unknown run id.
    """
    row = _known(connection, run_id)
    state = ExecutionState(row["state"])
    if state.ended:
        return state
    held = _is_held(row, now)
    if only_queued and (held or state is not ExecutionState.QUEUED):
        return ExecutionState.RUNNING
    if not held:
        return _end(connection, row, now, *Interruption.CANCELLED.value)
    connection.execute(
        sa.update(executions).where(executions.c.run_id == run_id).values(cancel_requested=True)
    )
    return ExecutionState.RUNNING


def requeue(connection: sa.Connection, run_id: str, now: datetime) -> bool:
    """Put an execution that has ended back into the queue; what succeeded in it stays.

    False for one that has not ended, that some process holds, or that has an output root: it
    belongs to a terminal. Raises InvalidInputError for an unknown run id.
    """
    row = _known(connection, run_id)
    if not ExecutionState(row["state"]).ended or _is_held(row, now) or row["output_root"]:
        return False
    changes = {
        "state": str(ExecutionState.QUEUED),
        "code": "",
        "message": "",
        "ended": None,
        "failed": 0,
        "owner": None,
        "lease_until": None,
        "lapses": 0,
        "cancel_requested": False,
        "fence": row["fence"] + 1,
    }
    connection.execute(sa.update(executions).where(executions.c.run_id == run_id).values(changes))
    return True


def release(connection: sa.Connection, claim: Claim) -> None:
    """Give an execution back; nothing happens when another owner has it already."""
    connection.execute(
        sa.update(executions)
        .where(
            executions.c.run_id == claim.run_id,
            executions.c.owner == claim.owner,
            executions.c.fence == claim.fence,
        )
        .values(owner=None, lease_until=None)
    )


def any_claim(connection: sa.Connection, now: datetime) -> bool:
    """Whether any claim holds."""
    query = sa.select(sa.literal(1)).where(
        executions.c.owner.is_not(None), executions.c.lease_until > now
    )
    return connection.execute(query.limit(1)).first() is not None


def _known(connection: sa.Connection, run_id: str) -> sa.RowMapping:
    row = statements.claim_row(connection, run_id)
    if row is None:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'The execution "{run_id}" does not exist.',
            remedy="See `mediaflow execution list`.",
        )
    return row


def _is_held(row: sa.RowMapping, now: datetime) -> bool:
    return row["owner"] is not None and row["lease_until"] > now


def _hand_over(
    connection: sa.Connection,
    row: sa.RowMapping,
    owner: str,
    lease_until: datetime,
    lapses: int = 0,
) -> Claim:
    taken = Claim(run_id=row["run_id"], owner=owner, fence=row["fence"] + 1)
    statements.update_execution(
        connection,
        taken,
        {
            "owner": owner,
            "fence": taken.fence,
            "lapses": lapses,
            "lease_until": lease_until,
            "cancel_requested": False,
        },
    )
    return taken


def _end(
    connection: sa.Connection, row: sa.RowMapping, now: datetime, code: str, message: str
) -> ExecutionState:
    """End an execution that nobody runs; an owner whose lease is over cannot write any more."""
    state = ExecutionState.FAIL
    changes = {
        "state": str(state),
        "code": str(code),
        "message": message,
        "ended": now,
        "owner": None,
        "lease_until": None,
        "fence": row["fence"] + 1,
    }
    connection.execute(
        sa.update(executions).where(executions.c.run_id == row["run_id"]).values(changes)
    )
    statements.count_failed(connection, row["run_id"])
    return state


_NOW = sa.bindparam("now", type_=executions.c.lease_until.type)


def _is_free(table: sa.FromClause) -> sa.ColumnElement[bool]:
    return table.c.owner.is_(None) | (table.c.lease_until <= _NOW)


_FREE = (
    sa.select(
        executions.c.run_id,
        executions.c.owner,
        executions.c.fence,
        executions.c.lapses,
        executions.c.cancel_requested,
    )
    .where(
        _is_free(executions),
        executions.c.run_id.not_in(sa.bindparam("busy", expanding=True, type_=sa.Text)),
    )
    .limit(1)
    .with_for_update(skip_locked=True)
)
_BEGUN = _FREE.where(
    is_begun(), executions.c.bucket_set.in_(sa.bindparam("sets", expanding=True, type_=sa.Text))
).order_by(executions.c.created, executions.c.run_id)
_QUEUED = _FREE.where(
    is_queued(),
    executions.c.pipeline_id == sa.bindparam("pipeline_id"),
    executions.c.bucket_set == sa.bindparam("bucket_set"),
).order_by(executions.c.priority.desc(), executions.c.created, executions.c.run_id)


@cache
def _open_pipelines(dialect: str) -> Select:
    """Select in which pipelines, and of which bucket sets, something may start.

    That with the next execution first.
    """
    waiting, head, running = (executions.alias(name) for name in ("waiting", "head", "running"))
    sets = elements(dialect, "sets")
    first = (
        sa.select(waiting.c.run_id)
        .where(
            waiting.c.pipeline_id == pipelines.c.id,
            waiting.c.bucket_set == sets.c.value,
            is_queued(waiting),
            _is_free(waiting),
        )
        .order_by(waiting.c.priority.desc(), waiting.c.created, waiting.c.run_id)
        .limit(1)
        .scalar_subquery()
    )
    claims = (
        sa.select(sa.func.count())
        .where(
            running.c.pipeline_id == pipelines.c.id,
            running.c.owner.is_not(None),
            running.c.lease_until > _NOW,
        )
        .scalar_subquery()
    )
    return (
        sa.select(pipelines.c.id, sets.c.value)
        .select_from(pipelines.join(sets, sa.true()).join(head, head.c.run_id == first))
        .where(
            pipelines.c.state == str(PipelineState.ACTIVE),
            (pipelines.c.quota == 0) | (claims < pipelines.c.quota),
        )
        .order_by(head.c.priority.desc(), head.c.created, head.c.run_id)
    )


def _next_free(
    connection: sa.Connection, values: rows.Row, sets: Sequence[str]
) -> sa.RowMapping | None:
    """Return what should run next of some bucket sets, locked until the transaction ends."""
    begun = connection.execute(_BEGUN, values | {"sets": sets}).mappings().first()
    if begun is not None:
        return begun
    query = _open_pipelines(connection.dialect.name)
    given = {"now": values["now"], "sets": rows.to_json(sets)}
    for pipeline_id, bucket_set in connection.execute(query, given).all():
        chosen = values | {"pipeline_id": pipeline_id, "bucket_set": bucket_set}
        queued = connection.execute(_QUEUED, chosen).mappings().first()
        if queued is not None:
            return queued
    return None
