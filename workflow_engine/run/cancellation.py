"""How a run is stopped from outside: by a signal, a cancel, or the loss of its claim."""

import threading

from workflow_engine.errors import InterruptedRunError, Interruption


class Cancellation:
    """Whether a run should stop, and why. Thread-safe.

    `event` is set when it should.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = Interruption.USER
        self._lock = threading.RLock()  # a signal may stop what is being stopped

    def stop(self, reason: Interruption) -> None:
        """Interrupt the run; the first reason counts."""
        with self._lock:
            if not self.event.is_set():
                self.reason = reason
                self.event.set()

    def require_none(self) -> None:
        """Raise InterruptedRunError once the run should stop."""
        if self.event.is_set():
            raise InterruptedRunError(self.reason)
