"""One execution, activity by activity: from ready to published, with every state committed.

An executor calls `run_activity` for each activity once its predecessors have ended, from any
thread; the runner knows nothing of scheduling. `journal.py` keeps the record, `recovery.py` what
was done before, `attempts.py` tries again after transient causes, `step_runner.py` makes outputs,
`publisher.py` makes them visible, `reuse.py` finds finished ones, `outcomes.py` says how it ended.
Specification: topology, 6-9.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from workflow_engine.activity import (
    ActivityResult,
    Role,
    StepResult,
    Thumbnail,
)
from workflow_engine.errors import (
    Code,
    InterruptedRunError,
    Interruption,
    InvalidInputError,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.planning.graph import Graph
from workflow_engine.planning.plan import Planned, Planner
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    ExecutionState,
)
from workflow_engine.run.active_run import ActiveRun
from workflow_engine.run.journal import Observer
from workflow_engine.run.outcomes import Outcome, skipped, succeeded
from workflow_engine.run.publisher import Publication, Publisher
from workflow_engine.run.run_log import activity_ended, activity_span
from workflow_engine.run.side_inputs import SideInputs
from workflow_engine.run.source import Source
from workflow_engine.run.step_runner import StepRunner
from workflow_engine.telemetry import bound, current_span

log = logging.getLogger(__name__)

#: of the original of a copy: then the step is made again
_NOT_TO_BE_HAD = (Code.RESOURCE_NOT_FOUND, Code.RESOURCE_CONTENT_BAD, Code.RESOURCE_ACCESS)


class Runner:
    """Runs the activities of one execution that is prepared."""

    def __init__(
        self,
        *,
        run: ActiveRun,
        source: Source,
        side_inputs: SideInputs,
        planner: Planner,
        publisher: Publisher,
        steps: StepRunner,
        find_finished: Callable[[Planned], StepResult | None],
    ) -> None:
        """`find_finished` finds the result of an equal step, where one may be used."""
        self._run = run
        self._journal = run.journal
        self._attempts = run.attempts
        self._source = source
        self._side_inputs = side_inputs
        self._planner = planner
        self._publisher = publisher
        self._steps = steps
        self._find_finished = find_finished
        self._span = current_span()  # activities run on threads that do not know it

    # --- what executors ask --------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The activities and what each waits for."""
        return self._run.graph

    @property
    def record(self) -> ExecutionRecord:
        """The execution as it stands."""
        return self._journal.record

    @property
    def thumbnails(self) -> Mapping[str, Thumbnail]:
        """Small copies of pictures that came out, by the places of the outputs."""
        return self._run.thumbnails

    @property
    def cancel(self) -> threading.Event:
        """Set when the run should stop."""
        return self._run.cancellation.event

    @property
    def interruption(self) -> Interruption:
        """Why it should."""
        return self._run.cancellation.reason

    def stop(self, reason: Interruption) -> None:
        """Interrupt the run; the first reason counts."""
        self._run.cancellation.stop(reason)

    def watch(self, observer: Observer) -> None:
        """Tell one more observer from now on."""
        self._journal.watch(observer)

    def set_prefect_url(self, url: str) -> None:
        """Keep where the Prefect UI shows this execution."""
        self._journal.set_prefect_url(url)

    def may_run(self, name: str) -> bool:
        """Whether all predecessors of an activity have ended."""
        before = self.graph.predecessors(name)
        return all(self._journal.activity(one).state.ended for one in before)

    def ended(self) -> bool:
        """Whether every activity has ended."""
        return all(activity.state.ended for activity in self.record.activities)

    def verdict(self) -> tuple[ExecutionState, str, str]:
        """Return state, code and message of the execution when its activities have ended."""
        return self._run.verdict()

    # --- one activity --------------------------------------------------------------------

    def run_activity(self, name: str) -> Outcome:
        """Run one activity whose predecessors have ended, and return how it ended.

        An activity that has ended already is left alone. Raises InterruptedRunError after
        `cancel` was set, LeaseLostError when another process took the execution over, and
        StoreError; both stop the run, for whoever claims it next to continue.
        """
        with bound(self.record.run_id, name):
            try:
                with activity_span(self.record, name, self._span) as seen:
                    outcome = self._run_activity(name)
                    activity_ended(seen, outcome.record)
                return outcome
            except (LeaseLostError, StoreError):
                self.stop(Interruption.LEFT)
                raise

    def _run_activity(self, name: str) -> Outcome:
        record = self._journal.activity(name)
        if record.state.ended:
            return Outcome(record=record)
        self._run.cancellation.require_none()
        if reason := self._blocked(name):
            return Outcome(record=self._journal.save(skipped(record, reason)))
        self._journal.run(name, message="")
        try:
            return self._attempt(name)
        except InterruptedRunError:
            if self.interruption is not Interruption.LEFT:
                self._run.fail(name, *self.interruption.value)
            raise
        except (LeaseLostError, StoreError):
            raise
        except MediaflowError as error:
            text = f"{error.message} {error.remedy}".strip()
            return Outcome(record=self._run.fail(name, error.code, text, error.detail))
        except Exception as error:
            log.exception("unexpected: %r", error)
            text = f"The operation has failed due to an unexpected error: {error!r}."
            return Outcome(record=self._run.fail(name, Code.INTERNAL, text))

    def _blocked(self, name: str) -> str:
        """Why the activity must be skipped: Start failed (specification, topology, 9)."""
        node = self.graph.nodes[name]
        if node.role in (Role.START, Role.REPORT):
            return ""
        start = self._journal.activity(self.graph.start.name)
        if start.state is ActivityState.SUCCESS:
            return ""
        return f"Skipped because Start failed: {start.code}."

    def _attempt(self, name: str) -> Outcome:
        """Bring an activity to its end, each part as often as its transient causes need it."""
        call = self._attempts.call
        planned = call(name, lambda: self._ready(name))
        if planned.step is None:
            reason = planned.skip.reason if planned.skip else ""
            record = skipped(self._journal.activity(name), reason)
            return Outcome(record=self._journal.save(record))
        finished = call(name, lambda: self._find_finished(planned))
        if finished is not None and (outcome := self._republish(planned, finished)):
            return outcome
        result = call(name, lambda: self._steps.run(planned))
        call(name, lambda: self._require_unchanged(planned))
        return self._publish(planned, result)

    def _ready(self, name: str) -> Planned:
        """Plan an activity and see that its inputs and places are what they should be."""
        planned = self._planner.plan(name)
        if planned.error is not None:
            raise planned.error
        if planned.step is not None:
            self._require_unchanged(planned)
            self._publisher.require_other_places([output.ref for output in planned.step.outputs])
        return planned

    def _require_unchanged(self, planned: Planned) -> None:
        if planned.node.role is not Role.REPORT:
            self._source.require_unchanged()
            self._side_inputs.require_unchanged(planned.side_inputs)

    def _report_bucket(self) -> str:
        """Where the report of a run without any output goes: beside the outputs it would have."""
        for node in self.graph.nodes.values():
            for ref in node.activity.destinations(node.parameters):
                return ref.bucket
        return self._source.ref.bucket

    def _publish(self, planned: Planned, result: ActivityResult) -> Outcome:
        """Commit the intent, make the outputs visible, what refers to others last."""
        name = planned.node.name
        files = [
            produced
            if produced.ref.bucket
            else replace(produced, ref=replace(produced.ref, bucket=self._report_bucket()))
            for produced in result.outputs
        ]
        with self._run.estimates.published(name, files):
            publication = self._attempts.call(
                name, lambda: self._publisher.of_files(files, planned.stream_key, self.cancel)
            )
            planned_warnings = planned.step.warnings if planned.step else ()
            finished = StepResult(
                data=result.data,
                outputs=publication.outputs,
                commands=result.commands,
                warnings=(*(problem.message for problem in planned_warnings), *result.warnings),
            )
            return self._succeed(planned, publication, finished)

    def _republish(self, planned: Planned, finished: StepResult) -> Outcome | None:
        """Publish what an equal step left; None when it is not there any more."""
        assert planned.step is not None
        refs = planned.node.activity.renamed(planned.step, finished)
        publication = self._attempts.call(
            planned.node.name,
            lambda: self._publisher.of_copies(finished.outputs, refs, self.cancel),
        )
        if publication is None:
            return None
        finished = replace(finished, outputs=publication.outputs)
        try:
            return self._succeed(planned, publication, finished, reused=True)
        except InvalidInputError as error:
            if error.code not in _NOT_TO_BE_HAD:
                raise
            return None

    def _succeed(
        self,
        planned: Planned,
        publication: Publication,
        finished: StepResult,
        *,
        reused: bool = False,
    ) -> Outcome:
        """Publish and commit the success of an activity."""
        name = planned.node.name
        key = planned.key if planned.node.activity.reusable else None

        def done() -> ActivityRecord:
            return succeeded(self._journal.activity(name), finished, reused=reused)

        try:
            self._attempts.call(name, lambda: publication.publish(done(), key, self.cancel))
        except (LeaseLostError, StoreError):
            publication.leave(name)
            raise
        except BaseException as error:
            left = self.interruption is Interruption.LEFT
            if left and isinstance(error, InterruptedRunError):
                publication.leave(name)
            else:
                publication.take_back(name)
            raise
        # before anybody sees that it has ended: what comes next is planned with it
        self._planner.keep(name, finished)
        record = self._journal.succeed(done(), key)
        return Outcome(record=record, artifacts=tuple(planned.node.activity.artifacts(finished)))


class Executor(Protocol):
    """Runs every activity of an execution.

    `abandoned` tells that threads were left behind which a process that wants to end must not
    wait for.
    """

    abandoned: bool

    def execute(self, runner: Runner) -> None:
        """Call `run_activity` for each activity after all its predecessors have ended.

        Raises InterruptedRunError when the runner's `cancel` was set, LeaseLostError and
        StoreError as `run_activity` does.
        """
        ...
