"""`execution list|show|watch|logs|resume|cancel|report`: what ran and how it ended, by RunId."""

from contextlib import closing

from workflow_engine.cli import (
    execution_list,
    execution_logs,
    execution_report,
    execution_watch,
    resume,
    run_ids,
)
from workflow_engine.cli.commands import App
from workflow_engine.cli.common import AsJson, emit, print_json, settings
from workflow_engine.cli.execution_list import waits_for
from workflow_engine.cli.run_ids import RunIdArgument
from workflow_engine.cli.summary import execution_lines
from workflow_engine.records import ExecutionState

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
        command = f"mediaflow execution resume {record.run_id}"
        emit(f"No process runs it any more: {command} continues it.")


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


app.command()(execution_report.report)
