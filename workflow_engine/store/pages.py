"""Lists of executions, cheap however many there are and however deep one pages.

Every query walks an index of `schema.py` from the newest entry or from the last one of the page
before, and reads no column that is not shown: summaries (`summaries.py`) are for answers, and
brief records, for the engine, have no topology, and activities without detail, data, commands,
warnings and outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import product
from operator import itemgetter
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionKind, ExecutionRecord, ExecutionState
from workflow_engine.store.database import Database
from workflow_engine.store.expressions import BeginsWith
from workflow_engine.store.fast_queries import Query, Select, each, one_of
from workflow_engine.store.mapping import BRIEF_ACTIVITY, EXECUTION
from workflow_engine.store.schema import CANCELLED, activities, executions, is_failed
from workflow_engine.store.summaries import (
    LINES,
    SUMMARIES,
    ExecutionLine,
    ExecutionSummary,
    summary_of,
)

_T = TypeVar("_T")
_E = TypeVar("_E", ExecutionRecord, ExecutionSummary, ExecutionLine)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[_T]):
    """A part of a list. `next_token` asks for the next one, empty at the end.

    `previous_token` asks for the one before, of lists that can be walked both ways.
    """

    items: list[_T]
    next_token: str = ""
    previous_token: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionFilter:
    """Which executions to list: all that match everything that is given.

    `code` and `not_code` look at the execution's own code; `since` and `until` at its creation,
    both inclusive. `failed` ones ended as Fail, or with failed activities, but were not
    cancelled; `unfinished` ones wait or run. `object_prefix` is what the key begins with. Without a
    kind, what matches is collected kind by kind.
    """

    kind: ExecutionKind | None = None
    workflow_id: str = ""
    workflow: str = ""
    bucket: str = ""
    object: str = ""
    object_prefix: str = ""
    media_id: str = ""
    pipeline_id: str = ""
    state: ExecutionState | None = None
    code: str = ""
    not_code: str = ""
    failed: bool = False
    unfinished: bool = False
    since: datetime | None = None
    until: datetime | None = None


def unknown_token(token: str) -> InvalidInputError:
    """Return the error for a token that belongs to no list."""
    return InvalidInputError(
        Code.INVALID,
        f'The token "{token}" does not belong to a list.',
        pointer="/NextPageToken",
        remedy="Use the NextPageToken of the page before, or none for the first page.",
    )


NEWEST_FIRST = (executions.c.created.desc(), executions.c.run_id.desc())
OLDEST_FIRST = (executions.c.created.asc(), executions.c.run_id.asc())


def is_of_kind(kind: ExecutionKind) -> sa.ColumnElement[bool]:
    """Whether a chosen execution is of a kind, without its index: that leaves far too many."""
    return sa.func.coalesce(executions.c.kind, "") == str(kind)


def summaries_by_id(
    database: Database, run_ids: Sequence[str], kind: ExecutionKind
) -> list[ExecutionSummary]:
    """Return summaries of those of some executions that exist, the newest first."""
    query = _summaries_by_id(kind, len(run_ids))
    found = database.rows(query, each(executions.c.run_id, run_ids))
    return list(map(summary_of, sorted(found, key=itemgetter(-1, 0), reverse=True)))


@cache
def _summaries_by_id(kind: ExecutionKind, count: int) -> Query:
    return SUMMARIES.where(one_of(executions.c.run_id, count), is_of_kind(kind))


def run_ids_of_media(database: Database, media_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the workflow runs of each of some media, the newest first."""
    runs: dict[str, list[str]] = {media_id: [] for media_id in media_ids}
    query = _run_ids_of_media(len(media_ids))
    for media_id, run_id in database.rows(query, each(executions.c.media_id, media_ids)):
        runs[media_id].append(run_id)
    return runs


@cache
def _run_ids_of_media(count: int) -> Query:
    return (
        sa.select(executions.c.media_id, executions.c.run_id)
        .where(
            executions.c.kind == str(ExecutionKind.WORKFLOW), one_of(executions.c.media_id, count)
        )
        .order_by(executions.c.media_id, *NEWEST_FIRST)
    )


