"""Writes messages: who gets one, and what it says.

Whoever commits the state that a message tells of keeps the message in the same transaction, so
that none is lost; `sender.py` delivers it. What keeps a message back becomes its
MNSMessageResult. Specification: topology, 4.1 and 12; api, 7 and 14.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workflow_engine.errors import Code, MediaflowError
from workflow_engine.messages.bodies import activity_body, job_body
from workflow_engine.messages.job_objects import job_message
from workflow_engine.messages.receivers import (
    QUEUE,
    TOPIC,
    DeliveryError,
    address,
)
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    stable_id,
    utc_now,
)
from workflow_engine.records.catalog import MessageRecord, PipelineRecord
from workflow_engine.settings import MessageSettings

#: what becomes of a message, in the words of the API; empty while it is on its way
MessageResult = Mapping[str, str]

#: in the request of a job: the queue that hears of its end
OWN_QUEUE = "NotifyQueue"

_FORMS = {
    QUEUE: re.compile(r"[A-Za-z][A-Za-z0-9-]*"),
    TOPIC: re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*"),
}
_BAD_FORM = {QUEUE: Code.QUEUE_NAME, TOPIC: Code.TOPIC_NAME}
_UNKNOWN = {QUEUE: Code.QUEUE_NOT_EXIST, TOPIC: Code.TOPIC_NOT_EXIST}


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message to keep, or why there is none: an MNSMessageResult."""

    message: MessageRecord | None = None
    result: MessageResult = field(default_factory=dict[str, str])


class Outbox:
    """Writes messages for the receivers of the settings; thread-safe."""

    def __init__(self, receivers: Mapping[str, MessageSettings]) -> None:
        """`receivers` are those of the settings, by address."""
        self.receivers = receivers
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever a message was kept, until what this returns is called."""
        # a list of its own for each change: `notify` may be going through the one before
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            left = list(self._listeners)
            left.remove(listener)
            self._listeners = left

        return unsubscribe

    def notify(self) -> None:
        """Tell the listeners that a message was kept."""
        for listener in self._listeners:
            listener()

    def announce(self, record: ExecutionRecord, activity: ActivityRecord, graph: Graph) -> Outgoing:
        """Return the message to Start's queue or topic that an activity has ended.

        `record` is the execution as it is to be shown. The same end of the same attempt is the
        same message, however often it is announced.
        """
        if activity.state not in (ActivityState.SUCCESS, ActivityState.FAIL):
            return Outgoing()
        names = {QUEUE: graph.binding.queue, TOPIC: graph.binding.topic}
        return self._written(
            record.run_id,
            activity.name,
            activity.started or record.created,
            lambda: self._receiver(names),
            lambda message_id: activity_body(message_id, record, activity),
        )

    def announce_job(self, record: ExecutionRecord, pipeline: PipelineRecord) -> Outgoing:
        """Return the message that a job has ended.

        It goes to the queue that the job names itself (NotifyUrl), else to the pipeline's queue or
        topic.
        """
        own = str(record.request.get(OWN_QUEUE) or "")
        names = {QUEUE: own or pipeline.queue, TOPIC: pipeline.topic}
        return self._written(
            record.run_id,
            "",
            record.ended or record.created,
            lambda: self._receiver(names),
            lambda message_id: job_body(message_id, job_message(record)),
        )

    def _written(
        self,
        run_id: str,
        activity: str,
        occasion: datetime,
        receiver: Callable[[], str],
        body: Callable[[str], str],
    ) -> Outgoing:
        message_id = stable_id("message", run_id, activity, occasion.astimezone(UTC).isoformat())
        try:
            message = MessageRecord(
                id=message_id,
                run_id=run_id,
                activity=activity,
                receiver=receiver(),
                body=body(message_id),
                created=utc_now(),
            )
        except (_NoReceiver, DeliveryError) as error:
            return Outgoing(result={"ErrorCode": error.code, "ErrorMessage": error.message})
        return Outgoing(message=message)

    def _receiver(self, names: Mapping[str, str]) -> str:
        """Return the address of the receiver; the queue wins when both kinds are named."""
        named = [kind for kind in (QUEUE, TOPIC) if names[kind]]
        if not named:
            raise _NoReceiver(
                Code.MESSAGE_CONFIG_EMPTY, "The Topic/Queue config is empty, not send message"
            )
        kind, name = named[0], names[named[0]]
        if not _FORMS[kind].fullmatch(name):
            first = "a letter" if kind == QUEUE else "a letter or a digit"
            raise _NoReceiver(
                _BAD_FORM[kind],
                f'The {kind} name "{name}" is not {first} and then letters, digits and "-".',
            )
        if address(kind, name) not in self.receivers:
            raise _NoReceiver(
                _UNKNOWN[kind],
                f'The settings name no {kind} "{name}": [{kind}s.{name}] is missing.',
            )
        return address(kind, name)


class _NoReceiver(MediaflowError):
    """The message has nowhere to go."""
