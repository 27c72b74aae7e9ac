"""Messages of Start and Report, and what became of them (specification, topology, 4.1 and 12).

This version sends none; it records why.
"""

from collections.abc import Mapping

from workflow_engine.errors import Code
from workflow_engine.graph import Graph
from workflow_engine.records import ActivityRecord
from workflow_engine.structure import REPORT, START


def message_result(graph: Graph, record: ActivityRecord) -> Mapping[str, str]:
    """Return the MNSMessageResult of an ended activity, empty where there is nothing to say."""
    if record.type not in (START, REPORT):
        return {}
    start = graph.start.parameters.model_dump(by_alias=True)
    if start.get("QueueName") or start.get("TopicName"):
        return {
            "ErrorCode": str(Code.NOT_SUPPORTED),
            "ErrorMessage": "This version sends no messages.",
        }
    return {
        "ErrorCode": str(Code.MESSAGE_CONFIG_EMPTY),
        "ErrorMessage": "The Topic/Queue config is empty, not send message",
    }
