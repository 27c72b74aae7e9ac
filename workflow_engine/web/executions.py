"""The list of executions: filtered, newest first, in pages that are walked both ways."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionState, utc_now
from workflow_engine.records.catalog import WorkflowState
from workflow_engine.store import ExecutionFilter, ExecutionLine
from workflow_engine.web.live import NEW, seen
from workflow_engine.web.serving import Visit

#: executions of one page
PAGE_SIZE = 25
#: workflows whose names are offered, and for how many seconds they are remembered
_MOST_NAMES, _NAMES_SECONDS = 200, 5.0
#: what can be asked for, by the value of the form: its label, and what it means
_STATES: Mapping[str, tuple[str, ExecutionFilter]] = {
    "queued": ("Queued", ExecutionFilter(state=ExecutionState.QUEUED)),
    "running": ("Running", ExecutionFilter(state=ExecutionState.RUNNING)),
    "completed": ("Completed", ExecutionFilter(state=ExecutionState.COMPLETED)),
    "failed": ("Failed, or with failures", ExecutionFilter(failed=True)),
    "cancelled": (
        "Cancelled",
        ExecutionFilter(state=ExecutionState.FAIL, code=str(Code.CANCELLED)),
    ),
}
_FIELDS = ("state", "workflow", "object", "since", "until")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A line of the list; `seconds` is how long it took, or has taken so far."""

    line: ExecutionLine
    shown_state: str
    state_class: str
    seconds: float | None


class ExecutionList:
    """`/executions`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: tuple[float, frozenset[str]] = (-_NAMES_SECONDS, frozenset())

    def show(self, visit: Visit) -> Response:
        """Show a page of executions."""
        query = visit.request.query
        given = {name: query.get(name, "").strip() for name in _FIELDS}
        given = {name: value for name, value in given.items() if value}
        problem, page = None, None
        store = self._engine.store
        newest = store.glances.newest()
        try:
            page = store.executions.line_page(
                chosen(given),
                limit=PAGE_SIZE,
                after=query.get("before", "") or query.get("after", ""),
                newer="after" in query or "last" in query,
            )
        except InvalidInputError as error:
            problem = error
        lines = page.items if page else []
        waiting = [line.run_id for line in lines if line.ended is None]
        glances = store.glances.of(waiting)
        topics = [*waiting, *([NEW] if not _walks(query) else [])]
        return visit.page(
            "executions.html",
            status=400 if problem else 200,
            here="/executions",
            rows=rows_of(lines),
            given=given,
            problem=problem,
            states={value: label for value, (label, _) in _STATES.items()},
            workflows=self._names(given.get("workflow", "")),
            newest=_path(given) if _walks(query) else "",
            newer=_path(given, after=page.previous_token) if page and page.previous_token else "",
            older=_path(given, before=page.next_token) if page and page.next_token else "",
            last=_path(given, last="1") if page and page.next_token else "",
            live="/live?" + urlencode([("run", topic) for topic in topics]) if topics else "",
            seen=seen(glances, newest if NEW in topics else ""),
        )

    def _names(self, chosen_name: str) -> list[str]:
        looked, names = self._known
        if time.monotonic() >= looked + _NAMES_SECONDS:
            found, _ = self._engine.workflows.search(
                (WorkflowState.ACTIVE, WorkflowState.INACTIVE), page_number=1, page_size=_MOST_NAMES
            )
            names = frozenset(one.name for one in found)
            self._known = (time.monotonic(), names)
        return sorted(names | {chosen_name} - {""})


def chosen(given: Mapping[str, str]) -> ExecutionFilter:
    """Return the filter that the fields of the form mean. Raises InvalidInputError."""
    state = given.get("state", "")
    if state and state not in _STATES:
        raise InvalidInputError(
            Code.INVALID, f'The state "{state}" is not known.', remedy="Choose one of the list."
        )
    found = _STATES[state][1] if state else ExecutionFilter()
    bucket, key, prefix = _object(given.get("object", ""))
    until = _day(given.get("until", ""))
    return replace(
        found,
        workflow=given.get("workflow", ""),
        bucket=bucket,
        object=key,
        object_prefix=prefix,
        since=_day(given.get("since", "")),
        until=until + timedelta(days=1, microseconds=-1) if until else None,
    )


def _object(text: str) -> tuple[str, str, str]:
    """Return bucket, key and prefix: a key is given as it is, a prefix with `*` behind it."""
    for scheme in ("oss://", "s3://"):
        text = text.removeprefix(scheme)
    bucket, _, key = text.partition("/")
    if text and not bucket:
        raise InvalidInputError(
            Code.INVALID,
            f'"{text}" names no bucket.',
            remedy="Write BUCKET/KEY, or BUCKET/PREFIX* for all keys that begin with it.",
        )
    bucket = bucket.removesuffix("*")
    if not key or key.endswith("*"):
        return bucket, "", key.removesuffix("*")
    return bucket, key, ""


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInputError(
            Code.FORMAT, f'"{text}" is not a day.', remedy="Write it as 2026-01-31."
        ) from None


def rows_of(lines: Iterable[ExecutionLine]) -> list[Row]:
    """Return the lines of a list as templates show them."""
    now = utc_now()
    return [_row(line, now) for line in lines]


def _row(line: ExecutionLine, now: datetime) -> Row:
    queued = line.state == ExecutionState.QUEUED
    return Row(
        line=line,
        shown_state=f"{line.state}, {line.failed} failed" if line.failed else line.state,
        state_class=line.state if not line.failed else "Fail",
        seconds=None if queued else max(((line.ended or now) - line.created).total_seconds(), 0.0),
    )


def _walks(query: Mapping[str, str]) -> bool:
    """Whether a page other than the first one is asked for."""
    return any(name in query for name in ("before", "after", "last"))


def _path(given: Mapping[str, str], **more: str) -> str:
    values = {**given, **more}
    return f"/executions?{urlencode(values)}" if values else "/executions"
