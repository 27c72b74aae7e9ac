"""`execution resume`: one execution in the foreground, or many by way of the queue."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli import run_ids
from workflow_engine.cli.common import (
    EXIT_INVALID,
    emit,
    opened_engine,
    print_json,
    printable,
    problem_json,
    settings,
)
from workflow_engine.cli.interruption import interruptible
from workflow_engine.cli.run import (
    ExecutorChoice,
    ExecutorOption,
    leave,
    show_run,
)
from workflow_engine.errors import Code, InvalidInputError, Problem
from workflow_engine.records import utc_now

if TYPE_CHECKING:
    from workflow_engine.store import Store

#: executions of a list that are read at once
_PAGE = 500


def resume(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            help="RunIds of executions, or their beginnings.",
            metavar="RUNID",
            autocompletion=run_ids.complete,
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that failed, or have a failed activity.")
    ] = False,
    days: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --failed: those of the last N days.")
    ] = 7,
    executor: ExecutorOption = ExecutorChoice.PREFECT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Continue executions that were killed, interrupted or had failures.

    What succeeded is kept, everything else runs again, under the same RunId. One RUNID runs here,
    in the foreground. Several, and those of --failed, go back into the queue, for `serve` to run
    them; what was cancelled is not among --failed, and what `run` began must be resumed by itself.
    """
    given = given or []
    if failed is bool(given):
        raise InvalidInputError(
            Code.INVALID,
            "Either RUNIDs or --failed must be given, not both."
            if failed
            else "No RUNID is given, and not --failed.",
            remedy="See mediaflow execution list --failed.",
        )
    if len(given) == 1:
        _resume_here(given[0], executor, as_json=as_json)
    else:
        _requeue(given, days if failed else 0, as_json=as_json)


def _resume_here(run_id: str, executor: ExecutorChoice, *, as_json: bool) -> None:
    from workflow_engine.engine import Engine

    engine = Engine(settings())
    run_id = run_ids.whole(engine.store, run_id)
    with interruptible() as on_start:
        record, used = show_run(
            engine,
            executor,
            lambda chosen, observer: engine.resume(
                run_id, executor=chosen, observers=[observer], on_start=on_start
            ),
            as_json=as_json,
        )
    leave(engine, record, used)


def _requeue(given: list[str], days: int, *, as_json: bool) -> None:
    """Put executions back into the queue: the given ones, or what failed in the last days."""
    queued: list[str] = []
    left: list[Problem] = []
    with opened_engine() as engine:
        named = [run_ids.whole(engine.store, one) for one in given]
        for run_id in named or _failed_since(engine.store, utc_now() - timedelta(days=days)):
            try:
                engine.queue.requeue(run_id)
            except InvalidInputError as error:
                left.append(error.problem())
                if not as_json:
                    emit(printable(f"{run_id}  left: {error.problem()}"))
            else:
                queued.append(run_id)
                if not as_json:
                    emit(f"{run_id}  queued")
        alone = not engine.store.services.living()
    if as_json:
        print_json({"Queued": queued, "Problems": [problem_json(problem) for problem in left]})
    elif not queued and not left:
        emit(f"nothing has failed in the last {days} days")
    elif queued and alone:
        emit("No service is at work on this store: they run once mediaflow serve does.")
    if left and given:
        raise typer.Exit(EXIT_INVALID)


def _failed_since(store: "Store", since: datetime) -> list[str]:
    from workflow_engine.store import ExecutionFilter

    chosen = ExecutionFilter(failed=True, since=since)
    found: list[str] = []
    after = ""
    while True:
        page = store.executions.line_page(chosen, limit=_PAGE, after=after)
        found += [line.run_id for line in page.items]
        after = page.next_token
        if not after:
            return found[::-1]  # the oldest first, as they came
