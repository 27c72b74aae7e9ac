"""Takes keys one by one from the threads of a watch, and notes them many at once.

One transaction for each event would be too slow for a burst. What cannot be noted because the
store is locked or away is kept and tried again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice

from triggers.listener import ListenedBucket
from workflow_engine.listening import Intake, Notice

log = logging.getLogger(__name__)

#: seconds that a first key waits for others, which are then due together
GATHER_SECONDS = 0.005
#: keys that are noted at once
BATCH = 500
#: seconds between attempts while the store takes nothing
RETRY_SECONDS = 1.0
#: keys that are kept in the meantime; more are left to the next listing
KEPT = 200_000
#: seconds that the last attempt gets
PATIENCE = 10.0


class NoticeBuffer:
    """Notes the keys of one bucket. `say` gets what keeps them from being noted, or ""."""

    def __init__(
        self, intake: Intake, bucket: ListenedBucket, source: str, say: Callable[[str], None]
    ) -> None:
        self._intake = intake
        self._bucket = bucket
        self._source = source
        self._say = say
        self._heard: dict[str, float] = {}  # when the last event of each key came
        self._changed = threading.Condition()
        self._closing = False
        self._missed = False
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Begin to note what is added."""
        self._thread.start()

    def add(self, key: str) -> None:
        """Have a key noted soon."""
        with self._changed:
            if len(self._heard) < KEPT:
                self._heard[key] = time.monotonic()
            else:
                self._missed = True
            if len(self._heard) in (1, BATCH):
                self._changed.notify()

    def close(self) -> None:
        """Note what is left, in one attempt, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        while batch := self._next():
            if self._note(batch):
                continue
            with self._changed:
                if self._closing:
                    return
                self._heard = batch | self._heard
                self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)

    def _next(self) -> dict[str, float]:
        """Wait for keys and return some of them, none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._heard or self._closing)
            self._changed.wait_for(
                lambda: len(self._heard) >= BATCH or self._closing, GATHER_SECONDS
            )
            batch = dict(islice(self._heard.items(), BATCH))
            for key in batch:
                del self._heard[key]
            return batch

    def _note(self, batch: Mapping[str, float]) -> bool:
        bucket, report = self._bucket.name, self._bucket.report
        notices = [Notice(bucket=bucket, key=key, source=self._source) for key in batch]
        # they settle from the last event on, not from now
        passed = time.monotonic() - max(batch.values())
        quiet = max(0.0, self._bucket.settings.settle_seconds - passed)
        try:
            self._intake.note(notices, settle_seconds=quiet)
        except Exception as error:  # whatever the database driver thinks of
            if not self._missed:
                log.warning('events of the bucket "%s" wait: %s', bucket, error)
            self._say(f'The events of the bucket "{bucket}" cannot be stored: {error}')
            self._missed = True
            return False
        if self._missed:
            self._missed = False
            self._say("")
            report.reconcile()
        report.heard(len(notices))
        return True
