"""`execution list`: what ran, the newest first."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.common import (
    AsJson,
    LimitOption,
    duration_text,
    emit,
    print_json,
    printable,
    settings,
)
from workflow_engine.cli.tables import aligned
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionState, shown_state, utc_now, wire_time

if TYPE_CHECKING:
    from workflow_engine.records.catalog import ServiceRecord
    from workflow_engine.store import ExecutionFilter, ExecutionLine

_HEADER = ("RUNID", "CREATED", "TOOK", "STATE", "WORKFLOW", "INPUT")
#: characters of a RunId that a terminal shows, at least
_SHORTEST = 8
#: workflows that a shell looks through
_OFFERED = 1000


def complete_workflow(incomplete: str) -> list[str]:
    """Return the names of workflows that begin so, for a shell."""
    from workflow_engine.records.catalog import WorkflowState
    from workflow_engine.store import Store

    url = settings().store.url
    if not Store.exists(url):
        return []
    with closing(Store.open(url)) as store:
        records, _ = store.workflows.search(
            (WorkflowState.ACTIVE, WorkflowState.INACTIVE), offset=0, limit=_OFFERED
        )
    return [record.name for record in records if record.name.startswith(incomplete)]


def list_executions(
    limit: LimitOption = 50,
    workflow: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Only those of the workflow NAME.",
            autocompletion=complete_workflow,
        ),
    ] = "",
    state: Annotated[
        ExecutionState | None, typer.Option(case_sensitive=False, help="Only those in a state.")
    ] = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Only those that failed, or have a failed activity."),
    ] = False,
    given: Annotated[
        str,
        typer.Option("--input", metavar="URL", help="Only those on this object, as oss://B/K."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List executions, newest first; what is given of the filters must all fit.

    TOOK counts from the moment in which an execution was accepted. "Completed, 2 failed" ran to
    its end, but two of its activities failed. Cancelled executions do not count as failed. On a
    terminal, times are local, and RunIds are shortened: every command takes so much of one as is
    unique.
    """
    from workflow_engine.store import ExecutionFilter, Store

    chosen = replace(_filter(workflow, state, given), failed=failed)
    with closing(Store.open(settings().store.url)) as store:
        lines = store.executions.line_page(chosen, limit=limit).items
        if as_json:
            records = store.executions.by_ids([line.run_id for line in lines])
            print_json([record.to_wire() for record in records])
            return
        needed = store.queue.bucket_sets([line.bucket_set for line in lines])
        services = store.services.living()
    if not lines:
        emit("no executions yet" if chosen == ExecutionFilter() else "no such executions")
        return
    shown = _shown_ids([line.run_id for line in lines])
    header, *rows = aligned(_HEADER, [_row(line, shown[line.run_id]) for line in lines])
    emit(header)
    for line, row in zip(lines, rows, strict=True):
        emit(row)
        queued = line.state == ExecutionState.QUEUED and services
        if queued and (waits := waits_for(needed.get(line.bucket_set, {}), services)):
            emit(printable(f"    {waits}"))


def _row(line: "ExecutionLine", run_id: str) -> tuple[str, ...]:
    state = ExecutionState(line.state)
    took = (line.ended or utc_now()) - line.created
    return (
        run_id,
        _moment(line.created),
        "" if state is ExecutionState.QUEUED else duration_text(took.total_seconds()),
        shown_state(state, line.failed),
        printable(line.workflow),
        printable(f"{line.bucket}/{line.object}"),
    )


def _moment(moment: datetime) -> str:
    """Return a moment as programs read it, on a terminal shortly and in the local time."""
    if sys.stdout.isatty():
        return moment.astimezone().strftime("%m-%d %H:%M")
    return wire_time(moment)


def _shown_ids(run_ids: Iterable[str]) -> Mapping[str, str]:
    """Return RunIds as they are shown: on a terminal as short as tells them apart."""
    ids = list(run_ids)
    length = _SHORTEST if sys.stdout.isatty() else len(ids[0])
    while len({run_id[:length] for run_id in ids}) < len(ids):
        length += 1
    return {run_id: run_id[:length] for run_id in ids}


def waits_for(needed: Mapping[str, str], services: "Sequence[ServiceRecord]") -> str:
    """Return what an execution in the queue waits for; empty when a service may take it."""
    from workflow_engine.store import buckets_text, lacking

    if not services:
        return "It waits for a service: start mediaflow serve."
    unknown = min((lacking(needed, one.buckets) for one in services), key=len)
    return f"It waits for a process that knows {buckets_text(unknown)}." if unknown else ""


def _filter(workflow: str, state: ExecutionState | None, url: str) -> "ExecutionFilter":
    from workflow_engine.buckets import parse
    from workflow_engine.store import ExecutionFilter

    if not url:
        return ExecutionFilter(workflow=workflow, state=state)
    found = parse(url)
    if found is None:
        raise InvalidInputError(
            Code.INVALID,
            f'The input "{url}" is not an object URL.',
            remedy="Write oss://BUCKET/KEY.",
        )
    return ExecutionFilter(workflow=workflow, state=state, bucket=found.bucket, object=found.object)
