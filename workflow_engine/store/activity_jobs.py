"""The jobs that clients of the API know activities of workflows by, in the lists of jobs.

They are written with the states of their activities (`steps.py`), and listed together with the
jobs outside of workflows, which are executions: a list walks an index of each table and takes
what is newer. Specification: topology, 7; api, 5.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import (
    ActivityJob,
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionState,
)
from workflow_engine.store.database import Database, Upsert, upsert
from workflow_engine.store.fast_queries import Select
from workflow_engine.store.pages import ExecutionFilter, Page, asked, outcomes_of
from workflow_engine.store.schema import CANCELLED, activity_jobs, executions

_JOBS = activity_jobs.c
#: of an activity in the words of executions
_STATES = {
    ActivityState.WAITING: ExecutionState.QUEUED,
    ActivityState.RUNNING: ExecutionState.RUNNING,
    ActivityState.SUCCESS: ExecutionState.COMPLETED,
    ActivityState.FAIL: ExecutionState.FAIL,
}


def begin(connection: sa.Connection, jobs: Sequence[ActivityJob]) -> None:
    """Save that the jobs of an activity run; those that are there keep when they were created."""
    rows = [
        {
            "job_id": job.job_id,
            "run_id": job.run_id,
            "activity": job.activity,
            "position": job.position,
            "kind": job.kind,
            "pipeline_id": job.pipeline_id,
            "outcome": str(job.state),
            "created": job.created,
        }
        for job in jobs
    ]
    connection.execute(_begin(connection.dialect.name), rows)


@cache
def _begin(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, activity_jobs)
    return insert.on_conflict_do_update(
        index_elements=["job_id"], set_={"outcome": insert.excluded.outcome}
    )


def follow(connection: sa.Connection, run_id: str, record: ActivityRecord) -> None:
    """Give the jobs of an activity its state; one that is skipped has none."""
    own = (_JOBS.run_id == run_id, _JOBS.activity == record.name)
    if record.state is ActivityState.SKIPPED:
        connection.execute(sa.delete(activity_jobs).where(*own))
        return
    failed = record.state is ActivityState.FAIL
    outcome = CANCELLED if failed and record.code == CANCELLED else str(_STATES[record.state])
    connection.execute(sa.update(activity_jobs).where(*own).values(outcome=outcome))


def end(connection: sa.Connection, run_id: str) -> None:
    """End the jobs of an execution that has ended while activities were left as they were."""
    outcome = sa.select(executions.c.outcome).where(executions.c.run_id == run_id)
    connection.execute(
        sa.update(activity_jobs)
        .where(
            _JOBS.run_id == run_id,
            _JOBS.outcome.in_([str(ExecutionState.QUEUED), str(ExecutionState.RUNNING)]),
        )
        .values(outcome=outcome.scalar_subquery())
    )


class ActivityJobTable:
    """The jobs of the activities of all executions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_ids(self, kind: ExecutionKind, job_ids: Collection[str]) -> list[ActivityJob]:
        """Return those of some jobs that are of activities and of a kind."""
        query = sa.select(activity_jobs).where(_JOBS.job_id.in_(job_ids), _JOBS.kind == str(kind))
        with self._database.read() as connection:
            return list(map(_job, connection.execute(query).mappings()))

    def page(self, chosen: ExecutionFilter, *, limit: int, after: str = "") -> Page[str]:
        """Return a page of the ids of jobs, of activities and others, the newest first.

        `chosen` has a kind, and nothing that jobs of activities do not have: states, a code with
        them, a pipeline and times. `after` is the id that the page before ended with. Raises
        InvalidInputError for one that no job has.
        """
        created = self._created(after) if after else None
        query, values = asked(_EXECUTIONS, chosen, after, created)
        most = {"limit": limit + 1}
        found = [tuple(row) for row in self._database.rows(query, {**values, **most})]
        for query, values in _asked_of_activities(chosen, after, created):
            found += [tuple(row) for row in self._database.rows(query, {**values, **most})]
        found.sort(key=itemgetter(1, 0), reverse=True)
        ids = [job_id for job_id, _ in found[:limit]]
        return Page(items=ids, next_token=ids[-1] if len(found) > limit else "")

    def _created(self, job_id: str) -> datetime | None:
        found = self._database.rows(_CREATED, {"job_id": job_id})
        return found[0][0] if found else None


_EXECUTIONS = sa.select(executions.c.run_id, executions.c.created)
_CREATED = sa.union_all(
    sa.select(executions.c.created).where(executions.c.run_id == sa.bindparam("job_id")),
    sa.select(_JOBS.created).where(_JOBS.job_id == sa.bindparam("job_id")),
)
_CONDITIONS = {
    "kind": _JOBS.kind == sa.bindparam("kind"),
    "outcome": _JOBS.outcome == sa.bindparam("outcome"),
    "pipeline_id": _JOBS.pipeline_id == sa.bindparam("pipeline_id"),
    "since": _JOBS.created >= sa.bindparam("since"),
    "until": _JOBS.created <= sa.bindparam("until"),
    "after": sa.tuple_(_JOBS.created, _JOBS.job_id)
    < sa.tuple_(
        sa.bindparam("moment", type_=_JOBS.created.type),
        sa.bindparam("after", type_=_JOBS.job_id.type),
    ),
}


def _asked_of_activities(
    chosen: ExecutionFilter, after: str, created: datetime | None
) -> Iterator[tuple[Select, dict[str, Any]]]:
    """Yield the queries of a page with their values, one for each outcome that is asked for."""
    given = {
        "kind": chosen.kind and str(chosen.kind),
        "pipeline_id": chosen.pipeline_id,
        "since": chosen.since,
        "until": chosen.until,
    }
    if created and (chosen.until is None or created <= chosen.until):
        # one upper bound, the lower one: an index is entered at one place
        given |= {"until": None, "after": after}
    values = {name: value for name, value in given.items() if value}
    for outcome in outcomes_of(chosen) or ("",):
        own = values | ({"outcome": outcome} if outcome else {})
        yield _query(frozenset(own)), own | {"moment": created}


@cache
def _query(names: frozenset[str]) -> Select:
    compared = [condition for name, condition in _CONDITIONS.items() if name in names]
    return (
        sa.select(_JOBS.job_id, _JOBS.created)
        .where(*compared)
        .order_by(_JOBS.created.desc(), _JOBS.job_id.desc())
        .limit(sa.bindparam("limit"))
    )


def _job(row: sa.RowMapping) -> ActivityJob:
    cancelled = row["outcome"] == CANCELLED
    return ActivityJob(
        job_id=row["job_id"],
        run_id=row["run_id"],
        activity=row["activity"],
        position=row["position"],
        kind=row["kind"],
        pipeline_id=row["pipeline_id"],
        created=row["created"],
        state=ExecutionState.FAIL if cancelled else ExecutionState(row["outcome"]),
        cancelled=cancelled,
    )
