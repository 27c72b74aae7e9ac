"""`Store`: what the rest of the engine may ask of the database.

Every method is one transaction, safe to call from several threads and processes. Who writes
about an execution shows its `Claim`; a claim that another owner has taken over is refused
(design, decision 6, "Ownership"). A step's result is found again by its content key (decision 5).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from workflow_engine.errors import Code, DuplicateExecutionError, InvalidInputError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    Output,
)
from workflow_engine.store import rows, statements
from workflow_engine.store.database import Database, database_exists
from workflow_engine.store.rows import Intent, StepResult
from workflow_engine.store.schema import activities, digests, executions, objects
from workflow_engine.store.statements import Claim


class Store:
    """The executions of all processes that share one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open the store at a database URL; folder and tables are created where missing.

        Raises MediaflowError when the database cannot be used or belongs to a newer mediaflow,
        InstallationError when its driver is missing, InvalidInputError for a URL that is none.
        """
        return cls(Database(url))

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there is a database at a URL, without creating one; true for servers."""
        return database_exists(url)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def add_execution(
        self,
        record: ExecutionRecord,
        *,
        owner: str,
        lease_seconds: float,
        dedupe_key: str | None = None,
    ) -> Claim:
        """Add an execution with its activities, already claimed by `owner`.

        Raises DuplicateExecutionError, with the run id of the first, when its dedupe key or its
        run id was added before; then nothing is added.
        """
        row = rows.execution_row(record) | {"dedupe_key": dedupe_key, "owner": owner, "fence": 1}
        activity_rows = [
            {"run_id": record.run_id, "name": a.name, "position": position} | rows.activity_row(a)
            for position, a in enumerate(record.activities)
        ]
        try:
            with self._database.write() as connection:
                row["lease_until"] = self._database.now(connection) + timedelta(
                    seconds=lease_seconds
                )
                connection.execute(sa.insert(executions).values(row))
                if activity_rows:
                    connection.execute(sa.insert(activities), activity_rows)
        except IntegrityError:
            with self._database.read() as connection:
                first = statements.first_like(connection, record.run_id, dedupe_key)
            if first is None:
                raise
            raise DuplicateExecutionError(first) from None
        return Claim(run_id=record.run_id, owner=owner, fence=1)

    def claim(self, run_id: str, *, owner: str, lease_seconds: float) -> Claim:
        """Take an execution that is free, or whose lease has expired.

        Raises LeaseLostError while another claim holds, InvalidInputError for an unknown run id.
        """
        with self._database.write() as connection:
            row = statements.claim_row(connection, run_id)
            if row is None:
                raise InvalidInputError(
                    Code.RESOURCE_NOT_FOUND,
                    f'The execution "{run_id}" does not exist.',
                    remedy="See `mediaflow execution list`.",
                )
            if row["owner"] is not None and row["lease_until"] > self._database.now(connection):
                raise statements.lease_lost(run_id, row["owner"])
            fence = row["fence"] + 1
            connection.execute(
                sa.update(executions)
                .where(executions.c.run_id == run_id)
                .values(
                    owner=owner,
                    fence=fence,
                    lease_until=self._database.now(connection) + timedelta(seconds=lease_seconds),
                )
            )
        return Claim(run_id=run_id, owner=owner, fence=fence)

    def is_running(self, run_id: str) -> bool:
        """Whether a living process holds a claim on an execution."""
        query = sa.select(executions.c.lease_until).where(executions.c.run_id == run_id)
        with self._database.read() as connection:
            until = connection.execute(query).scalar_one_or_none()
            return until is not None and until > self._database.now(connection)

    def check(self, claim: Claim) -> None:
        """Refuse a claim that does not hold any more. Raises LeaseLostError."""
        with self._database.write() as connection:
            statements.check(connection, claim)

    def renew(self, claim: Claim, lease_seconds: float) -> None:
        """Let the claim hold for `lease_seconds` from now on. Raises LeaseLostError."""
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_execution(
                connection,
                claim,
                {"lease_until": self._database.now(connection) + timedelta(seconds=lease_seconds)},
            )

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

    def execution(self, run_id: str) -> ExecutionRecord | None:
        """Return an execution with its activities and their outputs."""
        query = sa.select(executions).where(executions.c.run_id == run_id)
        with self._database.read() as connection:
            found = statements.load_executions(connection, query)
        return found[0] if found else None

    def executions(self, *, limit: int = 50) -> list[ExecutionRecord]:
        """Return the newest executions, the newest first, with activities and outputs."""
        age = (executions.c.created.desc(), executions.c.run_id.desc())
        query = sa.select(executions).order_by(*age).limit(limit)
        with self._database.read() as connection:
            return statements.load_executions(connection, query)

    def save_activity(self, claim: Claim, record: ActivityRecord) -> None:
        """Save everything of an activity except its outputs. Raises LeaseLostError, KeyError."""
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_activity(connection, claim, record.name, rows.activity_row(record))

    def reset_activity(self, claim: Claim, name: str) -> None:
        """Make an activity wait again, without outputs, intents and content key.

        Raises LeaseLostError, KeyError.
        """
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.reset_activity(connection, claim, name)

    def save_progress(self, claim: Claim, name: str, fraction: float) -> None:
        """Save how far a running activity is, 0 to 1; late news of an ended one are dropped.

        Raises LeaseLostError.
        """
        with self._database.write() as connection:
            statements.check(connection, claim)
            connection.execute(
                sa.update(activities)
                .where(
                    activities.c.run_id == claim.run_id,
                    activities.c.name == name,
                    activities.c.state == str(ActivityState.RUNNING),
                )
                .values(progress=fraction)
            )

    def intend(self, claim: Claim, activity: str, outputs: Sequence[Output]) -> None:
        """Note what an activity is about to publish, in place of what it intended before.

        Call it before anything becomes visible; an empty sequence takes the intent back. Raises
        LeaseLostError.
        """
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.replace_objects(connection, claim.run_id, activity, outputs, published=False)

    def intents(self, run_id: str, activity: str | None = None) -> list[Intent]:
        """Return what the activities of an execution, or one, intended and did not finish."""
        query = statements.select_objects(published=False).where(objects.c.run_id == run_id)
        if activity is not None:
            query = query.where(objects.c.activity == activity)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return [Intent(activity=row["activity"], output=rows.output_of(row)) for row in found]

    def is_own_output(self, bucket: str, object: str) -> bool:
        """Tell whether an execution has published this object, or is about to."""
        query = sa.select(sa.literal(1)).where(
            objects.c.bucket == bucket, objects.c.object == object
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def finish_activity(
        self, claim: Claim, record: ActivityRecord, *, step_key: str | None
    ) -> None:
        """Save an activity with its outputs and clear its intent, all at once.

        With a content key, the result is found by it from now on. Raises LeaseLostError,
        KeyError.
        """
        row = rows.activity_row(record) | {"step_key": step_key}
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_activity(connection, claim, record.name, row)
            statements.replace_objects(connection, claim.run_id, record.name, (), published=False)
            statements.replace_objects(
                connection, claim.run_id, record.name, record.outputs, published=True
            )

    def find_step(self, step_key: str) -> StepResult | None:
        """Return the newest result under a content key; its outputs may be gone since."""
        newest = (
            sa.select(activities)
            .where(
                activities.c.step_key == step_key,
                activities.c.state == str(ActivityState.SUCCESS),
            )
            .order_by(activities.c.ended.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(newest).mappings().first()
            if row is None:
                return None
            query = statements.select_objects(published=True).where(
                objects.c.run_id == row["run_id"], objects.c.activity == row["name"]
            )
            outputs = connection.execute(query).mappings().all()
        return rows.step_of(row, map(rows.output_of, outputs))

    def save_execution(
        self,
        claim: Claim,
        *,
        state: ExecutionState | None = None,
        code: str | None = None,
        message: str | None = None,
        ended: datetime | None = None,
        report: str | None = None,
        prefect_url: str | None = None,
    ) -> None:
        """Save what is given of an execution; a state that has not ended clears `ended`.

        Raises LeaseLostError.
        """
        given: dict[str, str | datetime | None] = {
            "state": None if state is None else str(state),
            "code": code,
            "message": message,
            "ended": ended,
            "report": report,
            "prefect_url": prefect_url,
        }
        changes = {column: given[column] for column in given if given[column] is not None}
        if state is not None and not state.ended:
            changes["ended"] = None
        with self._database.write() as connection:
            statements.check(connection, claim)
            if changes:
                statements.update_execution(connection, claim, changes)

    def cached_digests(self, place: str, version: str) -> Digests | None:
        """Return the digests of what lies at a place, when this version of it was read before."""
        query = sa.select(digests).where(digests.c.place == place, digests.c.version == version)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return rows.digests_of(row) if row else None

    def cache_digests(self, place: str, version: str, found: Digests) -> None:
        """Remember the digests of the version that lies at a place now."""
        values = {
            "version": version,
            "size": found.size,
            "sha256": found.sha256,
            "md5": found.md5,
        }
        try:
            with self._database.write() as connection:
                update = sa.update(digests).where(digests.c.place == place).values(values)
                if connection.execute(update).rowcount == 0:
                    connection.execute(sa.insert(digests).values(place=place, **values))
        except IntegrityError:
            return  # another process has just read the same object
