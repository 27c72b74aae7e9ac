"""The pipelines; `queue.py` says what they let start."""

from collections.abc import Collection

import sqlalchemy as sa

from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineRecord, PipelineState
from workflow_engine.store.bucket_sets import MOST_COUNTED
from workflow_engine.store.catalog_schema import pipelines
from workflow_engine.store.database import Database
from workflow_engine.store.mapping import PIPELINE, in_order
from workflow_engine.store.news import QUEUE, tell
from workflow_engine.store.schema import executions, is_queued

_AGE = (pipelines.c.created.desc(), pipelines.c.id.desc())


class PipelineTable:
    """Pipelines; `catalog/pipelines.py` has the rules. A new store has the default one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: PipelineRecord) -> None:
        """Add a pipeline."""
        with self._database.write() as connection:
            connection.execute(sa.insert(pipelines).values(PIPELINE.row(record)))

    def get(self, pipeline_id: str) -> PipelineRecord | None:
        """Return a pipeline."""
        found = self.by_ids([pipeline_id])
        return found[0] if found else None

    def by_ids(self, pipeline_ids: Collection[str]) -> list[PipelineRecord]:
        """Return those of some pipelines that exist, in the order of the ids."""
        query = sa.select(pipelines).where(pipelines.c.id.in_(pipeline_ids))
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return in_order(pipeline_ids, map(PIPELINE.record, found))

    def search(
        self, state: PipelineState | None, *, offset: int, limit: int
    ) -> tuple[list[PipelineRecord], int]:
        """Return pipelines, in one state or in any, newest first, and how many there are in all."""
        chosen = sa.true() if state is None else pipelines.c.state == state
        query = sa.select(pipelines).where(chosen).order_by(*_AGE).offset(offset).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
            total = connection.scalar(
                sa.select(sa.func.count()).select_from(pipelines).where(chosen)
            )
        return list(map(PIPELINE.record, found)), total or 0

    def all(self) -> list[PipelineRecord]:
        """Return every pipeline, the newest first."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(pipelines).order_by(*_AGE)).mappings().all()
        return list(map(PIPELINE.record, found))

    def work(self, pipeline_id: str) -> tuple[int, int]:
        """Return how many executions wait and run in a pipeline, at most `MOST_COUNTED` each."""
        ours = executions.c.pipeline_id == pipeline_id
        with self._database.read() as connection:
            waiting, running = (
                connection.scalar(
                    sa.select(sa.func.count()).select_from(
                        sa.select(executions.c.run_id)
                        .where(ours, condition)
                        .limit(MOST_COUNTED)
                        .subquery()
                    )
                )
                for condition in (is_queued(), executions.c.owner.is_not(None))
            )
        return waiting or 0, running or 0

    def save(self, record: PipelineRecord) -> bool:
        """Save a pipeline; false when there is none."""
        update = sa.update(pipelines).where(pipelines.c.id == record.id)
        with self._database.write() as connection:
            saved = connection.execute(update.values(PIPELINE.row(record))).rowcount > 0
            tell(connection, QUEUE)  # it may be active now, or let more start at once
        return saved

    def delete(self, pipeline_id: str) -> bool:
        """Delete a pipeline, false when there is none.

        What waits in it moves to the default one.
        """
        with self._database.write() as connection:
            delete = sa.delete(pipelines).where(pipelines.c.id == pipeline_id)
            if connection.execute(delete).rowcount == 0:
                return False
            connection.execute(
                sa.update(executions)
                .where(executions.c.pipeline_id == pipeline_id, is_queued())
                .values(pipeline_id=DEFAULT_PIPELINE_ID)
            )
        return True
