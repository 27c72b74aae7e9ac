"""Messages to queues and topics: kept in the store first, delivered at least once.

`outbox.py` says who gets a message when an activity or a job ends, `bodies.py` what it says.
`sender.py` delivers, one message at a time to each receiver; `receivers.py` says what a receiver
is, and `webhook.py`, `sqs.py` and `jsonlines.py` are the three kinds of them.
Specification: topology, 4.1 and 12; api, 14.
"""

from workflow_engine.messages.outbox import Outbox, Outgoing
from workflow_engine.messages.receivers import configured
from workflow_engine.messages.sender import Sender

__all__ = ["Outbox", "Outgoing", "Sender", "configured"]
