"""Tells people how executions end: a component of `serve`, beside the runs.

Each target has a thread that looks into the store for what has ended, whoever ran it, and sends;
a target that hangs holds up nobody else. What is sent is claimed for `LOCK_SECONDS`, so that of
several services one tells it; what could not be sent waits in the store, and the next message
speaks of it.
"""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from workflow_engine.notify.target import Target, open_target
from workflow_engine.notify.text import note_of, summary_of
from workflow_engine.records import utc_now
from workflow_engine.settings import NotifySettings
from workflow_engine.store import Store
from workflow_engine.store.notifications import Notable, NotifyBatch

log = logging.getLogger(__name__)

#: between two looks for what has ended
POLL_SECONDS = 2.0
#: how long what is being sent belongs to this process; longer than any service may take
LOCK_SECONDS = 60.0
#: until the second attempt; doubled for each one after it, up to LONGEST_SECONDS
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 300.0
#: executions that one message names
LISTED = 20
#: seconds that messages get to be sent at the end, all together
PATIENCE = 5.0


class Notifier:
    """Tells every target of the settings. Raises SettingsError for one that cannot be used."""

    name = "notifications"

    def __init__(
        self, store: Store, targets: Mapping[str, NotifySettings], *, public_url: str = ""
    ) -> None:
        """`public_url` leads to the pages of `serve`, "" where none does."""
        self._tellers = [
            _Teller(store, open_target(name, settings), settings, public_url)
            for name, settings in targets.items()
        ]

    def start(self) -> None:
        """Begin to look."""
        for teller in self._tellers:
            teller.thread.start()

    def stop(self) -> None:
        """End; what is not sent waits for the next start."""
        for teller in self._tellers:
            teller.stopping.set()
        until = time.monotonic() + PATIENCE
        for teller in self._tellers:
            if teller.thread.is_alive():
                teller.thread.join(max(0.0, until - time.monotonic()))

    def status(self) -> str:
        """Return which targets cannot be told, empty when all can."""
        return " ".join(teller.problem for teller in self._tellers if teller.problem)


class _Teller:
    """Tells one target."""

    def __init__(
        self, store: Store, target: Target, settings: NotifySettings, public_url: str
    ) -> None:
        self._store = store
        self._target = target
        self._settings = settings
        self._public_url = public_url
        self._notable = Notable(
            failures_only=settings.on == "failure", workflows=settings.workflows
        )
        self._failures = 0
        #: why the target cannot be told, "" when it can
        self.problem = ""
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"notify {target.name}", daemon=True)

    def _run(self) -> None:
        pause = 0.0
        while not self.stopping.wait(pause):
            try:
                self._store.notifications.look(self._target.name, self._notable, self._due())
                pause = POLL_SECONDS if self._tell() is None else 0.0
                problem, self._failures = "", 0
            except Exception as error:  # the store or the target may answer at the next attempt
                problem, pause = f"Notifications wait: {error}", self._backoff()
                if not self.problem:
                    log.warning("%s", problem, exc_info=error)
            self.problem = problem

    def _due(self) -> datetime | None:
        """Return when what ends now is to be told; None: at once."""
        if self._settings.on != "digest":
            return None
        hours = timedelta(hours=self._settings.digest_hours)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + ((utc_now() - epoch) // hours + 1) * hours

    def _tell(self) -> NotifyBatch | None:
        """Send one message; None when there is nothing to say now, or one too many was said."""
        table, name = self._store.notifications, self._target.name
        waiting = table.waiting(name)
        if not waiting:
            return None
        told = table.messages_since(name, self._settings.per_minutes * 60)
        left = self._settings.at_most - told
        if left <= 0:
            return None
        # the last message of the period speaks of all that would be too many
        everything = self._settings.on == "digest" or (left == 1 and waiting > 1)
        batch = table.claim(name, everything=everything, lock_seconds=LOCK_SECONDS, listed=LISTED)
        if batch is not None:
            self._send(batch)
        return batch

    def _send(self, batch: NotifyBatch) -> None:
        table = self._store.notifications
        try:
            found = {one.run_id: one for one in self._store.executions.by_ids(batch.run_ids)}
            records = [found[run_id] for run_id in batch.run_ids if run_id in found]
            if batch.count == 1 and self._settings.on != "digest":
                note = note_of(records[0], self._public_url)
            else:
                note = summary_of(batch, records, self._public_url)
            self._target.send(note)
        except BaseException:
            table.postpone(batch, 0.0)
            raise
        table.sent(batch)

    def _backoff(self) -> float:
        self._failures += 1
        known: float = FIRST_SECONDS * 2 ** min(self._failures - 1, 16)
        return min(LONGEST_SECONDS, known)
