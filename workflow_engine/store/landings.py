"""What landed in watched buckets, and what became of it: the newest of it, for pages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from workflow_engine.records import ExecutionKind
from workflow_engine.records.ingest import Arrival
from workflow_engine.store.database import Database
from workflow_engine.store.landing_schema import arrivals, has_landed, intake
from workflow_engine.store.mapping import ARRIVAL
from workflow_engine.store.schema import executions


class StartedRun(NamedTuple):
    """An execution that an object started."""

    run_id: str
    workflow: str
    state: str
    failed: int


class Landing(NamedTuple):
    """An object version that was taken in, with the executions of it."""

    bucket: str
    key: str
    version: str
    taken: datetime
    runs: Sequence[StartedRun]


class LandingTable:
    """What landed; reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, *, limit: int) -> list[Landing]:
        """Return what was taken in last, the newest first.

        What lay in a bucket before it was watched is not among it.
        """
        query = (
            sa.select(intake.c.bucket, intake.c.key, intake.c.version, intake.c.taken)
            .where(has_landed())
            .order_by(intake.c.taken.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
            runs = _runs(connection, [(bucket, key) for bucket, key, _, _ in found])
        return [
            Landing(bucket, key, version, taken, runs.get((bucket, key, version), ()))
            for bucket, key, version, taken in found
        ]

    def waiting(self, *, limit: int) -> list[Arrival]:
        """Return what was noticed and not taken in yet, by when it is looked at next."""
        query = sa.select(arrivals).order_by(arrivals.c.due).limit(limit)
        with self._database.read() as connection:
            return list(map(ARRIVAL.record, connection.execute(query).mappings()))


def _runs(
    connection: sa.Connection, objects: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str, str], list[StartedRun]]:
    """Return the executions of some objects, by bucket, key and version."""
    keys: dict[str, set[str]] = {}
    for bucket, key in objects:
        keys.setdefault(bucket, set()).add(key)
    runs: dict[tuple[str, str, str], list[StartedRun]] = {}
    for bucket, its_keys in keys.items():
        query = (
            sa.select(
                executions.c.object,
                executions.c.version,
                executions.c.run_id,
                executions.c.workflow,
                sa.type_coerce(executions.c.state, sa.Text),
                executions.c.failed,
            )
            .where(
                executions.c.kind == str(ExecutionKind.WORKFLOW),
                executions.c.bucket == bucket,
                executions.c.object.in_(sorted(its_keys)),
            )
            .order_by(executions.c.workflow)
        )
        for key, version, *run in connection.execute(query):
            runs.setdefault((bucket, key, version), []).append(StartedRun._make(run))
    return runs
