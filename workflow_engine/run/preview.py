"""What a run would do, and what its Start would find: all is measured, nothing is encoded."""

import logging
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from workflow_engine.activity import ActivityContext, StepResult, TemplateLookup, no_templates
from workflow_engine.buckets import Buckets
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.planning.graph import Graph
from workflow_engine.planning.plan import (
    Input,
    Plan,
    Planned,
    no_streams,
    plan_activity,
    plan_all,
)
from workflow_engine.records import ExecutionRecord, ObjectRef, Output
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
    count_limit: int,
) -> Plan:
    """Plan every activity for an input; `store` is asked for finished steps.

    `opener` pins what activities read beside the input. Raises ActivityError when Start itself
    would fail.
    """
    with _looking_at(graph, source, names, buckets, store, count_limit) as look:
        start = look.start()
        side_inputs = SideInputs(
            source=source,
            file=look.file,
            names=names,
            opener=opener,
            make_folder=look.make_folder,
            context=partial(look.context, "plan"),
        )
        plan = plan_all(
            graph,
            look.input,
            start,
            look.finished,
            streams=look.streams,
            fuse=fuse,
            templates=templates,
            side_inputs=side_inputs.read,
        )
    placed = tuple(_placed(one, source, buckets) for one in plan.activities)
    return replace(plan, activities=placed)


def describe(
    graph: Graph,
    source: Source,
    names: Names,
    *,
    buckets: Buckets,
    store: Store | None,
    count_limit: int,
) -> StepResult:
    """Return what the last activity of a chain finds out about an input.

    It only reads; what it writes is thrown away. `store` is asked whether each of them did before.
    Raises ActivityError.
    """
    with _looking_at(graph, source, names, buckets, store, count_limit) as look:
        results: dict[str, StepResult] = {}
        for name in graph.order:
            results[name] = look.result(name, results)
        return results[graph.order[-1]]


def _placed(planned: Planned, source: Source, buckets: Buckets) -> Planned:
    """Return the plan of an activity, an error if an output has no place to go."""
    try:
        for output in planned.step.outputs if planned.step else ():
            source.require_other_place(output.ref, buckets.get(output.ref.bucket))
    except (ActivityError, InvalidInputError) as error:
        return Planned(node=planned.node, error=error)
    return planned


@dataclass(frozen=True, kw_only=True)
class _Look:
    """A look at an input, in a temporary directory: Start only reads."""

    graph: Graph
    input: Input
    file: SourceFile
    folder: Path
    context: Callable[[str, Path, Path], ActivityContext]
    finished: Callable[[Planned], StepResult | None]
    streams: Callable[[Planned], Mapping[str, Output]]

    def make_folder(self) -> Path:
        """Make an empty folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def start(self) -> StepResult:
        """Return what Start found before, else run it. Raises ActivityError."""
        return self.result(self.graph.start.name, {})

    def result(self, name: str, results: Mapping[str, StepResult]) -> StepResult:
        """Return what an activity behind `results` found before, else run it.

        Raises ActivityError.
        """
        planned = plan_activity(self.graph, name, self.input, results, {})
        if planned.step is None:
            raise planned.error or ActivityError(Code.INTERNAL, f'"{name}" cannot be planned.')
        if found := self.finished(planned):
            return found
        folder = self.make_folder()
        link = folder / self.input.names.source_name
        self.file.link(link)
        activity = planned.node.activity
        result = activity.run(planned.step, self.context(name, folder, link))
        return StepResult(data=result.data, warnings=result.warnings)


@contextmanager
def _looking_at(
    graph: Graph,
    source: Source,
    names: Names,
    buckets: Buckets,
    store: Store | None,
    count_limit: int,
) -> Generator[_Look]:
    """Open an input for a while."""
    known = Finished(store, buckets) if store is not None else None

    def context(activity: str, work: Path, file: Path) -> ActivityContext:
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
            count_limit=count_limit,
            log=logging.LoggerAdapter(log, {}),
        )

    with tempfile.TemporaryDirectory(prefix="mediaflow-plan-") as folder:
        content = open_content(
            source,
            graph.start.activity,
            make_folder=lambda: Path(tempfile.mkdtemp(dir=folder)),
            context=partial(context, graph.start.name),
            cancel=threading.Event(),
            store=store,
        )
        yield _Look(
            graph=graph,
            input=Input(
                ref=source.ref, digests=content.digests, names=names, composite=content.composite
            ),
            file=content.file,
            folder=Path(folder),
            context=context,
            finished=known.find if known is not None else _nothing,
            streams=known.streams if known is not None else no_streams,
        )


def _nothing(planned: Planned) -> None:
    """No finished step is known."""


def _no_execution() -> ExecutionRecord:
    raise ActivityError(Code.INTERNAL, "A plan has no execution.")
