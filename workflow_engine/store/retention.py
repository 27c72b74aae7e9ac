"""What is old goes, in small batches: executions with everything that hangs on them.

What still runs, waits, or has a message on its way stays, however old. Of what goes a little is
kept, so that no object that landed long ago runs again and no output of ours starts a run: see
`past_runs` and `past_outputs` in `landing_schema.py`, and the intake, which stays whole. Media
stay. Finished steps go with their executions: what was neither made nor reused for so long is
encoded again when it is wanted again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import ExecutionKind, ExecutionState, run_id_of
from workflow_engine.store.catalog_schema import messages, notifications
from workflow_engine.store.database import Database, Upsert, upsert
from workflow_engine.store.landing_schema import past_outputs, past_runs
from workflow_engine.store.schema import (
    activities,
    activity_jobs,
    digests,
    executions,
    objects,
    predictions,
)
from workflow_engine.topology.object_names import is_candidate, starts_a_run

#: executions of one batch; a batch holds up the writers for some milliseconds
BATCH = 20


#: of an execution in the order of their age: when it was created, and its RunId
Place = tuple[datetime, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Which executions are old: created before a moment, and ended before another one."""

    created: datetime
    ended: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """How many executions a batch took, and where the next one begins; None at the end."""

    executions: int
    following: Place | None


class RetentionTable:
    """The executions of a store, from the oldest on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def windows(self, *, days: int, executions: int) -> list[Window]:
        """Return what is older than so many days, and what is beyond so many executions.

        0 means no limit. What ended within a day is never too much.
        """
        with self._database.read() as connection:
            now = self._database.now(connection)
            last = connection.scalar(_BEYOND, {"most": executions}) if executions else None
        found: list[Window] = []
        if days:
            before = now - timedelta(days=days)
            found.append(Window(created=before, ended=before))
        if last is not None:
            beyond = last + timedelta(microseconds=1)
            found.append(Window(created=beyond, ended=now - timedelta(days=1)))
        return found

    def count(self, window: Window, after: Place | None = None) -> Batch:
        """Count what is old among the next executions."""
        with self._database.read() as connection:
            found = _next(connection, after, window.created)
            old = _old(connection, found, window, self._database.now(connection))
        return _batch(found, old)

    def prune(self, window: Window, after: Place | None = None) -> Batch:
        """Remove what is old among the next executions, in one transaction."""
        counted = self.count(window, after)
        if not counted.executions:
            return counted  # and no writer waits
        with self._database.write() as connection:
            found = _next(connection, after, window.created, lock=True)
            old = _old(connection, found, window, self._database.now(connection))
            if old:
                _remember(connection, old)
                _remove(connection, old)
        return _batch(found, old)


def _batch(found: Sequence[sa.RowMapping], old: Sequence[sa.RowMapping]) -> Batch:
    last = found[-1] if len(found) == BATCH else None
    following = None if last is None else (last["created"], last["run_id"])
    return Batch(executions=len(old), following=following)


def _next(
    connection: sa.Connection, after: Place | None, before: datetime, *, lock: bool = False
) -> Sequence[sa.RowMapping]:
    # what another process is about to resume is locked, and left alone
    query = _OLDEST.with_for_update(skip_locked=True) if lock else _OLDEST
    if after is not None:
        query = query.where(sa.tuple_(sa.literal(after[0], _CREATED.type), after[1]) < _AGE)
    return connection.execute(query, {"before": before}).mappings().all()


def _old(
    connection: sa.Connection, found: Sequence[sa.RowMapping], window: Window, now: datetime
) -> list[sa.RowMapping]:
    """Return those that have ended, that nobody holds, and that have told everything."""
    ended = [
        row
        for row in found
        if ExecutionState(row["state"]).ended
        and (row["ended"] or row["created"]) < window.ended
        and (row["owner"] is None or row["lease_until"] <= now)
    ]
    if not ended:
        return []
    telling = set(connection.scalars(_TELLING, {"run_ids": [row["run_id"] for row in ended]}))
    return [row for row in ended if row["run_id"] not in telling]


def _remember(connection: sa.Connection, old: Sequence[sa.RowMapping]) -> None:
    """Keep what the intake must know of executions that go."""
    ran = {
        run_id_of(row["workflow_id"], row["bucket"], row["object"], row["version"])
        for row in old
        if row["kind"] == ExecutionKind.WORKFLOW and row["version"] and not row["output_root"]
    }
    if ran:
        runs = [{"run_id": run_id} for run_id in sorted(ran)]
        connection.execute(_keep_runs(connection.dialect.name), runs)
    made = connection.execute(_MADE, {"run_ids": [row["run_id"] for row in old]}).mappings()
    outputs = [dict(row) for row in made if _could_start_a_run(row["object"])]
    if outputs:
        connection.execute(_keep_outputs(connection.dialect.name), outputs)


def _could_start_a_run(key: str) -> bool:
    return is_candidate(key) and starts_a_run(key)


def _remove(connection: sa.Connection, old: Sequence[sa.RowMapping]) -> None:
    for remove in _REMOVE:
        connection.execute(remove, {"run_ids": [row["run_id"] for row in old]})


_CREATED = executions.c.created
_AGE = sa.tuple_(executions.c.created, executions.c.run_id)
_OLDEST = (
    sa.select(
        executions.c.run_id,
        executions.c.kind,
        executions.c.workflow_id,
        executions.c.bucket,
        executions.c.object,
        executions.c.version,
        executions.c.origin,
        executions.c.output_root,
        executions.c.state,
        executions.c.created,
        executions.c.ended,
        executions.c.owner,
        executions.c.lease_until,
    )
    .where(executions.c.created < sa.bindparam("before"))
    .order_by(executions.c.created, executions.c.run_id)
    .limit(BATCH)
)
_BEYOND = (
    sa.select(executions.c.created)
    .order_by(executions.c.created.desc(), executions.c.run_id.desc())
    .offset(sa.bindparam("most"))
    .limit(1)
)
_RUN_IDS: sa.BindParameter[Any] = sa.bindparam("run_ids", expanding=True)
_TELLING = sa.select(messages.c.run_id).where(
    messages.c.run_id.in_(_RUN_IDS), messages.c.next_attempt.is_not(None)
)
_MADE = sa.select(
    objects.c.bucket,
    objects.c.object,
    objects.c.sha256,
    objects.c.size,
    objects.c.md5,
    objects.c.run_id,
).where(objects.c.run_id.in_(_RUN_IDS))
_REMOVE = [
    # what was read once is read again when it is needed again
    *(
        sa.delete(digests).where(digests.c.place.in_(sa.select(place).where(run_id.in_(_RUN_IDS))))
        for place, run_id in (
            (objects.c.place, objects.c.run_id),
            (executions.c.origin, executions.c.run_id),
        )
    ),
    # what refers to others first
    *(
        sa.delete(table).where(table.c.run_id.in_(_RUN_IDS))
        for table in (
            *(messages, notifications, objects, predictions),
            *(activity_jobs, activities, executions),
        )
    ),
]


@cache
def _keep_runs(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, past_runs)
    return insert.on_conflict_do_nothing()


@cache
def _keep_outputs(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, past_outputs)
    return insert.on_conflict_do_nothing()
