"""Runs executions in this process: claim, lease, runner, executor, and the end of each."""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from workflow_engine.activity import TemplateLookup
from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.buckets import Buckets
from workflow_engine.buckets.interface import handle_file
from workflow_engine.catalog import publish_states
from workflow_engine.errors import (
    Code,
    InterruptedRunError,
    Interruption,
    InvalidInputError,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.messages import Outbox, Sender
from workflow_engine.planning.graph import Graph, Workflow
from workflow_engine.records import ExecutionRecord, ExecutionState, utc_now
from workflow_engine.run import lease, run_log
from workflow_engine.run.active_run import ActiveRun
from workflow_engine.run.cancellation import Cancellation
from workflow_engine.run.completion import Completion
from workflow_engine.run.environment import RunEnvironment
from workflow_engine.run.history import existing_execution
from workflow_engine.run.inputs import Inputs
from workflow_engine.run.journal import Observer
from workflow_engine.run.preparation import prepare
from workflow_engine.run.publisher import sweep as sweep_staged
from workflow_engine.run.queue import resumable_execution
from workflow_engine.run.runner import Executor
from workflow_engine.run.source import Source
from workflow_engine.run.submission import buckets_of, new_execution
from workflow_engine.run.work_directory import sweep
from workflow_engine.settings.models import RunnerSettings
from workflow_engine.store import Claim, Store
from workflow_engine.telemetry import bound

#: gets what stops a run before anything runs
OnStart = Callable[[Cancellation], object]

#: seconds that the end of a foreground run waits for its messages; `serve` sends what is left
MESSAGE_PATIENCE = 5.0


def ignore(cancellation: Cancellation) -> None:
    """Let nobody stop a run from outside."""


class RunService:
    """Runs what this process has claimed; thread-safe."""

    def __init__(
        self,
        *,
        store: Store,
        buckets: Buckets,
        inputs: Inputs,
        outbox: Outbox,
        settings: RunnerSettings,
        retry: RetryPolicy,
        work_root: Path,
        parse: Callable[[str], Graph],
        templates: TemplateLookup,
    ) -> None:
        """`retry` is for activity types that have no policy of their own.

        `parse` reads the topologies of executions that exist, and `templates` finds theirs.
        """
        self._store = store
        self._buckets = buckets
        self._inputs = inputs
        self._outbox = outbox
        self._settings = settings
        self._retry = retry
        self._work_root = work_root
        self._parse = parse
        self._templates = templates
        self._slots = threading.BoundedSemaphore(settings.processes)

    def run(
        self,
        workflow: Workflow,
        source: Source,
        *,
        pipeline_id: str,
        output_root: str,
        executor: Executor,
        user_data: str,
        fresh: bool,
        observers: Sequence[Observer],
        on_start: OnStart,
    ) -> ExecutionRecord:
        """Make a new execution of a workflow and run it; see `Engine.run`."""
        graph = workflow.graph
        record = new_execution(
            graph,
            source.ref,
            name=workflow.name,
            workflow_id=workflow.id,
            pipeline_id=pipeline_id,
            origin=source.place,
            version=source.info.version,
            output_root=output_root,
            buckets=buckets_of(graph, source.ref.bucket, self._buckets.locations),
            user_data=user_data,
            fresh=fresh,
            state=ExecutionState.RUNNING,
        )
        claim = self._store.queue.add_claimed(
            record, owner=lease.owner_name(), lease_seconds=lease.LEASE
        )
        with (
            bound(record.run_id),
            self._messages_sent(record.run_id),
            lease.Lease(self._store, claim) as kept,
        ):
            run = self._active(claim, graph, record, observers)
            ended = self._execute(kept, run, lambda: source, executor, on_start)
        return self._with_messages(ended)

    def resume(
        self,
        run_id: str,
        *,
        executor: Executor,
        observers: Sequence[Observer],
        on_start: OnStart,
    ) -> ExecutionRecord:
        """Continue an execution in the foreground; see `Engine.resume`."""
        resumable_execution(self._store, run_id)
        try:
            claim = self._store.queue.claim(
                run_id, owner=lease.owner_name(), lease_seconds=lease.LEASE
            )
        except LeaseLostError as error:
            raise InvalidInputError(error.code, error.message, remedy=error.remedy) from None
        with (
            bound(run_id),
            self._messages_sent(run_id),
            lease.Lease(self._store, claim) as kept,
        ):
            # read again under the claim: another process may have ended it in the meantime
            record = resumable_execution(self._store, run_id)
            source = self._inputs.again(record)
            run = self._active(claim, self._parse(record.topology), record, observers)
            ended = self._execute(kept, run, lambda: source, executor, on_start)
        return self._with_messages(ended)

    def run_claimed(
        self,
        claim: Claim,
        *,
        executor: Executor,
        observers: Sequence[Observer] = (),
        on_start: OnStart = ignore,
    ) -> ExecutionRecord:
        """Run what is left of an execution out of the queue and return it.

        An input that cannot be read any more, or is another version now, fails its Start. An
        execution that cannot be run at all, because its topology does not load any more, ends as
        Fail; that raises. Whatever else raises leaves it for the next claim.
        """
        with bound(claim.run_id), lease.Lease(self._store, claim) as kept:
            try:
                record = existing_execution(self._store, claim.run_id)
                run = self._active(claim, self._parse(record.topology), record, observers)
            except (StoreError, LeaseLostError):
                raise
            except Exception as error:
                self._refuse(claim, as_engine_error(error))
                raise
            began = time.monotonic()
            run_log.begins(record)
            ended = self._execute(kept, run, lambda: self._inputs.again(record), executor, on_start)
            run_log.ends(ended, time.monotonic() - began)
            return ended

    def sweep(self) -> None:
        """Take away what killed processes of this machine left in folders and buckets."""
        sweep(self._work_root, self._sweep_staged)

    def _sweep_staged(self, run_id: str) -> Iterable[Path]:
        """Take away what a killed process had staged, unless another one continues with it.

        Returns the files that this one then needs.
        """
        intents = self._store.steps.intents(run_id)  # before another process claims it
        if self._store.queue.continues(run_id):
            return filter(None, (handle_file(intent.handle) for intent in intents))
        sweep_staged(self._buckets, intents)
        return ()

    def _active(
        self,
        claim: Claim,
        graph: Graph,
        record: ExecutionRecord,
        observers: Sequence[Observer] = (),
    ) -> ActiveRun:
        """Return an execution that can be run, once the remains of killed processes are gone."""
        self.sweep()
        buckets = self._buckets
        if record.output_root:
            buckets = buckets.below(Path(record.output_root))
        access = publish_states.access_in(buckets)
        environment = RunEnvironment(
            store=self._store,
            buckets=buckets,
            opener=self._inputs.opener(buckets),
            work_root=self._work_root,
            slot=lambda: self._slots,
            completion=Completion(self._store, self._outbox, graph, access),
            fuse=self._settings.fuse,
            processes=self._settings.processes,
            count_limit=self._settings.count_limit,
            retry=self._retry,
            templates=self._templates,
        )
        return ActiveRun(
            graph=graph, record=record, claim=claim, environment=environment, observers=observers
        )

    def _execute(
        self,
        kept: lease.Lease,
        run: ActiveRun,
        open_input: Callable[[], Source],
        executor: Executor,
        on_start: OnStart,
    ) -> ExecutionRecord:
        """Run what is left of an execution. Raises LeaseLostError when another process took it."""
        with run_log.execution_span(run.record) as seen:
            ended = self._executed(kept, run, open_input, executor, on_start)
            run_log.execution_ended(seen, ended)
        return ended

    def _executed(
        self,
        kept: lease.Lease,
        run: ActiveRun,
        open_input: Callable[[], Source],
        executor: Executor,
        on_start: OnStart,
    ) -> ExecutionRecord:
        try:
            kept.on_stop(run.cancellation.stop)
            on_start(run.cancellation)
            executor.execute(prepare(run, open_input))
        except InterruptedRunError:
            return self._stopped(run)
        except (StoreError, LeaseLostError):
            self._leave(run)
            raise
        except BaseException as error:
            run.finish(as_engine_error(error))
            raise
        return run.finish()

    def _stopped(self, run: ActiveRun) -> ExecutionRecord:
        """End an interrupted execution, unless another process continues with it."""
        if run.cancellation.reason is not Interruption.LEFT:
            return run.finish(InterruptedRunError(run.cancellation.reason))
        self._leave(run)
        # tells who lost the claim, and whether the store works
        self._store.queue.renew(run.claim, lease.LEASE)
        return run.record

    def _leave(self, run: ActiveRun) -> None:
        """Leave a run to whoever continues it, with the files that it was about to publish."""
        run.work.leave()
        self.sweep()

    def _refuse(self, claim: Claim, error: MediaflowError) -> None:
        """End an execution that cannot be run."""
        record = replace(
            existing_execution(self._store, claim.run_id),
            state=ExecutionState.FAIL,
            code=error.code,
            message=error.message,
            ended=utc_now(),
        )
        Completion(self._store, self._outbox, None).end(claim, record)

    @contextmanager
    def _messages_sent(self, run_id: str) -> Generator[None]:
        """Send the messages of a foreground run; `serve` sends what cannot be sent in time."""
        if not self._outbox.receivers:
            yield
            return
        sender = Sender(self._store, self._outbox.receivers)
        unsubscribe = self._outbox.subscribe(sender.wake)
        sender.start()
        try:
            yield
            sender.wait(run_id, MESSAGE_PATIENCE)
        finally:
            unsubscribe()
            sender.stop(0)

    def _with_messages(self, ended: ExecutionRecord) -> ExecutionRecord:
        """Return an execution as it stands, with what became of its messages by now."""
        return existing_execution(self._store, ended.run_id) if self._outbox.receivers else ended


def as_engine_error(error: BaseException) -> MediaflowError:
    """Return an error of ours for any exception."""
    if isinstance(error, MediaflowError):
        return error
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return InterruptedRunError()
    return MediaflowError(Code.INTERNAL, f"The operation has failed: {error!r}.")
