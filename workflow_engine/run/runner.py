"""One execution, activity by activity: from ready to published, with every state committed.

An executor calls `run_activity` for each activity once its predecessors have ended, from any
thread; the runner knows nothing of scheduling. `journal.py` keeps the record, `recovery.py` what
was done before, `attempts.py` tries again after transient causes, `step_runner.py` makes outputs,
`publisher.py` makes them visible, `reuse.py` finds finished ones, `outcomes.py` says how it ended.
Specification: topology, 6-9.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from workflow_engine.activity import (
    ActivityResult,
    Role,
    StepResult,
    TemplateLookup,
    no_templates,
)
from workflow_engine.buckets import Buckets
from workflow_engine.errors import (
    Code,
    InterruptedRunError,
    Interruption,
    InvalidInputError,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.placeholders import Names
from workflow_engine.planning.graph import Graph
from workflow_engine.planning.plan import Input, Planned, Planner
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    new_id,
    utc_now,
)
from workflow_engine.retry import RetryPolicy
from workflow_engine.run.attempts import Attempts
from workflow_engine.run.completion import Completion
from workflow_engine.run.journal import Journal, Observer
from workflow_engine.run.outcomes import Outcome, failed, skipped, succeeded
from workflow_engine.run.publisher import Publication, Publisher
from workflow_engine.run.recovery import Recovery
from workflow_engine.run.side_inputs import SideInputs
from workflow_engine.run.source import NO_DIGESTS, Source, SourceFile
from workflow_engine.run.step_runner import StepRunner
from workflow_engine.run.work_directory import WorkDirectory
from workflow_engine.store import Claim, Store

log = logging.getLogger(__name__)

#: of the original of a copy: then the step is made again
_NOT_TO_BE_HAD = (Code.RESOURCE_NOT_FOUND, Code.RESOURCE_CONTENT_BAD, Code.RESOURCE_ACCESS)


@dataclass(frozen=True, kw_only=True)
class RunEnvironment:
    """What a runner needs of the process that it lives in."""

    store: Store
    buckets: Buckets
    opener: Callable[[ObjectRef], Source]  # pins what is read beside the input
    work_root: Path
    slot: Callable[[], AbstractContextManager[object]]  # held while a media process runs
    completion: Completion
    retry: RetryPolicy  # of activity types that have none of their own
    fuse: bool = True


class Runner:
    """Runs the activities of one execution and keeps its record."""

    def __init__(
        self,
        *,
        graph: Graph,
        record: ExecutionRecord,
        claim: Claim,
        open_input: Callable[[], Source],
        names: Names,
        environment: RunEnvironment,
        templates: TemplateLookup = no_templates,
        observers: Sequence[Observer] = (),
    ) -> None:
        """`open_input` finds and pins the input; it is called again after transient causes."""
        self.graph = graph
        self.cancel = threading.Event()
        self.interruption = Interruption.USER
        self._run_id = record.run_id
        self._fresh = record.fresh
        self._claim = claim
        self._journal = Journal(record, claim, environment.store, environment.completion, observers)
        self._attempts = Attempts(
            self._journal, self._policy, self.cancel, self._require_no_interrupt
        )
        self._open_input = open_input
        self._names = names
        self._templates = templates
        self._environment = environment
        self._lock = threading.RLock()  # a signal may stop what is being stopped
        self._work = WorkDirectory(environment.work_root, record.run_id)
        # once `take_up` has opened the input
        self._source: Source
        self._file: SourceFile
        self._side_inputs: SideInputs
        self._publisher: Publisher
        self._planner: Planner
        self._steps: StepRunner

    def _policy(self, name: str) -> RetryPolicy:
        return self.graph.nodes[name].activity.retry or self._environment.retry

    def take_up(self) -> None:
        """Save that the execution runs; keep what succeeded in an earlier attempt at it.

        Call it before anything else; it reads the input, if that was not done before, and the
        outputs that were made. An activity whose process was killed between the names of its
        outputs and its success is completed. Raises InterruptedRunError, LeaseLostError and
        StoreError.
        """
        self._journal.begin()
        self._prepare()
        recovery = Recovery(
            journal=self._journal,
            store=self._environment.store,
            buckets=self._environment.buckets,
            planner=self._planner,
            publisher=self._publisher,
            cancel=self.cancel,
        )
        for name in self.graph.order:
            self._require_no_interrupt()
            if self._was_begun(name) and not self._attempts.call(
                name, partial(recovery.keep, name)
            ):
                recovery.forget(name)

    def _was_begun(self, name: str) -> bool:
        """Whether an activity was begun in an earlier attempt; Start is, to read the input."""
        state = self._journal.activity(name).state
        reading = name == self.graph.start.name and state is ActivityState.RUNNING
        return state is not ActivityState.WAITING and not reading

    def _prepare(self) -> None:
        """Open and read the input; one that cannot be read will fail Start."""
        start, environment = self.graph.start.name, self._environment
        try:
            digests = self._attempts.call(start, self._read_input)
        except (InterruptedRunError, StoreError, LeaseLostError):
            raise
        except MediaflowError as error:
            self._source, digests = Source.missing(self.record.input, error), NO_DIGESTS
            self._file = SourceFile(self._source, self._work.attempt, self.cancel)
        self._publisher = Publisher(
            environment.store, self._claim, self._source, environment.buckets
        )
        self._side_inputs = SideInputs(
            source=self._source,
            file=self._file,
            names=self._names,
            opener=environment.opener,
            make_folder=self._work.attempt,
            context=lambda work, file: self._steps.quiet_context(self._run_id, work, file),
        )
        given = Input(ref=self._source.ref, digests=digests, names=self._names)
        self._planner = Planner(self.graph, given, self._templates, self._side_inputs.read)
        self._steps = StepRunner(
            graph=self.graph,
            journal=self._journal,
            planner=self._planner,
            file=self._file,
            side_inputs=self._side_inputs,
            names=self._names,
            work=self._work,
            slot=environment.slot,
            cancel=self.cancel,
            fuse=environment.fuse,
            find_finished=self._find_finished,
            lease_lost=lambda: self.stop(Interruption.LEFT),
        )

    def _read_input(self) -> Digests:
        self._source = source = self._open_input()
        self._file = SourceFile(source, self._work.attempt, self.cancel)
        digests = self._file.digests()
        self._environment.store.digests.save(
            source.place, source.info.version, digests, source.info.fingerprint
        )
        return digests

    def stop(self, reason: Interruption) -> None:
        """Interrupt the run; the first reason counts."""
        with self._lock:
            if not self.cancel.is_set():
                self.interruption = reason
                self.cancel.set()

    @property
    def record(self) -> ExecutionRecord:
        """The execution as it stands."""
        return self._journal.record

    def watch(self, observer: Observer) -> None:
        """Tell one more observer from now on."""
        self._journal.watch(observer)

    def ended(self) -> bool:
        """Whether every activity has ended."""
        return all(activity.state.ended for activity in self.record.activities)

    def set_prefect_url(self, url: str) -> None:
        """Keep where the Prefect UI shows this execution."""
        self._journal.set_prefect_url(url)

    def run_activity(self, name: str) -> Outcome:
        """Run one activity whose predecessors have ended, and return how it ended.

        An activity that has ended already is left alone. Raises InterruptedRunError after
        `cancel` was set, LeaseLostError when another process took the execution over, and
        StoreError; both stop the run, for whoever claims it next to go on.
        """
        try:
            return self._run_activity(name)
        except (LeaseLostError, StoreError):
            self.stop(Interruption.LEFT)
            raise

    def may_run(self, name: str) -> bool:
        """Whether all predecessors of an activity have ended."""
        before = self.graph.predecessors(name)
        return all(self._journal.activity(one).state.ended for one in before)

    def _run_activity(self, name: str) -> Outcome:
        record = self._journal.activity(name)
        if record.state.ended:
            return Outcome(record=record)
        self._require_no_interrupt()
        if reason := self._blocked(name):
            return Outcome(record=self._journal.save(skipped(record, reason)))
        self._journal.save(
            replace(
                record,
                state=ActivityState.RUNNING,
                started=record.started or utc_now(),
                job_id=record.job_id or new_id(),
                message="",
            )
        )
        try:
            return self._attempt(name)
        except InterruptedRunError:
            if self.interruption is not Interruption.LEFT:
                self._fail(name, *self.interruption.value)
            raise
        except (LeaseLostError, StoreError):
            raise
        except MediaflowError as error:
            text = f"{error.message} {error.remedy}".strip()
            return self._fail(name, error.code, text, error.detail)
        except Exception as error:
            log.exception("run %s, activity %s: unexpected: %r", self._run_id, name, error)
            text = f"The operation has failed due to an unexpected error: {error!r}."
            return self._fail(name, Code.INTERNAL, text)

    def _fail(self, name: str, code: str, message: str, detail: str = "") -> Outcome:
        record = failed(self._journal.activity(name), code, message, detail)
        return Outcome(record=self._journal.save(record))

    def finish(self, error: MediaflowError | None = None) -> ExecutionRecord:
        """Give the execution its final state, commit it and remove the work directory.

        `error` is what ended the run early: an interruption, or the engine itself.
        """
        state, code, message = self.verdict()
        if error is not None:
            state, code, message = ExecutionState.FAIL, error.code, error.message
            for record in self.record.activities:
                if record.state is ActivityState.RUNNING:
                    self._journal.save(failed(record, error.code, error.message))
        report = self.graph.report
        outputs = self._journal.activity(report.name).outputs if report else ()
        record = self._journal.end(state, code, message, outputs[0].place if outputs else "")
        self.clean()
        return record

    def clean(self) -> None:
        """Remove what lies in the work directory."""
        self._work.remove()

    def verdict(self) -> tuple[ExecutionState, str, str]:
        """Return state, code and message of an execution that came to its end.

        A workflow fails with Start only (specification, topology, 8); a job with any activity.
        """
        start, execution = self._journal.activity(self.graph.start.name), self.record
        if start.state is not ActivityState.SUCCESS:
            return ExecutionState.FAIL, start.code, start.message
        if execution.kind is not ExecutionKind.WORKFLOW:
            for record in execution.activities:
                if record.state is ActivityState.FAIL:
                    return ExecutionState.FAIL, record.code, record.message
                if record.state is ActivityState.SKIPPED:
                    return ExecutionState.FAIL, Code.TEMPLATE_NOT_SUPPORTED, record.message
        return ExecutionState.COMPLETED, "", ""

    def _require_no_interrupt(self) -> None:
        if self.cancel.is_set():
            raise InterruptedRunError(self.interruption)

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
            self._side_inputs.require_unchanged(planned.side)

    def _find_finished(self, planned: Planned) -> StepResult | None:
        return None if self._fresh else self._publisher.finished.find(planned)

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
        publication = self._attempts.call(
            name, lambda: self._publisher.of_files(files, self.cancel)
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
