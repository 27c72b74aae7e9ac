"""`run` and `plan`: a topology on one input."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
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
)
from workflow_engine.cli.topology import TopologyFile

if TYPE_CHECKING:
    from workflow_engine.cli.progress import LiveProgress
    from workflow_engine.engine import Engine
    from workflow_engine.records import ExecutionRecord
    from workflow_engine.run.cancellation import Cancellation
    from workflow_engine.run.journal import Observer
    from workflow_engine.run.runner import Executor
    from workflow_engine.run.service import OnStart

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
    as_json: AsJson = False,
) -> None:
    """Run a topology on a file, in the foreground, with live progress.

    Outputs lie under DIR/<bucket>/<object>. Finished steps of earlier runs are reused when
    nothing that shapes them changed. Ctrl-C stops the run cleanly.
    """
    from workflow_engine.engine import Engine

    _check_user_data(user_data)
    engine = Engine(settings(), output_dir=_folder(output_dir))

    def execute(chosen: "Executor", observer: "Observer", on_start: "OnStart") -> "ExecutionRecord":
        return engine.run(
            workflow,
            source,
            executor=chosen,
            user_data=user_data,
            fresh=fresh,
            observers=[observer],
            on_start=on_start,
        )

    with interruptible() as on_start:
        workflow = engine.load(topology, override)
        source = engine.open_input(workflow, given, key)
        for warning in workflow.graph.warnings:
            typer.echo(printable(str(warning)), err=True)
        watch(engine, executor, execute, on_start, as_json=as_json)


def watch(
    engine: "Engine",
    choice: ExecutorChoice,
    execute: "Callable[[Executor, Observer, OnStart], ExecutionRecord]",
    on_start: "OnStart",
    *,
    as_json: bool,
) -> NoReturn:
    """Show an execution live, print how it ended and exit accordingly.

    `execute` returns the execution at its end; `on_start` is that of `interruptible`.
    """
    from workflow_engine.cli.progress import LiveProgress
    from workflow_engine.cli.summary import execution_lines

    with LiveProgress() as progress:
        executor = _executor(choice, engine, progress)
        record = execute(executor, progress, on_start)
    engine.close()
    if as_json:
        print_json(record.to_wire())
    else:
        emit("\n".join(execution_lines(record)))
    _leave(exit_code(record), executor)


def _leave(code: int, executor: "Executor") -> NoReturn:
    """Exit, without waiting for threads that the executor left behind."""
    if executor.abandoned:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def _folder(path: Path) -> Path:
    from workflow_engine.errors import Code, InvalidInputError

    if path.exists() and not path.is_dir():
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The output directory "{path}" is a file.',
            remedy="Name a folder, or one that does not exist yet.",
        )
    return path.absolute()


def _check_user_data(text: str) -> None:
    from workflow_engine.errors import Code, InvalidInputError

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


@contextmanager
def interruptible() -> "Generator[OnStart]":
    """Turn SIGINT and SIGTERM into a clean stop of the run; a second one kills as usual.

    Before this was given a cancellation, they raise InterruptedRunError.
    """
    from workflow_engine.errors import InterruptedRunError, Interruption

    running: list[Cancellation] = []

    def interrupt(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        for cancellation in running:
            cancellation.stop(Interruption.USER)
        if not running:
            raise InterruptedRunError()

    kept = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield running.append
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


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
    engine.close()
    if as_json:
        print_json(plan_json(workflow.name, source.ref, found))
    else:
        emit("\n".join(plan_lines(workflow.name, source.ref, found)))
