"""`store prune|backup|check`: the database of executions as an operator looks after it."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import (
    EXIT_BROKEN,
    AsJson,
    emit,
    print_json,
    printable,
    settings,
    size_text,
)
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import Json, wire_time

if TYPE_CHECKING:
    from workflow_engine.settings import Settings
    from workflow_engine.store import Checked, Store

app = App(help="The store: prune, backup, check.")


#: free pages that are given back at once
_PAGES = 1000


@app.command()
def prune(
    days: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Older than N days; default: [retention] days."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many it would remove.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old executions, and give their space back to the disk; `serve` does it every hour.

    What runs or waits stays, and so do the media library and what keeps landed objects from
    running twice. Finished steps of removed executions are not reused any more. With --days only
    age counts; without it the limits of [retention] do.
    """
    with _opened() as (chosen, store):
        limits = chosen.retention
        windows = store.retention.windows(
            days=limits.days if days is None else days,
            executions=limits.executions if days is None else 0,
        )
        step = store.retention.count if dry_run else store.retention.prune
        removed = 0
        for window in windows:
            batch = step(window)
            removed += batch.executions
            while batch.following is not None:
                batch = step(window, batch.following)
                removed += batch.executions
        before = store.upkeep.sizes()
        advice = "" if dry_run else _shrink(store)
        after = store.upkeep.sizes()
    if as_json:
        found = {"Executions": removed, "DryRun": dry_run, "Bytes": after.database}
        print_json({**found, "BytesBefore": before.database, "Advice": advice})
        return
    what = "would be removed" if dry_run else "were removed"
    emit(f"{removed} executions {what}; the store has {size_text(after.database)}")
    if advice:
        emit(advice)


def _shrink(store: "Store") -> str:
    """Give free space back; return what to do where that is not possible now, else ""."""
    if store.upkeep.shrinks():
        left, before = store.upkeep.give_back(_PAGES), 0
        while left and left != before:
            left, before = store.upkeep.give_back(_PAGES), left
        return ""
    if store.services.living() or store.queue.anything_runs():
        free = size_text(store.upkeep.sizes().free)
        return (
            f"The store is a file of an older version, which keeps its free space ({free}). To "
            "rewrite it, stop what works on it and run mediaflow store prune again."
        )
    store.upkeep.rewrite()
    return ""


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The new file.", metavar="FILE")],
    as_json: AsJson = False,
) -> None:
    """Copy the store into a file, as it is at this moment, while others work on it.

    A plain copy of the file of the store is not enough: what was written last stands in the file
    beside it that ends in -wal. For PostgreSQL the error names the command of its own tool.
    """
    with _opened() as (_, store):
        size = store.upkeep.backup(file.absolute())
    if as_json:
        print_json({"File": str(file.absolute()), "Bytes": size})
    else:
        emit(printable(f"{file}  {size_text(size)}"))


@app.command()
def check(as_json: AsJson = False) -> None:
    """Read the whole store and say what is in it; exit code 1 when it is damaged."""
    from workflow_engine.store import shown_url

    with _opened() as (chosen, store):
        found = store.upkeep.check()
        url = shown_url(chosen.store.url)
    if as_json:
        print_json(_check_json(url, found))
    else:
        for title, text in _check_lines(url, found):
            emit(printable(f"{title:<11}{text}"))
    if found.problems:
        raise typer.Exit(EXIT_BROKEN)


@contextmanager
def _opened() -> "Generator[tuple[Settings, Store]]":
    """Open the store that the settings name; unlike other commands these create none."""
    from workflow_engine.store import Store, shown_url

    chosen = settings()
    if not Store.exists(chosen.store.url):
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no store at "{shown_url(chosen.store.url)}".',
            remedy="Set [store] url, --config or MEDIAFLOW_DATA to those of the service.",
        )
    with closing(Store.open(chosen.store.url)) as store:
        yield chosen, store


def _check_lines(url: str, found: "Checked") -> list[tuple[str, str]]:
    sizes = found.sizes
    states = ", ".join(f"{count} {name}" for name, count in sorted(found.outcomes.items()))
    lines = [
        ("Store", f"{url}, schema version {found.schema_version}"),
        (
            "Size",
            f"{size_text(sizes.database)}, of it free {size_text(sizes.free)}; "
            f"log {size_text(sizes.log)}",
        ),
        ("Executions", f"{found.rows['executions']}{f' ({states})' if states else ''}"),
        ("Oldest", wire_time(found.oldest) if found.oldest else "none"),
        ("Rows", ", ".join(f"{name} {count}" for name, count in sorted(found.rows.items()))),
    ]
    if not found.shrinks:
        lines.append(("Space", "free space is kept; see mediaflow store prune"))
    lines += [("Problem", problem) for problem in found.problems]
    return [*lines, ("Result", "damaged: restore a backup" if found.problems else "sound")]


def _check_json(url: str, found: "Checked") -> dict[str, Json]:
    return {
        "Store": url,
        "SchemaVersion": found.schema_version,
        "Problems": list(found.problems),
        "Executions": dict(found.outcomes),
        "Oldest": wire_time(found.oldest) if found.oldest else "",
        "Rows": dict(found.rows),
        "Bytes": found.sizes.database,
        "LogBytes": found.sizes.log,
        "FreeBytes": found.sizes.free,
        "Shrinks": found.shrinks,
    }
