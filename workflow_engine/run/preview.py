"""What a run would do: the input and what is read beside it are measured, nothing is encoded."""

import logging
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from workflow_engine.activity import ActivityContext, StepResult, TemplateLookup, no_templates
from workflow_engine.buckets import Buckets
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.planning.graph import Graph
from workflow_engine.planning.plan import Input, Plan, Planned, plan_activity, plan_all
from workflow_engine.records import ExecutionRecord, ObjectRef
from workflow_engine.run.composite import open_content
from workflow_engine.run.reuse import Finished
from workflow_engine.run.side_inputs import SideInputs
from workflow_engine.run.source import Source, SourceFile
from workflow_engine.store import Store
from workflow_engine.topology.placeholders import Names

log = logging.getLogger(__name__)


def preview(
    graph: Graph,
    source: Source,
    names: Names,
    *,
    buckets: Buckets,
    opener: Callable[[ObjectRef], Source],
    store: Store | None,
    fuse: bool,
    templates: TemplateLookup = no_templates,
) -> Plan:
    """Plan every activity for an input; `store` is asked for finished steps.

    `opener` pins what activities read beside the input.

    Raises ActivityError when Start itself would fail.
    """
    known = Finished(store, buckets) if store is not None else None

    def finished(planned: Planned) -> StepResult | None:
        return known.find(planned) if known is not None else None

    with tempfile.TemporaryDirectory(prefix="mediaflow-plan-") as folder:

        def make_folder() -> Path:
            return Path(tempfile.mkdtemp(dir=folder))

        content = open_content(
            source,
            graph.start.activity,
            make_folder=make_folder,
            context=lambda work, file: _looking(graph.start.name, work, file, names),
            cancel=threading.Event(),
            store=store,
        )
        file = content.file
        given = Input(
            ref=source.ref, digests=content.digests, names=names, composite=content.composite
        )
        start = _start(graph, given, file, finished, Path(folder))
        side_inputs = SideInputs(
            source=source,
            file=file,
            names=names,
            opener=opener,
            make_folder=make_folder,
            context=lambda work, side: _looking("plan", work, side, names),
        )
        plan = plan_all(
            graph,
            given,
            start,
            finished,
            fuse=fuse,
            templates=templates,
            side_inputs=side_inputs.read,
        )
    placed = tuple(_placed(one, source, buckets) for one in plan.activities)
    return replace(plan, activities=placed)


def _placed(planned: Planned, source: Source, buckets: Buckets) -> Planned:
    """Return the plan of an activity, an error if an output has no place to go."""
    try:
        for output in planned.step.outputs if planned.step else ():
            source.require_other_place(output.ref, buckets.get(output.ref.bucket))
    except (ActivityError, InvalidInputError) as error:
        return Planned(node=planned.node, error=error)
    return planned


def _start(
    graph: Graph,
    given: Input,
    file: SourceFile,
    finished: Callable[[Planned], StepResult | None],
    work: Path,
) -> StepResult:
    """Return what Start found before, else run it in a temporary directory: it only reads."""
    planned = plan_activity(graph, graph.start.name, given, {}, {})
    if planned.step is None:
        raise planned.error or ActivityError(Code.INTERNAL, "Start cannot be planned.")
    if found := finished(planned):
        return found
    link = work / given.names.source_name
    file.link(link)
    context = _looking(graph.start.name, work, link, given.names)
    result = graph.start.activity.run(planned.step, context)
    return StepResult(data=result.data)


def _looking(activity: str, work: Path, file: Path, names: Names) -> ActivityContext:
    """Return the context of an activity that only reads."""
    return ActivityContext(
        activity=activity,
        run_id="",
        work=work,
        source=file,
        names=names,
        progress=lambda fraction: None,
        cancel=threading.Event(),
        slot=nullcontext,
        execution=_no_execution,
        log=logging.LoggerAdapter(log, {}),
    )


def _no_execution() -> ExecutionRecord:
    raise ActivityError(Code.INTERNAL, "A plan has no execution.")
