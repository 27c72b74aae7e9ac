"""The facade that the command line, and later the API and the triggers, call.

It brings settings, buckets, store, graph and executor together; it holds no rules of its own.

    engine = Engine(load_settings())
    graph = engine.load(Path("ladder.json"))
    record = engine.run(graph, engine.open_input(graph, "clip.mp4"), executor=InlineExecutor())
"""

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from workflow_engine import graph as graphs
from workflow_engine.activity import (
    Registry,
    load_registry,
)
from workflow_engine.buckets import Buckets, SingleFileBucket, parse
from workflow_engine.errors import (
    Code,
    InterruptedRunError,
    InvalidInputError,
    LeaseLostError,
    MediaflowError,
    Problem,
    SettingsError,
    TopologyError,
    pointer_to,
)
from workflow_engine.executor import Executor
from workflow_engine.files import load_graph, read_text, readable_file
from workflow_engine.graph import Graph, Workflow
from workflow_engine.lease import LEASE, Lease, owner_name
from workflow_engine.placeholders import Names, check_key, decode_object
from workflow_engine.plan import Input, Plan
from workflow_engine.preview import preview
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
        if settings.runner.mode != "local":
            raise SettingsError(
                Code.NOT_SUPPORTED,
                f'The runner mode "{settings.runner.mode}" is not supported by this version.',
                pointer="/runner/mode",
                remedy='Use "local".',
            )
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
        self._check_pipeline(graph, path)
        return Workflow(name=path.stem, graph=graph)

    def _check_pipeline(self, graph: Graph, path: Path) -> None:
        """Refuse a pipeline that is not known where the settings ask for it (design, 3)."""
        wanted = graph.start.parameters.model_dump(by_alias=True).get("PipelineId")
        if self.settings.pipelines.strict and wanted:
            pointer = pointer_to("Activities", graph.start.name, "Parameters", "PipelineId")
            problem = Problem(
                code=Code.RESOURCE_NOT_FOUND,
                message=f'The pipeline "{wanted}" is not known.',
                pointer=pointer,
                remedy="Set [pipelines] strict = false to use the default pipeline.",
            )
            raise TopologyError([graph.topology.document.place(problem)])

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
            bucket = Buckets(self.settings.buckets, fallback_root=None).get(found.bucket)
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
        known = self._store_exists() and not fresh
        return preview(
            workflow.graph,
            source,
            Names.of(source.ref.object, media_id=_media_id(source.ref)),
            destination=self.buckets.get,
            store=self.store if known else None,
            fuse=self.settings.runner.fuse,
        )

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
        record = self._new_execution(workflow, source, user_data, fresh=fresh)
        self.store.cache_digests(record.origin, source.info.version, source.digests)
        claim = self.store.add_execution(record, owner=owner_name(), lease_seconds=LEASE)
        return self._execute(
            claim, lambda: (workflow.graph, record, source), executor, observers, on_start
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
        when there is no such execution, nothing is left to do, the input is not what it was, or
        while a living process runs it.
        """
        self._resumable(run_id)
        try:
            claim = self.store.claim(run_id, owner=owner_name(), lease_seconds=LEASE)
        except LeaseLostError as error:
            raise InvalidInputError(error.code, error.message, remedy=error.remedy) from None

        def prepare() -> tuple[Graph, ExecutionRecord, Source]:
            # read again under the claim: another process may have ended it meanwhile
            record = self._resumable(run_id)
            source = self._reopened(record)
            if record.output_root:
                root = Path(record.output_root)
                self.buckets = Buckets(self.settings.buckets, fallback_root=root)
            self.store.save_execution(claim, state=ExecutionState.RUNNING, code="", message="")
            record = replace(record, state=ExecutionState.RUNNING, code="", message="", ended=None)
            return graphs.load(record.topology, self.registry), record, source

        return self._execute(claim, prepare, executor, observers, on_start)

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
        claim: Claim,
        prepare: Callable[[], tuple[Graph, ExecutionRecord, Source]],
        executor: Executor,
        observers: Sequence[Observer],
        on_start: Callable[[Runner], None],
    ) -> ExecutionRecord:
        """Run what is left of a claimed execution; the claim is kept and given back at the end."""
        runner: Runner | None = None
        with Lease(self.store, claim) as lease:
            try:
                runner = self._runner(claim, *prepare(), observers)
                lease.on_loss(runner.cancel)
                on_start(runner)
                runner.take_up()
                executor.execute(runner)
            except InterruptedRunError as error:
                if runner is None:
                    raise
                return runner.finish(error)
            except BaseException as error:
                if runner is not None:
                    runner.finish(_as_engine_error(error))
                raise
            return runner.finish()

    def _runner(
        self,
        claim: Claim,
        graph: Graph,
        record: ExecutionRecord,
        source: Source,
        observers: Sequence[Observer],
    ) -> Runner:
        names = Names.of(source.ref.object, run_id=record.run_id, media_id=record.media_id)
        return Runner(
            graph=graph,
            record=record,
            claim=claim,
            source=source,
            given=Input(ref=source.ref, digests=source.digests, names=names),
            around=Surroundings(
                store=self.store,
                destination=self.buckets.get,
                work_root=self._swept_work(),
                slot=self._slot,
                fuse=self.settings.runner.fuse,
            ),
            observers=observers,
        )

    def _swept_work(self) -> Path:
        """Return the folder of the work directories, without those that killed runs left."""
        root = self.settings.data_dir / "work"
        for directory in root.iterdir() if root.is_dir() else ():
            if not self.store.is_running(directory.name):
                shutil.rmtree(directory, ignore_errors=True)
        return root

    def _slot(self) -> AbstractContextManager[object]:
        return self._slots

    def _new_execution(
        self, workflow: Workflow, source: Source, user_data: str, *, fresh: bool
    ) -> ExecutionRecord:
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
            fresh=fresh,
            state=ExecutionState.RUNNING,
            created=utc_now(),
            activities=tuple(
                ActivityRecord(name=name, type=nodes[name].type) for name in workflow.graph.order
            ),
        )


def _media_id(ref: ObjectRef) -> str:
    return stable_id("media", ref.bucket, ref.object)


def _as_engine_error(error: BaseException) -> MediaflowError:
    if isinstance(error, MediaflowError):
        return error
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return InterruptedRunError(Code.INTERRUPTED, "The run was interrupted.")
    return MediaflowError(Code.INTERNAL, f"The operation has failed: {error!r}.")
