"""What a receiver is, which ones the settings name, and how a delivery fails."""

from collections.abc import Mapping
from typing import Protocol

from workflow_engine.errors import Code, MediaflowError
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.settings import MessageSettings, Settings

QUEUE = "queue"
TOPIC = "topic"


def configured(settings: Settings) -> Mapping[str, MessageSettings]:
    """Return the queues and topics of the settings by their address, `queue:NAME`."""
    queues = {address(QUEUE, name): told for name, told in settings.queues.items()}
    return queues | {address(TOPIC, name): told for name, told in settings.topics.items()}


def address(kind: str, name: str) -> str:
    """Return what a receiver is called in the store."""
    return f"{kind}:{name}"


class Receiver(Protocol):
    """Takes messages; used by one thread at a time."""

    def send(self, message: MessageRecord) -> None:
        """Deliver a message; it has been taken when this returns.

        Raises DeliveryError when it was not, or perhaps not, taken.
        """


class DeliveryError(MediaflowError):
    """The receiver did not take the message; another attempt may succeed."""

    def __init__(self, reason: str, code: str = Code.NOT_DELIVERED) -> None:
        """`reason` is one sentence for people."""
        super().__init__(code, reason)


class MessageTooLongError(DeliveryError):
    """The receiver takes no message of this length, however often it is tried."""

    def __init__(self, reason: str) -> None:
        """The code is that of the specification (error_codes.json, scope message)."""
        super().__init__(reason, "InvalidArgument")
