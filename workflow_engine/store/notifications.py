"""Who is told of which ends of executions: each target of each end once.

A target looks for what has ended since it looked last, so that nothing depends on who ended an
execution and how. What it finds is noted in a row of its own before anything is sent. Rows go with
their executions (`retention.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from workflow_engine.errors import Code
from workflow_engine.records import ExecutionState
from workflow_engine.store.catalog_schema import notification_targets, notifications
from workflow_engine.store.database import Database, upsert
from workflow_engine.store.schema import executions, is_failed

#: how long after its end an execution may come into the store, by any clock of any machine
_LATE = timedelta(minutes=10)
#: what ended longer ago, while no process looked, is not told any more
_OLDEST = timedelta(hours=24)
#: ends that one look notes
_AT_ONCE = 1000
#: between two records of how far was looked
_SEEN = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notable:
    """Which ends a target is told of; without names of workflows those of all and of jobs."""

    failures_only: bool
    workflows: Collection[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifyBatch:
    """What one message tells of, claimed until `until`: how executions ended.

    `completed` had no failed activity. `run_ids` are the newest ones, failures first.
    """

    target: str
    until: datetime
    completed: int
    failed: int
    cancelled: int
    run_ids: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many executions it tells of."""
        return self.completed + self.failed + self.cancelled


class NotificationTable:
    """The notifications of all targets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, target: str, notable: Notable, due: datetime | None = None) -> int:
        """Note what has ended since the last look, to be told at `due`; return how much.

        The first look of a target only remembers that it looks from now on.
        """
        chosen = sa.select(notification_targets).where(notification_targets.c.target == target)
        with self._database.read() as connection:
            now = self._database.now(connection)
            known = connection.execute(chosen).mappings().first()
            since = now if known is None else _since(known, now)
            found: list[str] = []
            if known is not None:
                found = list(connection.scalars(_new(target, notable, since)))
            if known is not None and not found and now - known["seen"] < _SEEN:
                return 0  # and no writer had to wait
        with self._database.write() as connection:
            # what did not fit into this look is found by the next one
            seen = known["seen"] if known and len(found) == _AT_ONCE else now
            row = {"target": target, "since": now, "seen": seen}
            kind = connection.dialect.name
            connection.execute(
                upsert(kind, notification_targets)
                .values(row)
                .on_conflict_do_update(
                    index_elements=[notification_targets.c.target], set_={"seen": seen}
                )
            )
            if found:
                # one that is resumed, or removed, in the meantime is found again, or not
                values = sa.select(
                    sa.literal(target),
                    executions.c.run_id,
                    sa.literal(now, notifications.c.created.type),
                    sa.literal(due or now, notifications.c.next_attempt.type),
                ).where(executions.c.run_id.in_(found))
                connection.execute(
                    upsert(kind, notifications)
                    .from_select(["target", "run_id", "created", "next_attempt"], values)
                    .on_conflict_do_nothing()
                )
        return len(found)

    def waiting(self, target: str) -> int:
        """Return of how many ends a target is to be told now."""
        with self._database.read() as connection:
            query = sa.select(sa.func.count()).where(
                notifications.c.target == target,
                notifications.c.next_attempt <= self._database.now(connection),
            )
            return connection.scalar(query) or 0

    def messages_since(self, target: str, seconds: float) -> int:
        """Return how many messages a target got in the last seconds."""
        with self._database.read() as connection:
            after = self._database.now(connection) - timedelta(seconds=seconds)
            query = sa.select(sa.func.count(notifications.c.sent.distinct())).where(
                notifications.c.target == target, notifications.c.sent > after
            )
            return connection.scalar(query) or 0

    def claim(
        self, target: str, *, everything: bool, lock_seconds: float, listed: int
    ) -> NotifyBatch | None:
        """Take what a target is to be told now, for the caller alone: everything, or one end.

        None when there is nothing. What the caller neither tells nor postpones is due again after
        `lock_seconds`. Executions that were resumed have no end to tell of: they are left out.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            until = now + timedelta(seconds=lock_seconds)
            due = sa.and_(notifications.c.target == target, notifications.c.next_attempt <= now)
            chosen = due
            if not everything:
                oldest = sa.select(notifications.c.run_id).where(due)
                order = (notifications.c.next_attempt, notifications.c.created)
                first = connection.scalar(oldest.order_by(*order, notifications.c.run_id).limit(1))
                chosen = sa.and_(due, notifications.c.run_id == first)
            connection.execute(sa.update(notifications).where(chosen).values(next_attempt=until))
            connection.execute(
                sa.delete(notifications).where(
                    _of(target, until),
                    notifications.c.run_id.in_(
                        sa.select(executions.c.run_id).where(executions.c.ended.is_(None))
                    ),
                )
            )
            return _batch(connection, target, until, listed)

    def sent(self, batch: NotifyBatch) -> None:
        """Note that a message arrived."""
        with self._database.write() as connection:
            told = {"sent": self._database.now(connection), "next_attempt": None}
            _change(connection, batch, told)

    def postpone(self, batch: NotifyBatch, seconds: float) -> None:
        """Let what was not told be due again after so many seconds."""
        with self._database.write() as connection:
            later = self._database.now(connection) + timedelta(seconds=seconds)
            _change(connection, batch, {"next_attempt": later})


