"""Listens to a local folder.

The watch is installed before the first listing, so that nothing lands between them. Every event
counts as a notice, whatever it was: whether the file is finished is decided later, when nothing
has happened to it for `settle_seconds`. Where no event can come from (too few inotify watches,
file systems that other machines write to) the bucket is listed every `poll_seconds`.

`folder.py` knows whether the folder is still the same, `inotify.py` watches it, `notice_buffer.py`
hands the notices over.
"""

import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from triggers.folder import Folder
from triggers.listener import ListenedBucket, ListenerContext
from triggers.notice_buffer import NoticeBuffer
from workflow_engine.listening import Code, Intake, SettingsError

if sys.platform == "linux":
    from triggers.inotify import FolderWatch
else:
    from triggers.observed import FolderWatch

log = logging.getLogger(__name__)

#: seconds between two looks at the folder itself
LOOK_SECONDS = 2.0
#: seconds until another attempt to watch everything when the kernel's limits were too low
LIMIT_SECONDS = 300.0
#: seconds that a look gets to end; a network mount may never answer
PATIENCE = 10.0
_LIMITS = {
    errno.ENOSPC: "fs.inotify.max_user_watches",
    errno.EMFILE: "fs.inotify.max_user_instances",
}


class WatchListener:
    """Tells of the files below the folders of its buckets."""

    def __init__(self, context: ListenerContext) -> None:
        """Raises SettingsError for a bucket that is not a folder."""
        self._folders = [_WatchedFolder(context.intake, bucket) for bucket in context.buckets]

    def start(self) -> None:
        """See `Listener.start`."""
        for folder in self._folders:
            folder.start()

    def stop(self) -> None:
        """See `Listener.stop`."""
        for folder in self._folders:
            folder.stop()
        for folder in self._folders:
            folder.join()

    def status(self) -> str:
        """See `Listener.status`."""
        return " ".join(filter(None, (folder.status() for folder in self._folders)))

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing."""
        return ()


class _WatchedFolder:
    """The folder of one bucket, in a thread of its own."""

    def __init__(self, intake: Intake, bucket: ListenedBucket) -> None:
        self._bucket = bucket.name
        if bucket.settings.path is None:
            raise SettingsError(
                Code.NOT_SUPPORTED,
                f'The bucket "{self._bucket}" is an object store, which cannot be watched.',
                pointer=f"/buckets/{self._bucket}/events",
                remedy='Use "poll", "webhook" or {sqs = "queue-url"}.',
            )
        self._intake = intake
        self._settings = bucket.settings
        self._report = bucket.report
        self._path: Path = bucket.settings.path
        self._buffer = NoticeBuffer(intake, bucket, "watch", self._say_stored)
        self._lock = threading.Lock()
        self._folder_trouble = self._store_trouble = ""
        self._listable = False
        self._folder: Folder | None = None
        self._watch: FolderWatch | None = None
        self._limit = ""
        self._installed = self._listed = 0.0
        self._told_missing = False
        self._broken = threading.Event()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {self._bucket}", daemon=True)

    def start(self) -> None:
        self._buffer.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def join(self) -> None:
        if self._thread.is_alive():
            self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self._close()
        self._buffer.close()

    def status(self) -> str:
        with self._lock:
            return " ".join(filter(None, (self._folder_trouble, self._store_trouble)))

    # --- the folder ----------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self._look()
            except Exception as error:
                log.exception('looking at the folder "%s" failed', self._path)
                self._lose(f"cannot be watched: {error!r}")
            self._wake.wait(LOOK_SECONDS)

    def _look(self) -> None:
        """Find out whether the watch is sound; install it where it is not."""
        try:
            now = Folder.find(self._path)
        except OSError as error:
            self._lose(f"cannot be read: {error.strerror}")
            return
        if now is None:
            self._lose("does not exist; make it, or mount it")
            self._tell_missing()
        elif self._folder is not None and self._folder.unmounted(now):
            self._lose(
                f'is not what it was: nothing is mounted at "{self._folder.mount}". Mount it, or '
                "restart mediaflow to watch what is there now"
            )
        elif self._sound(now):
            self._check_limits(now)
        else:
            self._install(now)

    def _sound(self, now: Folder) -> bool:
        if not self._listable or now != self._folder or self._broken.is_set():
            return False
        if self._limit and time.monotonic() - self._installed > LIMIT_SECONDS:
            return False
        return self._watch is None or self._watch.alive

    def _install(self, now: Folder) -> None:
        self._close()
        self._broken.clear()
        self._limit = ""
        root = os.fsencode(now.path)

        def found(path: bytes) -> None:
            self._buffer.add(os.fsdecode(path[len(root) :].lstrip(b"/")))

        try:
            self._watch = FolderWatch(
                now.path, found=found, lost=self._report.reconcile, broken=self._break
            )
        except OSError as error:
            if error.errno not in _LIMITS:
                self._lose(f"cannot be watched: {error.strerror}")
                return
            self._limit = _LIMITS[error.errno]
        if Folder.find(self._path) != now:
            self._wake.set()
            return
        log.info('watching "%s" for the bucket "%s"', now.path, self._bucket)
        self._folder = now
        self._listable = True
        self._installed = self._listed = time.monotonic()
        self._say_folder("")
        self._check_limits(now)
        self._report.listening()

    def _check_limits(self, now: Folder) -> None:
        """List the bucket now and then where the watch does not see everything."""
        if self._watch is not None and self._watch.short:
            self._limit = _LIMITS[errno.ENOSPC]
        seconds = self._settings.poll_seconds
        if self._limit:
            self._say_folder(
                f'The folders of the bucket "{self._bucket}" cannot all be watched: the kernel\'s '
                f"{self._limit} is too low. They are listed every {seconds:g} seconds; raise it "
                "with sysctl."
            )
        if (self._limit or now.remote) and time.monotonic() - self._listed >= seconds:
            self._listed = time.monotonic()
            self._report.reconcile()

    def _break(self) -> None:
        self._broken.set()
        self._wake.set()

    def _lose(self, what: str) -> None:
        """Stop until the folder is back."""
        self._listable = False
        text = f'The folder "{self._path}" of the bucket "{self._bucket}" {what}.'
        if text != self._folder_trouble:
            log.warning("%s", text)
        self._say_folder(text)
        self._close()

    def _tell_missing(self) -> None:
        """Have it remembered that there was no folder: all that comes into it is new."""
        if self._installed or self._told_missing:
            return
        self._intake.look_for_folder(self._bucket)
        self._told_missing = True

    def _close(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    # --- what is wrong -------------------------------------------------------------------

    def _say_folder(self, text: str) -> None:
        with self._lock:
            self._folder_trouble = text
        self._tell()

    def _say_stored(self, text: str) -> None:
        with self._lock:
            self._store_trouble = text
        self._tell()

    def _tell(self) -> None:
        self._report.problem(self.status(), listable=self._listable)
