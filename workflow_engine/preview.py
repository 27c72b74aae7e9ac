"""What a run would do, found without running anything but the probe of the input."""

import logging
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from workflow_engine.activity import ActivityContext, Result
from workflow_engine.buckets import Bucket
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.graph import Graph
from workflow_engine.placeholders import Names
from workflow_engine.plan import Input, Plan, Planned, plan_activity, plan_all
from workflow_engine.publishing import find_finished
from workflow_engine.records import ExecutionRecord
from workflow_engine.source import Source
from workflow_engine.store import Store

log = logging.getLogger(__name__)


def preview(
    graph: Graph,
    source: Source,
    names: Names,
    *,
    destination: Callable[[str], Bucket],
    store: Store | None,
    fuse: bool,
) -> Plan:
    """Plan every activity for an input; `store` is asked for finished steps.

    Raises ActivityError when Start itself would fail.
    """
    given = Input(ref=source.ref, digests=source.digests, names=names)
    start = _probe(graph, given, source)

    def finished(planned: Planned) -> Result | None:
        return find_finished(store, planned) if store is not None else None

    plan = plan_all(graph, given, start, finished, fuse=fuse)
    placed = tuple(_placed(one, source, destination) for one in plan.activities)
    return replace(plan, activities=placed)


def _placed(planned: Planned, source: Source, destination: Callable[[str], Bucket]) -> Planned:
    """Return the plan of an activity, an error if an output has no place to go."""
    try:
        for output in planned.step.outputs if planned.step else ():
            place = destination(output.ref.bucket).place(output.ref.object)
            source.require_other_place(output.ref, place)
    except (ActivityError, InvalidInputError) as error:
        return Planned(node=planned.node, error=error)
    return planned


def _probe(graph: Graph, given: Input, source: Source) -> Result:
    """Run Start in a temporary directory: it only reads."""
    planned = plan_activity(graph, graph.start.name, given, {}, {})
    if planned.step is None:
        raise planned.error or ActivityError(Code.INTERNAL, "Start cannot be planned.")
    with tempfile.TemporaryDirectory(prefix="mediaflow-plan-") as directory:
        work = Path(directory)
        link = work / given.names.source_name
        source.fetch(link)
        context = ActivityContext(
            activity=graph.start.name,
            run_id="",
            work=work,
            source=link,
            names=given.names,
            progress=lambda fraction: None,
            cancel=threading.Event(),
            slot=nullcontext,
            execution=_no_execution,
            log=logging.LoggerAdapter(log, {}),
        )
        result = graph.start.activity.run(planned.step, context)
    return Result(type=graph.start.type, data=result.data)


def _no_execution() -> ExecutionRecord:
    raise ActivityError(Code.INTERNAL, "A plan has no execution.")
