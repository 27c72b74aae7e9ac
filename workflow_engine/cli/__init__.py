"""The command line `mediaflow`; one module per group of commands.

Commands import the engine when they run, so that `--help` and the light commands start fast.
`common.py` holds what all of them share: settings, error output, JSON output.
"""

import atexit
import gc
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from workflow_engine.cli import (
    doctor,
    execution,
    init,
    media,
    notify,
    pipeline,
    prefect,
    run,
    serve,
    store,
    template,
    topology,
    trigger,
    workflow,
)
from workflow_engine.cli.commands import App, QuietOption, VerboseOption, call
from workflow_engine.cli.common import fail, options
from workflow_engine.cli.log_lines import OURS, TextLines
from workflow_engine.errors import Code, InvalidInputError, MediaflowError

#: thresholds of the garbage collector: half of the start would be collections that find nothing
_GC_THRESHOLDS = (50_000, 20, 50)

app = App(
    name="mediaflow",
    help="Run MediaWorkflow topologies on media files: transcode, snapshot, analyse, report.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 well, 1 an activity or the run failed, 2 invalid input, 130 interrupted.",
)

app.command()(init.init)
app.command()(run.run)
app.command()(run.plan)
app.command()(topology.validate)
app.command()(topology.graph)
app.command()(topology.schema)
app.command()(doctor.doctor)
app.command()(serve.serve)
app.add_typer(workflow.app, name="workflow")
app.add_typer(execution.app, name="execution")
app.add_typer(media.app, name="media")
app.add_typer(template.app, name="template")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(trigger.app, name="trigger")
app.add_typer(notify.app, name="notify")
app.add_typer(store.app, name="store")
app.add_typer(prefect.app, name="prefect")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mediaflow {version('mediaflow')}")
        raise typer.Exit


@app.callback()
def _global(
    config: Annotated[
        Path | None,
        typer.Option(
            help="Configuration file; default: MEDIAFLOW_CONFIG, else ./mediaflow.toml.",
            metavar="FILE",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    options.config = config


def main() -> None:
    """Run the command line; every error becomes one sentence and an exit code."""
    _collect_seldom()
    _open_streams()
    _configure_logging()
    try:
        _check_arguments()
        sys.exit(call(app))
    except MediaflowError as error:
        if _debugging():
            traceback.print_exc()
        sys.exit(fail(error))
    except Exception as error:
        if _debugging():
            traceback.print_exc()
        message = f"The operation has failed unexpectedly: {error!r}."
        remedy = "Set MEDIAFLOW_DEBUG=1 to see where."
        sys.exit(fail(MediaflowError(Code.INTERNAL, message, remedy=remedy)))


def _debugging() -> bool:
    return bool(os.environ.get("MEDIAFLOW_DEBUG"))


def _collect_seldom() -> None:
    """Let the collector look at what imports make neither again and again nor at the end."""
    gc.set_threshold(*_GC_THRESHOLDS)
    atexit.register(gc.freeze)


def _open_streams() -> None:
    """Stand in for streams that the caller closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def _configure_logging() -> None:
    """Print warnings as one line each; where they come from only when debugging."""
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines("%(levelname)s: %(message)s", tracebacks=_debugging()))
    for name in OURS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if _debugging() else logging.WARNING)
        logger.propagate = False


def _check_arguments() -> None:
    """Refuse arguments that are no text: they could neither be stored nor printed."""
    for argument in sys.argv[1:]:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            shown = argument.encode("utf-8", "backslashreplace").decode()
            raise InvalidInputError(
                Code.FORMAT,
                f'The argument "{shown}" is not UTF-8.',
                remedy="Give the file a name in UTF-8.",
            )
