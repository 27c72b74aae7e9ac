"""The queue: what comes into it, and who runs what.

An execution is free without owner, or once its lease is over; `next_execution.py` says which free
one runs next. What takes every process that runs it down with it is given up at some time, for
the others' sake. On PostgreSQL the waiting processes are told when something may start.
"""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from workflow_engine.errors import Code, DuplicateExecutionError, Interruption, InvalidInputError
from workflow_engine.records import ExecutionRecord, ExecutionState
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.store import bucket_sets, claims, next_execution
from workflow_engine.store.bucket_sets import Waiting
from workflow_engine.store.claims import Claim
from workflow_engine.store.database import Database
from workflow_engine.store.executions import settle
from workflow_engine.store.messages import add_message
from workflow_engine.store.new_executions import add_all, first_like, known_pipeline
from workflow_engine.store.news import QUEUE, listen, tell
from workflow_engine.store.schema import executions, is_begun, is_queued

#: any number, the same in every process: one process at a time looks for what runs next
_CLAIM_TURN = 0x6D666C78
#: claims in a row that may lapse, because their processes were killed, without any success
MOST_LAPSES = 20


class QueueTable:
    """The executions of all processes that share one database, on their way to an owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        record: ExecutionRecord,
        *,
        dedupe_key: str | None = None,
        announce: MessageRecord | None = None,
    ) -> None:
        """Add an execution that `claim_next` finds, otherwise like `add_claimed`.

        In place of a pipeline that does not exist it waits in the default one.
        """
        with self._unique(record, dedupe_key), self._database.write() as connection:
            pipeline_id = known_pipeline(connection, record.pipeline_id)
            columns = {"dedupe_key": dedupe_key, "pipeline_id": pipeline_id}
            add_all(connection, [(record, columns)])
            if announce is not None:
                add_message(connection, announce)
            tell(connection, QUEUE)

    def add_claimed(
        self,
        record: ExecutionRecord,
        *,
        owner: str,
        lease_seconds: float,
        dedupe_key: str | None = None,
    ) -> Claim:
        """Add an execution with its activities, already claimed by `owner`.

        The input of a workflow becomes a media; a deleted one is as new then. Raises
        DuplicateExecutionError, with the run id of the first, when its dedupe key or its run id
        was added before; then nothing is added.
        """
        with self._unique(record, dedupe_key), self._database.write() as connection:
            columns = {
                "dedupe_key": dedupe_key,
                "owner": owner,
                "fence": 1,
                "lease_until": self._database.now(connection) + timedelta(seconds=lease_seconds),
            }
            add_all(connection, [(record, columns)])
        return Claim(run_id=record.run_id, owner=owner, fence=1)

    @contextmanager
    def _unique(self, record: ExecutionRecord, dedupe_key: str | None) -> Generator[None]:
        """Turn the second of a dedupe key, or of a run id, into its error."""
        try:
            yield
        except IntegrityError:
            with self._database.read() as connection:
                first = first_like(connection, record.run_id, dedupe_key)
            if first is None:
                raise
            raise DuplicateExecutionError(first) from None

    def claim(self, run_id: str, *, owner: str, lease_seconds: float) -> Claim:
        """Take an execution that is free, whatever its state.

        A request to cancel it is forgotten. Raises LeaseLostError while another claim holds,
        InvalidInputError for an unknown run id.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            row = _known(connection, run_id)
            if _is_held(row, now):
                raise claims.lease_lost(run_id, row["owner"])
            return _hand_over(connection, row, owner, now + timedelta(seconds=lease_seconds))

    def claim_next(
        self,
        *,
        owner: str,
        lease_seconds: float,
        busy: Collection[str] = (),
        buckets: Mapping[str, str] | None = None,
    ) -> Claim | None:
        """Take what should run next, None when nothing may.

        First what a process that was killed left, the oldest first; then what is queued in active
        pipelines that run fewer than their quota, the highest priority first, then the oldest.
        Executions with an output root are left to their owners. What was to be cancelled ends
        instead, and so does one that had many claims in a row lapse without a success in between.
        `busy` are those that the caller runs already: their claims may have lapsed while it was
        suspended. `buckets` says where those lie that it knows, by name: what needs others waits
        for another process.
        """
        if not next_execution.may_exist(self._database, busy, buckets):
            return None  # and no writer had to wait
        with self._database.write() as connection:
            self._database.take_turn(connection, _CLAIM_TURN)
            now = self._database.now(connection)
            while row := next_execution.lock_next(connection, now, busy, buckets):
                lapses = 0 if row["owner"] is None else row["lapses"] + 1
                if row["cancel_requested"]:
                    _end(connection, row, now, *Interruption.CANCELLED.value)
                elif lapses > MOST_LAPSES:
                    _end(connection, row, now, *_GIVEN_UP)
                else:
                    until = now + timedelta(seconds=lease_seconds)
                    return _hand_over(connection, row, owner, until, lapses)
        return None

    def on_news(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from another thread, when something may start; return what ends that.

        Only PostgreSQL tells other processes. There, too, look now and then: news may be lost.
        """
        return listen(self._database, QUEUE, wake)

    def waiting_elsewhere(self, buckets: Mapping[str, str]) -> list[Waiting]:
        """Return what waits for a process that knows other buckets than these."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            return bucket_sets.waiting_elsewhere(connection, buckets, now)

    def waiting(self) -> int:
        """Return how many executions are in the queue and were not begun."""
        query = sa.select(sa.func.count()).select_from(executions).where(is_queued())
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def bucket_sets(self, ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Return where buckets lie, by name, of the sets that `ExecutionLine` names."""
        with self._database.read() as connection:
            return bucket_sets.sets_by_id(connection, ids)

    def requeue(self, run_id: str) -> bool:
        """Put an execution that has ended back into the queue; what succeeded in it stays.

        False, and nothing changes, for one that has not ended, that a living process holds, or
        that has an output root: it belongs to a terminal. Raises InvalidInputError for an unknown
        run id.
        """
        with self._database.write() as connection:
            row = _known(connection, run_id)
            held = _is_held(row, self._database.now(connection))
            if not ExecutionState(row["state"]).ended or held or row["output_root"]:
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
            claims.update_execution(connection, run_id, changes)
            tell(connection, QUEUE)
        return True

    def request_cancel(self, run_id: str, *, only_queued: bool = False) -> ExecutionState:
        """Cancel an execution and return its state.

        One that nobody runs ends at once, its activities as they are. One that is run continues
        until `renew` tells its owner. With `only_queued` one that was begun is left alone.
        Raises InvalidInputError for an unknown run id.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            row = _known(connection, run_id)
            state = ExecutionState(row["state"])
            if state.ended:
                return state
            held = _is_held(row, now)
            if only_queued and (held or state is not ExecutionState.QUEUED):
                return ExecutionState.RUNNING
            if not held:
                return _end(connection, row, now, *Interruption.CANCELLED.value)
            claims.update_execution(connection, run_id, {"cancel_requested": True})
        return ExecutionState.RUNNING

    def is_running(self, run_id: str) -> bool:
        """Whether a living process holds a claim on an execution."""
        query = sa.select(executions.c.lease_until).where(executions.c.run_id == run_id)
        with self._database.read() as connection:
            until = connection.execute(query).scalar_one_or_none()
            return until is not None and until > self._database.now(connection)

    def anything_runs(self) -> bool:
        """Whether a living process holds a claim on any execution."""
        with self._database.read() as connection:
            query = sa.select(sa.literal(1)).where(
                executions.c.owner.is_not(None),
                executions.c.lease_until > self._database.now(connection),
            )
            return connection.execute(query.limit(1)).first() is not None

    def continues(self, run_id: str) -> bool:
        """Whether a living process runs an execution, or the queue will hand it to one."""
        query = sa.select(executions.c.run_id).where(executions.c.run_id == run_id, is_begun())
        with self._database.read() as connection:
            begun = connection.scalar(query) is not None
        return begun or self.is_running(run_id)

    def uses_template(self, template_id: str) -> bool:
        """Whether an execution in the queue names a template."""
        query = sa.select(sa.literal(1)).where(
            is_queued(), executions.c.topology.contains(template_id, autoescape=True)
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def check(self, claim: Claim) -> None:
        """Refuse a claim that does not hold any more. Raises LeaseLostError."""
        with self._database.write() as connection:
            claims.check(connection, claim)

    def renew(self, claim: Claim, lease_seconds: float) -> bool:
        """Let the claim hold for `lease_seconds` from now on; return whether to cancel the run.

        Raises LeaseLostError.
        """
        with self._database.write() as connection:
            row = claims.check(connection, claim)
            until = self._database.now(connection) + timedelta(seconds=lease_seconds)
            claims.update_execution(connection, claim.run_id, {"lease_until": until})
        return row["cancel_requested"]

    def release(self, claim: Claim) -> None:
        """Give the execution back; nothing happens when another owner has it already."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(executions)
                .where(
                    executions.c.run_id == claim.run_id,
                    executions.c.owner == claim.owner,
                    executions.c.fence == claim.fence,
                )
                .values(owner=None, lease_until=None)
            )
            tell(connection, QUEUE)


_GIVEN_UP = (
    Code.INTERNAL,
    f"Given up: {MOST_LAPSES + 1} processes in a row were killed while they ran it.",
)


def _known(connection: sa.Connection, run_id: str) -> sa.RowMapping:
    row = claims.claim_row(connection, run_id)
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
    changes: dict[str, Any] = {
        "owner": owner,
        "fence": taken.fence,
        "lapses": lapses,
        "lease_until": lease_until,
        "cancel_requested": False,
    }
    claims.update_execution(connection, taken.run_id, changes)
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
    claims.update_execution(connection, row["run_id"], changes)
    settle(connection, row["run_id"])
    return state
