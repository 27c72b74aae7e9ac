"""The outbox: messages on their way, and what became of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from workflow_engine.records.catalog import MessageRecord
from workflow_engine.store.catalog_schema import messages
from workflow_engine.store.database import Database, upsert
from workflow_engine.store.fast_queries import Select
from workflow_engine.store.json_params import elements
from workflow_engine.store.mapping import MESSAGE
from workflow_engine.store.schema import activities, executions
from workflow_engine.store.types import to_json


def add_message(connection: sa.Connection, record: MessageRecord) -> None:
    """Add a message in a transaction of the caller; see `MessageTable.add`."""
    row = MESSAGE.row(record) | {"next_attempt": record.next_attempt or record.created}
    connection.execute(
        upsert(connection.dialect.name, messages).values(row).on_conflict_do_nothing()
    )


class MessageTable:
    """Messages; those that `pending` counts are tried until they are sent or given up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: MessageRecord) -> None:
        """Add a message to send, at once unless `next_attempt` is given.

        One that was added before stays as it is.
        """
        with self._database.write() as connection:
            add_message(connection, record)

    def due(
        self, *, limit: int, lock_seconds: float, skip: Collection[str] = ()
    ) -> list[MessageRecord]:
        """Return messages whose next attempt is due, for the caller alone to send.

        Those to the receivers of `skip` are left alone. Those whose end the caller does not tell
        become due again after `lock_seconds`.
        """
        due = _due(self._database.dialect)
        values = {"limit": limit, "skip": to_json(list(skip))}
        if not self._database.rows(due, values | {"now": self._database.clock()}):
            return []  # and no writer had to wait
        with self._database.write() as connection:
            now = self._database.now(connection)
            query = due.with_for_update(skip_locked=True, of=messages)
            found = connection.execute(query, values | {"now": now}).mappings().all()
            if found:
                connection.execute(
                    sa.update(messages)
                    .where(messages.c.id.in_([row["id"] for row in found]))
                    .values(next_attempt=now + timedelta(seconds=lock_seconds))
                )
        return list(map(MESSAGE.record, found))

    def release(self, message_ids: Sequence[str]) -> None:
        """Let messages that `due` returned be due again now, where they are still to be sent."""
        chosen = messages.c.id.in_(message_ids) & messages.c.next_attempt.is_not(None)
        with self._database.write() as connection:
            now = self._database.now(connection)
            connection.execute(sa.update(messages).where(chosen).values(next_attempt=now))

    def sent(self, message_id: str, message_result: Mapping[str, str]) -> None:
        """Note that a message arrived, and its MNSMessageResult where it came from."""
        with self._database.write() as connection:
            sent = self._database.now(connection)
            _tried(connection, message_id, message_result, sent=sent, next_attempt=None, error="")

    def failed(
        self,
        message_id: str,
        error: str,
        next_attempt: datetime | None,
        message_result: Mapping[str, str],
    ) -> None:
        """Note why an attempt failed; without a next one the message is given up."""
        with self._database.write() as connection:
            _tried(connection, message_id, message_result, next_attempt=next_attempt, error=error)

    def pending(self, run_id: str | None = None) -> int:
        """Return how many messages, of one execution or of all, are still to be sent."""
        query = sa.select(sa.func.count()).where(messages.c.next_attempt.is_not(None))
        if run_id is not None:
            query = query.where(messages.c.run_id == run_id)
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def of_run(self, run_id: str) -> list[MessageRecord]:
        """Return the messages of an execution, the oldest first."""
        query = (
            sa.select(messages)
            .where(messages.c.run_id == run_id)
            .order_by(messages.c.created, messages.c.id)
        )
        with self._database.read() as connection:
            return list(map(MESSAGE.record, connection.execute(query).mappings()))


@cache
def _due(dialect: str) -> Select:
    skipped = sa.select(elements(dialect, "skip").c.value)
    return (
        sa.select(messages)
        .where(messages.c.next_attempt <= sa.bindparam("now"), messages.c.receiver.not_in(skipped))
        .order_by(messages.c.next_attempt, messages.c.created, messages.c.id)
        .limit(sa.bindparam("limit"))
    )


def _tried(
    connection: sa.Connection,
    message_id: str,
    message_result: Mapping[str, str],
    **changes: Any,
) -> None:
    """Note an attempt, and its result at the activity, or at the execution of a job."""
    chosen = messages.c.id == message_id
    connection.execute(
        sa.update(messages).where(chosen).values(**changes, attempts=messages.c.attempts + 1)
    )
    origin = connection.execute(sa.select(messages.c.run_id, messages.c.activity).where(chosen))
    for run_id, activity in origin:
        told = {"message_result": dict(message_result)}
        if activity:
            connection.execute(
                sa.update(activities)
                .where(activities.c.run_id == run_id, activities.c.name == activity)
                .values(told)
            )
        else:
            connection.execute(
                sa.update(executions).where(executions.c.run_id == run_id).values(told)
            )
