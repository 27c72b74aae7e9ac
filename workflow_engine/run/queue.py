"""The queue of executions: what enters it, enters it again, or is cancelled.

`QueueTable.claim_next` says what leaves it, and when.
"""

import threading
from dataclasses import replace

from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.messages import Outbox
from workflow_engine.records import ExecutionRecord, ExecutionState
from workflow_engine.records.catalog import PipelineRecord
from workflow_engine.run.history import existing_execution
from workflow_engine.store import Store


class ExecutionQueue:
    """The queue of a store. `queued` is set whenever this process has put something into it."""

    def __init__(self, store: Store, outbox: Outbox, queued: threading.Event) -> None:
        self._store = store
        self._outbox = outbox
        self._queued = queued

    def add(self, record: ExecutionRecord, *, dedupe_key: str | None = None) -> ExecutionRecord:
        """Queue a new execution; when its input cannot be read, its Start will fail.

        Raises DuplicateExecutionError when the dedupe key was used before.
        """
        self._store.queue.add(record, dedupe_key=dedupe_key)
        self._queued.set()
        return record

    def add_failed(
        self, job: ExecutionRecord, pipeline: PipelineRecord, error: MediaflowError
    ) -> ExecutionRecord:
        """Keep a job that has failed before it could begin, and send its message."""
        job = replace(
            job,
            state=ExecutionState.FAIL,
            code=error.code,
            message=error.message,
            ended=job.created,
        )
        outgoing = self._outbox.announce_job(job, pipeline)
        job = replace(job, message_result=outgoing.result)
        self._store.queue.add(job, announce=outgoing.message)
        self._outbox.notify()
        return job

    def cancel(self, run_id: str) -> ExecutionRecord:
        """Cancel an execution: at once while it waits, else within seconds.

        Raises InvalidInputError when there is none or it has ended.
        """
        before = existing_execution(self._store, run_id)
        self._store.queue.request_cancel(run_id)
        record = existing_execution(self._store, run_id)
        # one that has just ended of itself was not cancelled either
        if before.state.ended or (record.state.ended and record.code != Code.CANCELLED):
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The execution "{run_id}" has ended as {record.state}.',
                remedy="Only executions that have not ended can be cancelled.",
            )
        return record

    def requeue(self, run_id: str) -> None:
        """Put an execution that failed back into the queue; what succeeded in it is kept.

        Raises InvalidInputError when there is no such execution, nothing is left to do in it, it
        has not ended, or it belongs to a terminal.
        """
        record = resumable_execution(self._store, run_id)
        if self._store.queue.requeue(run_id):
            self._queued.set()
            return
        if record.output_root:
            sentence = f'The execution "{run_id}" was run in the foreground.'
            remedy = f"Continue it alone: mediaflow execution resume {run_id}"
        else:
            sentence = f'The execution "{run_id}" has not ended yet.'
            remedy = "Wait until it ends, or cancel it."
        raise InvalidInputError(Code.INVALID_STATE, sentence, remedy=remedy)


def resumable_execution(store: Store, run_id: str) -> ExecutionRecord:
    """Return an execution in which something is left to do. Raises InvalidInputError."""
    record = existing_execution(store, run_id)
    if record.state is ExecutionState.COMPLETED and not record.failed:
        raise InvalidInputError(
            Code.INVALID_STATE,
            f'The execution "{run_id}" has already completed.',
            remedy="Run the topology again for another execution.",
        )
    return record
