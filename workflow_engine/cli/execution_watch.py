"""`execution watch`: an execution as it goes, from any terminal, until it ends."""

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli import run_ids
from workflow_engine.cli.common import (
    EXIT_BROKEN,
    AsJson,
    emit,
    exit_code,
    print_json,
    printable,
    settings,
    status,
)
from workflow_engine.cli.execution_list import waits_for
from workflow_engine.cli.summary import execution_lines
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    ExecutionState,
    Progress,
)

if TYPE_CHECKING:
    from workflow_engine.cli.progress import LiveProgress
    from workflow_engine.engine import Engine
    from workflow_engine.store import Store

#: seconds between two looks at the store
_PAUSE = 0.5
#: seconds between two looks for the run of an object, which asks the bucket
_PAUSE_OF_OBJECT = 1.0


def watch(
    given: Annotated[
        str,
        typer.Argument(
            help="RunId of the execution, or its beginning; or an object, by its URL or its path "
            "in the folder of a bucket.",
            metavar="RUNID",
            autocompletion=run_ids.complete,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show an execution live until it ends, whatever process runs it, then how it ended.

    Of an object, it is the newest run of the version that lies there; where there is none yet, it
    is waited for. The exit code is that of `run`. Ctrl-C ends the watching, not the execution.
    """
    from workflow_engine.cli.progress import LiveProgress
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        run_id = (
            _run_of_object(engine, given) if "/" in given else run_ids.whole(engine.store, given)
        )
        with LiveProgress() as progress:
            record = _follow(engine.store, run_id, progress)
    if as_json:
        print_json(record.to_wire())
    else:
        emit("\n".join(execution_lines(record)))
    raise typer.Exit(exit_code(record) if record.state.ended else EXIT_BROKEN)


def _run_of_object(engine: "Engine", given: str) -> str:
    """Wait for a run of an object. Raises InvalidInputError for what is not an object."""
    told = ""
    while True:
        found = engine.intake.explain(given)
        if found.facts and found.facts.present_runs:
            newest = max(found.facts.present_runs, key=lambda record: record.created)
            return newest.run_id
        if found.conclusion != told:
            told = found.conclusion
            status(f"Waiting for a run of {given}: {told}")
        time.sleep(_PAUSE_OF_OBJECT)


def _follow(store: "Store", run_id: str, progress: "LiveProgress") -> ExecutionRecord:
    """Show an execution until it ends, or nobody will continue it."""
    shown: dict[str, ActivityRecord] = {}
    told = ""
    while True:
        record = run_ids.execution(store, run_id)
        _show(record, shown, progress)
        if record.state.ended:
            return record
        said = _standstill(store, record)
        if said and said != told:
            progress.say(printable(said))
        told = said
        if told and record.state is not ExecutionState.QUEUED and not store.services.living():
            return record
        time.sleep(_PAUSE)


def _show(
    record: ExecutionRecord, shown: dict[str, ActivityRecord], progress: "LiveProgress"
) -> None:
    """Show what has changed since the last look."""
    for activity in record.activities:
        before = shown.get(activity.name)
        if activity == before or activity.state is ActivityState.WAITING:
            continue
        shown[activity.name] = activity
        if before is None or (before.state, before.message) != (activity.state, activity.message):
            progress.activity_changed(activity)
        if activity.state is ActivityState.RUNNING:
            progress.progressed(activity.name, Progress(fraction=activity.progress))


def _standstill(store: "Store", record: ExecutionRecord) -> str:
    """Say why an execution does not go on; empty where it does."""
    if record.state is ExecutionState.QUEUED:
        return waits_for(record.buckets, store.services.living())
    if store.queue.is_running(record.run_id):
        return ""
    return (
        f"No process runs it any more: mediaflow execution resume {record.run_id} continues it, "
        "and so does mediaflow serve what it had taken from its queue."
    )
