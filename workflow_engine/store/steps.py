"""The activities of executions: their states, what they publish, what they left.

Who writes shows the claim on the execution; one that another owner has taken over is refused.
What is published is an intent until the activity has succeeded, and an output from then on. A
result is found again by the content key of its step (decision 5).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import (
    ActivityJob,
    ActivityRecord,
    ActivityState,
    Json,
    Output,
    StepResult,
)
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.store import activity_jobs, claims, mapping
from workflow_engine.store.claims import Claim
from workflow_engine.store.database import Database
from workflow_engine.store.mapping import Intended, Intent
from workflow_engine.store.media import describe_media
from workflow_engine.store.messages import add_message
from workflow_engine.store.schema import activities, objects


class StepTable:
    """The activities of all executions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self,
        claim: Claim,
        record: ActivityRecord,
        *,
        announce: MessageRecord | None = None,
        jobs: Sequence[ActivityJob] = (),
    ) -> None:
        """Save everything of an activity except its outputs, and the message about it.

        `jobs` are those of one that begins. Raises LeaseLostError, KeyError.
        """
        with self._database.write() as connection:
            claims.check(connection, claim)
            _update(connection, claim, record.name, _columns(record))
            if jobs:
                activity_jobs.begin(connection, jobs)
            else:
                activity_jobs.follow(connection, claim.run_id, record)
            if announce is not None:
                add_message(connection, announce)

    def reset(self, claim: Claim, name: str) -> None:
        """Make an activity wait again, without outputs, intents and content key.

        Raises LeaseLostError, KeyError.
        """
        with self._database.write() as connection:
            claims.check(connection, claim)
            _reset(connection, claim, name)

    def save_progress(self, claim: Claim, fractions: Mapping[str, float]) -> None:
        """Save how far running activities are, 0 to 1, by name; late news are dropped.

        Raises LeaseLostError.
        """
        with self._database.write() as connection:
            claims.check(connection, claim)
            connection.execute(
                sa.update(activities)
                .where(
                    activities.c.run_id == claim.run_id,
                    activities.c.name == sa.bindparam("activity"),
                    activities.c.state == ActivityState.RUNNING,
                )
                .values(progress=sa.bindparam("fraction")),
                [{"activity": name, "fraction": value} for name, value in fractions.items()],
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
            claims.check(connection, claim)
            _update(
                connection,
                claim,
                record.name,
                mapping.intended_row(record, step_key),
            )
            _replace_objects(
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
            claims.check(connection, claim)
            _update(connection, claim, activity, {"intended": None})
            _replace_objects(connection, claim.run_id, activity, (), published=False)

    def intended(self, run_id: str) -> list[Intended]:
        """Return the ends that activities of an execution were about to come to."""
        with self._database.read() as connection:
            return _intended(connection, run_id)

    def intents(self, run_id: str, activity: str | None = None) -> list[Intent]:
        """Return what the activities of an execution, or one, intended and did not finish."""
        query = select_objects(published=False).where(objects.c.run_id == run_id)
        if activity is not None:
            query = query.where(objects.c.activity == activity)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return list(map(mapping.intent_of, found))

    def finish(
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
        row = _columns(record) | {"step_key": step_key, "intended": None}
        with self._database.write() as connection:
            claims.check(connection, claim)
            claims.update_execution(connection, claim.run_id, {"lapses": 0})
            _update(connection, claim, record.name, row)
            activity_jobs.follow(connection, claim.run_id, record)
            _replace_objects(connection, claim.run_id, record.name, (), published=False)
            _replace_objects(connection, claim.run_id, record.name, record.outputs, published=True)
            if properties is not None:
                describe_media(connection, claim.run_id, properties)
            if announce is not None:
                add_message(connection, announce)

    def keys(self, run_id: str) -> Mapping[str, str]:
        """Return the content keys of an execution's activities that succeeded, by name."""
        query = sa.select(activities.c.name, activities.c.step_key).where(
            activities.c.run_id == run_id, activities.c.step_key.is_not(None)
        )
        with self._database.read() as connection:
            return {row.name: row.step_key for row in connection.execute(query)}

    def find(self, step_key: str) -> StepResult | None:
        """Return the newest result under a content key; its outputs may be gone since."""
        with self._database.read() as connection:
            return _find(connection, step_key)

    def find_stream(self, key: str) -> Output | None:
        """Return the newest output whose first stream has a key; it may be gone since."""
        newest = (
            sa.select(objects)
            .join(
                activities,
                sa.and_(
                    activities.c.run_id == objects.c.run_id,
                    activities.c.name == objects.c.activity,
                ),
            )
            .where(objects.c.stream == key, objects.c.published == sa.true())
            .order_by(activities.c.ended.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(newest).mappings().first()
        return None if row is None else mapping.OUTPUT.record(row)


def _columns(record: ActivityRecord) -> mapping.Row:
    """Return the columns of an activity that may change."""
    row = mapping.activity_row(record)
    del row["name"]
    return row


def _update(connection: sa.Connection, claim: Claim, name: str, changes: dict[str, Any]) -> None:
    """Change columns of an activity of the claimed execution. Raises KeyError."""
    update = sa.update(activities).where(
        activities.c.run_id == claim.run_id, activities.c.name == name
    )
    if connection.execute(update.values(changes)).rowcount == 0:
        raise KeyError(name)


def _reset(connection: sa.Connection, claim: Claim, name: str) -> None:
    """Bring an activity back to what it was when the execution was added. Raises KeyError.

    Clients know its jobs already, which stay.
    """
    kind = sa.select(activities.c.type).where(
        activities.c.run_id == claim.run_id, activities.c.name == name
    )
    waiting = ActivityRecord(name=name, type=connection.scalar(kind) or "")
    changes = _columns(waiting) | {"step_key": None, "intended": None}
    del changes["job_id"], changes["further_jobs"]
    _update(connection, claim, name, changes)
    activity_jobs.follow(connection, claim.run_id, waiting)
    for published in (True, False):
        _replace_objects(connection, claim.run_id, name, (), published=published)


def _replace_objects(
    connection: sa.Connection,
    run_id: str,
    activity: str,
    outputs: Sequence[Output],
    *,
    published: bool,
    handles: Sequence[str] = (),
) -> None:
    """Put outputs in the place of an activity's intents, or of its outputs."""
    connection.execute(
        sa.delete(objects).where(
            objects.c.run_id == run_id,
            objects.c.activity == activity,
            objects.c.published == published,
        )
    )
    if outputs:
        new = mapping.object_rows(run_id, activity, outputs, handles, published=published)
        connection.execute(sa.insert(objects), new)


def select_objects(*, published: bool) -> sa.Select[Any]:
    """Select intents or outputs, each activity's in their order."""
    return (
        sa.select(objects)
        .where(objects.c.published == published)
        .order_by(objects.c.run_id, objects.c.activity, objects.c.position)
    )


def _intended(connection: sa.Connection, run_id: str) -> list[Intended]:
    """Return the ends that activities were about to come to, in the order of the execution."""
    found = connection.execute(
        sa.select(activities)
        .where(activities.c.run_id == run_id, activities.c.intended.is_not(None))
        .order_by(activities.c.position)
    ).mappings()
    intents = mapping.grouped(
        connection.execute(
            select_objects(published=False).where(objects.c.run_id == run_id)
        ).mappings(),
        "activity",
    )
    return [mapping.intended_of(row, intents.get((row["name"],), ())) for row in found]


def _find(connection: sa.Connection, step_key: str) -> StepResult | None:
    """Return the newest result under a content key."""
    newest = (
        sa.select(activities)
        .where(
            activities.c.step_key == step_key,
            activities.c.state == ActivityState.SUCCESS,
        )
        .order_by(activities.c.ended.desc())
        .limit(1)
    )
    row = connection.execute(newest).mappings().first()
    if row is None:
        return None
    outputs = select_objects(published=True).where(
        objects.c.run_id == row["run_id"], objects.c.activity == row["name"]
    )
    return mapping.result_of(row, connection.execute(outputs).mappings())
