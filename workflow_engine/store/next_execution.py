"""Which execution should run next.

What is free and Running was left by a process that was killed; it continues first. What is free and
Queued starts as its pipeline allows: the highest priority first, then the oldest.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from workflow_engine.records.catalog import PipelineState
from workflow_engine.store import bucket_sets
from workflow_engine.store.catalog_schema import pipelines
from workflow_engine.store.database import Database
from workflow_engine.store.fast_queries import Select
from workflow_engine.store.json_params import elements
from workflow_engine.store.schema import executions, is_begun, is_queued
from workflow_engine.store.types import to_json


def may_exist(database: Database, busy: Collection[str], known: bucket_sets.Buckets | None) -> bool:
    """Whether something may run next, at a glance: nobody waits for the reader."""
    sets = bucket_sets.fitting(database.rows(bucket_sets.ALL, {}), known)
    values = _values(database.clock(), busy, sets)
    dialect = database.dialect
    return any(database.rows(query(dialect), values) for query in (_left, _open_pipelines))


def lock_next(
    connection: sa.Connection, now: Any, busy: Collection[str], known: bucket_sets.Buckets | None
) -> sa.RowMapping | None:
    """Return claim and lapses of what should run next, locked until the transaction ends."""
    sets = bucket_sets.fitting(connection.execute(bucket_sets.ALL), known)
    values = _values(now, busy, sets)
    dialect = connection.dialect.name
    left = connection.execute(_locked(_left(dialect)), values).mappings().first()
    if left is not None:
        return left
    for pipeline_id, bucket_set in connection.execute(_open_pipelines(dialect), values).all():
        chosen = {**values, "pipeline_id": pipeline_id, "bucket_set": bucket_set}
        queued = connection.execute(_locked(_queued(dialect)), chosen).mappings().first()
        if queued is not None:
            return queued
    return None


def _values(now: Any, busy: Collection[str], sets: Sequence[str]) -> Mapping[str, Any]:
    return {"now": now, "busy": to_json(list(busy)), "sets": to_json(sets)}


_NOW = sa.bindparam("now", type_=executions.c.lease_until.type)


def _is_free(table: sa.FromClause) -> sa.ColumnElement[bool]:
    return table.c.owner.is_(None) | (table.c.lease_until <= _NOW)


@cache
def _free(dialect: str) -> Select:
    return (
        sa.select(
            executions.c.run_id,
            executions.c.owner,
            executions.c.fence,
            executions.c.lapses,
            executions.c.cancel_requested,
        )
        .where(
            _is_free(executions),
            executions.c.run_id.not_in(sa.select(elements(dialect, "busy").c.value)),
        )
        .limit(1)
    )


@cache
def _locked(query: Select) -> Select:
    return query.with_for_update(skip_locked=True, of=executions)


@cache
def _left(dialect: str) -> Select:
    sets = sa.select(elements(dialect, "sets").c.value)
    begun = _free(dialect).where(is_begun(), executions.c.bucket_set.in_(sets))
    return begun.order_by(executions.c.created, executions.c.run_id)


@cache
def _queued(dialect: str) -> Select:
    return (
        _free(dialect)
        .where(
            is_queued(),
            executions.c.pipeline_id == sa.bindparam("pipeline_id"),
            executions.c.bucket_set == sa.bindparam("bucket_set"),
        )
        .order_by(executions.c.priority.desc(), executions.c.created, executions.c.run_id)
    )


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
            pipelines.c.state == PipelineState.ACTIVE,
            (pipelines.c.quota == 0) | (claims < pipelines.c.quota),
        )
        .order_by(head.c.priority.desc(), head.c.created, head.c.run_id)
    )