def execution_page(
    connection: sa.Connection, chosen: ExecutionFilter, *, limit: int, after: str
) -> Page[ExecutionRecord]:
    """Return a page of brief executions, the newest first, behind that with the RunId `after`.

    Raises InvalidInputError when there is no such execution.
    """
    created = connection.scalar(_CREATED, {"after": after}) if after else None
    query, values = asked(_EXECUTIONS, chosen, after, created)
    found = connection.execute(query, {**values, "limit": limit + 1}).mappings().all()
    return _page(_brief(connection, found), limit)


def summary_page(
    database: Database, chosen: ExecutionFilter, *, limit: int, after: str
) -> Page[ExecutionSummary]:
    """Return a page of summaries, as `execution_page` does of brief executions."""
    known = database.rows(_CREATED, {"after": after}) if after else ()
    query, values = asked(SUMMARIES, chosen, after, known[0][0] if known else None)
    found = database.rows(query, {**values, "limit": limit + 1})
    return _page(list(map(summary_of, found)), limit)


def line_page(
    database: Database,
    chosen: ExecutionFilter,
    *,
    limit: int,
    after: str = "",
    newer: bool = False,
) -> Page[ExecutionLine]:
    """Return a page of lines, as `execution_page` does of brief executions.

    `newer` walks the list the other way: the page before the execution `after`, without one the
    last page of the list. The items stand newest first all the same.
    """
    known = database.rows(_CREATED, {"after": after}) if after else ()
    query, values = asked(LINES, chosen, after, known[0][0] if known else None, newer=newer)
    found = list(map(ExecutionLine._make, database.rows(query, {**values, "limit": limit + 1})))
    more, items = len(found) > limit, found[:limit]
    older_exist, newer_exist = (bool(after), more) if newer else (more, bool(after))
    if newer:
        items.reverse()
    return Page(
        items=items,
        next_token=items[-1].run_id if items and older_exist else "",
        previous_token=items[0].run_id if items and newer_exist else "",
    )


def _page(found: list[_E], limit: int) -> Page[_E]:
    """Return a page; one execution more than it holds says that there is a next one."""
    more = len(found) > limit
    return Page(items=found[:limit], next_token=found[limit - 1].run_id if more else "")


def asked(
    selected: Select,
    chosen: ExecutionFilter,
    after: str,
    created: datetime | None,
    *,
    newer: bool = False,
) -> tuple[Query, Mapping[str, Any]]:
    """Return the query of a page and its values, all but the limit.

    `created` is the moment of the execution `after`. Raises InvalidInputError without one.
    `newer` asks for what is newer than that one, or for the oldest ones, in the order of age.
    """
    values: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(chosen, name))}
    names = set(values)
    if after:
        if created is None:
            raise unknown_token(after)
        # one bound where the walk begins, the tighter one: an index is entered at one place
        bound = chosen.since if newer else chosen.until
        if bound is None or (created >= bound if newer else created <= bound):
            names = names - {"since" if newer else "until"} | {"newer" if newer else "after"}
            values |= {"after": after, "created": created}
    values.pop("failed", None)  # a condition without a value
    query = _page_query(selected, frozenset(names), _kinds(chosen), outcomes_of(chosen), newer)
    return query, values


def outcomes_of(chosen: ExecutionFilter) -> tuple[str, ...]:
    """Return the values of the column `outcome` that a filter leaves; none: all of them."""
    if chosen.unfinished:
        return (str(ExecutionState.QUEUED), str(ExecutionState.RUNNING))
    if chosen.state is None:
        return ()
    if chosen.state is not ExecutionState.FAIL:
        return (str(chosen.state),)
    failed = str(ExecutionState.FAIL)
    if chosen.code:
        return (CANCELLED if chosen.code == CANCELLED else failed,)
    return (failed,) if chosen.not_code == CANCELLED else (failed, CANCELLED)


def _kinds(chosen: ExecutionFilter) -> tuple[str, ...]:
    """Return the kinds to look through; none: all of them at once."""
    if chosen.kind is not None:
        return (str(chosen.kind),)
    by_state = chosen.unfinished or chosen.state is not None
    indexed = by_state or any(getattr(chosen, name) for name in _INDEXED)
    return tuple(map(str, ExecutionKind)) if indexed else ()


