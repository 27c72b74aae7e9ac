"""One execution, activity by activity: from ready to published, with every state committed.

An executor calls `run_activity` for each activity once its predecessors have ended, from any
thread; the runner knows nothing of scheduling. `journal.py` keeps the record, `publishing.py` makes
outputs visible, `reuse.py` finds finished ones, `sharing.py` runs siblings in one process.
Specification: topology, 6-9.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from workflow_engine.activity import (
    ActivityContext,
    ActivityResult,
    Artifact,
    Result,
    TemplateLookup,
    no_templates,
)
from workflow_engine.buckets import Buckets
from workflow_engine.effects import Effects
from workflow_engine.errors import (
    ActivityError,
    Code,
    InterruptedRunError,
    Interruption,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.graph import Graph
from workflow_engine.journal import Journal, Observer
from workflow_engine.placeholders import Names
from workflow_engine.plan import Input, Planned, Planner, shared_groups
from workflow_engine.publishing import Publisher, sweep
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
from workflow_engine.sharing import SharedRun
from workflow_engine.sides import Sides
from workflow_engine.source import NO_DIGESTS, Source, SourceFile
from workflow_engine.store import Claim, Store
from workflow_engine.structure import REPORT, START
from workflow_engine.workdir import WorkDirectory

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an activity ended, and what there is to show beside it."""

    record: ActivityRecord
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a runner needs of the process that it lives in."""

    store: Store
    buckets: Buckets
    opener: Callable[[ObjectRef], Source]  # pins what is read beside the input
    work_root: Path
    slot: Callable[[], AbstractContextManager[object]]  # held while a media process runs
    effects: Effects
    fuse: bool = True


class Runner:
    """Runs the activities of one execution and keeps its record."""

    def __init__(
        self,
        *,
        graph: Graph,
        record: ExecutionRecord,
        claim: Claim,
        source: Source,
        names: Names,
        around: Surroundings,
        templates: TemplateLookup = no_templates,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.graph = graph
        self.cancel = threading.Event()
        self.interruption = Interruption.USER
        self._run_id = record.run_id
        self._fresh = record.fresh
        self._journal = Journal(record, claim, around.store, around.effects, observers)
        self._source = source
        self._names = names
        self._templates = templates
        self._around = around
        self._planner: Planner  # once `take_up` knows the content of the input
        self._lock = threading.RLock()  # a signal may stop what is being stopped
        self._sharing = threading.Lock()
        self._shared: dict[str, SharedRun | None] = {}
        self._publisher = Publisher(around.store, claim, source, around.buckets)
        self._work = WorkDirectory(around.work_root, record.run_id)
        self._file = SourceFile(source, self._work.attempt, self.cancel)
        self._sides = Sides(
            source=source,
            file=self._file,
            names=names,
            opener=around.opener,
            make_folder=self._work.attempt,
            context=lambda work, file: self._looking(record.run_id, work, file),
        )

    def take_up(self) -> None:
        """Save that the execution runs; keep what succeeded in an earlier attempt at it.

        Call it before anything else; it reads the input, if that was not done before, and the
        outputs that were made. Raises InterruptedRunError, LeaseLostError and StoreError.
        """
        self._journal.begin()
        given = Input(ref=self._source.ref, digests=self._read_input(), names=self._names)
        self._planner = Planner(self.graph, given, self._templates, self._sides.read)
        sweep(self._around.buckets, self._around.store.intents(self._run_id))
        keys = self._around.store.step_keys(self._run_id)
        for name in self.graph.order:
            record = self._journal.activity(name)
            if record.state is ActivityState.WAITING:
                continue
            self._require_no_interrupt()
            if not self._may_stay(record, keys.get(name)):
                self._journal.reset(name)
                continue
            kept = Result(
                type=record.type,
                data=record.data,
                outputs=record.outputs,
                commands=record.commands,
                warnings=record.warnings,
            )
            self._planner.keep(name, kept)

    def _may_stay(self, record: ActivityRecord, key: str | None) -> bool:
        """Whether a success still counts: nothing that shaped it changed, nor did its outputs."""
        if record.state is not ActivityState.SUCCESS or record.type == REPORT:
            return False
        if key is not None and not self._planner.agrees(record.name, key):
            return False
        return self._publisher.finished.intact(record.outputs, self.cancel)

    def _read_input(self) -> Digests:
        """Return the digests of the input; one that cannot be read will fail Start."""
        source = self._source
        try:
            digests = self._file.digests()
        except InterruptedRunError:
            raise
        except MediaflowError as error:
            self._source = Source.missing(source.ref, error)
            return NO_DIGESTS
        if source.problem is None:
            self._around.store.cache_digests(source.place, source.info.version, digests)
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
            return Outcome(record=self._journal.save(_skipped(record, reason)))
        record = self._journal.save(
            replace(record, state=ActivityState.RUNNING, started=utc_now(), job_id=new_id())
        )
        try:
            return self._attempt(record)
        except InterruptedRunError:
            if self.interruption is not Interruption.LEFT:
                code, message = self.interruption.value
                self._journal.save(_failed(record, code, message))
            raise
        except (LeaseLostError, StoreError):
            raise
        except MediaflowError as error:
            detail = error.detail if isinstance(error, ActivityError) else ""
            text = f"{error.message} {error.remedy}".strip()
            return Outcome(record=self._journal.save(_failed(record, error.code, text, detail)))
        except Exception as error:
            log.exception("run %s, activity %s: unexpected: %r", self._run_id, name, error)
            text = f"The operation has failed due to an unexpected error: {error!r}."
            return Outcome(record=self._journal.save(_failed(record, Code.INTERNAL, text)))

    def finish(self, error: MediaflowError | None = None) -> ExecutionRecord:
        """Give the execution its final state, commit it and remove the work directory.

        `error` is what ended the run early: an interruption, or the engine itself.
        """
        state, code, message = self.verdict()
        if error is not None:
            state, code, message = ExecutionState.FAIL, error.code, error.message
            for record in self.record.activities:
                if record.state is ActivityState.RUNNING:
                    self._journal.save(_failed(record, error.code, error.message))
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
        if node.type in (START, REPORT):
            return ""
        start = self._journal.activity(self.graph.start.name)
        if start.state is ActivityState.SUCCESS:
            return ""
        return f"Skipped because Start failed: {start.code}."

    def _attempt(self, record: ActivityRecord) -> Outcome:
        planned = self._planner.plan(record.name)
        if planned.error is not None:
            raise planned.error
        if planned.step is None:
            reason = planned.skip.reason if planned.skip else ""
            return Outcome(record=self._journal.save(_skipped(record, reason)))
        source_read = planned.node.type != REPORT
        if source_read:
            self._source.require_unchanged()
            self._sides.require_unchanged(planned.side)
        self._publisher.require_other_places([output.ref for output in planned.step.outputs])
        if finished := self._find_finished(planned):
            refs = planned.node.activity.renamed(planned.step, finished)
            outputs = self._publisher.republish(record.name, finished.outputs, refs, self.cancel)
            if outputs is not None:
                record = replace(record, reused=True)
                return self._succeed(record, planned, replace(finished, outputs=outputs))
        result = self._perform(planned)
        if source_read:
            self._source.require_unchanged()
            self._sides.require_unchanged(planned.side)
        return self._publish(record, planned, result)

    def _find_finished(self, planned: Planned) -> Result | None:
        return None if self._fresh else self._publisher.finished.find(planned)

    def _perform(self, planned: Planned) -> ActivityResult:
        shared = self._shared_run(planned)
        result = shared.result(planned.node.name) if shared else None
        if result is None:
            assert planned.step is not None
            result = planned.node.activity.run(planned.step, self._context(planned.node.name))
        return result

    def _shared_run(self, planned: Planned) -> SharedRun | None:
        """Return the process that this activity shares with siblings, if it does."""
        name = planned.node.name
        if not self._around.fuse or planned.step is None or not planned.step.share:
            return None
        with self._sharing:
            if name not in self._shared:
                siblings = [
                    self._planner.plan(sibling)
                    for sibling in self._planner.siblings[name]
                    if not self._journal.activity(sibling).state.ended
                ]
                served = [p.node.name for p in siblings if self._find_finished(p)]
                self._shared.update((sibling.node.name, None) for sibling in siblings)
                for group in shared_groups(self.graph, siblings, served):
                    members = [self._planner.plan(member) for member in group]
                    self._shared.update(dict.fromkeys(group, SharedRun(members, self._context)))
            return self._shared[name]

    def _context(self, name: str) -> ActivityContext:
        work = self._work.attempt()
        source = work / self._names.source_name
        if self.graph.nodes[name].type != REPORT:
            self._file.link(source)
            self._sides.link(self._planner.plan(name).side, work)

        def progress(fraction: float) -> None:
            try:
                self._journal.progress(name, fraction)
            except LeaseLostError:
                self.stop(Interruption.LEFT)

        return replace(self._looking(name, work, source), progress=progress)

    def _looking(self, name: str, work: Path, source: Path) -> ActivityContext:
        """Return the context of an activity that shows no progress."""
        return ActivityContext(
            activity=name,
            run_id=self._run_id,
            work=work,
            source=source,
            names=self._names,
            progress=lambda fraction: None,
            cancel=self.cancel,
            slot=self._around.slot,
            execution=lambda: self.record,
            read_by=lambda one: self._planner.read_by(one),
            log=logging.LoggerAdapter(log, {"run_id": self._run_id, "activity": name}),
        )

    def _report_bucket(self) -> str:
        """Where the report of a run without any output goes: beside the outputs it would have."""
        for node in self.graph.nodes.values():
            for ref in node.activity.destinations(node.parameters):
                return ref.bucket
        return self._source.ref.bucket

    def _publish(self, record: ActivityRecord, planned: Planned, result: ActivityResult) -> Outcome:
        """Commit the intent, make the outputs visible, what refers to others last."""
        files = [
            produced
            if produced.ref.bucket
            else replace(produced, ref=replace(produced.ref, bucket=self._report_bucket()))
            for produced in result.outputs
        ]
        outputs = self._publisher.publish(record.name, files, self.cancel)
        planned_warnings = planned.step.warnings if planned.step else ()
        warnings = (*(problem.message for problem in planned_warnings), *result.warnings)
        finished = Result(
            type=record.type,
            data=result.data,
            outputs=outputs,
            commands=result.commands,
            warnings=warnings,
        )
        return self._succeed(record, planned, finished)

    def _succeed(self, record: ActivityRecord, planned: Planned, finished: Result) -> Outcome:
        done = replace(
            record,
            state=ActivityState.SUCCESS,
            ended=utc_now(),
            progress=1.0,
            outputs=finished.outputs,
            data=finished.data,
            commands=finished.commands,
            warnings=finished.warnings,
        )
        key = planned.key if planned.node.activity.reusable else None
        # before anybody sees that it has ended: what comes next is planned with it
        self._planner.keep(record.name, finished)
        done = self._journal.succeed(done, key)
        return Outcome(record=done, artifacts=tuple(planned.node.activity.artifacts(finished)))


def _skipped(record: ActivityRecord, reason: str) -> ActivityRecord:
    now = utc_now()
    started = record.started or now
    return replace(record, state=ActivityState.SKIPPED, started=started, ended=now, message=reason)


def _failed(record: ActivityRecord, code: str, message: str, detail: str = "") -> ActivityRecord:
    return replace(
        record,
        state=ActivityState.FAIL,
        ended=utc_now(),
        code=str(code),
        message=message,
        detail=detail,
    )
