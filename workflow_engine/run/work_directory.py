"""Where executions work: `<root>/<RunId>/attempt-*`, private and thrown away at the end.

A directory is in use while a process holds the lock in it, whichever store that process has and
however long it was suspended; the kernel gives the lock back when the process dies. What nobody
holds was left by a killed process and goes when the next execution begins, except for attempts
whose outputs somebody is about to publish.
"""

import fcntl
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_LOCK = ".lock"


class WorkDirectory:
    """The directory of one execution. Whoever took it over holds the same one."""

    def __init__(self, root: Path, run_id: str) -> None:
        self._path = root / run_id
        self._attempts: list[Path] = []
        self._lock = -1
        self._mutex = threading.Lock()

    def attempt(self) -> Path:
        """Return a new empty directory. Raises OSError."""
        with self._mutex:
            if self._lock < 0:
                self._lock = _hold(self._path)
            made = Path(tempfile.mkdtemp(dir=self._path, prefix="attempt-"))
            self._attempts.append(made)
        return made

    def discard(self, attempt: Path) -> None:
        """Remove one of the directories."""
        with self._mutex:
            self._attempts.remove(attempt)
        shutil.rmtree(attempt, ignore_errors=True)

    def leave(self) -> None:
        """Stop working here, as when the process dies: `sweep` removes what nobody needs."""
        with self._mutex:
            self._attempts.clear()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def remove(self) -> None:
        """Remove what was made here, and the directory unless somebody else works in it."""
        with self._mutex:
            for attempt in self._attempts:
                shutil.rmtree(attempt, ignore_errors=True)
        self.leave()
        _remove_unused(self._path)


#: returns the files of an execution, by RunId, that somebody is about to publish
Needed = Callable[[str], Iterable[Path]]


def _nothing(run_id: str) -> Iterable[Path]:
    return ()


def sweep(root: Path, needed: Needed = _nothing) -> None:
    """Remove what killed processes left below `root`, but for attempts with needed files.

    `needed` is called for each directory, while nobody can work in it.
    """
    try:
        found = list(root.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:  # must not keep an execution from beginning
        log.warning("what killed processes left in %s stays for now: %s", root, error)
        return
    for path in found:
        _remove_unused(path, needed)


def _hold(path: Path) -> int:
    """Create a directory, hold its lock together with others, and return the open lock."""
    while True:
        path.mkdir(parents=True, exist_ok=True)
        try:
            lock = _open(path)
        except FileNotFoundError:
            continue  # another process has just removed the directory
        # file systems without locks sweep nothing
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        if _is_there(path, lock):
            return lock
        os.close(lock)


def _remove_unused(path: Path, needed: Needed = _nothing) -> None:
    try:
        lock = _open(path)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        log.debug("%s is in use", path)
    else:
        _remove(path, needed)
    finally:
        os.close(lock)


def _remove(path: Path, needed: Needed) -> None:
    try:
        files = [file for file in needed(path.name) if file.is_relative_to(path)]
    except Exception as error:  # what others left must not break whoever finds it
        log.warning("%s stays until it is looked at again: %s", path, error)
        return
    kept = {file.relative_to(path).parts[0] for file in files}
    if not kept:
        shutil.rmtree(path, ignore_errors=True)
    for attempt in path.glob("attempt-*"):
        if attempt.name not in kept:
            shutil.rmtree(attempt, ignore_errors=True)


def _open(path: Path) -> int:
    return os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _is_there(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(os.stat(path / _LOCK), os.fstat(lock))
    except FileNotFoundError:
        return False
