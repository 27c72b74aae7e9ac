"""`execution list|show|resume`: what ran and how it ended, by RunId."""

from typing import Annotated

import typer

from workflow_engine.cli.common import emit, print_json, settings
from workflow_engine.cli.run import ExecutorChoice, ExecutorOption, interruptible, watch
from workflow_engine.cli.summary import execution_lines
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import wire_time

app = typer.Typer(help="Executions: list, show, resume.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


@app.command("list")
def list_executions(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    from workflow_engine.store import Store

    store = Store.open(settings().store.url)
    records = store.executions(limit=limit)
    store.close()
    if as_json:
        print_json([record.to_wire() for record in records])
        return
    if not records:
        emit("no executions yet")
    for record in records:
        emit(
            f"{record.run_id}  {wire_time(record.created)}  {record.state:<9}  "
            f"{record.workflow}  {record.input.bucket}/{record.input.object}"
        )


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(help="RunId of the execution.", metavar="RUNID")],
    executor: ExecutorOption = ExecutorChoice.PREFECT,
    as_json: AsJson = False,
) -> None:
    """Go on with an execution that was killed, interrupted or had failures.

    What succeeded is kept, everything else runs again, under the same RunId.
    """
    from workflow_engine.engine import Engine

    engine = Engine(settings())
    with interruptible() as on_start:
        watch(
            engine,
            executor,
            lambda chosen, observer, on_start: engine.resume(
                run_id, executor=chosen, observers=[observer], on_start=on_start
            ),
            on_start,
            as_json=as_json,
        )


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="RunId of the execution.", metavar="RUNID")],
    as_json: AsJson = False,
) -> None:
    """Show one execution: its activities, outputs and report."""
    from workflow_engine.store import Store

    store = Store.open(settings().store.url)
    record = store.execution(run_id)
    alone = record is not None and not record.state.ended and not store.is_running(run_id)
    store.close()
    if record is None:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no execution with the RunId "{run_id}".',
            remedy="See mediaflow execution list.",
        )
    if as_json:
        print_json(record.to_wire())
    else:
        emit("\n".join(execution_lines(record)))
        if alone:
            emit(f"No process runs it any more: mediaflow execution resume {run_id} goes on.")
