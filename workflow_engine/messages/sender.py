"""Delivers the messages of the store, from threads of its own.

One thread claims what is due; each receiver has a thread that sends, oldest first, so that a
receiver that hangs holds up nobody else. A message is claimed for `LOCK_SECONDS`: one whose
process was killed is due again when they are over. Nothing counts as delivered before its
receiver has taken it, so a message may come twice, always under the same id.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from workflow_engine.errors import MediaflowError
from workflow_engine.messages.jsonlines import JsonLines
from workflow_engine.messages.lane import Lane
from workflow_engine.messages.receivers import (
    DeliveryError,
    MessageTooLongError,
    Receiver,
)
from workflow_engine.messages.sqs import SqsQueue
from workflow_engine.messages.webhook import Webhook
from workflow_engine.records import utc_now
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.settings import MessageSettings
from workflow_engine.store import Store

log = logging.getLogger(__name__)

#: between two looks into the store; what this process adds is noticed at once
POLL_SECONDS = 1.0
#: how long a message belongs to the process that claimed it
LOCK_SECONDS = 60.0
#: what is left of the lock when a delivery begins; longer than any receiver may take
SEND_SECONDS = 20.0
#: messages per claim
BATCH = 100
#: until the second attempt; doubled for each one after it, up to LONGEST_SECONDS
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
#: from when it was made; then a message is given up
PATIENCE = timedelta(hours=24)


def backoff(failures: int) -> float:
    """Return how many seconds to wait after that many failed attempts, give or take a fifth."""
    return min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 16)) * random.uniform(
        0.8, 1.2
    )


class Sender:
    """A component of `serve`, and of a foreground run while it lasts.

    `receivers` are those of the settings, by address; `now` is the clock for retries and for
    giving up.
    """

    name = "messages"

    def __init__(
        self,
        store: Store,
        receivers: Mapping[str, MessageSettings],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._now = now
        self._lanes: dict[str, Lane] = {}
        self._failing: set[str] = set()
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._settled = threading.Condition()
        self._problem = ""
        self._thread = threading.Thread(target=self._poll, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to send what is due."""
        self._thread.start()

    def wake(self) -> None:
        """Look into the store now: a message was added."""
        self._woken.set()

    def status(self) -> str:
        """Return what keeps every message from being sent; a dead receiver does not."""
        if self._thread.ident is not None and not self._thread.is_alive():
            return "The thread that looks for messages has ended."
        return self._problem

    def wait(self, run_id: str, seconds: float) -> bool:
        """Wait until no message of a run is on its way any more; False when one still is."""
        deadline = time.monotonic() + seconds
        try:
            while self._store.messages.pending(run_id):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                with self._settled:  # another process may deliver it, too
                    self._settled.wait(min(left, 0.2))
        except MediaflowError as error:
            log.warning("the messages of run %s cannot be looked up: %s", run_id, error)
            return False
        return True

    def stop(self, drain_seconds: float = 5.0) -> None:
        """Send what is due for at most `drain_seconds`, then end; the rest is left to others.

        Nothing is sent when it was never started.
        """
        if self._thread.ident is None:
            return
        deadline = time.monotonic() + drain_seconds
        self._closing.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(drain_seconds + POLL_SECONDS)
        while time.monotonic() < deadline and not self._thread.is_alive():
            more = self._claim()
            if not more and not any(lane.busy for lane in self._lanes.values()):
                break
            with self._settled:
                self._settled.wait(0.05)
        self._release([one for lane in self._lanes.values() for one in lane.close()])
        for lane in self._lanes.values():
            lane.join(max(0.0, deadline - time.monotonic()))

    def _release(self, message_ids: Sequence[str]) -> None:
        """Let others send what was claimed at once, not only when the claim lapses."""
        if message_ids:
            try:
                self._store.messages.release(message_ids)
            except MediaflowError as error:
                log.warning(
                    "%d messages wait for %.0f s: %s", len(message_ids), LOCK_SECONDS, error
                )

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._woken.clear()
            if not self._claim():
                self._woken.wait(POLL_SECONDS)

    def _claim(self) -> bool:
        """Hand what is due to the receivers' threads; tell whether there may be more."""
        claimed = time.monotonic()
        try:
            full = [address for address, lane in self._lanes.items() if lane.full]
            messages = self._store.messages.due(limit=BATCH, lock_seconds=LOCK_SECONDS, skip=full)
            for message in messages:
                self._lane(message.receiver).add(message, claimed + LOCK_SECONDS - SEND_SECONDS)
        except Exception as error:
            if not self._problem:
                log.warning("messages cannot be looked up: %s", error, exc_info=_is_bug(error))
            self._problem = f"Messages cannot be looked up: {error}"
            return False
        self._problem = ""
        return len(messages) == BATCH

    def _lane(self, address: str) -> Lane:
        if address not in self._lanes:
            self._lanes[address] = Lane(address, self._receiver(address), self._deliver)
        return self._lanes[address]

    def _receiver(self, address: str) -> Receiver:
        told = self._receivers.get(address)
        if told is None:
            return _Unknown(address)
        if told.webhook is not None:
            return Webhook(told.webhook, told.signing_key)
        if told.sqs is not None:
            return SqsQueue(told.sqs)
        assert told.file is not None
        return JsonLines(told.file)

    def _deliver(self, receiver: Receiver, message: MessageRecord) -> None:
        try:
            self._attempt(receiver, message)
        except Exception as error:
            # the claim lapses, and then the message is due again
            log.warning(
                "what became of message %s was not kept: %s",
                message.id,
                error,
                exc_info=_is_bug(error),
            )
        with self._settled:
            self._settled.notify_all()

    def _attempt(self, receiver: Receiver, message: MessageRecord) -> None:
        try:
            receiver.send(message)
        except DeliveryError as error:
            self._failed(message, error)
        except Exception as error:
            log.exception("message %s: unexpected error", message.id)
            self._failed(message, DeliveryError(f"The delivery failed: {error!r}."))
        else:
            self._failing.discard(message.receiver)
            self._store.messages.sent(message.id, {"MessageId": message.id})

    def _failed(self, message: MessageRecord, error: DeliveryError) -> None:
        """Try again later, or give the message up."""
        next_attempt = self._now() + timedelta(seconds=backoff(message.attempts + 1))
        last = isinstance(error, MessageTooLongError)
        if not last and next_attempt <= message.created + PATIENCE:
            if message.receiver not in self._failing:  # once, however many messages wait
                log.warning("messages to %s wait: %s", message.receiver, error.message)
                self._failing.add(message.receiver)
            self._store.messages.failed(message.id, error.message, next_attempt, {})
            return
        log.warning("message %s is given up: %s", message.id, error.message)
        result = {"ErrorCode": error.code, "ErrorMessage": error.message}
        self._store.messages.failed(message.id, error.message, None, result)


class _Unknown:
    """A receiver that the settings do not have; perhaps those of another process do."""

    def __init__(self, address: str) -> None:
        self._address = address

    def send(self, message: MessageRecord) -> None:
        """Refuse the message."""
        raise DeliveryError(f'The settings have no "{self._address}".')


def _is_bug(error: Exception) -> bool:
    return not isinstance(error, MediaflowError)
