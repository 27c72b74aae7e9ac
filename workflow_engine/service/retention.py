"""Removes what is old from the store while the service runs, little by little.

`store/retention.py` says what is old and what is kept of it. Between two batches the others get
their turn; a backlog of years takes as long as it takes.
"""

import logging
import threading

from workflow_engine.settings import RetentionSettings
from workflow_engine.store import Store, Window

log = logging.getLogger(__name__)

#: seconds between two rounds, and before the first one, or after one that failed
PERIOD = 3600.0
FIRST = 30.0
#: seconds between two batches
PAUSE = 0.2
#: seconds that a batch may still take at the end; what it did not commit is as before
_STOP_SECONDS = 5.0
#: free pages that are given back at once, and that are kept for what comes
_PAGES = 500
_ROOM = 1000


class Retention:
    """A component of `serve`."""

    name = "retention"

    def __init__(self, store: Store, settings: RetentionSettings, *, first: float = FIRST) -> None:
        """`first` is the time before the first round, in seconds."""
        self._store = store
        self._settings = settings
        self._first = first
        self._problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch that is being removed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def status(self) -> str:
        """Return why old executions are not removed, empty when they are."""
        return self._problem

    def _run(self) -> None:
        wait = self._first
        while not self._stopping.wait(wait):
            try:
                self._round()
                self._problem, wait = "", PERIOD
            except Exception as error:  # the store may fail now and answer at the next round
                if not self._problem:
                    log.warning("old executions cannot be removed: %s", error)
                self._problem = "Old executions cannot be removed; the log tells why."
                wait = FIRST

    def _round(self) -> None:
        chosen = self._settings
        windows = self._store.retention.windows(days=chosen.days, executions=chosen.executions)
        removed = sum(map(self._prune, windows))
        if not removed:
            return
        log.info("%d old executions were removed from the store", removed)
        left = None
        while not self._stopping.wait(PAUSE):
            left, before = self._store.upkeep.give_back(_PAGES), left
            if left <= _ROOM or left == before:  # a file that was made without that stays large
                return

    def _prune(self, window: Window) -> int:
        removed, after = 0, None
        while not self._stopping.is_set():
            batch = self._store.retention.prune(window, after)
            removed += batch.executions
            after = batch.following
            if after is None or self._stopping.wait(PAUSE if batch.executions else 0):
                break
        return removed
