"""How an execution comes to be: its record, and the runs of registered workflows."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from workflow_engine.buckets import Buckets
from workflow_engine.catalog.media import media_id
from workflow_engine.catalog.topologies import TopologyLoader
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    DEFAULT_PRIORITY,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    new_id,
    utc_now,
)
from workflow_engine.records.catalog import WorkflowRecord
from workflow_engine.run.queue import ExecutionQueue


def new_execution(
    graph: Graph,
    ref: ObjectRef,
    *,
    name: str,
    pipeline_id: str,
    workflow_id: str = "",
    kind: ExecutionKind = ExecutionKind.WORKFLOW,
    priority: int = DEFAULT_PRIORITY,
    request: Mapping[str, Json] | None = None,
    origin: str = "",
    version: str = "",
    output_root: str = "",
    buckets: Mapping[str, str] | None = None,
    user_data: str = "",
    fresh: bool = False,
    state: ExecutionState = ExecutionState.QUEUED,
    run_id: str = "",
) -> ExecutionRecord:
    """Return a new execution of a graph on an input, under a new RunId unless one is given."""
    return ExecutionRecord(
        run_id=run_id or new_id(),
        workflow_id=workflow_id,
        workflow=name,
        topology=graph.topology.text,
        input=ref,
        media_id=media_id(ref),
        kind=kind,
        pipeline_id=pipeline_id,
        priority=priority,
        request=request or {},
        origin=origin,
        version=version,
        output_root=output_root,
        buckets=buckets or {},
        user_data=user_data,
        fresh=fresh,
        state=state,
        created=utc_now(),
        activities=graph.waiting,
    )


def buckets_of(graph: Graph, input_bucket: str, locations: Mapping[str, str]) -> Mapping[str, str]:
    """Return where the buckets lie that a run reads and writes, by name.

    That of the input, those of the outputs, and those that parameters name. What `locations`
    does not know is left out: the run will say so.
    """
    names = {input_bucket}
    for node in graph.nodes.values():
        if node is not graph.start:
            names.update(target.bucket for target in node.activity.destinations(node.parameters))
            names.update(_named(node.parameters.model_dump(by_alias=True)))
    return {name: locations[name] for name in sorted(names & locations.keys())}


def _named(value: Json) -> Iterator[str]:
    """Yield the buckets that parameters name, however deep."""
    if isinstance(value, list):
        for item in cast(list[Any], value):
            yield from _named(item)
    elif isinstance(value, dict):
        for key, item in cast(dict[str, Any], value).items():
            if key == "Bucket" and isinstance(item, str):
                yield item
            else:
                yield from _named(item)


class Submissions:
    """Queues runs of registered workflows by hand."""

    def __init__(self, topologies: TopologyLoader, buckets: Buckets, queue: ExecutionQueue) -> None:
        self._topologies = topologies
        self._buckets = buckets
        self._queue = queue

    def submit(
        self,
        workflow: WorkflowRecord,
        ref: ObjectRef,
        *,
        user_data: str = "",
        overrides: str = "",
        dedupe_key: str | None = None,
    ) -> ExecutionRecord:
        """Queue a run of a workflow on an object; see `Engine.submit`."""
        graph = self._topologies.parse(workflow.topology)
        if overrides:
            graph = self._topologies.overridden(graph, overrides)
        return self._queued(
            graph, ref, workflow.name, workflow.id, user_data, dedupe_key=dedupe_key
        )

    def again(self, record: ExecutionRecord, *, fresh: bool = False) -> ExecutionRecord:
        """Queue another run of what an execution was asked for; see `Engine.again`."""
        if record.kind is not ExecutionKind.WORKFLOW or record.output_root:
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The execution "{record.run_id}" cannot be run again from here.',
                remedy="Submit the job again, or repeat the command that it was begun with.",
            )
        graph = self._topologies.parse(record.topology)
        return self._queued(
            graph, record.input, record.workflow, record.workflow_id, record.user_data, fresh=fresh
        )

    def _queued(
        self,
        graph: Graph,
        ref: ObjectRef,
        name: str,
        workflow_id: str,
        user_data: str,
        *,
        fresh: bool = False,
        dedupe_key: str | None = None,
    ) -> ExecutionRecord:
        bucket = self._buckets.get(ref.bucket)
        info = bucket.head(ref.object)
        if info is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The object "{ref.object}" does not exist in the bucket "{ref.bucket}".',
                remedy="Check the key; it is compared exactly.",
            )
        record = new_execution(
            graph,
            ref,
            name=name,
            workflow_id=workflow_id,
            pipeline_id=self._topologies.pipeline_of(graph),
            origin=bucket.place(ref.object),
            version=info.version,
            buckets=buckets_of(graph, ref.bucket, self._buckets.locations),
            user_data=user_data,
            fresh=fresh,
        )
        return self._queue.add(record, dedupe_key=dedupe_key)
