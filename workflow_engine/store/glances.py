"""What changes while an execution runs: a small look at many, once a second, for pages."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from workflow_engine.records import ObjectRef, Output
from workflow_engine.store.database import Database
from workflow_engine.store.expressions import JsonArrays, WireTime
from workflow_engine.store.mapping import OUTPUT
from workflow_engine.store.pages import NEWEST_FIRST
from workflow_engine.store.schema import activities, executions, objects


class ActivityGlance(NamedTuple):
    """An activity as it stands; moments are as in `YYYY-MM-DDThh:mm:ssZ`."""

    position: int
    name: str
    state: str
    progress: float
    message: str
    started: str | None
    ended: str | None


class Glance(NamedTuple):
    """An execution as it stands. `failed` counts activities, once it has ended."""

    run_id: str
    state: str
    failed: int
    activities: Sequence[ActivityGlance]


class GlanceTable:
    """Looks at executions without reading them whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, run_ids: Collection[str]) -> list[Glance]:
        """Return how those of some executions stand that exist."""
        if not run_ids:
            return []
        query = _GLANCES.where(executions.c.run_id.in_(run_ids))
        with self._database.read() as connection:
            return [_glance(row) for row in connection.execute(query)]

    def newest(self) -> str:
        """Return the RunId of the newest execution, "" when there is none."""
        found = self._database.rows(_NEWEST, {})
        return found[0][0] if found else ""

    def published(self, ref: ObjectRef, run_id: str = "") -> Output | None:
        """Return what an execution published under a key, without a RunId the newest one.

        None when nothing was.
        """
        query = (
            sa.select(objects)
            .join(executions, executions.c.run_id == objects.c.run_id)
            .where(
                objects.c.bucket == ref.bucket,
                objects.c.object == ref.object,
                objects.c.published.is_(True),
            )
            .order_by(*NEWEST_FIRST)
        )
        if run_id:
            query = query.where(objects.c.run_id == run_id)
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).mappings().first()
        return OUTPUT.record(row) if row is not None else None


def _glance(row: Sequence[Any]) -> Glance:
    run_id, state, failed, found = row
    return Glance(
        run_id, state, failed, [ActivityGlance(*one) for one in sorted(orjson.loads(found))]
    )


_ACTIVITIES = (
    sa.select(
        JsonArrays(
            activities.c.position,
            activities.c.name,
            activities.c.state,
            activities.c.progress,
            activities.c.message,
            WireTime(activities.c.started),
            WireTime(activities.c.ended),
        )
    )
    .where(activities.c.run_id == executions.c.run_id)
    .correlate(executions)
    .scalar_subquery()
)
_GLANCES = sa.select(
    executions.c.run_id,
    sa.type_coerce(executions.c.state, sa.Text),
    executions.c.failed,
    _ACTIVITIES,
)
_NEWEST = sa.select(executions.c.run_id).order_by(*NEWEST_FIRST).limit(1)
