"""`run` and `plan`: a topology on one input."""

import os
import sys
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from workflow_engine.cli.common import (
    AsJson,
    emit,
    exit_code,
    print_json,
    printable,
    settings,
    status,
)
from workflow_engine.cli.interruption import interruptible
from workflow_engine.cli.topology import TopologyFile
from workflow_engine.errors import Code, InvalidInputError

if TYPE_CHECKING:
    from workflow_engine.cli.progress import LiveProgress
    from workflow_engine.engine import Engine
    from workflow_engine.records import ExecutionRecord
    from workflow_engine.run.journal import Observer
    from workflow_engine.run.runner import Executor

#: UTF-8 bytes (specification, topology, 12)
MAX_USER_DATA = 1024

InputArgument = Annotated[
    str,
    typer.Argument(
        help="A file, or an object URL (oss://B/K, s3://B/K) of a configured bucket.",
        metavar="INPUT",
    ),
]
ObjectOption = Annotated[
    str | None,
    typer.Option(
        "--object", metavar="KEY", help="Object key of a file; default: ObjectPrefix + file name."
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Folder for buckets that the configuration does not name."),
]
OverrideOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="OverrideParams: JSON that replaces parameters."),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Do everything again; reuse no finished outputs.")
]


class ExecutorChoice(StrEnum):
    """Who schedules the activities."""

    PREFECT = "prefect"
    INLINE = "inline"


ExecutorOption = Annotated[
    ExecutorChoice, typer.Option(help="prefect shows the run in the Prefect UI.")
]


def run(
    topology: TopologyFile,
    given: InputArgument,
    key: ObjectOption = None,
    output_dir: OutputOption = Path("mediaflow-out"),
    user_data: Annotated[
        str, typer.Option(metavar="S", help="UserData of the execution, at most 1024 bytes.")
    ] = "",
    override: OverrideOption = None,
    fresh: FreshOption = False,
    executor: ExecutorOption = ExecutorChoice.PREFECT,
    again: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Run again whenever the topology, its templates or the input change, until "
            "Ctrl-C.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a topology on a file, in the foreground, with live progress.

    Outputs lie under DIR/<bucket>/<object>. Finished steps of earlier runs are reused when
    nothing that shapes them changed. Ctrl-C stops the run cleanly.
    """
    from workflow_engine.cli.changes import run_on_changes
    from workflow_engine.engine import Engine
    from workflow_engine.topology.urls import plain_path

    _check_user_data(user_data)
    engine = Engine(settings(), output_dir=_folder(output_dir))

    def once() -> "tuple[ExecutionRecord, Executor]":
        with interruptible() as on_start:
            workflow = engine.load(topology, override)
            status(f"Opening the input {given}")
            source = engine.open_input(workflow, given, key)
            for warning in workflow.graph.warnings:
                typer.echo(printable(str(warning)), err=True)
            record, used = show_run(
                engine,
                executor,
                lambda chosen, observer: engine.run(
                    workflow,
                    source,
                    executor=chosen,
                    user_data=user_data,
                    fresh=fresh,
                    observers=[observer],
                    on_start=on_start,
                ),
                as_json=as_json,
            )
        return record, used

    if again:
        files = [
            topology,
            override,
            None if engine.buckets.parse(given) else Path(plain_path(given)),
        ]
        run_on_changes(
            once,
            [file for file in files if file is not None],
            given,
            lambda: engine.input_version(given),
        )
    record, used = once()
    leave(engine, record, used)


def show_run(
    engine: "Engine",
    choice: ExecutorChoice,
    execute: "Callable[[Executor, Observer], ExecutionRecord]",
    *,
    as_json: bool,
) -> "tuple[ExecutionRecord, Executor]":
    """Show an execution live, and print how it ended.

    `execute` returns the execution at its end, which is returned with what executed it.
    """
    from workflow_engine.cli.progress import LiveProgress
    from workflow_engine.cli.summary import execution_lines
    from workflow_engine.telemetry.tracing import sending_traces

    with sending_traces(), LiveProgress() as progress:
        executor = _executor(choice, engine, progress)
        record = execute(executor, progress)
    if as_json:
        print_json(record.to_wire())
    else:
        emit("\n".join(execution_lines(record)))
    if record.code == Code.INTERRUPTED:
        command = f"mediaflow execution resume {record.run_id}"
        typer.echo(f"Interrupted. To continue it: {command}", err=True)
    return record, executor


def leave(engine: "Engine", record: "ExecutionRecord", executor: "Executor") -> NoReturn:
    """Exit as an execution ended, without waiting for threads that the executor left behind."""
    engine.close()
    code = exit_code(record)
    if executor.abandoned:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The output directory "{path}" is a file.',
            remedy="Name a folder, or one that does not exist yet.",
        )
    return path.absolute()


def _check_user_data(text: str) -> None:
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > MAX_USER_DATA:
        raise InvalidInputError(
            Code.OUT_OF_RANGE,
            f"The user data has {size} bytes.",
            remedy=f"Use at most {MAX_USER_DATA} bytes.",
        )


def _executor(choice: ExecutorChoice, engine: "Engine", progress: "LiveProgress") -> "Executor":
    from workflow_engine.executor import prefect_api
    from workflow_engine.executor.inline import InlineExecutor

    if choice is ExecutorChoice.INLINE:
        return InlineExecutor()
    from workflow_engine.executor.prefect_ends import tell_ends
    from workflow_engine.executor.prefect_flow import PrefectExecutor
    from workflow_engine.executor.prefect_server import ensure_server
    from workflow_engine.executor.prefect_session import own_process

    chosen = engine.settings
    api_url = prefect_api.configured_url(chosen.prefect.api_url)
    if api_url:
        status(f"Connecting to the Prefect server {api_url}")
        prefect_api.require_answer(api_url)
    else:
        server = ensure_server(
            chosen.data_dir, chosen.prefect.port, progress.say, kept_days=chosen.retention.days
        )
        api_url = server.api_url
    # beside the run: nobody waits for what earlier ones could not tell
    told = (api_url, engine.store.executions.by_ids)
    threading.Thread(target=tell_ends, args=told, daemon=True).start()
    own_process(chosen.data_dir / "prefect")
    return PrefectExecutor(api_url)


def plan(
    topology: TopologyFile,
    given: InputArgument,
    key: ObjectOption = None,
    output_dir: OutputOption = Path("mediaflow-out"),
    override: OverrideOption = None,
    fresh: FreshOption = False,
    as_json: AsJson = False,
) -> None:
    """Show what `run` would do: commands, outputs, what is reused, skipped or fused.

    Reads and measures the input and what is read beside it; encodes and writes nothing.
    """
    from workflow_engine.cli.plan_view import plan_json, plan_lines
    from workflow_engine.engine import Engine

    engine = Engine(settings(), output_dir=_folder(output_dir))
    workflow = engine.load(topology, override)
    source = engine.open_input(workflow, given, key)
    found = engine.plan(workflow, source, fresh=fresh)
    times = engine.forecast(workflow, found)
    engine.close()
    if as_json:
        print_json(plan_json(workflow.name, source.ref, found, times))
    else:
        emit("\n".join(plan_lines(workflow.name, source.ref, found, times)))
