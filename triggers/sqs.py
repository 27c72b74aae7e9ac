"""Bucket events out of queues of Amazon SQS, or of servers that speak its protocol.

A queue may serve several buckets: each queue has one `_Receiver`. It deletes messages only once
their notices are in the store; while the store fails it keeps them, hidden, and tries again.
A message that cannot be read stays in the queue for its redrive policy to move, and comes back
later and later; none waits for it.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute

from triggers.events import EventError, log_confirmation, names_in_stores, notices_of, parse
from triggers.listener import ListenedBucket, ListenerContext
from workflow_engine.listening import (
    Code,
    Intake,
    MediaflowError,
    Notice,
    SqsEvents,
    StoreError,
    sqs_client,
)

log = logging.getLogger(__name__)

#: that an empty queue holds a call; the most there is
WAIT_SECONDS = 20
#: that a message which was received is hidden from others; then it comes again
HIDDEN_SECONDS = 60
#: the longest that a message is hidden which cannot be read; doubled each time it comes
UNREADABLE_SECONDS = 3600
#: that a call may take longer than the queue holds it
ANSWER_SECONDS = 10
#: until the second attempt to reach the queue or the store; doubled up to LONGEST_SECONDS
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
#: that `stop` waits; a call that the queue still holds ends by itself, and takes nothing
STOP_SECONDS = 1.5
#: ids of unreadable messages that are remembered, to log each once
_MOST_IDS = 1000

_ABSENT = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

_Message = dict[str, Any]


class SqsListener:
    """Listens to the buckets with `events = {sqs = "queue-url"}`, queue by queue."""

    def __init__(self, context: ListenerContext) -> None:
        self._buckets = context.buckets
        by_queue: dict[str, list[ListenedBucket]] = {}
        for bucket in context.buckets:
            assert isinstance(bucket.settings.events, SqsEvents)
            by_queue.setdefault(bucket.settings.events.sqs, []).append(bucket)
        self._receivers = [
            _Receiver(context.intake, url, buckets) for url, buckets in by_queue.items()
        ]

    def start(self) -> None:
        """Begin to receive."""
        for receiver in self._receivers:
            receiver.start()
        # even when a queue cannot be reached: then a listing is all there is
        for bucket in self._buckets:
            bucket.report.listening()

    def stop(self) -> None:
        """End; messages that come in afterwards go back to their queues."""
        for receiver in self._receivers:
            receiver.close()
        for receiver in self._receivers:
            receiver.join()

    def status(self) -> str:
        """Return what is wrong with queues, the store or messages."""
        return " ".join(filter(None, (receiver.status() for receiver in self._receivers)))

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing."""
        return ()


