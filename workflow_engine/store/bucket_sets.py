"""The buckets that executions read and write: which process knows them all, and what waits for one.

What executions of one workflow need is the same for all of them. It is kept once, and each names
it by its identifier: the queue is looked through set by set, however long it is. Each function
runs inside a caller's transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa

from workflow_engine.records import stable_id
from workflow_engine.store.catalog_schema import pipelines
from workflow_engine.store.database import upsert
from workflow_engine.store.schema import bucket_sets, executions, is_begun, is_queued
from workflow_engine.store.types import from_json, to_json

#: waiting executions of one set that are counted
MOST_COUNTED = 1000

#: where buckets lie, by name
Buckets = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Executions that need the same unknown buckets: in the queue, or left by a killed process.

    They are not counted beyond `MOST_COUNTED`.
    """

    buckets: Buckets
    count: int


def buckets_text(buckets: Buckets) -> str:
    """Return buckets and where they lie, in words."""
    names = [f'"{name}" ({place})' for name, place in buckets.items()]
    return f"the bucket {names[0]}" if len(names) == 1 else f"the buckets {' and '.join(names)}"


def set_id(buckets: Buckets) -> str:
    """Return the identifier of a set, empty for that without buckets."""
    return stable_id("buckets", _text(buckets)) if buckets else ""


def add_sets(connection: sa.Connection, new: Iterable[Buckets]) -> None:
    """Keep sets; those that are known stay as they are."""
    values = {set_id(buckets): _text(buckets) for buckets in new if buckets}
    for identifier, text in sorted(values.items()):
        connection.execute(
            upsert(connection.dialect.name, bucket_sets)
            .values(id=identifier, buckets=text)
            .on_conflict_do_nothing()
        )


def sets_by_id(connection: sa.Connection, ids: Collection[str]) -> Mapping[str, Buckets]:
    """Return the sets of some identifiers."""
    wanted = set(ids) - {""}
    if not wanted:
        return {}
    query = sa.select(bucket_sets).where(bucket_sets.c.id.in_(wanted))
    return {row.id: _buckets(row.buckets) for row in connection.execute(query)}


def fitting(sets: Iterable[Sequence[str]], known: Buckets | None) -> list[str]:
    """Return the identifiers of the sets, rows of `ALL`, that lie where `known` has their buckets.

    None knows every bucket.
    """
    return [
        "",
        *(id for id, text in sets if known is None or not lacking(_buckets(text), known)),
    ]


def lacking(needed: Buckets, known: Buckets) -> Buckets:
    """Return which of the needed buckets are unknown, or lie elsewhere."""
    return {name: place for name, place in needed.items() if known.get(name) != place}


def waiting_elsewhere(connection: sa.Connection, known: Buckets, now: datetime) -> list[Waiting]:
    """Return what nobody runs and needs buckets that are not where `known` has them."""
    found: list[Waiting] = []
    for identifier, text in connection.execute(ALL):
        if missing := lacking(_buckets(text), known):
            given = {"set": identifier, "now": now}
            count = sum(connection.scalar(query, given) or 0 for query in (_QUEUED, _BEGUN))
            if count:
                found.append(Waiting(buckets=missing, count=min(count, MOST_COUNTED)))
    return found


def _text(buckets: Buckets) -> str:
    return to_json(dict(sorted(buckets.items())))


@lru_cache(maxsize=1024)
def _buckets(text: str) -> Buckets:
    return from_json(text)


#: every set: its identifier, and its buckets as JSON text
ALL = sa.select(bucket_sets.c.id, bucket_sets.c.buckets)


def _count(*chosen: sa.ColumnElement[bool]) -> sa.Select[int]:
    of_set = executions.c.bucket_set == sa.bindparam("set")
    some = sa.select(sa.literal(1)).where(of_set, *chosen).limit(MOST_COUNTED)
    return sa.select(sa.func.count()).select_from(some.subquery())


# by pipeline, as the index of the queue has them
_QUEUED = _count(is_queued(), executions.c.pipeline_id.in_(sa.select(pipelines.c.id)))
_NOW = sa.bindparam("now", type_=executions.c.lease_until.type)
_BEGUN = _count(is_begun(), sa.or_(executions.c.owner.is_(None), executions.c.lease_until <= _NOW))
