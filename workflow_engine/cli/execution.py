"""`execution list|show|resume|cancel|report`: what ran and how it ended, by RunId."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli import resume
from workflow_engine.cli.commands import App
from workflow_engine.cli.common import LimitOption, emit, print_json, printable, settings
from workflow_engine.cli.summary import execution_lines
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import (
    ExecutionRecord,
    ExecutionState,
    Json,
    shown_state,
    wire_time,
)

if TYPE_CHECKING:
    from workflow_engine.records.catalog import ServiceRecord
    from workflow_engine.store import ExecutionFilter, ExecutionLine

app = App(help="Executions: list, show, resume, cancel, report.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
RunId = Annotated[str, typer.Argument(help="RunId of the execution.", metavar="RUNID")]


@app.command("list")
def list_executions(
    limit: LimitOption = 50,
    workflow: Annotated[
        str, typer.Option(metavar="NAME", help="Only those of the workflow NAME.")
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

    "Completed, 2 failed" ran to its end, but two of its activities failed. Cancelled executions
    do not count as failed.
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
    for line in lines:
        emit(_text(line))
        queued = line.state == ExecutionState.QUEUED and services
        if queued and (waits := _waits_for(needed.get(line.bucket_set, {}), services)):
            emit(printable(f"    {waits}"))


def _text(line: "ExecutionLine") -> str:
    shown = shown_state(ExecutionState(line.state), line.failed)
    return (
        f"{line.run_id}  {wire_time(line.created)}  {shown:<19}  "
        f"{line.workflow}  {line.bucket}/{line.object}"
    )


def _waits_for(needed: Mapping[str, str], services: "Sequence[ServiceRecord]") -> str:
    """Return what an execution in the queue waits for; empty when a service may take it."""
    from workflow_engine.store import buckets_text, lacking

    if not services:
        return "It waits for a service: start mediaflow serve."
    unknown = min((lacking(needed, one.buckets) for one in services), key=len)
    return f"It waits for a process that knows {buckets_text(unknown)}." if unknown else ""


@app.command()
def show(run_id: RunId, as_json: AsJson = False) -> None:
    """Show one execution: its activities, outputs and report."""
    from workflow_engine.store import Store

    with closing(Store.open(settings().store.url)) as store:
        record = _required(store.executions.get(run_id), run_id)
        queued = record.state is ExecutionState.QUEUED
        alone = not record.state.ended and not queued and not store.queue.is_running(run_id)
        waits = _waits_for(record.buckets, store.services.living()) if queued else ""
    if as_json:
        print_json(record.to_wire())
        return
    emit("\n".join(execution_lines(record)))
    if waits:
        emit(waits)
    if alone:
        emit(f"No process runs it any more: mediaflow execution resume {run_id} continues it.")


app.command()(resume.resume)


@app.command()
def cancel(run_id: RunId, as_json: AsJson = False) -> None:
    """Cancel an execution: at once while it waits, else within seconds."""
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        record = engine.queue.cancel(run_id)
    if as_json:
        print_json(record.to_wire())
    elif record.state.ended:
        emit(f"{run_id} is cancelled")
    else:
        emit(f"{run_id} will end within seconds: its process has been told")


@app.command()
def report(run_id: RunId, as_json: AsJson = False) -> None:
    """Print where the report of an execution lies; with --json, the report itself."""
    from workflow_engine.buckets import Buckets
    from workflow_engine.store import Store

    chosen = settings()
    with closing(Store.open(chosen.store.url)) as store:
        record = _required(store.executions.get(run_id), run_id)
    if not record.report:
        raise _no_report(record)
    with closing(Buckets(chosen.buckets, fallback_root=None)) as buckets:
        place = buckets.at(record.report)
        if place.head() is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The report "{place}" of the execution "{run_id}" is not there any more.',
                remedy="Run the topology again: finished steps are reused, the report is made "
                "again.",
            )
        if as_json:
            print_json(_document(place.content(), record.report))
        else:
            emit(record.report)


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


def _required(record: ExecutionRecord | None, run_id: str) -> ExecutionRecord:
    if record is None:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no execution with the RunId "{run_id}".',
            remedy="See mediaflow execution list.",
        )
    return record


def _no_report(record: ExecutionRecord) -> InvalidInputError:
    if record.state.ended:
        sentence = f'The execution "{record.run_id}" ended without a report.'
        remedy = "Only a topology with a Report activity that succeeds has one."
    else:
        sentence = f'The execution "{record.run_id}" has not made its report yet.'
        remedy = "Wait until it ends."
    return InvalidInputError(Code.RESOURCE_NOT_FOUND, sentence, remedy=remedy)


def _document(text: bytes, place: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInputError(
            Code.RESOURCE_CONTENT_BAD,
            f'The report "{place}" is not JSON.',
            remedy="Look at the file: it was changed since.",
        ) from None
