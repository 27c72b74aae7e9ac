"""`execution list|show|watch|logs|resume|cancel|report`: what ran and how it ended, by RunId."""

import json
from contextlib import closing

from workflow_engine.cli import execution_list, execution_logs, execution_watch, resume, run_ids
from workflow_engine.cli.commands import App
from workflow_engine.cli.common import AsJson, emit, print_json, settings
from workflow_engine.cli.execution_list import waits_for
from workflow_engine.cli.run_ids import RunIdArgument
from workflow_engine.cli.summary import execution_lines
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionRecord, ExecutionState, Json

app = App(help="Executions: list, show, watch, logs, resume, cancel, report.")

app.command("list")(execution_list.list_executions)


@app.command()
def show(given: RunIdArgument, as_json: AsJson = False) -> None:
    """Show one execution: its activities, outputs and report."""
    from workflow_engine.store import Store

    with closing(Store.open(settings().store.url)) as store:
        record = run_ids.execution(store, given)
        queued = record.state is ExecutionState.QUEUED
        alone = not record.state.ended and not queued and not store.queue.is_running(record.run_id)
        waits = waits_for(record.buckets, store.services.living()) if queued else ""
    if as_json:
        print_json(record.to_wire())
        return
    emit("\n".join(execution_lines(record)))
    if waits:
        emit(waits)
    if alone:
        emit(
            f"No process runs it any more: mediaflow execution resume {record.run_id} continues it."
        )


app.command()(execution_watch.watch)
app.command()(execution_logs.logs)
app.command()(resume.resume)


@app.command()
def cancel(given: RunIdArgument, as_json: AsJson = False) -> None:
    """Cancel an execution: at once while it waits, else within seconds."""
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        record = engine.queue.cancel(run_ids.whole(engine.store, given))
    if as_json:
        print_json(record.to_wire())
    elif record.state.ended:
        emit(f"{record.run_id} is cancelled")
    else:
        emit(f"{record.run_id} will end within seconds: its process has been told")


@app.command()
def report(given: RunIdArgument, as_json: AsJson = False) -> None:
    """Print where the report of an execution lies; with --json, the report itself."""
    from workflow_engine.buckets import Buckets
    from workflow_engine.store import Store

    chosen = settings()
    with closing(Store.open(chosen.store.url)) as store:
        record = run_ids.execution(store, given)
    if not record.report:
        raise _no_report(record)
    with closing(Buckets(chosen.buckets, fallback_root=None)) as buckets:
        place = buckets.at(record.report)
        if place.head() is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The report "{place}" of the execution "{record.run_id}" is not there any more.',
                remedy="Run the topology again: finished steps are reused, the report is made "
                "again.",
            )
        if as_json:
            print_json(_document(place.content(), record.report))
        else:
            emit(record.report)


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
