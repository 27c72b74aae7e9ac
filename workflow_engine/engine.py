"""The facade that the command line, and later the API and the triggers, call.

It brings settings, buckets, store, graph and executor together; it holds no rules of its own.

    engine = Engine(load_settings())
    graph = engine.load(Path("ladder.json"))
    record = engine.run(graph, engine.open_input(graph, "clip.mp4"), executor=InlineExecutor())
"""

import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from workflow_engine import graph as graphs
from workflow_engine.activity import (
    ActivityContext,
    Registry,
    Result,
    load_registry,
)
from workflow_engine.buckets import Buckets, SingleFileBucket, parse
from workflow_engine.errors import (
    ActivityError,
    Code,
    InterruptedRunError,
    InvalidInputError,
    MediaflowError,
    TopologyError,
)
from workflow_engine.executor import Executor
from workflow_engine.files import load_graph, read_text, readable_file
from workflow_engine.graph import Graph
from workflow_engine.placeholders import Names, check_key, decode_object
from workflow_engine.plan import Input, Plan, Planned, plan_activity, plan_all
from workflow_engine.publishing import find_finished
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    new_id,
    stable_id,
    utc_now,
)
from workflow_engine.runner import Observer, Runner, Surroundings
from workflow_engine.settings import Settings
from workflow_engine.source import Source
from workflow_engine.store import Claim, Store
from workflow_engine.topology.overrides import apply_overrides

log = logging.getLogger(__name__)

