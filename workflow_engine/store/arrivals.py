"""Arrivals: what was noticed in the buckets and waits to be processed.

The table is the queue. Everything comes in batches, each one transaction. What somebody read and
then wants to change has changed in the meantime when it was noticed again; then it stays as it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from workflow_engine.records.ingest import EMPTY, INCOMPLETE, PARTS, Arrival, Notice
from workflow_engine.store.database import Database, Upsert, upsert
from workflow_engine.store.fast_queries import write_all
from workflow_engine.store.json_params import elements, members
from workflow_engine.store.landing_schema import arrivals
from workflow_engine.store.mapping import ARRIVAL, Row
from workflow_engine.store.types import to_json

#: two processes that lock rows in one order never wait for each other in a circle
_in_order = attrgetter("bucket", "key")


class ArrivalTable:
    """The arrivals of all buckets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        notices: Iterable[Notice],
        *,
        now: datetime,
        due: Mapping[str, datetime],
        places: Mapping[str, str],
    ) -> None:
        """Add what events told of; `due` says when, `places` where the buckets lie, by bucket.

        What waits already starts over and is due then.
        """
        keys: dict[tuple[str, str], set[str]] = {}
        for notice in notices:
            keys.setdefault((notice.bucket, notice.source), set()).add(notice.key)
        if not keys:
            return
        with self._database.write() as connection:
            for bucket, source in sorted(keys):
                values = {
                    "bucket": bucket,
                    "source": source,
                    "now": now,
                    "due": due[bucket],
                    "place": places[bucket],
                    "keys": to_json(sorted(keys[bucket, source])),
                }
                connection.execute(_note(connection.dialect.name), values)

    def find(self, found: Sequence[Arrival]) -> None:
        """Add arrivals that a listing found, a key once.

        One that waits stays due when it is, but a look that continues at another version of it
        will not be the last.
        """
        rows = [ARRIVAL.row(arrival) for arrival in sorted(found, key=_in_order)]
        if rows:
            with self._database.write() as connection:
                connection.execute(_find(connection.dialect.name), rows)

    def due(self, *, now: datetime, limit: int, places: Mapping[str, str]) -> list[Arrival]:
        """Return arrivals that are due, those first that are it the longest.

        Only those of the buckets in `places`, which says where each lies: others are for a
        process that knows their buckets, and in another folder they do not exist.
        """
        values = {"now": now, "limit": limit, "places": to_json(dict(places))}
        found = self._database.rows(_due(self._database.dialect), values)
        return list(map(ARRIVAL.record_of, found))

    def next_due(self, places: Mapping[str, str]) -> datetime | None:
        """Return when the next arrival in these buckets is due, None when none waits."""
        query = _next_due(self._database.dialect)
        return self._database.rows(query, {"places": to_json(dict(places))})[0][0]

    def postpone(self, looked_at: Sequence[Arrival]) -> None:
        """Save when arrivals are due again and what the look said, unless noticed since."""
        if not looked_at:
            return
        values = [
            _as_read(arrival)
            | {
                "new_due": arrival.due,
                "new_look": arrival.look,
                "new_attempts": arrival.attempts,
            }
            for arrival in sorted(looked_at, key=_in_order)
        ]
        with self._database.write() as connection:
            connection.execute(_POSTPONE, values)

    def hasten(self, bucket: str, keys: Collection[str], now: datetime) -> None:
        """Let those of some objects that wait for their parts be looked at now."""
        waits = arrivals.c.look.startswith(PARTS) | arrivals.c.look.startswith(INCOMPLETE)
        later = (
            sa.update(arrivals)
            .where(arrivals.c.bucket == bucket, arrivals.c.key.in_(sorted(keys)))
            .where(waits, arrivals.c.due > now)
            .values(due=now)
        )
        if keys:
            with self._database.write() as connection:
                connection.execute(later)

    def drop(self, gone: Sequence[Arrival]) -> None:
        """Remove arrivals that were not noticed again since they were read."""
        if gone:
            with self._database.write() as connection:
                remove(connection, gone)

    def count(self) -> int:
        """Return how many arrivals wait in all, empty objects included."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(arrivals)) or 0

    def waiting(self, bucket: str) -> tuple[int, datetime | None]:
        """Return how many arrivals of a bucket wait, and when the first of them was noticed.

        Objects that were found to be empty, or incomplete for too long, do not count.
        """
        query = sa.select(sa.func.count(), sa.func.min(arrivals.c.first_noticed)).where(
            arrivals.c.bucket == bucket,
            arrivals.c.look != EMPTY,
            ~arrivals.c.look.startswith(INCOMPLETE),
        )
        with self._database.read() as connection:
            count, oldest = connection.execute(query).one()
        return count, oldest

    def empty(self, bucket: str) -> int:
        """Return how many objects of a bucket were noticed and found to be empty."""
        return self._count(bucket, arrivals.c.look == EMPTY)

    def incomplete(self, bucket: str) -> int:
        """Return how many objects of a bucket have waited too long for their parts."""
        return self._count(bucket, arrivals.c.look.startswith(INCOMPLETE))

    def _count(self, bucket: str, condition: sa.ColumnElement[bool]) -> int:
        query = (
            sa.select(sa.func.count())
            .select_from(arrivals)
            .where(arrivals.c.bucket == bucket, condition)
        )
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def get(self, bucket: str, key: str) -> Arrival | None:
        """Return the arrival of a key, None when nothing waits under it."""
        query = sa.select(arrivals).where(arrivals.c.bucket == bucket, arrivals.c.key == key)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return ARRIVAL.record(row) if row is not None else None

    def buckets(self) -> list[str]:
        """Return the buckets in which something waits."""
        query = sa.select(arrivals.c.bucket).distinct().order_by(arrivals.c.bucket)
        with self._database.read() as connection:
            return list(connection.scalars(query))


def remove(connection: sa.Connection, gone: Iterable[Arrival]) -> None:
    """Remove arrivals in a caller's transaction; those that were noticed again stay."""
    values = [_as_read(arrival) for arrival in sorted(gone, key=_in_order)]
    if values:
        write_all(connection, _REMOVE, values)


