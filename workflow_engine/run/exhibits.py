"""What the activities of an execution have to show, for its page; see `pages/execution.py`."""

import logging
from collections.abc import Iterator
from importlib.metadata import version

from workflow_engine.activity import Exhibit
from workflow_engine.errors import MediaflowError
from workflow_engine.pages.execution import ExecutionFacts
from workflow_engine.planning.graph import Graph
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, utc_now

log = logging.getLogger(__name__)


def execution_facts(record: ExecutionRecord, graph: Graph | None) -> ExecutionFacts:
    """Return what the store and the activity types know of an execution, as it stands now.

    `graph` is that of its topology, None when it cannot be read any more: then the page shows no
    lines between activities and only what records say.
    """
    return ExecutionFacts(
        record=record,
        edges={name: tuple(graph.dag.successors(name)) for name in graph.order} if graph else {},
        exhibits={
            one.name: exhibits(graph, one)
            for one in record.activities
            if graph and one.name in graph.nodes
        },
        tools={"mediaflow": version("mediaflow"), **(dict(_tools(graph)) if graph else {})},
        now=utc_now(),
    )


def exhibits(graph: Graph, record: ActivityRecord) -> tuple[Exhibit, ...]:
    """Return what there is to show of an activity; nothing where its type cannot tell."""
    if record.state is not ActivityState.SUCCESS:
        return ()
    try:
        return tuple(graph.nodes[record.name].activity.artifacts(record.result))
    except Exception as error:  # of a type of somebody else, or a result of an older version
        log.warning("there is nothing to show of %s: %r", record.name, error)
        return ()


def _tools(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield name and version of what shapes the outputs."""
    for node in graph.nodes.values():
        try:
            yield from node.activity.tools().items()
        except MediaflowError as error:  # which the activity says better when it runs
            log.debug("the tools of %s are not known: %s", node.name, error)
