"""The command line `mediaflow`; one module per group of commands.

Commands import the engine when they run, so that `--help` and the light commands start fast.
`common.py` holds what all of them share: settings, error output, JSON output.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_engine.cli import doctor, execution, prefect, run, topology
from workflow_engine.cli.common import EXIT_BROKEN, fail, options
from workflow_engine.errors import MediaflowError

app = typer.Typer(
    name="mediaflow",
    help="Run MediaWorkflow topologies on media files: transcode, snapshot, analyse, report.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 well, 1 an activity or the run failed, 2 invalid input, 130 interrupted.",
)

app.command()(run.run)
app.command()(run.plan)
app.command()(topology.validate)
app.command()(topology.graph)
app.command()(topology.schema)
app.command()(doctor.doctor)
app.add_typer(execution.app, name="execution")
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
) -> None:
    options.config = config


def main() -> None:
    """Run the command line; every error becomes one sentence and an exit code."""
    try:
        app()
    except MediaflowError as error:
        if os.environ.get("MEDIAFLOW_DEBUG"):
            raise
        sys.exit(fail(error))
    except Exception as error:
        if os.environ.get("MEDIAFLOW_DEBUG"):
            raise
        typer.echo(
            f"error: InternalError: The operation has failed unexpectedly: {error!r}. "
            "Set MEDIAFLOW_DEBUG=1 to see where.",
            err=True,
        )
        sys.exit(EXIT_BROKEN)
