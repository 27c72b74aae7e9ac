"""How an execution comes to be: its record, and the pipeline that it waits in."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from workflow_engine.catalog.media import media_id
from workflow_engine.errors import Code, Problem, TopologyError, pointer_to
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
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.store import Store


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


def pipeline_of(graph: Graph, store: Store | None, *, strict: bool) -> str:
    """Return the id of the pipeline that Start names: one that is known, else the default one.

    Raises TopologyError where `strict` refuses an unknown one.
    """
    wanted = graph.binding.pipeline
    if wanted == DEFAULT_PIPELINE_ID:
        return wanted
    if store is not None and wanted and store.pipelines.get(wanted) is not None:
        return wanted
    if strict and wanted:
        problem = Problem(
            code=Code.RESOURCE_NOT_FOUND,
            message=f'The pipeline "{wanted}" is not known.',
            pointer=pointer_to("Activities", graph.start.name, "Parameters", "PipelineId"),
            remedy="Set [pipelines] strict = false to use the default pipeline.",
        )
        raise TopologyError([graph.topology.document.place(problem)])
    return DEFAULT_PIPELINE_ID
