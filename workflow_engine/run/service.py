"""How an execution runs that this process has claimed: lease, runner, executor, and its end."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_engine.catalog import publish_states
from workflow_engine.errors import (
    Code,
    InterruptedRunError,
    Interruption,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.executor import Executor
from workflow_engine.messages import Sender
from workflow_engine.placeholders import Names
from workflow_engine.planning.graph import Graph
from workflow_engine.records import ExecutionRecord, ExecutionState, utc_now
from workflow_engine.run import lease
from workflow_engine.run.completion import Completion
from workflow_engine.run.journal import Observer
from workflow_engine.run.publisher import sweep as sweep_staged
from workflow_engine.run.runner import RunEnvironment, Runner
from workflow_engine.run.source import Source
from workflow_engine.run.work_directory import sweep
from workflow_engine.store import Claim, Store

if TYPE_CHECKING:
    from workflow_engine.engine import Engine

#: seconds that the end of a foreground run waits for its messages; `serve` sends what is left
MESSAGE_PATIENCE = 5.0


class RunService:
    """Runs what one engine has claimed."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._slots = threading.BoundedSemaphore(engine.settings.runner.processes)

    @property
    def _store(self) -> Store:
        return self._engine.store

    def execute(
        self,
        claim: Claim,
        prepare: Callable[[], Runner],
        executor: Executor,
        on_start: Callable[[Runner], None],
    ) -> ExecutionRecord:
        """Run what is left of a claimed execution; the claim is kept and given back at the end.

        `prepare` makes the runner under the claim. Raises LeaseLostError when another process took
        the execution over.
        """
        with lease.Lease(self._store, claim) as kept:
            runner = prepare()
            try:
                kept.on_stop(runner.stop)
                on_start(runner)
                runner.take_up()
                executor.execute(runner)
            except InterruptedRunError:
                return self._stopped(runner, claim)
            except (StoreError, LeaseLostError):
                runner.clean()
                raise
            except BaseException as error:
                runner.finish(as_engine_error(error))
                raise
            return runner.finish()

    def _stopped(self, runner: Runner, claim: Claim) -> ExecutionRecord:
        """End an interrupted execution, unless another process goes on with it."""
        if runner.interruption is not Interruption.LEFT:
            return runner.finish(InterruptedRunError(runner.interruption))
        runner.clean()
        # tells who lost the claim, and whether the store works
        self._store.queue.renew(claim, lease.LEASE)
        return runner.record

    def runner(
        self,
        claim: Claim,
        graph: Graph,
        record: ExecutionRecord,
        open_input: Callable[[], Source],
        observers: Sequence[Observer] = (),
    ) -> Runner:
        """Return what runs an execution, once the remains of killed processes are gone.

        `open_input` is that of `Runner`.
        """
        self.sweep()
        engine, buckets = self._engine, self._engine.buckets
        if record.output_root:
            buckets = buckets.below(Path(record.output_root))
        access = publish_states.access_in(buckets) if buckets.have_access_rules else None
        names = Names.of(record.input.object, run_id=record.run_id, media_id=record.media_id)
        return Runner(
            graph=graph,
            record=record,
            claim=claim,
            open_input=open_input,
            names=names,
            environment=RunEnvironment(
                store=engine.store,
                buckets=buckets,
                opener=engine.opener(buckets),
                work_root=engine.work_root,
                slot=lambda: self._slots,
                completion=Completion(engine.store, engine.outbox, graph, access),
                fuse=engine.settings.runner.fuse,
                retry=engine.settings.retry.policy,
            ),
            templates=engine.accepted_template,
            observers=observers,
        )

    def refuse(self, claim: Claim, error: MediaflowError) -> None:
        """End an execution that cannot be run."""
        record = replace(
            self._engine.execution(claim.run_id),
            state=ExecutionState.FAIL,
            code=error.code,
            message=error.message,
            ended=utc_now(),
        )
        Completion(self._store, self._engine.outbox, None).end(claim, record)

    def with_messages(self, run_id: str, execute: Callable[[], ExecutionRecord]) -> ExecutionRecord:
        """Send the messages of a foreground run; the record tells what is known of them then.

        `serve` sends what cannot be sent in time.
        """
        if not (self._engine.settings.queues or self._engine.settings.topics):
            return execute()
        sender = Sender(self._store, self._engine.settings)
        self._engine.outbox.wake = sender.wake
        sender.start()
        try:
            execute()
            sender.wait(run_id, MESSAGE_PATIENCE)
        finally:
            sender.stop(0)
        return self._engine.execution(run_id)

    def sweep(self) -> None:
        """Take away what killed processes of this machine left in folders and buckets."""
        sweep(self._engine.work_root, self._sweep_staged)

    def _sweep_staged(self, run_id: str) -> None:
        """Take away what a killed process had staged, unless another one goes on with it."""
        intents = self._store.steps.intents(run_id)  # before another process claims it
        if not self._store.queue.continues(run_id):
            sweep_staged(self._engine.buckets, intents)


def as_engine_error(error: BaseException) -> MediaflowError:
    """Return an error of ours for any exception."""
    if isinstance(error, MediaflowError):
        return error
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return InterruptedRunError()
    return MediaflowError(Code.INTERNAL, f"The operation has failed: {error!r}.")