def _as_read(arrival: Arrival) -> Row:
    return {
        "its_bucket": arrival.bucket,
        "its_key": arrival.key,
        "its_first_noticed": arrival.first_noticed,
        "its_notices": arrival.notices,
    }


_COLUMNS = tuple(column.name for column in arrivals.c)
_UNCHANGED = sa.and_(
    arrivals.c.bucket == sa.bindparam("its_bucket"),
    arrivals.c.key == sa.bindparam("its_key"),
    # another arrival of the key may have come in the place of the one that was read
    arrivals.c.first_noticed == sa.bindparam("its_first_noticed"),
    arrivals.c.notices == sa.bindparam("its_notices"),
)
_REMOVE = sa.delete(arrivals).where(_UNCHANGED)
_POSTPONE = (
    sa.update(arrivals)
    .where(_UNCHANGED)
    .values(
        due=sa.bindparam("new_due"),
        look=sa.bindparam("new_look"),
        attempts=sa.bindparam("new_attempts"),
    )
)


@cache
def _due(dialect: str) -> sa.Select[Any]:
    due = arrivals.c.due <= sa.bindparam("now")
    limit = sa.bindparam("limit", type_=sa.Integer)
    return sa.select(arrivals).where(due, _ours(dialect)).order_by(arrivals.c.due).limit(limit)


@cache
def _next_due(dialect: str) -> sa.Select[Any]:
    return sa.select(sa.func.min(arrivals.c.due)).where(_ours(dialect))


def _ours(dialect: str) -> sa.ColumnElement[bool]:
    places = members(dialect, "places")
    ours = sa.select(places.c.key).where(
        places.c.key == arrivals.c.bucket,
        arrivals.c.place.in_([places.c.value, ""]),  # older versions noted no place
    )
    return ours.exists()


@cache
def _note(dialect: str) -> Upsert:
    # one statement for all keys: thousands of notices are a matter of milliseconds
    noticed = elements(dialect, "keys")
    new_rows = sa.select(
        sa.bindparam("bucket", type_=arrivals.c.bucket.type),
        noticed.c.value,
        sa.bindparam("source", type_=arrivals.c.source.type),
        sa.bindparam("now", type_=arrivals.c.first_noticed.type),
        sa.bindparam("due", type_=arrivals.c.due.type),
        *(sa.literal(value) for value in (0, 1, "", "")),
        sa.false(),
        sa.bindparam("place", type_=arrivals.c.place.type),
    ).where(sa.true())  # SQLite takes what follows for a join without it
    insert: Any = upsert(dialect, arrivals).from_select(_COLUMNS, new_rows)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[arrivals.c.bucket, arrivals.c.key],
        set_={
            "source": new.source,
            "due": new.due,
            "attempts": 0,
            "look": "",
            "notices": arrivals.c.notices + 1,
            "place": new.place,
        },
    )


@cache
def _find(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, arrivals)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[arrivals.c.bucket, arrivals.c.key],
        set_={
            "notices": arrivals.c.notices + 1,
            "listed": new.listed,
            "again": arrivals.c.again | new.again,
            "place": new.place,
        },
        where=(arrivals.c.listed != new.listed) | new.again | (arrivals.c.place != new.place),
    )