def _since(known: sa.RowMapping, now: datetime) -> datetime:
    return max(known["since"], known["seen"] - _LATE, now - _OLDEST)


def _new(target: str, notable: Notable, since: datetime) -> sa.Select[str]:
    """Select what has ended and is not noted yet; foreground runs belong to their terminal."""
    noted = sa.select(sa.literal(1)).where(
        notifications.c.target == target, notifications.c.run_id == executions.c.run_id
    )
    query = sa.select(executions.c.run_id).where(
        executions.c.ended > since, executions.c.output_root == "", ~noted.exists()
    )
    if notable.failures_only:
        query = query.where(is_failed())
    if notable.workflows:
        query = query.where(executions.c.workflow.in_(notable.workflows))
    return query.limit(_AT_ONCE)


def _of(target: str, until: datetime) -> sa.ColumnElement[bool]:
    """Whether a row is of a batch: what was claimed together has one moment."""
    return sa.and_(notifications.c.target == target, notifications.c.next_attempt == until)


def _change(connection: sa.Connection, batch: NotifyBatch, values: Mapping[str, object]) -> None:
    chosen = _of(batch.target, batch.until)
    connection.execute(sa.update(notifications).where(chosen).values(values))


def _batch(
    connection: sa.Connection, target: str, until: datetime, listed: int
) -> NotifyBatch | None:
    joined = notifications.join(executions, executions.c.run_id == notifications.c.run_id)
    bad = sa.case((is_failed(), 1), else_=0)
    counts = (
        sa.select(bad, executions.c.outcome, sa.func.count())
        .select_from(joined)
        .where(_of(target, until))
        .group_by(bad, executions.c.outcome)
    )
    failed = completed = cancelled = 0
    for is_bad, outcome, count in connection.execute(counts):
        failed += count if is_bad else 0
        completed += count if not is_bad and outcome == ExecutionState.COMPLETED else 0
        cancelled += count if outcome == Code.CANCELLED else 0
    newest = (
        sa.select(executions.c.run_id)
        .select_from(joined)
        .where(_of(target, until))
        .order_by(bad.desc(), executions.c.ended.desc(), executions.c.run_id)
        .limit(listed)
    )
    run_ids = tuple(connection.scalars(newest))
    if not run_ids:
        return None
    return NotifyBatch(
        target=target,
        until=until,
        completed=completed,
        failed=failed,
        cancelled=cancelled,
        run_ids=run_ids,
    )
