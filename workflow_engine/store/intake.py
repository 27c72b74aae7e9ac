"""The intake: which object versions were taken, exactly once each, and who listens to buckets.

A version gets its row in the transaction that queues its runs and removes its arrival. Taking is
one process's work at a time; the primary key and the RunIds, which are the same wherever they are
made, hold whatever happens.
"""

from collections import Counter
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import ExecutionKind, ExecutionRecord, ExecutionState
from workflow_engine.records.ingest import (
    Admission,
    KnownVersion,
    ListenerRecord,
    OwnOutput,
    Taken,
    Watched,
)
from workflow_engine.store.arrivals import remove
from workflow_engine.store.database import Database, Upsert, upsert
from workflow_engine.store.fast_queries import write_all
from workflow_engine.store.json_params import members
from workflow_engine.store.landing_schema import (
    arrivals,
    intake,
    listeners,
    past_outputs,
    past_runs,
    watched,
)
from workflow_engine.store.mapping import LISTENER, WATCHED
from workflow_engine.store.new_executions import add_all, known_pipeline
from workflow_engine.store.news import QUEUE, tell
from workflow_engine.store.schema import executions, objects
from workflow_engine.store.types import to_json

#: any number, the same in every process
_INTAKE_TURN = 0x6D666C79

#: bucket, key and version
_Version = tuple[str, str, str]


class IntakeTable:
    """The object versions that were taken, and since when their buckets are watched."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, admissions: Sequence[Admission]) -> Taken:
        """Take object versions in and queue their runs.

        Of a version that was taken before only the arrival goes, unless its runs are asked for
        again. A run that exists already is left as it is.
        """
        if not admissions:
            return Taken(new=(), runs=0)
        unmatched = {_version_of(admission) for admission in admissions if admission.unmatched}
        with self._turn() as connection:
            new = _enter(connection, admissions, self._database.now(connection))
            _count(connection, "unmatched", (v for v in new if v in unmatched))
            starting = {
                run.run_id: run
                for admission in admissions
                if admission.again or _version_of(admission) in new
                for run in admission.executions
            }
            runs = _queue(connection, starting)
            remove(connection, (t.arrival for t in admissions if t.arrival is not None))
        return Taken(
            new=tuple(_version_of(admission) in new for admission in admissions), runs=runs
        )

    def skip(self, existing: Sequence[Admission]) -> None:
        """Note what lies in a bucket that was never watched; what an event told of is left out."""
        if not existing:
            return
        by_bucket = {admission.bucket for admission in existing}
        with self._turn() as connection:
            waiting = {
                (bucket, key)
                for bucket in by_bucket
                for key in connection.scalars(
                    _WAITING, {"bucket": bucket, "keys": [t.key for t in existing]}
                )
            }
            left = [
                admission
                for admission in existing
                if (admission.bucket, admission.key) not in waiting
            ]
            new = _enter(connection, left, self._database.now(connection), existing=True)
            _count(connection, "skipped", new)

    def unknown(self, bucket: str, names: Mapping[str, str]) -> set[str]:
        """Return the keys of a listing whose version is not known; `names` are those it gives."""
        with self._database.read() as connection:
            values = {"bucket": bucket, "names": to_json(dict(names))}
            return set(connection.scalars(_unknown(connection.dialect.name), values))

    def known(self, bucket: str, keys: Collection[str]) -> Mapping[str, list[KnownVersion]]:
        """Return the known versions of some keys, by key."""
        known: dict[str, list[KnownVersion]] = {}
        with self._database.read() as connection:
            found = connection.execute(_KNOWN, {"bucket": bucket, "keys": list(keys)})
            for key, version, listed, existing, taken in found:
                one = KnownVersion(version=version, listed=listed, existing=existing, taken=taken)
                known.setdefault(key, []).append(one)
        return known

    def relist(self, bucket: str, names: Sequence[tuple[str, str, str]]) -> None:
        """Save what a listing calls versions: key, version, and the name in the listing."""
        values = [
            {"its_bucket": bucket, "its_key": key, "its_version": version, "new_listed": listed}
            for key, version, listed in sorted(names)
        ]
        if values:
            with self._database.write() as connection:
                connection.execute(_RELIST, values)

    def watch(self, buckets: Iterable[str], since: datetime) -> None:
        """Remember since when buckets are watched; those that were watched before stay so."""
        rows = [{"bucket": bucket, "since": since} for bucket in sorted(buckets)]
        if rows:
            with self._database.write() as connection:
                connection.execute(_watch(connection.dialect.name), rows)

    def watched(self, bucket: str) -> Watched | None:
        """Return since when a bucket is watched, None when it never was."""
        found = self._database.rows(_WATCHED, {"bucket": bucket})
        return WATCHED.record_of(found[0]) if found else None

    def complete(self, bucket: str, listed: datetime, mount: str) -> None:
        """Remember when the first listing of a bucket was complete, once, and its mount."""
        values = {"its_bucket": bucket, "now": listed, "its_mount": mount}
        with self._database.write() as connection:
            connection.execute(_COMPLETE, values)

    def missing(self, bucket: str, mount: str) -> None:
        """Remember that the folder of a bucket that was never listed does not exist yet.

        `mount` is what holds the place where it would be. Only the first such news counts.
        """
        with self._database.write() as connection:
            connection.execute(_MISSING, {"its_bucket": bucket, "its_mount": mount})

    def begin_again(self, bucket: str) -> None:
        """Let the next listing be the first one, when nothing in the bucket is known yet."""
        with self._database.write() as connection:
            connection.execute(_BEGIN_AGAIN, {"its_bucket": bucket})

    def outputs_at(self, bucket: str, keys: Collection[str]) -> Mapping[str, list[OwnOutput]]:
        """Return what executions published under some keys, or intend to, by key."""
        found: dict[str, list[OwnOutput]] = {}
        with self._database.read() as connection:
            for query in (_OUTPUTS, _PAST_OUTPUTS):
                rows = connection.execute(query, {"bucket": bucket, "keys": list(keys)})
                for key, run_id, size, sha256, md5, in_work in rows:
                    own = OwnOutput(
                        run_id=run_id, size=size, sha256=sha256, md5=md5, in_work=in_work
                    )
                    found.setdefault(key, []).append(own)
        return found

    def started(self, bucket: str, keys: Collection[str]) -> set[tuple[str, str, str]]:
        """Return which workflows ran, or will, on which versions: workflow id, key, version."""
        with self._database.read() as connection:
            found = connection.execute(_STARTED, {"bucket": bucket, "keys": list(keys)})
            return {(workflow_id, key, version) for workflow_id, key, version in found}

    def removed(self, run_ids: Collection[str]) -> set[str]:
        """Return which of some triggered runs were removed since they ended (`retention.py`)."""
        with self._database.read() as connection:
            return set(connection.scalars(_PAST_RUNS, {"run_ids": list(run_ids)}))

    @contextmanager
    def _turn(self) -> Generator[sa.Connection]:
        """Write while no other process takes anything in."""
        with self._database.write() as connection:
            self._database.take_turn(connection, _INTAKE_TURN)
            yield connection


class ListenerTable:
    """What the listeners say of themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, record: ListenerRecord) -> None:
        """Save what the listener of a bucket says now."""
        with self._database.write() as connection:
            connection.execute(_save(connection.dialect.name), LISTENER.row(record))

    def all(self) -> list[ListenerRecord]:
        """Return what each listener said last, by bucket."""
        query = sa.select(listeners).order_by(listeners.c.bucket)
        with self._database.read() as connection:
            return list(map(LISTENER.record, connection.execute(query).mappings()))


