"""What messages say: JSON text, in ASCII so that every queue and every reader of lines takes it.

Specification: topology, 12. `MessageId` is an extension: it tells repeated deliveries apart.
"""

import json
from collections.abc import Iterator, Mapping

from workflow_engine.messages.receivers import MessageTooLongError
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, Json

#: bytes; what the queues and web servers in use take without being set up for more
MAX_BODY = 256 * 1024

#: extension fields of an activity that grow with what it made
_BULKY = ("Outputs", "Detail", "Warnings")


def activity_body(message_id: str, execution: ExecutionRecord, activity: ActivityRecord) -> str:
    """Return the message of an ended activity.

    One that would be too long comes without the `Outputs`, `Detail` and `Warnings` of the
    activities, and when that is not enough without `ActivityList`. Raises MessageTooLongError.
    """
    head = {
        "RunId": execution.run_id,
        "Name": activity.name,
        "Type": activity.type,
        "State": str(activity.state),
    }
    if activity.state is ActivityState.FAIL:
        head |= {"Code": activity.code, "Message": activity.message}
    text = ""
    for shorter in _shortened(execution.to_wire()):
        text = _text({**head, "MediaWorkflowExecution": shorter, "MessageId": message_id})
        if len(text) <= MAX_BODY:
            return text
    raise _too_long(text)


def job_body(message_id: str, body: Mapping[str, Json]) -> str:
    """Return the message of an ended job. Raises MessageTooLongError."""
    text = _text({**body, "MessageId": message_id})
    if len(text) > MAX_BODY:
        raise _too_long(text)
    return text


def _shortened(execution: dict[str, Json]) -> Iterator[dict[str, Json]]:
    yield execution
    brief = [
        {key: value for key, value in activity.items() if key not in _BULKY}
        for activity in execution["ActivityList"]
    ]
    yield {**execution, "ActivityList": brief}
    yield {key: value for key, value in execution.items() if key != "ActivityList"}


def _text(body: Mapping[str, Json]) -> str:
    return json.dumps(body, separators=(",", ":"))


def _too_long(text: str) -> MessageTooLongError:
    return MessageTooLongError(f"The message has {len(text)} bytes; {MAX_BODY} are the most.")
