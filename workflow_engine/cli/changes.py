"""`run --watch`: a run for every change of what shapes it."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from workflow_engine.cli.common import EXIT_INTERRUPTED, fail, status
from workflow_engine.cli.interruption import interruptible
from workflow_engine.errors import Code, InterruptedRunError, MediaflowError

if TYPE_CHECKING:
    from workflow_engine.records import ExecutionRecord
    from workflow_engine.run.runner import Executor
    from workflow_engine.run.source import Source

#: seconds between two looks; what differs between two looks is still being written
_PAUSE = 0.5


def run_on_changes(
    once: "Callable[[], tuple[ExecutionRecord, Executor, Source]]",
    files: Sequence[Path],
) -> NoReturn:
    """Run again whenever one of some files, a template or the input has changed.

    The first file is the topology; templates lie beside it. What is wrong with a topology, or an
    input that is away, is said and waited for. Ends with Ctrl-C.
    """
    source: Source | None = None
    while True:
        before = [*_versions(files)]
        try:
            record, _, source = once()
        except InterruptedRunError:
            raise
        except MediaflowError as error:
            fail(error)
        else:
            if record.code == Code.INTERRUPTED:
                raise typer.Exit(EXIT_INTERRUPTED)
        status(f"Waiting for a change of {', '.join(map(str, files))}; Ctrl-C ends.")
        with interruptible():
            _wait(before, files, source)


def _wait(before: list[object], files: Sequence[Path], source: "Source | None") -> None:
    """Wait until something is not what it was, and does not change any more."""
    last: list[object] = before
    while True:
        found: list[object] = [*_versions(files)]
        if source is not None and source.bucket.remote:
            head = source.bucket.head(source.ref.object)
            found += [head.version] if head and head.version != source.info.version else []
        if found != before and found == last:
            return
        last = found
        time.sleep(_PAUSE)


def _versions(files: Sequence[Path]) -> Iterator[object]:
    """Yield name, size and time of each file, and of the templates beside the topology."""
    from workflow_engine.catalog.template_files import FOLDER

    for path in (*files, *sorted((files[0].parent / FOLDER).glob("*.json"))):
        try:
            facts = path.stat()
        except OSError:
            yield str(path)
        else:
            yield str(path), facts.st_size, facts.st_mtime_ns