def _version_of(admission: Admission) -> _Version:
    return admission.bucket, admission.key, admission.version


def _enter(
    connection: sa.Connection,
    admissions: Iterable[Admission],
    now: datetime,
    *,
    existing: bool = False,
) -> set[_Version]:
    """Give object versions their rows; return those that had none."""
    wanted = {_version_of(admission): admission for admission in admissions}
    by_bucket: dict[str, list[str]] = {}
    for bucket, key, _ in wanted:
        by_bucket.setdefault(bucket, []).append(key)
    new = set(wanted)
    for bucket, keys in by_bucket.items():
        found = connection.execute(_KNOWN, {"bucket": bucket, "keys": keys})
        new -= {(bucket, key, version) for key, version, *_ in found}
    if new:
        write_all(
            connection,
            _ENTER,
            [
                {
                    "bucket": bucket,
                    "key": key,
                    "version": version,
                    "listed": wanted[bucket, key, version].listed,
                    "existing": existing,
                    "taken": now,
                }
                for bucket, key, version in sorted(new)
            ],
        )
    return new


def _count(connection: sa.Connection, column: str, versions: Iterable[_Version]) -> None:
    """Add object versions to a counter of their watched buckets."""
    for bucket, count in Counter(bucket for bucket, _, _ in versions).items():
        counter = watched.c[column]
        connection.execute(
            sa.update(watched).where(watched.c.bucket == bucket).values({counter: counter + count})
        )


