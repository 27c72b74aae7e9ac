"""The claim of this process on an execution, kept while its block runs (design, decision 6)."""

import logging
import os
import socket
import threading

from workflow_engine.errors import LeaseLostError, MediaflowError
from workflow_engine.records import new_id
from workflow_engine.store import Claim, Store

log = logging.getLogger(__name__)

#: seconds that a claim lasts without renewal, and between renewals
LEASE = 20.0
RENEWAL = 5.0


def owner_name() -> str:
    """Return a name for this process and moment, readable for whoever meets its claim."""
    return f"{socket.gethostname()}:{os.getpid()}:{new_id()[:8]}"


class Lease:
    """Renews a claim from a thread, and gives it back at the end of the block."""

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._done = threading.Event()
        self._stop_work: threading.Event | None = None
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._store.release(self._claim)

    def on_loss(self, stop_work: threading.Event) -> None:
        """Set this event when another process takes the execution over."""
        self._stop_work = stop_work

    def _renew(self) -> None:
        while not self._done.wait(RENEWAL):
            try:
                self._store.renew(self._claim, LEASE)
            except LeaseLostError:
                if self._stop_work is not None:
                    self._stop_work.set()
                return
            except MediaflowError as error:
                log.warning("the claim on run %s was not renewed: %s", self._claim.run_id, error)
