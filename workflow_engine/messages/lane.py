"""The messages for one receiver, sent one after the other by a thread of its own."""

import threading
import time
from collections.abc import Callable

from workflow_engine.messages.receivers import Receiver
from workflow_engine.records.catalog import MessageRecord

#: messages that wait in memory for one receiver before no more are claimed for it
MOST_WAITING = 1000


class Lane:
    """Claimed messages for one receiver; `deliver` is called with each."""

    def __init__(
        self, name: str, receiver: Receiver, deliver: Callable[[Receiver, MessageRecord], None]
    ) -> None:
        self._receiver = receiver
        self._deliver = deliver
        self._waiting: dict[str, tuple[MessageRecord, float]] = {}
        self._sending = ""
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a message is being sent or waits."""
        with self._changed:
            return bool(self._sending or self._waiting)

    @property
    def full(self) -> bool:
        """Whether more messages are better left in the store."""
        with self._changed:
            return len(self._waiting) >= MOST_WAITING

    def add(self, message: MessageRecord, begin_before: float) -> None:
        """Send a message after those that wait; one that waits already keeps its place.

        After the moment `begin_before`, of the monotonic clock, it is left to the next claim.
        """
        with self._changed:
            if message.id != self._sending:
                self._waiting[message.id] = message, begin_before
                self._changed.notify()

    def close(self) -> list[str]:
        """Begin no more deliveries; return the ids of the messages that still waited."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            return list(self._waiting)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._sending = ""
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                message, begin_before = self._waiting.pop(next(iter(self._waiting)))
                if time.monotonic() > begin_before:
                    continue
                self._sending = message.id
            self._deliver(self._receiver, message)