#: seconds that a claim on an execution lasts without renewal, and between renewals
LEASE = 20.0
RENEWAL = 5.0


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A topology under a name; runs keep both."""

    name: str
    graph: Graph

    @property
    def id(self) -> str:
        """The MediaWorkflowId, the same for every run of this name."""
        return stable_id("workflow", self.name)


class Engine:
    """Runs workflows on this machine."""

    def __init__(
        self,
        settings: Settings,
        *,
        output_dir: Path | None = None,
        registry: Registry | None = None,
    ) -> None:
        """`output_dir` takes the buckets that the settings do not name, a folder each.

        `registry` replaces the installed activity types.
        """
        self.settings = settings
        self.registry = registry if registry is not None else load_registry()
        self.buckets = Buckets(settings.buckets, fallback_root=output_dir)
        self._output_dir = output_dir
        self._slots = threading.BoundedSemaphore(settings.runner.processes)

    @cached_property
    def store(self) -> Store:
        """The store of the settings, opened at the first use."""
        return Store.open(self.settings.store.url)

    def close(self) -> None:
        """Close the store if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    # --- what to run ---------------------------------------------------------------------

    def load(self, path: Path, overrides: Path | None = None) -> Workflow:
        """Read a topology file, and a file of OverrideParams that changes it for this run.

        Raises TopologyError with every problem in it.
        """
        graph = load_graph(path, self.registry)
        if overrides is not None:
            text = apply_overrides(graph.topology.text, read_text(overrides), str(overrides))
            graph = self._overridden(text, str(overrides))
        return Workflow(name=path.stem, graph=graph)

    def _overridden(self, text: str, overrides: str) -> Graph:
        """Load a topology that was valid before the overrides: its problems are theirs."""
        try:
            return graphs.load(text, self.registry)
        except TopologyError as error:
            raise TopologyError(
                replace(problem, file=overrides, line=0, column=0) for problem in error.problems
            ) from None

    def open_input(self, workflow: Workflow, given: str, key: str | None = None) -> Source:
        """Find and pin the input: an object URL of a configured bucket, or a file.

        `key` is the object key that a file gets; default: ObjectPrefix and the file's name.
        Raises InvalidInputError when there is no such input or it cannot be read.
        """
        bound = workflow.graph.start.parameters.model_dump(by_alias=True)["InputFile"]
        found = parse(given)
        if found is not None:
            if key is not None:
                raise InvalidInputError(
                    Code.INVALID,
                    f'The object URL "{given}" has a key already.',
                    remedy="Use --object only with files.",
                )
            bucket = self.buckets.get(found.bucket)
            ref = ObjectRef(
                bucket=found.bucket, object=found.object, location=bound["Location"] or ""
            )
        else:
            path = readable_file(given)
            name = (
                key if key is not None else decode_object(bound["ObjectPrefix"] or "") + path.name
            )
            check_key(name)
            ref = ObjectRef(bucket=bound["Bucket"], object=name, location=bound["Location"] or "")
            bucket = SingleFileBucket(ref.bucket, name, path)
        info = bucket.head(ref.object)
        if info is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The object "{ref.object}" does not exist in the bucket "{ref.bucket}".',
                remedy="Check the key; it is compared exactly.",
            )
        digests = self._digests(bucket.place(ref.object), info.version)
        return Source(ref=ref, bucket=bucket, info=info, digests=digests)

    def _digests(self, place: str, version: str) -> Digests:
        """Return the digests of an object version, computed once per version."""
        known = self.store.cached_digests(place, version) if self._store_exists() else None
        if known is not None:
            return known
        try:
            return Digests.of(Path(place))
        except OSError as error:
            raise InvalidInputError(
                Code.RESOURCE_ACCESS,
                f'The input "{place}" cannot be read: {error.strerror}.',
                remedy="Check its permissions.",
            ) from None

    def _store_exists(self) -> bool:
        """Whether there is a store to ask; planning must not create one."""
        return Store.exists(self.settings.store.url)

    # --- plan ----------------------------------------------------------------------------

    def plan(self, workflow: Workflow, source: Source, *, fresh: bool = False) -> Plan:
        """Plan a run without running anything but the probe of the input.

        Raises ActivityError when Start itself would fail.
        """
        names = Names.of(source.ref.object, media_id=_media_id(source.ref))
        given = Input(ref=source.ref, digests=source.digests, names=names)
        start = self._probe(workflow.graph, given, source)
        known = self._store_exists() and not fresh

        def finished(planned: Planned) -> Result | None:
            return find_finished(self.store, planned) if known else None

        plan = plan_all(workflow.graph, given, start, finished, fuse=self.settings.runner.fuse)
        return replace(plan, activities=tuple(self._placed(one, source) for one in plan.activities))

    def _placed(self, planned: Planned, source: Source) -> Planned:
        """Return the plan of an activity, an error if an output has no place to go."""
        try:
            for output in planned.step.outputs if planned.step else ():
                place = self.buckets.get(output.ref.bucket).place(output.ref.object)
                source.require_other_place(output.ref, place)
        except (ActivityError, InvalidInputError) as error:
            return Planned(node=planned.node, error=error)
        return planned

    def _probe(self, graph: Graph, given: Input, source: Source) -> Result:
        """Run Start in a temporary directory: it only reads."""
        planned = plan_activity(graph, graph.start.name, given, {}, {})
        if planned.step is None:
            raise planned.error or ActivityError(Code.INTERNAL, "Start cannot be planned.")
        with tempfile.TemporaryDirectory(prefix="mediaflow-plan-") as directory:
            work = Path(directory)
            link = work / given.names.source_name
            source.fetch(link)
            context = ActivityContext(
                activity=graph.start.name,
                run_id="",
                work=work,
                source=link,
                names=given.names,
                progress=lambda fraction: None,
                cancel=threading.Event(),
                slot=nullcontext,
                execution=_no_execution,
                log=logging.LoggerAdapter(log, {}),
            )
            result = graph.start.activity.run(planned.step, context)
        return Result(type=graph.start.type, data=result.data)

    # --- run -----------------------------------------------------------------------------

    def run(
        self,
        workflow: Workflow,
        source: Source,
        *,
        executor: Executor,
        user_data: str = "",
        fresh: bool = False,
        observers: Sequence[Observer] = (),
        on_start: Callable[[Runner], None] = lambda runner: None,
    ) -> ExecutionRecord:
        """Run a workflow on an input to its end and return the execution.

        `on_start` gets the runner before anything runs; setting its `cancel` interrupts the
        run: the record then ends as Fail with the code Interrupted. Activities that fail do not
        raise. Raises LeaseLostError when another process took the execution over.
        """
        record = self._new_execution(workflow, source, user_data)
        self.store.cache_digests(record.origin, source.info.version, source.digests)
        claim = self.store.add_execution(record, owner=_owner(), lease_seconds=LEASE)
        return self._execute(
            workflow.graph, record, source, claim, executor, observers, on_start, fresh=fresh
        )

    def resume(
        self,
        run_id: str,
        *,
        executor: Executor,
        observers: Sequence[Observer] = (),
        on_start: Callable[[Runner], None] = lambda runner: None,
    ) -> ExecutionRecord:
        """Go on with an execution that was killed, interrupted or had failures, under its RunId.

        What succeeded is kept; everything else, and Report, runs again. Raises InvalidInputError
        when there is no such execution, nothing is left to do or the input is not what it was,
        and LeaseLostError while a living process runs it.
        """
        record = self._resumable(run_id)
        graph = graphs.load(record.topology, self.registry)
        source = self._reopened(record)
        claim = self.store.claim(run_id, owner=_owner(), lease_seconds=LEASE)
        record = replace(record, state=ExecutionState.RUNNING, code="", message="", ended=None)
        self.store.save_execution(claim, state=record.state, code="", message="")
        if record.output_root:
            root = Path(record.output_root)
            self.buckets = Buckets(self.settings.buckets, fallback_root=root)
        return self._execute(graph, record, source, claim, executor, observers, on_start)

    def _resumable(self, run_id: str) -> ExecutionRecord:
        record = self.store.execution(run_id)
        if record is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'There is no execution with the RunId "{run_id}".',
                remedy="See mediaflow execution list.",
            )
        failed = any(one.state is ActivityState.FAIL for one in record.activities)
        if record.state is ExecutionState.COMPLETED and not failed:
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The execution "{run_id}" has ended well.',
                remedy="Run the topology again for another execution.",
            )
        return record

    def _reopened(self, record: ExecutionRecord) -> Source:
        """Return the input of an execution, in the version that it began with."""
        ref = record.input
        bucket = SingleFileBucket(ref.bucket, ref.object, readable_file(record.origin))
        info = bucket.head(ref.object)
        if info is None or info.version != record.version:
            raise InvalidInputError(
                Code.RESOURCE_CONTENT_BAD,
                f'The input "{record.origin}" is not what it was when the execution began.',
                remedy="Run the topology on it anew.",
            )
        digests = self._digests(record.origin, info.version)
        return Source(ref=ref, bucket=bucket, info=info, digests=digests)

    def _execute(
        self,
        graph: Graph,
        record: ExecutionRecord,
        source: Source,
        claim: Claim,
        executor: Executor,
        observers: Sequence[Observer],
        on_start: Callable[[Runner], None],
        *,
        fresh: bool = False,
    ) -> ExecutionRecord:
        """Run what is left of a claimed execution, renew the claim meanwhile, release it."""
        names = Names.of(source.ref.object, run_id=record.run_id, media_id=record.media_id)
        runner = Runner(
            graph=graph,
            record=record,
            claim=claim,
            source=source,
            given=Input(ref=source.ref, digests=source.digests, names=names),
            around=Surroundings(
                store=self.store,
                destination=self.buckets.get,
                work_root=self.settings.data_dir / "work",
                slot=self._slot,
                fuse=self.settings.runner.fuse,
                fresh=fresh,
            ),
            observers=observers,
        )
        on_start(runner)
        with _Renewal(self.store, claim):
            try:
                executor.execute(runner)
            except InterruptedRunError as error:
                return runner.finish(error)
            except Exception as error:
                runner.finish(_as_engine_error(error))
                raise
            else:
                return runner.finish()
            finally:
                self.store.release(claim)

    def _slot(self) -> AbstractContextManager[object]:
        return self._slots

    def _new_execution(self, workflow: Workflow, source: Source, user_data: str) -> ExecutionRecord:
        nodes = workflow.graph.nodes
        return ExecutionRecord(
            run_id=new_id(),
            workflow_id=workflow.id,
            workflow=workflow.name,
            topology=workflow.graph.topology.text,
            input=source.ref,
            media_id=_media_id(source.ref),
            origin=source.bucket.place(source.ref.object),
            version=source.info.version,
            output_root=str(self._output_dir or ""),
            user_data=user_data,
            state=ExecutionState.RUNNING,
            created=utc_now(),
            activities=tuple(
                ActivityRecord(name=name, type=nodes[name].type) for name in workflow.graph.order
            ),
        )


class _Renewal:
    """Renews a claim from a thread until the run has ended."""

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(RENEWAL):
            try:
                self._store.renew(self._claim, LEASE)
            except MediaflowError as error:
                log.warning("the claim on run %s was not renewed: %s", self._claim.run_id, error)


def _owner() -> str:
    """Return a name for this process and moment, readable for whoever meets its claim."""
    return f"{socket.gethostname()}:{os.getpid()}:{new_id()[:8]}"


def _media_id(ref: ObjectRef) -> str:
    return stable_id("media", ref.bucket, ref.object)


def _as_engine_error(error: Exception) -> MediaflowError:
    if isinstance(error, MediaflowError):
        return error
    return MediaflowError(Code.INTERNAL, f"The operation has failed: {error!r}.")


def _no_execution() -> ExecutionRecord:
    raise ActivityError(Code.INTERNAL, "A plan has no execution.")
