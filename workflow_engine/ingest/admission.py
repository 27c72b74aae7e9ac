"""Takes object versions in: which runs they start, and which are our own outputs.

A triggered run has the same RunId wherever and however often its object version is noticed
(decision 4). What an execution published, or is about to, starts nothing.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from workflow_engine.activity import Registry
from workflow_engine.buckets import Bucket, Buckets, ObjectInfo
from workflow_engine.catalog.matching import Verdict, verdict
from workflow_engine.catalog.media import media_id
from workflow_engine.catalog.pipelines import pipeline_of
from workflow_engine.errors import Code, MediaflowError, TopologyError
from workflow_engine.ingest.contents import ContentReader
from workflow_engine.ingest.stability import name_in_listing
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ActivityRecord,
    Digests,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    run_id_of,
    utc_now,
)
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, WorkflowRecord
from workflow_engine.records.ingest import Admission, Arrival, OwnOutput
from workflow_engine.run.submission import buckets_of, new_execution
from workflow_engine.store import Store
from workflow_engine.topology import parse_topology

log = logging.getLogger(__name__)

#: graphs that are kept, by the text of their topology
_GRAPHS = 64


def admission(
    bucket: Bucket,
    info: ObjectInfo,
    runs: Iterable[ExecutionRecord] = (),
    *,
    arrival: Arrival | None = None,
    again: bool = False,
    unmatched: bool = False,
) -> Admission:
    """Return the admission of an object version."""
    return Admission(
        bucket=bucket.name,
        key=info.key,
        version=info.version,
        listed=name_in_listing(info),
        executions=tuple(runs),
        arrival=arrival,
        again=again,
        unmatched=unmatched,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedWorkflow:
    """A workflow that objects start: its graph, or why it cannot run any more."""

    workflow: WorkflowRecord
    graph: Graph | MediaflowError
    buckets: Mapping[str, str]
    pipeline_id: str = DEFAULT_PIPELINE_ID
    location: str = ""


class WorkflowMatcher:
    """Finds out what objects start; thread-safe."""

    def __init__(
        self,
        *,
        store: Store,
        buckets: Buckets,
        parse: Callable[[str], Graph],
        registry: Registry,
        strict: bool,
    ) -> None:
        """`strict` refuses pipelines that are not known."""
        self._store = store
        self._buckets = buckets
        self._graph = lru_cache(_GRAPHS)(parse)
        self._registry = registry
        self._strict = strict

    def verdicts(self, bucket: str, keys: Iterable[str]) -> Mapping[str, list[Verdict]]:
        """Judge keys by the workflows that are bound to the bucket now."""
        workflows = self._store.workflows.bound_to(bucket)
        return {key: [verdict(workflow, bucket, key) for workflow in workflows] for key in keys}

    def starts(
        self, verdicts: Mapping[str, Iterable[Verdict]]
    ) -> Mapping[str, list[PreparedWorkflow]]:
        """Return which workflows each key starts."""
        matching = {key: [v.workflow for v in some if v.starts] for key, some in verdicts.items()}
        needed = {w.id: w for matched in matching.values() for w in matched}
        prepared = {id: self._prepared(workflow) for id, workflow in needed.items()}
        return {key: [prepared[w.id] for w in matched] for key, matched in matching.items()}

    def executions(
        self, starts: Iterable[PreparedWorkflow], bucket: Bucket, info: ObjectInfo
    ) -> list[ExecutionRecord]:
        """Return the runs of workflows on an object version, to be queued."""
        return [self._execution(start, bucket, info) for start in starts]

    def _execution(
        self, start: PreparedWorkflow, bucket: Bucket, info: ObjectInfo
    ) -> ExecutionRecord:
        workflow = start.workflow
        ref = ObjectRef(bucket=bucket.name, object=info.key, location=start.location)
        run_id = run_id_of(workflow.id, bucket.name, info.key, info.version)
        if isinstance(start.graph, Graph):
            return new_execution(
                start.graph,
                ref,
                name=workflow.name,
                workflow_id=workflow.id,
                pipeline_id=start.pipeline_id,
                origin=bucket.place(info.key),
                version=info.version,
                buckets=start.buckets,
                run_id=run_id,
            )
        now = utc_now()
        return ExecutionRecord(
            run_id=run_id,
            workflow_id=workflow.id,
            workflow=workflow.name,
            topology=workflow.topology,
            input=ref,
            media_id=media_id(ref),
            pipeline_id=start.pipeline_id,
            origin=bucket.place(info.key),
            version=info.version,
            buckets=start.buckets,
            state=ExecutionState.FAIL,
            code=start.graph.code,
            message=start.graph.message,
            created=now,
            ended=now,
            activities=self._activities(workflow.topology),
        )

    def _prepared(self, workflow: WorkflowRecord) -> PreparedWorkflow:
        graph, locations = self._graph_of(workflow), self._buckets.locations
        if isinstance(graph, MediaflowError):
            own = {name: locations[name] for name in locations if name == workflow.bucket}
            return PreparedWorkflow(workflow=workflow, graph=graph, buckets=own)
        return PreparedWorkflow(
            workflow=workflow,
            graph=graph,
            buckets=buckets_of(graph, workflow.bucket, locations),
            pipeline_id=self._pipeline(workflow, graph),
            location=graph.binding.location,
        )

    def _graph_of(self, workflow: WorkflowRecord) -> Graph | MediaflowError:
        """Return a graph, or the error of a topology with problems, which its run fails with."""
        try:
            return self._graph(workflow.topology)
        except TopologyError as error:
            log.warning('the workflow "%s" cannot run any more: %s', workflow.name, error)
            return error
        except MediaflowError:
            raise
        except Exception as error:
            log.exception('the workflow "%s" cannot be read', workflow.name)
            return MediaflowError(Code.INTERNAL, f"The workflow cannot be read: {error!r}.")

    def _pipeline(self, workflow: WorkflowRecord, graph: Graph) -> str:
        try:
            return pipeline_of(graph, self._store, strict=self._strict)
        except TopologyError as error:
            log.warning('the workflow "%s" runs in the default pipeline: %s', workflow.name, error)
            return DEFAULT_PIPELINE_ID

    def _activities(self, text: str) -> tuple[ActivityRecord, ...]:
        """Return the activities of a topology that has problems, so that its run can tell them."""
        return tuple(
            ActivityRecord(
                name=name,
                type=self._registry[entry.type].type_name
                if entry.type in self._registry
                else entry.type,
            )
            for name, entry in parse_topology(text)[0].activities.items()
        )


class OwnOutputs:
    """Tells our own outputs from other objects under the same keys."""

    def __init__(self, store: Store, reader: ContentReader) -> None:
        self._store = store
        self._reader = reader

    def owners(
        self,
        bucket: Bucket,
        found: Sequence[ObjectInfo],
        starts: Mapping[str, list[PreparedWorkflow]],
        *,
        wait: bool = False,
    ) -> Mapping[str, str]:
        """Return the RunIds of the executions whose outputs objects are, by key; "" for others.

        A key is missing while its content is read to find that out; with `wait` none is. What
        starts nothing anyway is not read.
        """
        keys = [info.key for info in found]
        outputs = self._store.intake.outputs_at(bucket.name, keys)
        owners: dict[str, str] = {}
        for info in found:
            mine = outputs.get(info.key, ())
            if starts[info.key]:
                owner = self._owner(bucket, info, mine, wait=wait)
            else:
                owner = next((o.run_id for o in mine if o.in_work or o.size == info.size), "")
            if owner is not None:
                owners[info.key] = owner
        return owners

    def _owner(
        self, bucket: Bucket, info: ObjectInfo, outputs: Iterable[OwnOutput], *, wait: bool
    ) -> str | None:
        """Return the RunId of the one of `outputs`, published under its key, that an object is.

        "" when it is none of them, None while it is read, which takes long: ask again later, or
        `wait`.
        """
        alike: list[OwnOutput] = []
        for output in outputs:
            if output.in_work:
                return output.run_id
            if output.size == info.size:
                alike.append(output)
        if not alike:
            return ""
        by_etag = [output.run_id for output in alike if info.etag and info.etag == output.md5]
        if by_etag:
            return by_etag[0]
        found = self._digests(bucket, info, wait=wait)
        if found is None:
            return None
        return next((o.run_id for o in alike if o.sha256 == found.sha256), "")

    def _digests(self, bucket: Bucket, info: ObjectInfo, *, wait: bool) -> Digests | None:
        store, place = self._store, bucket.place(info.key)
        known = store.digests.get(place, info.version, info.fingerprint)
        if known is None:
            known = self._reader.digests(bucket, info, wait=wait)
            if known is not None:
                store.digests.save(place, info.version, known, info.fingerprint)
        return known
