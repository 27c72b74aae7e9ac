"""Lists a bucket when its listener or the time calls for it, and keeps the record of both."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

from workflow_engine.listening import BucketSettings, Intake, ListenerRecord, MediaflowError

log = logging.getLogger(__name__)

#: seconds between listings of a bucket whose events arrive
RECONCILE_SECONDS = 600.0
#: seconds until a listing that failed is tried again
RETRY_SECONDS = 5.0
#: seconds between two listings, at least; also at least as long as the first of them took
SPACING_SECONDS = 1.0
#: seconds between looks at the record, and until it is written although nothing changed
RECORD_SECONDS = 2.0
HEARTBEAT_SECONDS = 30.0
#: seconds that a listing gets to end when the service stops
PATIENCE = 10.0


class BucketReconciler:
    """The `ListenerReport` of one bucket."""

    def __init__(self, intake: Intake, bucket: str, kind: str, settings: BucketSettings) -> None:
        self._intake = intake
        self._period = settings.poll_seconds if kind == "poll" else RECONCILE_SECONDS
        self._changed = threading.Condition()
        self._stopping = False
        self._listable = False
        self._wanted_at = self._earliest = 0.0
        self._record = ListenerRecord(bucket=bucket, kind=kind, updated=datetime.now(UTC))
        self._trouble = ""
        self._kept = True
        self._thread = threading.Thread(target=self._run, name=f"list {bucket}", daemon=True)

    def start(self) -> None:
        """Begin to list, as soon as the listener says that it makes sense."""
        self._thread.start()

    def stop(self) -> None:
        """End; a long listing is left to itself, and the next service makes its own."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def status(self) -> str:
        """Return why the bucket cannot be listed, empty when it can."""
        return self._trouble

    # --- what the listener reports -------------------------------------------------------

    def listening(self) -> None:
        """See `ListenerReport.listening`."""
        with self._changed:
            self._listable = True
            self._wanted_at = self._earliest = time.monotonic()
            self._changed.notify()

    def heard(self, notices: int) -> None:
        """See `ListenerReport.heard`."""
        with self._changed:
            self._record = replace(
                self._record, seen=self._record.seen + notices, last_event=datetime.now(UTC)
            )

    def problem(self, text: str, *, listable: bool = True) -> None:
        """See `ListenerReport.problem`."""
        with self._changed:
            self._record = replace(self._record, problem=text)
            if not listable:
                self._listable = False
                self._trouble = ""

    def reconcile(self) -> None:
        """See `ListenerReport.reconcile`."""
        with self._changed:
            self._wanted_at = min(self._wanted_at, time.monotonic())
            self._changed.notify()

    # --- the listings and the record -----------------------------------------------------

    def _run(self) -> None:
        saved = self._shown()
        saved_at = 0.0
        while True:
            with self._changed:
                if not self._stopping:
                    self._changed.wait(min(max(self._pause(), 0.0), RECORD_SECONDS))
                stopping = self._stopping
            if not stopping and self._pause() <= 0:
                self._list()
            shown = self._shown()
            late = time.monotonic() - saved_at > HEARTBEAT_SECONDS
            if (shown != saved or stopping or late) and self._save(shown):
                saved, saved_at = shown, time.monotonic()
            if stopping:
                return

    def _pause(self) -> float:
        """Return the seconds until the bucket is to be listed."""
        if not self._listable:
            return RECORD_SECONDS
        return max(self._wanted_at, self._earliest) - time.monotonic()

    def _list(self) -> None:
        bucket, began = self._record.bucket, time.monotonic()
        with self._changed:
            self._wanted_at = began + self._period
        source = "poll" if self._record.kind == "poll" else "reconcile"
        trouble = ""
        try:
            listing = self._intake.reconcile(bucket, source=source)
        except Exception as error:  # the storage or the store may answer at the next attempt
            trouble = f'The bucket "{bucket}" cannot be listed: {error}'
            if trouble != self._trouble:
                log.warning("%s", trouble, exc_info=not isinstance(error, MediaflowError))
        else:
            level = logging.INFO if listing.new else logging.DEBUG
            log.log(
                level, "bucket %s: %d objects listed, %d new", bucket, listing.listed, listing.new
            )
        now = time.monotonic()
        with self._changed:
            self._trouble = trouble
            if trouble:
                self._wanted_at = min(self._wanted_at, now + RETRY_SECONDS)
            else:
                self._record = replace(self._record, last_reconcile=datetime.now(UTC))
            self._earliest = now + max(SPACING_SECONDS, now - began)

    def _shown(self) -> ListenerRecord:
        with self._changed:
            problem = " ".join(filter(None, (self._record.problem, self._trouble)))
            return replace(self._record, problem=problem)

    def _save(self, record: ListenerRecord) -> bool:
        try:
            self._intake.report(replace(record, updated=datetime.now(UTC)))
        except Exception as error:  # the next look saves it
            if self._kept:
                log.warning("the record of a listener was not kept: %s", error)
            self._kept = False
            return False
        self._kept = True
        return True
