"""RunIds as people give them: whole, or so much of the beginning as is unique."""

import re
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.common import settings
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionRecord, shown_state, wire_time

if TYPE_CHECKING:
    from workflow_engine.store import ExecutionLine, Store

#: candidates that an error names
_NAMED = 5
#: RunIds that a shell offers
_OFFERED = 20

_PREFIX = re.compile(r"[0-9a-f]{1,32}")
_WHOLE = 32


def complete(incomplete: str) -> list[tuple[str, str]]:
    """Return the newest executions whose RunIds begin so, with what they are, for a shell."""
    from workflow_engine.store import ExecutionFilter, Store

    url = settings().store.url
    if not Store.exists(url):
        return []
    with closing(Store.open(url)) as store:
        if incomplete:
            lines = store.executions.starting_with(incomplete, limit=_OFFERED)
        else:
            lines = store.executions.line_page(ExecutionFilter(), limit=_OFFERED).items
    return [(line.run_id, f"{line.workflow} {line.bucket}/{line.object}") for line in lines]


RunIdArgument = Annotated[
    str,
    typer.Argument(
        help="RunId of the execution, or its beginning.",
        metavar="RUNID",
        autocompletion=complete,
    ),
]


def whole(store: "Store", given: str) -> str:
    """Return the RunId that is given or begins so.

    Raises InvalidInputError when none does, and when several do, which it names.
    """
    if len(given) == _WHOLE or not _PREFIX.fullmatch(given):
        return given  # whoever looks for it says that there is none
    lines = store.executions.starting_with(given, limit=_NAMED + 1)
    if len(lines) == 1:
        return lines[0].run_id
    if not lines:
        raise unknown(given)
    named = "; ".join(map(_named, lines[:_NAMED])) + ("; ..." if lines[_NAMED:] else "")
    raise InvalidInputError(
        Code.INVALID,
        f'Several RunIds begin with "{given}": {named}.',
        remedy="Give more of it.",
    )


def execution(store: "Store", given: str) -> ExecutionRecord:
    """Return the execution whose RunId is given or begins so. Raises InvalidInputError."""
    record = store.executions.get(whole(store, given))
    if record is None:
        raise unknown(given)
    return record


def unknown(run_id: str) -> InvalidInputError:
    """Return the error for a RunId that no execution has."""
    return InvalidInputError(
        Code.RESOURCE_NOT_FOUND,
        f'There is no execution with the RunId "{run_id}".',
        remedy="See mediaflow execution list.",
    )


def _named(line: "ExecutionLine") -> str:
    from workflow_engine.records import ExecutionState

    state = shown_state(ExecutionState(line.state), line.failed)
    return f"{line.run_id} ({line.workflow}, {wire_time(line.created)}, {state})"
