"""`Store`: what the rest of the engine may ask of the database.

Every method is one transaction, safe to call from several threads and processes. Who writes
about an execution shows its `Claim`; a claim that another owner has taken over is refused
(decision 6, "Ownership"). A step's result is found again by its content key (decision 5).
`queue.py` and `pages.py` have what the methods about claims and lists do.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from workflow_engine.errors import DuplicateExecutionError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    ReadContent,
    StepResult,
)
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.store import bucket_sets, pages, queue, rows, statements
from workflow_engine.store.arrivals import ArrivalTable
from workflow_engine.store.bucket_sets import Waiting
from workflow_engine.store.connections import database_exists
from workflow_engine.store.database import Database
from workflow_engine.store.intake import IntakeTable, ListenerTable
from workflow_engine.store.media import MediaTable, describe_media
from workflow_engine.store.media_buckets import MediaBucketTable
from workflow_engine.store.messages import MessageTable, add_message
from workflow_engine.store.pages import ExecutionFilter, Page
from workflow_engine.store.pipelines import PipelineTable
from workflow_engine.store.published import Published, published_of_media
from workflow_engine.store.retention import RetentionTable
from workflow_engine.store.rows import Intended, Intent
from workflow_engine.store.schema import (
    activities,
    digests,
    executions,
    is_begun,
    is_queued,
    objects,
)
from workflow_engine.store.services import ServiceTable
from workflow_engine.store.statements import Claim
from workflow_engine.store.summaries import ExecutionLine, ExecutionSummary
from workflow_engine.store.templates import TemplateTable
from workflow_engine.store.upkeep import Upkeep
from workflow_engine.store.workflows import WorkflowTable


class Store:
    """The executions of all processes that share one database, and what is registered there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.workflows = WorkflowTable(database)
        self.media = MediaTable(database)
        self.media_buckets = MediaBucketTable(database)
        self.pipelines = PipelineTable(database)
        self.templates = TemplateTable(database)
        self.messages = MessageTable(database)
        self.arrivals = ArrivalTable(database)
        self.intake = IntakeTable(database)
        self.listeners = ListenerTable(database)
        self.services = ServiceTable(database)
        self.retention = RetentionTable(database)
        self.upkeep = Upkeep(database)

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

        The input of a workflow becomes a media; a deleted one is as new then. Raises
        DuplicateExecutionError, with the run id of the first, when its dedupe key or its run id
        was added before; then nothing is added.
        """
        with self._unique(record, dedupe_key), self._database.write() as connection:
            lease_until = self._database.now(connection) + timedelta(seconds=lease_seconds)
            columns = {"owner": owner, "fence": 1, "lease_until": lease_until}
            queue.add(connection, record, dedupe_key, columns)
        return Claim(run_id=record.run_id, owner=owner, fence=1)

    def queue_execution(
        self,
        record: ExecutionRecord,
        *,
        dedupe_key: str | None = None,
        announce: MessageRecord | None = None,
    ) -> None:
        """Add an execution that `claim_next` finds, otherwise like `add_execution`.

        In place of a pipeline that does not exist it waits in the default one.
        """
        with self._unique(record, dedupe_key), self._database.write() as connection:
            pipeline_id = queue.known_pipeline(connection, record.pipeline_id)
            queue.add(connection, record, dedupe_key, {"pipeline_id": pipeline_id})
            if announce is not None:
                add_message(connection, announce)

    @contextmanager
    def _unique(self, record: ExecutionRecord, dedupe_key: str | None) -> Generator[None]:
        """Turn the second of a dedupe key, or of a run id, into its error."""
        try:
            yield
        except IntegrityError:
            with self._database.read() as connection:
                first = statements.first_like(connection, record.run_id, dedupe_key)
            if first is None:
                raise
            raise DuplicateExecutionError(first) from None

    def claim(self, run_id: str, *, owner: str, lease_seconds: float) -> Claim:
        """Take an execution that is free, or whose lease has expired, whatever its state.

        A request to cancel it is forgotten. Raises LeaseLostError while another claim holds,
        InvalidInputError for an unknown run id.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            return queue.claim(
                connection, run_id, owner=owner, now=now, lease_seconds=lease_seconds
            )

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
        Executions with an output root are left to their owners. One that had many claims in a
        row lapse, without a success in between, ends as Fail instead. `busy` are those that the
        caller runs already: their claims may have lapsed while it was suspended. `buckets` says
        where those lie that it knows, by name: what needs others waits for another process.
        """
        with self._database.write() as connection:
            self._database.take_turn(connection, queue.CLAIM_TURN)
            now = self._database.now(connection)
            return queue.claim_next(
                connection,
                owner=owner,
                now=now,
                lease_seconds=lease_seconds,
                busy=busy,
                buckets=buckets,
            )

    def waiting_elsewhere(self, buckets: Mapping[str, str]) -> list[Waiting]:
        """Return what waits for a process that knows other buckets than these."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            return bucket_sets.waiting_elsewhere(connection, buckets, now)

    def bucket_sets(self, ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Return where buckets lie, by name, of the sets that `ExecutionLine` names."""
        with self._database.read() as connection:
            return bucket_sets.sets_by_id(connection, ids)

    def requeue(self, run_id: str) -> bool:
        """Put an execution that has ended back into the queue; what succeeded in it stays.

        False, and nothing changes, for one that has not ended, that a living process holds, or
        that has an output root. Raises InvalidInputError for an unknown run id.
        """
        with self._database.write() as connection:
            return queue.requeue(connection, run_id, self._database.now(connection))

    def request_cancel(self, run_id: str, *, only_queued: bool = False) -> ExecutionState:
        """Cancel an execution and return its state.

        One that nobody runs ends at once, its activities as they are. One that is run goes on
        until `renew` tells its owner. With `only_queued` one that was begun is left alone.
        Raises InvalidInputError for an unknown run id.
        """
        with self._database.write() as connection:
            return queue.request_cancel(
                connection, run_id, self._database.now(connection), only_queued=only_queued
            )

    def is_running(self, run_id: str) -> bool:
        """Whether a living process holds a claim on an execution."""
        query = sa.select(executions.c.lease_until).where(executions.c.run_id == run_id)
        with self._database.read() as connection:
            until = connection.execute(query).scalar_one_or_none()
            return until is not None and until > self._database.now(connection)

    def anything_runs(self) -> bool:
        """Whether a living process holds a claim on any execution."""
        with self._database.read() as connection:
            return queue.any_claim(connection, self._database.now(connection))

    def goes_on(self, run_id: str) -> bool:
        """Whether a living process runs an execution, or the queue will hand it to one."""
        query = sa.select(executions.c.run_id).where(executions.c.run_id == run_id, is_begun())
        with self._database.read() as connection:
            begun = connection.scalar(query) is not None
        return begun or self.is_running(run_id)

    def check(self, claim: Claim) -> None:
        """Refuse a claim that does not hold any more. Raises LeaseLostError."""
        with self._database.write() as connection:
            statements.check(connection, claim)

    def renew(self, claim: Claim, lease_seconds: float) -> bool:
        """Let the claim hold for `lease_seconds` from now on; return whether to cancel the run.

        Raises LeaseLostError.
        """
        with self._database.write() as connection:
            row = statements.check(connection, claim)
            statements.update_execution(
                connection,
                claim,
                {"lease_until": self._database.now(connection) + timedelta(seconds=lease_seconds)},
            )
        return row["cancel_requested"]

    def release(self, claim: Claim) -> None:
        """Give the execution back; nothing happens when another owner has it already."""
        with self._database.write() as connection:
            queue.release(connection, claim)

    def execution(self, run_id: str) -> ExecutionRecord | None:
        """Return an execution with its activities and their outputs."""
        query = sa.select(executions).where(executions.c.run_id == run_id)
        with self._database.read() as connection:
            found = statements.load_executions(connection, query)
        return found[0] if found else None

    def executions(self, *, limit: int = 50) -> list[ExecutionRecord]:
        """Return the newest executions, the newest first, with activities and outputs."""
        query = sa.select(executions).order_by(*pages.NEWEST_FIRST).limit(limit)
        with self._database.read() as connection:
            return statements.load_executions(connection, query)

    def executions_by_id(
        self, run_ids: Collection[str], *, kind: ExecutionKind | None = None
    ) -> list[ExecutionRecord]:
        """Return those of some executions that exist and are of a kind, the newest first."""
        with self._database.read() as connection:
            return pages.executions_by_id(connection, run_ids, kind)

    def execution_page(
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
        """Return a page of summaries, the newest first; otherwise like `execution_page`."""
        return pages.summary_page(self._database, chosen, limit=limit, after=after)

    def line_page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionLine]:
        """Return a page of lines for people, the newest first; otherwise like `execution_page`."""
        return pages.line_page(self._database, chosen, limit=limit, after=after)

    def run_ids_of_media(self, media_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """Return the workflow runs of each of some media, the newest first."""
        return pages.run_ids_of_media(self._database, media_ids)

    def published_of_media(
        self, media_ids: Sequence[str], types: Collection[str]
    ) -> Mapping[str, list[Published]]:
        """Return what activities of some types made of each of some media, newest run first."""
        return published_of_media(self._database, media_ids, types)

    def template_in_use(self, template_id: str) -> bool:
        """Tell whether an execution in the queue names a template."""
        query = sa.select(sa.literal(1)).where(
            is_queued(), executions.c.topology.contains(template_id, autoescape=True)
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def save_activity(
        self, claim: Claim, record: ActivityRecord, *, announce: MessageRecord | None = None
    ) -> None:
        """Save everything of an activity except its outputs, and the message about it.

        Raises LeaseLostError, KeyError.
        """
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_activity(connection, claim, record.name, rows.activity_row(record))
            if announce is not None:
                add_message(connection, announce)

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

    def intend(
        self,
        claim: Claim,
        record: ActivityRecord,
        *,
        step_key: str | None = None,
        handles: Sequence[str] = (),
    ) -> None:
        """Note how an activity is about to end, in place of what it intended before.

        `record` is its success, with all outputs; `handles` name what is staged for these, ""
        for nothing. Call it before anything becomes visible. Raises LeaseLostError, KeyError.
        """
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_activity(
                connection,
                claim,
                record.name,
                {"intended": rows.intended_json(record, step_key)},
            )
            statements.replace_objects(
                connection,
                claim.run_id,
                record.name,
                record.outputs,
                published=False,
                handles=handles,
            )

    def retract(self, claim: Claim, activity: str) -> None:
        """Take back what an activity intended. Raises LeaseLostError, KeyError."""
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_activity(connection, claim, activity, {"intended": None})
            statements.replace_objects(connection, claim.run_id, activity, (), published=False)

    def intended(self, run_id: str) -> list[Intended]:
        """Return the ends that activities of an execution were about to come to."""
        with self._database.read() as connection:
            return statements.intended(connection, run_id)

    def intents(self, run_id: str, activity: str | None = None) -> list[Intent]:
        """Return what the activities of an execution, or one, intended and did not finish."""
        query = statements.select_objects(published=False).where(objects.c.run_id == run_id)
        if activity is not None:
            query = query.where(objects.c.activity == activity)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return [rows.intent_of(row) for row in found]

    def finish_activity(
        self,
        claim: Claim,
        record: ActivityRecord,
        *,
        step_key: str | None,
        properties: Mapping[str, Json] | None = None,
        announce: MessageRecord | None = None,
    ) -> None:
        """Save an activity with its outputs and its message, clear its intent, all at once.

        With a content key, the result is found by it from now on. `properties` are what
        it found out about the media of the run. Raises LeaseLostError, KeyError.
        """
        row = rows.activity_row(record) | {"step_key": step_key, "intended": None}
        with self._database.write() as connection:
            statements.check(connection, claim)
            statements.update_execution(connection, claim, {"lapses": 0})
            statements.update_activity(connection, claim, record.name, row)
            statements.replace_objects(connection, claim.run_id, record.name, (), published=False)
            statements.replace_objects(
                connection, claim.run_id, record.name, record.outputs, published=True
            )
            if properties is not None:
                describe_media(connection, claim.run_id, properties)
            if announce is not None:
                add_message(connection, announce)

    def step_keys(self, run_id: str) -> Mapping[str, str]:
        """Return the content keys of an execution's activities that succeeded, by name."""
        query = sa.select(activities.c.name, activities.c.step_key).where(
            activities.c.run_id == run_id, activities.c.step_key.is_not(None)
        )
        with self._database.read() as connection:
            return {row.name: row.step_key for row in connection.execute(query)}

    def find_step(self, step_key: str) -> StepResult | None:
        """Return the newest result under a content key; its outputs may be gone since."""
        with self._database.read() as connection:
            return statements.find_step(connection, step_key)

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
        message_result: Mapping[str, str] | None = None,
        announce: MessageRecord | None = None,
    ) -> None:
        """Save what is given of an execution; a state that has not ended clears `ended`.

        An empty message result leaves the one that the outbox may have written meanwhile. Raises
        LeaseLostError.
        """
        given: dict[str, str | datetime | None] = {
            "state": None if state is None else str(state),
            "code": code,
            "message": message,
            "ended": ended,
            "report": report,
            "prefect_url": prefect_url,
            "message_result": rows.to_json(dict(message_result)) if message_result else None,
        }
        changes: rows.Row = {name: value for name, value in given.items() if value is not None}
        if state is not None and not state.ended:
            changes |= {"ended": None, "failed": 0}
        with self._database.write() as connection:
            statements.check(connection, claim)
            if changes:
                statements.update_execution(connection, claim, changes)
            if state is not None and state.ended:
                statements.count_failed(connection, claim.run_id)
            if announce is not None:
                add_message(connection, announce)

    def cached_digests(self, place: str, version: str, fingerprint: str = "") -> Digests | None:
        """Return the digests of what lies at a place, when this version of it was read before.

        A file was read before only if it has the same fingerprint, too (`ObjectInfo`).
        """
        query = sa.select(digests).where(
            digests.c.place == place,
            digests.c.version == version,
            digests.c.fingerprint == fingerprint,
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return rows.digests_of(row) if row else None

    def last_read(self, places: Sequence[str]) -> Mapping[str, ReadContent]:
        """Return what was read last at some places, whatever lies there now."""
        query = sa.select(digests).where(digests.c.place.in_(places))
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return {
            row["place"]: ReadContent(
                version=row["version"],
                fingerprint=row["fingerprint"],
                digests=rows.digests_of(row),
            )
            for row in found
        }

    def cache_digests(
        self, place: str, version: str, found: Digests, fingerprint: str = ""
    ) -> None:
        """Remember the digests of the version that lies at a place now."""
        values = {
            "version": version,
            "fingerprint": fingerprint,
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
