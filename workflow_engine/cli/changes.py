"""`run --watch`: a run for every change of what shapes it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from workflow_engine.cli.common import EXIT_INTERRUPTED, fail, status
from workflow_engine.cli.interruption import interruptible
from workflow_engine.errors import Code, InterruptedRunError, MediaflowError

if TYPE_CHECKING:
    from workflow_engine.records import ExecutionRecord
    from workflow_engine.run.runner import Executor

#: seconds between two looks; what differs between two looks is still being written
_PAUSE = 0.5


def run_on_changes(
    once: "Callable[[], tuple[ExecutionRecord, Executor]]",
    files: Sequence[Path],
    given: str,
    present: Callable[[], str | None],
) -> NoReturn:
    """Run again whenever one of some files, a template or the input has changed.

    The first file is the topology; templates lie beside it. `given` is the input, and `present`
    finds which version of it lies there, None for nothing, unless it is one of the files; it may
    raise MediaflowError. What is wrong with a topology, or an input that is away, is said and
    waited for. Ends with Ctrl-C.
    """
    look = _Look(files, present)
    while True:
        with interruptible():
            before = look()
        try:
            record, _ = once()
        except InterruptedRunError:
            raise
        except MediaflowError as error:
            fail(error)
        else:
            if record.code == Code.INTERRUPTED:
                raise typer.Exit(EXIT_INTERRUPTED)
        watched = dict.fromkeys([*map(str, files), given])
        status(f"Waiting for a change of {', '.join(watched)}; Ctrl-C ends.")
        with interruptible():
            _wait(before, look)


def _wait(before: list[object], look: "_Look") -> None:
    """Wait until something is not what it was, and does not change any more."""
    last = before
    while (found := look()) == before or found != last:
        last = found
        time.sleep(_PAUSE)


class _Look:
    """Finds what shapes a run as it is now; an input that cannot be asked for is what it was."""

    def __init__(self, files: Sequence[Path], present: Callable[[], str | None]) -> None:
        self._files = files
        self._present = present
        self._version: str | None = None

    def __call__(self) -> list[object]:
        with suppress(MediaflowError):
            self._version = self._present()
        return [*_versions(self._files), self._version]


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
