"""`workflow add|list|show|update|activate|deactivate|delete|trigger-mode`: what is registered."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
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
from workflow_engine.cli.topology import TopologyFile
from workflow_engine.errors import TopologyError
from workflow_engine.records import Json, wire_time
from workflow_engine.records.catalog import (
    TriggerMode,
    WorkflowFileRecord,
    WorkflowRecord,
    WorkflowState,
)

if TYPE_CHECKING:
    from workflow_engine.engine import Engine

app = App(help="The registered workflows.")

Wanted = Annotated[
    str, typer.Argument(help="Name or MediaWorkflowId of the workflow.", metavar="NAME_OR_ID")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="At most 64 characters.", metavar="NAME")],
    topology: TopologyFile,
    trigger_mode: Annotated[
        TriggerMode, typer.Option(help="Whether landing files start it.")
    ] = TriggerMode.OSS_AUTO_TRIGGER,
    as_json: AsJson = False,
) -> None:
    """Register a workflow; it is Active at once."""
    from workflow_engine.settings.files import read_text

    text = read_text(topology)
    with opened_engine() as engine:
        with _problems_of(topology):
            record = engine.workflows.add(name, text, trigger_mode)
        _warn(engine, text, topology)
        _print(record, engine, as_json=as_json)


@app.command("list")
def list_workflows(
    limit: LimitOption = 50,
    state: Annotated[
        WorkflowState | None,
        typer.Option(case_sensitive=False, help="Default: all but the deleted ones."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List workflows, newest first, and above them the files that never became one."""
    states = [state] if state else [WorkflowState.ACTIVE, WorkflowState.INACTIVE]
    with opened_engine() as engine:
        files = {file.path: file for file in engine.workflows.files()}
        records, _ = engine.workflows.search(states, page_number=1, page_size=limit)
        alone = [] if state else engine.workflows.files_without_workflow()
    if as_json:
        items = [*map(_file_json, alone), *(_workflow_json(record, files) for record in records)]
        print_json(items[:limit])
        return
    if not records and not alone:
        emit("no workflows yet")
    for file in alone[:limit]:
        emit(printable(f"{file.path} is not in force"))
        _emit_problem(file.problem)
    for record in records[: max(0, limit - len(alone))]:
        emit(_line(record, files))
        _emit_problem(_problem(record, files))


@app.command()
def show(
    wanted: Wanted,
    as_json: AsJson = False,
    topology: Annotated[
        bool, typer.Option("--topology", help="Print the topology and nothing else.")
    ] = False,
) -> None:
    """Show one workflow."""
    with opened_engine() as engine:
        record = engine.workflows.find(wanted)
        files = {file.path: file for file in engine.workflows.files()}
    if topology:
        emit(record.topology)
    elif as_json:
        print_json(_workflow_json(record, files))
    else:
        for title, text in (
            ("Id", record.id),
            ("Name", record.name),
            ("State", str(record.state)),
            ("Trigger", str(record.trigger_mode)),
            ("Input", f"{record.bucket}/{record.prefix}"),
            ("Created", wire_time(record.created)),
            ("File", _file(record, files)),
        ):
            if text:
                emit(printable(f"{title:<8}{text}"))
        _emit_problem(_problem(record, files))


@app.command()
def update(wanted: Wanted, topology: TopologyFile, as_json: AsJson = False) -> None:
    """Replace the topology of an inactive workflow; runs that exist keep theirs."""
    from workflow_engine.settings.files import read_text

    text = read_text(topology)
    with opened_engine() as engine:
        with _problems_of(topology):
            record = engine.workflows.update(engine.workflows.find(wanted).id, text)
        _warn(engine, text, topology)
        _print(record, engine, as_json=as_json)


@app.command()
def activate(wanted: Wanted, as_json: AsJson = False) -> None:
    """Let a workflow take inputs."""
    with opened_engine() as engine:
        record = engine.workflows.activate(engine.workflows.find(wanted).id)
        _print(record, engine, as_json=as_json)


@app.command()
def deactivate(wanted: Wanted, as_json: AsJson = False) -> None:
    """Let a workflow take no more inputs; runs that exist continue."""
    with opened_engine() as engine:
        record = engine.workflows.deactivate(engine.workflows.find(wanted).id)
        _print(record, engine, as_json=as_json)


@app.command()
def delete(wanted: Wanted, as_json: AsJson = False) -> None:
    """Delete a workflow for good; runs that exist continue."""
    with opened_engine() as engine:
        record = engine.workflows.delete(engine.workflows.find(wanted).id)
        _print(record, engine, as_json=as_json)


@app.command("trigger-mode")
def trigger_mode(
    wanted: Wanted,
    mode: Annotated[TriggerMode, typer.Argument(help="Whether landing files start it.")],
    as_json: AsJson = False,
) -> None:
    """Set the trigger mode of an inactive workflow."""
    with opened_engine() as engine:
        record = engine.workflows.set_trigger_mode(engine.workflows.find(wanted).id, mode)
        _print(record, engine, as_json=as_json)


@contextmanager
def _problems_of(path: Path) -> Generator[None]:
    """Say of the problems of a topology that they stand in a file."""
    try:
        yield
    except TopologyError as error:
        raise TopologyError(replace(one, file=str(path)) for one in error.problems) from None


def _warn(engine: "Engine", text: str, path: Path) -> None:
    """Print the warnings of a topology to stderr."""
    for warning in engine.parse(text, str(path)).warnings:
        typer.echo(printable(str(warning)), err=True)


def _print(record: WorkflowRecord, engine: "Engine", *, as_json: bool) -> None:
    files = {file.path: file for file in engine.workflows.files()}
    if as_json:
        print_json(_workflow_json(record, files))
    else:
        emit(_line(record, files))


def _line(record: WorkflowRecord, files: Mapping[str, WorkflowFileRecord]) -> str:
    file = f"  ({_file(record, files)})" if record.file else ""
    return printable(
        f"{record.id}  {wire_time(record.created)}  {record.state:<8}  "
        f"{record.trigger_mode:<14}  {record.name}{file}"
    )


def _file(record: WorkflowRecord, files: Mapping[str, WorkflowFileRecord]) -> str:
    """Return the file that owns a workflow, and whether it is gone."""
    gone = record.file and record.file not in files
    return f"{record.file}, gone" if gone else record.file


def _emit_problem(problem: str) -> None:
    for line in problem.splitlines():
        emit(printable(f"    {line}"))


def _problem(record: WorkflowRecord, files: Mapping[str, WorkflowFileRecord]) -> str:
    return files[record.file].problem if record.file in files else ""


def _workflow_json(
    record: WorkflowRecord, files: Mapping[str, WorkflowFileRecord]
) -> dict[str, Json]:
    """The workflow of the API, and the file that owns it with what is wrong with that."""
    from workflow_engine.api.actions.workflows import workflow_shape

    shape = workflow_shape(record)
    return {**shape, "File": record.file, "Problem": _problem(record, files)}


def _file_json(file: WorkflowFileRecord) -> dict[str, Json]:
    """A file that owns no workflow, in the form of one."""
    return {
        "MediaWorkflowId": "",
        "Name": file.name,
        "Topology": "",
        "State": "",
        "TriggerMode": "",
        "CreationTime": "",
        "File": file.path,
        "Problem": file.problem,
    }