#: fields that are compared as they are
_EQUAL = ("workflow_id", "workflow", "bucket", "object", "media_id", "pipeline_id", "code")
_INDEXED = (*_EQUAL, "object_prefix")
_FIELDS = (*_INDEXED, "not_code", "failed", "since", "until")
_POSITION = sa.tuple_(executions.c.created, executions.c.run_id)
_KNOWN_POSITION = sa.tuple_(
    sa.bindparam("created", type_=executions.c.created.type),
    sa.bindparam("after", type_=executions.c.run_id.type),
)
#: conditions by the name of their value
_CONDITIONS: Mapping[str, sa.ColumnElement[bool]] = {
    **{name: executions.c[name] == sa.bindparam(name) for name in _EQUAL},
    "not_code": executions.c.code != sa.bindparam("not_code"),
    "failed": is_failed(),
    "since": executions.c.created >= sa.bindparam("since"),
    "until": executions.c.created <= sa.bindparam("until"),
    "object_prefix": BeginsWith(executions.c.object, sa.bindparam("object_prefix")),
    "after": _POSITION < _KNOWN_POSITION,
    "newer": _POSITION > _KNOWN_POSITION,
}
#: the same for columns whose index would be taken although another one leaves fewer rows
_WITHOUT_INDEX: Mapping[str, sa.ColumnElement[bool]] = {
    name: sa.func.coalesce(executions.c[name], "") == sa.bindparam(name)
    for name in ("workflow_id", "workflow")
}
_CREATED = sa.select(executions.c.created).where(executions.c.run_id == sa.bindparam("after"))


def _columns(table: sa.Table, *hidden: str) -> list[sa.ColumnElement[Any]]:
    return [column for column in table.c if column.name not in hidden]


_CLAIM = ("dedupe_key", "owner", "lease_until", "fence", "cancel_requested")
_NO_TOPOLOGY: sa.ColumnElement[str] = sa.literal_column("''", sa.Text).label("topology")
_EXECUTIONS = sa.select(*_columns(executions, "topology", "outcome", *_CLAIM), _NO_TOPOLOGY)
_LONG = ("detail", "attempts", "data", "commands", "warnings", "step_key", "intended")
_ACTIVITIES = sa.select(*_columns(activities, *_LONG)).where(
    activities.c.run_id.in_(sa.bindparam("run_ids", expanding=True))
)


@cache
def _page_query(
    selected: Select,
    names: frozenset[str],
    kinds: tuple[str, ...],
    outcomes: tuple[str, ...],
    newer: bool,
) -> Query:
    """Return the query of a page; several kinds or outcomes are merged, each from its index."""
    # one input has fewer runs than one workflow, which SQLite does not know
    few = names & {"object", "object_prefix", "media_id"}
    conditions = {**_CONDITIONS, **_WITHOUT_INDEX} if few else _CONDITIONS
    compared = [condition for name, condition in conditions.items() if name in names]
    order = OLDEST_FIRST if newer else NEWEST_FIRST
    limit: sa.BindParameter[int] = sa.bindparam("limit")

    def branch(*its: sa.ColumnElement[bool]) -> Select:
        if "object_prefix" not in names:
            return selected.where(*compared, *its).order_by(*order).limit(limit)
        # in the order of their keys, so they are sorted: their ids alone, which the index has
        sorted_ids = sa.select(executions.c.run_id).where(*compared, *its)
        few_ids = sorted_ids.order_by(*order).limit(limit).subquery()
        return selected.where(executions.c.run_id.in_(sa.select(few_ids))).order_by(*order)

    found = [
        branch(*its)
        for its in product(
            *(
                [column == value for value in values]
                for column, values in (
                    (executions.c.kind, kinds),
                    (executions.c.outcome, outcomes),
                )
                if values
            )
        )
    ]
    if len(found) == 1:
        return found[0]
    merged = sa.union_all(*(sa.select(part.subquery()) for part in found))
    way = sa.asc if newer else sa.desc
    return merged.order_by(way("created"), way("run_id")).limit(limit)


def _brief(connection: sa.Connection, found: Sequence[sa.RowMapping]) -> list[ExecutionRecord]:
    run_ids = [row["run_id"] for row in found]
    if not run_ids:
        return []
    of_run: dict[str, list[sa.RowMapping]] = {run_id: [] for run_id in run_ids}
    for row in connection.execute(_ACTIVITIES, {"run_ids": run_ids}).mappings():
        of_run[row["run_id"]].append(row)
    return [
        EXECUTION.record(
            row,
            activities=tuple(
                BRIEF_ACTIVITY.record(activity)
                for activity in sorted(of_run[row["run_id"]], key=itemgetter("position"))
            ),
        )
        for row in found
    ]