def _queue(connection: sa.Connection, new: Mapping[str, ExecutionRecord]) -> int:
    """Queue executions; return how many there were not yet."""
    there = set(connection.scalars(_THERE, {"run_ids": list(new)})) if new else set[str]()
    added = [record for run_id, record in new.items() if run_id not in there]
    if not added:
        return 0
    known = {id: known_pipeline(connection, id) for id in {r.pipeline_id for r in added}}
    add_all(
        connection,
        [
            (record, {"dedupe_key": record.run_id, "pipeline_id": known[record.pipeline_id]})
            for record in added
        ],
    )
    tell(connection, QUEUE)
    return len(added)


_ENTER = sa.insert(intake)
_KEYS: sa.BindParameter[Any] = sa.bindparam("keys", expanding=True)
_BUCKET: sa.BindParameter[Any] = sa.bindparam("bucket")
_ITS_KEYS = sa.and_(intake.c.bucket == _BUCKET, intake.c.key.in_(_KEYS))
_KNOWN = sa.select(
    intake.c.key, intake.c.version, intake.c.listed, intake.c.existing, intake.c.taken
).where(_ITS_KEYS)
_RELIST = (
    sa.update(intake)
    .where(
        intake.c.bucket == sa.bindparam("its_bucket"),
        intake.c.key == sa.bindparam("its_key"),
        intake.c.version == sa.bindparam("its_version"),
    )
    .values(listed=sa.bindparam("new_listed"))
)
_WAITING = sa.select(arrivals.c.key).where(arrivals.c.bucket == _BUCKET, arrivals.c.key.in_(_KEYS))
_WATCHED = sa.select(watched).where(watched.c.bucket == _BUCKET)
_ITS_BUCKET = watched.c.bucket == sa.bindparam("its_bucket")
_COMPLETE = (
    sa.update(watched)
    .where(_ITS_BUCKET)
    .values(
        listed=sa.func.coalesce(watched.c.listed, sa.bindparam("now", type_=watched.c.since.type)),
        mount=sa.bindparam("its_mount"),
    )
)
_MISSING = (
    sa.update(watched)
    .where(_ITS_BUCKET, watched.c.listed.is_(None), watched.c.mount.is_(None))
    .values(missing=True, mount=sa.bindparam("its_mount"))
)
_BEGIN_AGAIN = (
    sa.update(watched)
    .where(
        _ITS_BUCKET,
        ~sa.exists().where(intake.c.bucket == sa.bindparam("its_bucket")),
    )
    .values(listed=None)
)
_RUN_IDS: sa.BindParameter[Any] = sa.bindparam("run_ids", expanding=True)
_PAST_RUNS = sa.select(past_runs.c.run_id).where(past_runs.c.run_id.in_(_RUN_IDS))
_THERE = sa.union_all(
    sa.select(executions.c.run_id).where(executions.c.run_id.in_(_RUN_IDS)), _PAST_RUNS
)
_PAST_OUTPUTS = sa.select(
    past_outputs.c.object,
    past_outputs.c.run_id,
    past_outputs.c.size,
    past_outputs.c.sha256,
    past_outputs.c.md5,
    sa.false(),
).where(past_outputs.c.bucket == _BUCKET, past_outputs.c.object.in_(_KEYS))
_OUTPUTS = (
    sa.select(
        objects.c.object,
        objects.c.run_id,
        objects.c.size,
        objects.c.sha256,
        objects.c.md5,
        sa.and_(
            objects.c.published.is_(False),
            executions.c.state.not_in([str(state) for state in ExecutionState if state.ended]),
        ),
    )
    .join(executions, executions.c.run_id == objects.c.run_id)
    .where(objects.c.bucket == _BUCKET, objects.c.object.in_(_KEYS))
    .distinct()
)
_STARTED = sa.select(executions.c.workflow_id, executions.c.object, executions.c.version).where(
    executions.c.kind == str(ExecutionKind.WORKFLOW),
    executions.c.bucket == _BUCKET,
    executions.c.object.in_(_KEYS),
)


@cache
def _unknown(dialect: str) -> sa.Select[Any]:
    names = members(dialect, "names")
    same = sa.select(intake.c.key).where(
        intake.c.bucket == _BUCKET,
        intake.c.key == names.c.key,
        intake.c.listed == names.c.value,
    )
    return sa.select(names.c.key).where(~same.exists())


@cache
def _watch(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, watched)
    return insert.on_conflict_do_nothing(index_elements=[watched.c.bucket])


@cache
def _save(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, listeners)
    new = {column.name: insert.excluded[column.name] for column in listeners.c}
    return insert.on_conflict_do_update(index_elements=[listeners.c.bucket], set_=new)
