"""How a job gets into the queue, whatever its kind: its pipeline, its buckets, its execution."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from workflow_engine.catalog.checks import placed
from workflow_engine.errors import MediaflowError
from workflow_engine.jobs.given import JobInput
from workflow_engine.jobs.message import job_message
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    DEFAULT_PRIORITY,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
)
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineRecord
from workflow_engine.run.submission import new_execution

if TYPE_CHECKING:
    from workflow_engine.engine import Engine


class JobQueue:
    """The queue of an engine, as jobs see it."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine

    def pipeline(self, wanted: str) -> PipelineRecord:
        """Return a pipeline; the default one for "", and where the settings let others pass.

        Raises InvalidInputError.
        """
        pipelines = self.engine.pipelines
        known = bool(wanted) and self.engine.store.pipelines.get(wanted) is not None
        strict = bool(wanted) and self.engine.settings.pipelines.strict
        return pipelines.get(wanted if known or strict else DEFAULT_PIPELINE_ID)

    def require_bucket(self, name: str, pointer: str) -> None:
        """Raise InvalidInputError unless a bucket is configured."""
        with placed(pointer):
            self.engine.buckets.get(name)

    def add(
        self,
        kind: ExecutionKind,
        graph: Graph,
        given: JobInput,
        pipeline: PipelineRecord,
        request: Mapping[str, Json],
        *,
        priority: int = DEFAULT_PRIORITY,
        user_data: str = "",
    ) -> ExecutionRecord:
        """Queue a job. `request` is what its answers repeat."""
        return self.engine.enqueue(
            graph,
            given.ref,
            kind=kind,
            name=str(kind),
            pipeline_id=pipeline.id,
            priority=priority,
            request=_kept(request, given),
            user_data=user_data,
        )

    def add_failed(
        self,
        kind: ExecutionKind,
        graph: Graph,
        given: JobInput,
        pipeline: PipelineRecord,
        request: Mapping[str, Json],
        error: MediaflowError,
        *,
        priority: int = DEFAULT_PRIORITY,
        user_data: str = "",
    ) -> ExecutionRecord:
        """Keep a job that has failed before it could begin, and send its message."""
        job = new_execution(
            graph,
            given.ref,
            kind=kind,
            name=str(kind),
            pipeline_id=pipeline.id,
            priority=priority,
            request=_kept(request, given),
            user_data=user_data,
            state=ExecutionState.FAIL,
        )
        job = replace(job, code=error.code, message=error.message, ended=job.created)
        outgoing = self.engine.outbox.announce_job(job, pipeline, job_message(job))
        job = replace(job, message_result=outgoing.result)
        self.engine.store.queue.add(job, announce=outgoing.message)
        self.engine.outbox.wake()
        return job


def _kept(request: Mapping[str, Json], given: JobInput) -> dict[str, Json]:
    return {**request, **({"Referer": given.referer} if given.referer else {})}
