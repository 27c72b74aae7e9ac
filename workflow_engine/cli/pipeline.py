"""`pipeline list|add|pause|activate`: the queues that executions wait in."""

from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import (
    AsJson,
    LimitOption,
    emit,
    opened_engine,
    print_json,
    printable,
)
from workflow_engine.errors import Code, InvalidInputError

if TYPE_CHECKING:
    from workflow_engine.engine import Engine
    from workflow_engine.records.catalog import PipelineRecord, PipelineState

app = App(help="Pipelines: list, add, pause, activate.")

Wanted = Annotated[str, typer.Argument(help="Id or name of the pipeline.", metavar="PIPELINE")]


@app.command("list")
def list_pipelines(
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """List pipelines, newest first."""
    from workflow_engine.api.actions.pipelines import pipeline_shape

    with opened_engine() as engine:
        records, _ = engine.pipelines.search(None, page_number=1, page_size=limit)
    if as_json:
        print_json([pipeline_shape(record) for record in records])
        return
    for record in records:
        emit(_line(record))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="At most 128 bytes.", metavar="NAME")],
    speed: Annotated[str, typer.Option(metavar="S", help="Kind, as MPS names it.")] = "Standard",
    quota: Annotated[
        int, typer.Option(metavar="N", help="Executions at once; 0: as many as the runner does.")
    ] = 0,
    queue: Annotated[
        str, typer.Option(metavar="NAME", help="Queue for the messages of jobs.")
    ] = "",
    topic: Annotated[
        str, typer.Option(metavar="NAME", help="Topic for the messages of jobs.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Add a pipeline; it is Active at once."""
    with opened_engine() as engine:
        record = engine.pipelines.add(name, speed=speed, quota=quota, queue=queue, topic=topic)
    _print(record, as_json=as_json)


@app.command()
def pause(wanted: Wanted, as_json: AsJson = False) -> None:
    """Let nothing start in a pipeline; what runs continues."""
    from workflow_engine.records.catalog import PipelineState

    _set_state(wanted, PipelineState.PAUSED, as_json=as_json)


@app.command()
def activate(wanted: Wanted, as_json: AsJson = False) -> None:
    """Let executions start in a pipeline again."""
    from workflow_engine.records.catalog import PipelineState

    _set_state(wanted, PipelineState.ACTIVE, as_json=as_json)


def _set_state(wanted: str, state: "PipelineState", *, as_json: bool) -> None:
    with opened_engine() as engine:
        record = engine.pipelines.set_state(_find(engine, wanted), state)
    _print(record, as_json=as_json)


def _find(engine: "Engine", wanted: str) -> str:
    """Return the id of the pipeline with an id or a name, which several may have."""
    named = [record.id for record in engine.pipelines.all() if record.name == wanted]
    if len(named) > 1:
        raise InvalidInputError(
            Code.INVALID,
            f'There are {len(named)} pipelines with the name "{wanted}".',
            remedy=f"Use an id: {', '.join(named)}.",
        )
    return named[0] if named else wanted


def _print(record: "PipelineRecord", *, as_json: bool) -> None:
    from workflow_engine.api.actions.pipelines import pipeline_shape

    if as_json:
        print_json(pipeline_shape(record))
    else:
        emit(_line(record))


def _line(record: "PipelineRecord") -> str:
    quota = f"  quota {record.quota}" if record.quota else ""
    return printable(f"{record.id}  {record.state:<6}  {record.name}{quota}")
