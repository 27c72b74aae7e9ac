"""What a new job is, whatever its kind, before it becomes an execution."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflow_engine.errors import MediaflowError
from workflow_engine.jobs.given import JobInput
from workflow_engine.planning.graph import Graph
from workflow_engine.records import DEFAULT_PRIORITY, ExecutionKind, ExecutionRecord, Json
from workflow_engine.records.catalog import PipelineRecord
from workflow_engine.run.submission import buckets_of, new_execution


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to be queued. `request` is what its answers repeat.

    `error` is why it has failed before it could begin.
    """

    kind: ExecutionKind
    graph: Graph
    given: JobInput
    pipeline: PipelineRecord
    request: Mapping[str, Json]
    priority: int = DEFAULT_PRIORITY
    user_data: str = ""
    error: MediaflowError | None = None

    def execution(self, locations: Mapping[str, str]) -> ExecutionRecord:
        """Return the execution of the job; `locations` says where buckets lie, by name."""
        referer = {"Referer": self.given.referer} if self.given.referer else {}
        return new_execution(
            self.graph,
            self.given.ref,
            kind=self.kind,
            name=str(self.kind),
            pipeline_id=self.pipeline.id,
            request={**self.request, **referer},
            priority=self.priority,
            buckets=buckets_of(self.graph, self.given.bucket, locations),
            user_data=self.user_data,
        )
