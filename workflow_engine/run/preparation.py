"""Prepares a run: opens its input, plans with it, and keeps what an earlier attempt has made."""

from collections.abc import Callable
from functools import partial

from workflow_engine.errors import (
    ActivityError,
    Code,
    InterruptedRunError,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.planning.plan import Input, Planned, Planner, plan_activity
from workflow_engine.records import ActivityState
from workflow_engine.run.active_run import ActiveRun
from workflow_engine.run.composite import Content, open_content
from workflow_engine.run.publisher import Publisher
from workflow_engine.run.recovery import Recovery
from workflow_engine.run.runner import Runner
from workflow_engine.run.side_inputs import SideInputs
from workflow_engine.run.source import NO_DIGESTS, Source, SourceFile
from workflow_engine.run.step_runner import StepRunner
from workflow_engine.run.streams import StreamFiles


def prepare(run: ActiveRun, open_input: Callable[[], Source]) -> Runner:
    """Save that an execution runs, and return what runs the activities that are left.

    `open_input` finds and pins the input; it is called again after transient causes. An input
    that cannot be read will fail Start. An activity whose process was killed between the names of
    its outputs and its success is completed. Raises InterruptedRunError, LeaseLostError and
    StoreError.
    """
    run.journal.begin()
    environment = run.environment
    source, content = _opened(run, open_input)
    file = content.file
    publisher = Publisher(environment.store, run.claim, source, environment.buckets)
    side_inputs = SideInputs(
        source=source,
        file=file,
        names=run.names,
        opener=environment.opener,
        make_folder=run.work.attempt,
        context=partial(run.context, run.record.run_id),
    )
    planner = Planner(
        run.graph, _facts(run, source, content), environment.templates, side_inputs.read
    )
    run.estimates.outlook = lambda: planner.outlook(side_inputs.known)
    Recovery(run, planner, publisher).keep_all()
    find_finished = _nothing if run.fresh else publisher.finished.find
    streams = StreamFiles(publisher.finished, run.names, run.work.attempt, run.cancellation.event)
    return Runner(
        run=run,
        source=source,
        side_inputs=side_inputs,
        planner=planner,
        publisher=publisher,
        steps=StepRunner(
            run, planner, file, side_inputs, find_finished, None if run.fresh else streams
        ),
        find_finished=find_finished,
    )


def _opened(run: ActiveRun, open_input: Callable[[], Source]) -> tuple[Source, Content]:
    """Open and read the input."""
    start, cancel = run.graph.start, run.cancellation.event

    def read() -> tuple[Source, Content]:
        source = open_input()
        content = open_content(
            source,
            start.activity,
            make_folder=run.work.attempt,
            context=partial(run.context, start.name),
            cancel=cancel,
            store=run.environment.store,
        )
        if content.composite is not None:
            _require_same_parts(run, _facts(run, source, content))
        return source, content

    try:
        return run.attempts.call(start.name, read)
    except (InterruptedRunError, StoreError, LeaseLostError):
        raise
    except MediaflowError as error:
        missing = Source.missing(run.record.input, error)
        file = SourceFile(missing, run.work.attempt, cancel)
        return missing, Content(file=file, digests=NO_DIGESTS)


def _facts(run: ActiveRun, source: Source, content: Content) -> Input:
    return Input(
        ref=source.ref, digests=content.digests, names=run.names, composite=content.composite
    )


def _require_same_parts(run: ActiveRun, facts: Input) -> None:
    """Refuse an input whose parts changed since an earlier attempt's Start. Raises ActivityError.

    Versions of the input alone are compared when it is opened; those of its parts are in the
    content key of Start.
    """
    start = run.graph.start.name
    if run.journal.activity(start).state is not ActivityState.SUCCESS:
        return
    key = run.environment.store.steps.keys(run.record.run_id).get(start)
    if key not in (None, plan_activity(run.graph, start, facts, {}, {}).key):
        raise ActivityError(
            Code.RESOURCE_CONTENT_BAD,
            f'What the input "{facts.ref.object}" is made of is not what it was when the execution '
            "began.",
            remedy="Run the workflow on it again.",
        )


def _nothing(planned: Planned) -> None:
    """No finished step is found for a run that does everything again."""
