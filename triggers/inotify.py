"""Watches a folder and everything below it by inotify, through watchdog's reader of it.

watchdog's own observer is not used on Linux, for four things that were measured with 7.1: a file
that is renamed away holds back every later event for half a second; 5,000 files that are written
as `*.part` and renamed take up to four seconds, or overflow the queue; a folder for which no
watch is left is passed over in silence; and each folder in a new folder prints a warning.

Nothing is lost to the time between the making of a folder and its watch: the watch comes first,
then the folder is read, and whatever comes later has an event.
"""

import errno
import itertools
import logging
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

log = logging.getLogger(__name__)

#: no `IN_MODIFY`, which comes with every write of every writer, and no `IN_ATTRIB`: a change of
#: permissions does not land an object
_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_EXCL_UNLINK
)
_APPEARED = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
_LEFT = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_UNMOUNT
#: what `inotify_add_watch` returned for a folder that may not be read
_REFUSED = WatchDescriptor(-1)


class _Watched(NamedTuple):
    path: bytes
    id: CallbackId


class FolderWatch:
    """Calls `found` with the path of every file below a folder that something happened to.

    `lost` is called when events are missing: the queue was full. `broken` is called when the
    watch is worth nothing any more. All three are called from a thread of the watch.
    """

    def __init__(
        self,
        root: str,
        *,
        found: Callable[[bytes], None],
        lost: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        """Begin to watch. Raises OSError when the folder itself cannot be watched."""
        self._root = os.fsencode(root)
        self._found = found
        self._lost = lost
        self._broken = broken
        self._ids = itertools.count()
        self._watched: dict[WatchDescriptor, _Watched] = {}
        self._lock = threading.RLock()
        #: whether there were not enough watches for every folder
        self.short = False
        self._inotify = InotifyFD()
        self._inotify.start()
        try:
            self._add(self._root)
            self._add_tree(self._root, new=False)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop watching."""
        self._inotify.stop()
        self._inotify.join()

    @property
    def alive(self) -> bool:
        """Whether events are still being read."""
        return self._inotify.is_alive()

    # --- what the reader calls -----------------------------------------------------------

    def on_event(self, event: InotifyEvent) -> None:
        """Take an event of a watched folder."""
        try:
            with self._lock:
                self._take(event)
        except Exception:
            log.exception('the watch of "%s" broke', os.fsdecode(self._root))
            self._broken()

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a folder that is gone."""
        with self._lock:
            self._watched.pop(wd, None)

    def on_queue_overflow(self) -> None:
        """Look for folders whose making was among the lost events."""
        try:
            self._add_tree(self._root, new=False)
        except Exception:
            log.exception('the watch of "%s" broke', os.fsdecode(self._root))
            self._broken()
        self._lost()

    # --- the folders ---------------------------------------------------------------------

    def _take(self, event: InotifyEvent) -> None:
        watched = self._watched.get(event.wd)
        if watched is None:
            return
        if event.name:
            if hidden(event.name):
                return
            path = os.path.join(watched.path, event.name)
            if not event.mask & InotifyConstants.IN_ISDIR:
                self._found(path)
            elif event.mask & _APPEARED:
                self._add_tree(path, new=True)
        elif event.mask & _LEFT:
            # a file system that is unmounted below the root leaves another folder behind
            if watched.path == self._root or event.mask & InotifyConstants.IN_UNMOUNT:
                self._broken()
        elif event.is_move_self:
            if watched.path == self._root:
                self._broken()
            elif not self._lies_at(event.wd, watched.path):
                self._forget_tree(watched.path)

    def _lies_at(self, wd: WatchDescriptor, path: bytes) -> bool:
        """Whether a folder that was moved lies at a path: it was moved inside, and is known."""
        try:
            return self._add(path) == wd
        except OSError:
            return False

    def _forget_tree(self, root: bytes) -> None:
        """Watch a folder that was moved out no more; what takes its place has events to come."""
        below = root + b"/"
        gone = [
            (wd, watched.id)
            for wd, watched in self._watched.items()
            if watched.path == root or watched.path.startswith(below)
        ]
        self._inotify.remove_callbacks(gone)
        for wd, _ in gone:
            del self._watched[wd]

    def _add_tree(self, root: bytes, *, new: bool) -> None:
        """Watch a folder and those below it. `new`: tell of the files that lie there."""
        folders = [root]  # not recursive: a tree may be deeper than Python's stack
        while folders:
            folder = folders.pop()
            try:
                self._add(folder)
                with os.scandir(folder) as scan:
                    entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan]
            except OSError as error:
                log.debug('"%s" is not watched: %s', os.fsdecode(folder), error)
                continue
            for name, is_folder in entries:
                if hidden(name):
                    continue
                if is_folder:
                    folders.append(os.path.join(folder, name))
                elif new:
                    self._found(os.path.join(folder, name))

    def _add(self, folder: bytes) -> WatchDescriptor:
        """Watch one folder. Raises OSError."""
        with self._lock:
            # a callback that is added twice prints a warning, hence a new id each time
            watched = _Watched(folder, CallbackId(next(self._ids)))
            try:
                wd = self._inotify.add_callback(folder, _MASK, self, watched.id)
            except OSError as error:
                self.short = self.short or error.errno == errno.ENOSPC
                raise
            if wd == _REFUSED:
                self._inotify.remove_callbacks([(wd, watched.id)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
            before = self._watched.get(wd)
            self._watched[wd] = watched
            if before is not None:
                self._inotify.remove_callbacks([(wd, before.id)])
            return wd


def hidden(name: bytes) -> bool:
    """Whether a file or folder of this name is none of ours: hidden, or not finished."""
    return name.startswith(b".") or name.endswith(b".part")
