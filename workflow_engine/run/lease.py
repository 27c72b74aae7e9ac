"""The claim of this process on an execution, kept while its block runs (decision 6)."""

import logging
import os
import socket
import threading
from collections.abc import Callable

from workflow_engine.errors import Interruption, LeaseLostError, StoreError
from workflow_engine.records import new_id
from workflow_engine.store import Claim, Store
from workflow_engine.telemetry import in_context

log = logging.getLogger(__name__)

#: seconds that a claim lasts without renewal, and between renewals
LEASE = 20.0
#: also how long it takes until a cancel from another process is noticed
RENEWAL = 2.0


def owner_name() -> str:
    """Return a name for this process and moment, readable for whoever meets its claim."""
    return f"{socket.gethostname()}:{os.getpid()}:{new_id()[:8]}"


class Lease:
    """Renews a claim from a thread, and gives it back at the end of the block.

    When a run (`on_stop`) breaks, or the store does, the claim is left to lapse: a pause before
    the next attempt, in which other executions get their turn.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._stop: Callable[[Interruption], None] | None = None
        self._reason: Interruption | None = None
        self._thread = threading.Thread(target=in_context(self._renew), name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if kind is not None and (self._stop is not None or issubclass(kind, StoreError)):
            return
        try:
            self._store.queue.release(self._claim)
        except StoreError as error:
            log.warning("the claim on the run lapses by itself: %s", error)

    def on_stop(self, stop: Callable[[Interruption], None]) -> None:
        """Call this when another process takes the execution over, or cancels it."""
        with self._lock:
            self._stop, reason = stop, self._reason
        if reason is not None:
            stop(reason)

    def _tell(self, reason: Interruption) -> None:
        with self._lock:
            self._reason, stop = reason, self._stop
        if stop is not None:
            stop(reason)

    def _renew(self) -> None:
        while not self._done.wait(RENEWAL):
            try:
                if self._store.queue.renew(self._claim, LEASE):
                    self._tell(Interruption.CANCELLED)
            except LeaseLostError:
                self._tell(Interruption.LEFT)
                return
            except Exception as error:  # the next renewal may come in time
                log.warning("the claim on the run was not renewed: %s", error)
