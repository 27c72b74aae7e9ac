"""The executions: what is known of each, and lists of them.

Who writes shows the claim on the execution; one that another owner has taken over is refused.
`queue.py` has how they come in and who runs them, `steps.py` their activities, `pages.py` the
lists.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import ActivityState, ExecutionKind, ExecutionRecord, ExecutionState
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.store import activity_jobs, claims, mapping, pages
from workflow_engine.store.bucket_sets import sets_by_id
from workflow_engine.store.claims import Claim
from workflow_engine.store.database import Database
from workflow_engine.store.expressions import BeginsWith
from workflow_engine.store.messages import add_message
from workflow_engine.store.pages import ExecutionFilter, Page
from workflow_engine.store.published import Published, published_of_media
from workflow_engine.store.schema import activities, executions, objects
from workflow_engine.store.steps import select_objects
from workflow_engine.store.summaries import LINES, ExecutionLine, ExecutionSummary


class ExecutionTable:
    """The executions of all processes that share one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, run_id: str) -> ExecutionRecord | None:
        """Return an execution with its activities and their outputs."""
        query = sa.select(executions).where(executions.c.run_id == run_id)
        with self._database.read() as connection:
            found = load_executions(connection, query)
        return found[0] if found else None

    def newest(self, *, limit: int = 50) -> list[ExecutionRecord]:
        """Return the newest executions, the newest first, with activities and outputs."""
        query = sa.select(executions).order_by(*pages.NEWEST_FIRST).limit(limit)
        with self._database.read() as connection:
            return load_executions(connection, query)

    def by_ids(
        self, run_ids: Collection[str], *, kind: ExecutionKind | None = None
    ) -> list[ExecutionRecord]:
        """Return those of some executions that exist and are of a kind, the newest first."""
        query = sa.select(executions).where(executions.c.run_id.in_(run_ids))
        if kind is not None:
            query = query.where(pages.is_of_kind(kind))
        with self._database.read() as connection:
            found = load_executions(connection, query)
        return sorted(found, key=lambda record: (record.created, record.run_id), reverse=True)

    def page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionRecord]:
        """Return a page of brief executions, the newest first; `after` is a token.

        Brief records have no topology, and activities without detail, outputs, data, commands
        and warnings. Raises InvalidInputError for a token that belongs to no list.
        """
        with self._database.read() as connection:
            return pages.execution_page(connection, chosen, limit=limit, after=after)

    def summaries_by_id(
        self, run_ids: Sequence[str], *, kind: ExecutionKind
    ) -> list[ExecutionSummary]:
        """Return summaries of those of some executions that exist and are of a kind.

        The newest first.
        """
        return pages.summaries_by_id(self._database, run_ids, kind)

    def summary_page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionSummary]:
        """Return a page of summaries, the newest first; otherwise like `page`."""
        return pages.summary_page(self._database, chosen, limit=limit, after=after)

    def line_page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = "", newer: bool = False
    ) -> Page[ExecutionLine]:
        """Return a page of lines for people, the newest first; otherwise like `page`."""
        return pages.line_page(self._database, chosen, limit=limit, after=after, newer=newer)

    def starting_with(self, prefix: str, *, limit: int) -> list[ExecutionLine]:
        """Return executions whose RunIds begin with a prefix, the newest first."""
        query = (
            LINES.where(BeginsWith(executions.c.run_id, sa.literal(prefix)))
            .order_by(*pages.NEWEST_FIRST)
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(map(ExecutionLine._make, connection.execute(query)))

    def run_ids_of_media(self, media_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """Return the workflow runs of each of some media, the newest first."""
        return pages.run_ids_of_media(self._database, media_ids)

    def outputs_of_media(self, media_id: str) -> Mapping[str, list[str]]:
        """Return the keys of everything that the runs of a media published, by bucket."""
        query = (
            sa.select(objects.c.bucket, objects.c.object)
            .join(executions, executions.c.run_id == objects.c.run_id)
            .where(
                executions.c.kind == ExecutionKind.WORKFLOW,
                executions.c.media_id == media_id,
                objects.c.published.is_(True),
            )
            .distinct()
            .order_by(objects.c.bucket, objects.c.object)
        )
        keys: dict[str, list[str]] = {}
        with self._database.read() as connection:
            for bucket, key in connection.execute(query):
                keys.setdefault(bucket, []).append(key)
        return keys

    def published_of_media(
        self, media_ids: Sequence[str], types: Collection[str]
    ) -> Mapping[str, list[Published]]:
        """Return what activities of some types made of each of some media, newest run first."""
        return published_of_media(self._database, media_ids, types)

    def save(
        self,
        claim: Claim,
        *,
        state: ExecutionState | None = None,
        code: str | None = None,
        message: str | None = None,
        ended: datetime | None = None,
        report: str | None = None,
        prefect_url: str | None = None,
        message_result: Mapping[str, str] | None = None,
        announce: MessageRecord | None = None,
    ) -> None:
        """Save what is given of an execution; a state that has not ended clears `ended`.

        An empty message result leaves the one that the outbox may have written since. Raises
        LeaseLostError.
        """
        given: mapping.Row = {
            "state": state,
            "code": code,
            "message": message,
            "ended": ended,
            "report": report,
            "prefect_url": prefect_url,
            "message_result": dict(message_result) if message_result else None,
        }
        changes: mapping.Row = {name: value for name, value in given.items() if value is not None}
        if state is not None and not state.ended:
            changes |= {"ended": None, "failed": 0}
        with self._database.write() as connection:
            claims.check(connection, claim)
            if changes:
                claims.update_execution(connection, claim.run_id, changes)
            if state is not None and state.ended:
                settle(connection, claim.run_id)
            if announce is not None:
                add_message(connection, announce)


def settle(connection: sa.Connection, run_id: str) -> None:
    """Save how many activities of an execution that has ended failed, and end its jobs."""
    failed = (
        sa.select(sa.func.count())
        .select_from(activities)
        .where(activities.c.run_id == run_id, activities.c.state == str(ActivityState.FAIL))
        .scalar_subquery()
    )
    connection.execute(
        sa.update(executions).where(executions.c.run_id == run_id).values(failed=failed)
    )
    activity_jobs.end(connection, run_id)


def load_executions(connection: sa.Connection, chosen: sa.Select[Any]) -> list[ExecutionRecord]:
    """Return the executions of a query, in its order, with activities and outputs.

    Four queries, however many there are.
    """
    found = connection.execute(chosen).mappings().all()
    sets = sets_by_id(connection, [row["bucket_set"] for row in found])
    run_ids = chosen.with_only_columns(executions.c.run_id).subquery()
    of_activity = mapping.grouped(
        connection.execute(
            sa.select(activities)
            .where(activities.c.run_id.in_(sa.select(run_ids)))
            .order_by(activities.c.run_id, activities.c.position)
        ).mappings(),
        "run_id",
    )
    of_object = mapping.grouped(
        connection.execute(
            select_objects(published=True).where(objects.c.run_id.in_(sa.select(run_ids)))
        ).mappings(),
        "run_id",
        "activity",
    )
    return [
        mapping.EXECUTION.record(
            row,
            activities=tuple(
                mapping.activity_of(a, of_object.get((a["run_id"], a["name"]), ()))
                for a in of_activity.get((row["run_id"],), ())
            ),
            buckets=sets.get(row["bucket_set"], {}),
        )
        for row in found
    ]
