"""Watches a folder where there is no inotify, by what watchdog has for that system."""

import os
from collections.abc import Callable

from watchdog.events import (
    EVENT_TYPE_CLOSED_NO_WRITE,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_OPENED,
    DirModifiedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

_IGNORED = (EVENT_TYPE_DELETED, EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE)


class FolderWatch(FileSystemEventHandler):
    """As `inotify.FolderWatch`. The bucket is listed after a folder has appeared."""

    short = False

    def __init__(
        self,
        root: str,
        *,
        found: Callable[[bytes], None],
        lost: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        """Begin to watch. Raises OSError when the folder itself cannot be watched."""
        self._root = root
        self._found = found
        self._lost = lost
        self._broken = broken
        self._observer = Observer()
        self._observer.schedule(self, root, recursive=True)
        self._observer.start()

    def close(self) -> None:
        """Stop watching."""
        self._observer.stop()
        self._observer.join()

    @property
    def alive(self) -> bool:
        """Whether events are still being read."""
        return self._observer.is_alive()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Take an event."""
        path = os.fsdecode(event.dest_path or event.src_path)
        if path == self._root and event.event_type in (EVENT_TYPE_DELETED, "moved"):
            self._broken()
        elif event.event_type in _IGNORED or isinstance(event, DirModifiedEvent):
            return
        elif event.is_directory:
            self._lost()
        elif _shown(os.path.relpath(path, self._root)):
            self._found(os.fsencode(path))


def _shown(key: str) -> bool:
    return not any(part.startswith(".") or part.endswith(".part") for part in key.split(os.sep))