class _Receiver:
    """Takes the messages of one queue, in a thread of its own, for all buckets that name it."""

    def __init__(self, intake: Intake, url: str, buckets: Sequence[ListenedBucket]) -> None:
        self._names = names_in_stores({bucket.name: bucket.settings for bucket in buckets})
        self._reports = {bucket.name: bucket.report for bucket in buckets}
        self._intake = intake
        self._queue = _Queue(url)
        self._url = url
        self._closing = threading.Event()
        self._problem = ""
        self._unreadable: dict[str, None] = {}  # the ids, in the order in which they came
        self._thread = threading.Thread(target=self._run, name="sqs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()

    def join(self) -> None:
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def status(self) -> str:
        if self._problem or not self._unreadable:
            return self._problem
        return (
            f'Messages of the queue "{self._url}" that cannot be read: {len(self._unreadable)}, '
            f'the last one with the id "{next(reversed(self._unreadable))}".'
        )

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                messages = self._queue.receive()
                if self._closing.is_set():
                    self._hide(messages, 0)
                    return
                if failures:
                    failures = 0
                    self._recovered()
                if messages:
                    self._take(messages)
                continue
            except MediaflowError as error:
                reason = error.message
            except Exception as error:  # a bug, after which the next messages may go through
                log.exception("receiving from the queue %s failed", self._url)
                reason = f'Receiving from the queue "{self._url}" failed: {error!r}.'
            failures += 1
            self._tell(reason)
            self._closing.wait(_pause(failures))

    def _recovered(self) -> None:
        """Have the buckets listed: nobody knows what the queue lost while it was not there."""
        self._tell("")
        for report in self._reports.values():
            report.reconcile()

    def _take(self, messages: Sequence[_Message]) -> None:
        read: list[_Message] = []
        notices: dict[Notice, None] = {}
        for message in messages:
            try:
                events = parse(message["Body"])
            except EventError as error:
                self._leave_unreadable(message, error)
                continue
            if events.confirm:
                log_confirmation(events.confirm)
            read.append(message)
            notices |= dict.fromkeys(notices_of(events.landed, self._names, "sqs"))
        if read and self._note(list(notices), read):
            self._delete(read)

    def _note(self, notices: Sequence[Notice], messages: Sequence[_Message]) -> bool:
        """Keep the notices in the store; False when the messages must come again."""
        failures = 0
        while notices:
            try:
                self._intake.note(notices)
                break
            except StoreError as error:
                failures += 1
                self._tell(f'Events of the queue "{self._url}" cannot be kept. {error.message}')
            except Exception as error:  # it would fail again, and must not hold up other messages
                log.exception("events of the queue %s cannot be kept", self._url)
                self._tell(f'Events of the queue "{self._url}" cannot be kept: {error}')
                return False
            if self._closing.wait(_pause(failures)):
                self._hide(messages, 0)
                return False
            self._hide(messages, HIDDEN_SECONDS)
        self._tell("")
        for bucket, count in Counter(notice.bucket for notice in notices).items():
            self._reports[bucket].heard(count)
        return True

    def _leave_unreadable(self, message: _Message, error: EventError) -> None:
        number = message["MessageId"]
        if number not in self._unreadable:
            log.warning('the message "%s" of the queue %s: %s', number, self._url, error.message)
            self._unreadable[number] = None
            if len(self._unreadable) > _MOST_IDS:
                del self._unreadable[next(iter(self._unreadable))]
            self._report_problem()
        if self._url.endswith(".fifo"):
            self._delete([message])  # it would hold up the others of its group
            return
        came = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
        self._hide([message], min(UNREADABLE_SECONDS, HIDDEN_SECONDS * 2 ** min(came - 1, 10)))

    def _delete(self, messages: Sequence[_Message]) -> None:
        try:
            self._queue.delete(messages)
        except MediaflowError as error:
            log.info("messages come again, which does no harm: %s", error.message)

    def _hide(self, messages: Sequence[_Message], seconds: int) -> None:
        try:
            self._queue.hide(messages, seconds)
        except MediaflowError as error:
            log.info("messages come again sooner or later than they should: %s", error.message)

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            if problem:
                log.warning("%s", problem)
            self._problem = problem
            self._report_problem()

    def _report_problem(self) -> None:
        for report in self._reports.values():
            report.problem(self.status())


class _Queue:
    """Calls to one queue. Each raises MediaflowError, with a sentence for the user."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None  # made at the first call: it takes a while

    def receive(self) -> list[_Message]:
        """Return the next messages, ten at most, none when the queue stays empty."""
        answer = self._call(
            "receive_message",
            MaxNumberOfMessages=10,
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return answer.get("Messages", [])

    def delete(self, messages: Sequence[_Message]) -> None:
        """Take messages out of the queue."""
        if messages:
            self._call("delete_message_batch", Entries=_entries(messages))

    def hide(self, messages: Sequence[_Message], seconds: int) -> None:
        """Let messages come again in so many seconds."""
        if messages:
            entries = _entries(messages, VisibilityTimeout=seconds)
            self._call("change_message_visibility_batch", Entries=entries)

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self._client = sqs_client(self._url, answer_seconds=WAIT_SECONDS + ANSWER_SECONDS)
            return getattr(self._client, operation)(QueueUrl=self._url, **arguments)
        except ClientError as error:
            raise self._refusal(error) from error
        except (BotoCoreError, ValueError) as error:
            reason = str(error).rstrip(".")
            raise MediaflowError(
                Code.RESOURCE_ACCESS,
                f'The queue "{self._url}" cannot be reached: {reason}.',
                remedy="Check its URL, the network and the credentials of the environment.",
            ) from error

    def _refusal(self, error: Any) -> MediaflowError:
        details = error.response.get("Error", {})
        if details.get("Code") in _ABSENT:
            return MediaflowError(
                Code.QUEUE_NOT_EXIST,
                f'The queue "{self._url}" does not exist.',
                remedy="Create it, or correct the URL in the configuration of the bucket.",
            )
        reason = f"{details.get('Code')}: {details.get('Message')}".rstrip(".")
        return MediaflowError(
            Code.RESOURCE_ACCESS,
            f'The queue "{self._url}" refuses to be read: {reason}.',
            remedy="Check the credentials of the environment and what they may do.",
        )


def _entries(messages: Sequence[_Message], **more: Any) -> list[dict[str, Any]]:
    return [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], **more}
        for number, message in enumerate(messages)
    ]


def _pause(failures: int) -> float:
    """Return how many seconds to wait after that many failures, give or take a fifth."""
    seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 16))
    return seconds * random.uniform(0.8, 1.2)
