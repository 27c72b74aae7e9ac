"""`notify`: the people who are told how executions end."""

from typing import Annotated

import typer

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import EXIT_BROKEN, emit, print_json, printable, settings
from workflow_engine.errors import Code, InvalidInputError, MediaflowError

app = App(help="Targets of notifications.")


@app.callback()
def _group() -> None:
    """Keep `test` a command of its own."""


@app.command()
def test(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Targets; default: all.")
    ] = None,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object to stdout."),
) -> None:
    """Send a test message to the targets of [notify.NAME].

    Exit code 1 when one of them could not be told.
    """
    from workflow_engine.notify import open_target, trial_note

    known = settings().notify
    if unknown := [name for name in names or () if name not in known]:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'The configuration has no target "{unknown[0]}" of notifications.',
            remedy=f"Add [notify.{unknown[0]}], or name one of: {', '.join(known) or 'none'}.",
        )
    if not known:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            "The configuration has no targets of notifications.",
            remedy="Add a section [notify.NAME]; see docs/notifications.md.",
        )
    told: list[dict[str, object]] = []
    for name in names or known:
        error: MediaflowError | None = None
        try:
            open_target(name, known[name]).send(trial_note(name))
        except MediaflowError as failed:
            error = failed
        told.append({"Name": name, "Sent": error is None, "Message": str(error or "")})
        if not as_json:
            emit(printable(f"FAIL {name}  {error}" if error else f"ok   {name}  sent"))
    if as_json:
        print_json({"Targets": told})
    if not all(one["Sent"] for one in told):
        raise typer.Exit(EXIT_BROKEN)
