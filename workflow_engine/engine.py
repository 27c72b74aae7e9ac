"""The facade that the command line, the API and the triggers call.

It brings settings, buckets, store, catalog, graph and executor together; it holds no rules of
its own. `run/submission.py` makes executions, `run/inputs.py` opens what they read, `catalog/`
holds what is registered, `run/service.py` runs what was claimed.

    engine = Engine(load_settings())
    workflow = engine.load(Path("ladder.json"))
    source = engine.open_input(workflow, "clip.mp4")
    record = engine.run(workflow, source, executor=InlineExecutor())
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from workflow_engine.activity import Registry, load_registry
from workflow_engine.buckets import Buckets, Mounts
from workflow_engine.catalog.media import MediaLibrary, media_id
from workflow_engine.catalog.media_buckets import MediaBuckets
from workflow_engine.catalog.pipelines import Pipelines
from workflow_engine.catalog.template_files import FOLDER as TEMPLATE_FOLDER
from workflow_engine.catalog.template_files import FileTemplates, FolderTemplates
from workflow_engine.catalog.templates import Templates, lookup_form
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.errors import (
    Code,
    InvalidInputError,
    LeaseLostError,
    SettingsError,
    StoreError,
    TopologyError,
)
from workflow_engine.executor import Executor
from workflow_engine.files import read_text
from workflow_engine.ingest.intake import Intake
from workflow_engine.jobs import Jobs
from workflow_engine.messages import Outbox
from workflow_engine.placeholders import Names
from workflow_engine.planning import graph as graphs
from workflow_engine.planning.graph import Graph, Workflow
from workflow_engine.planning.plan import Plan
from workflow_engine.private import close_folder, private_folder
from workflow_engine.records import (
    DEFAULT_PRIORITY,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    utc_now,
)
from workflow_engine.records.catalog import TemplateKind, TemplateState, WorkflowRecord
from workflow_engine.run import lease
from workflow_engine.run.inputs import Inputs
from workflow_engine.run.journal import Observer
from workflow_engine.run.preview import preview
from workflow_engine.run.runner import Runner
from workflow_engine.run.service import RunService, as_engine_error
from workflow_engine.run.source import Source
from workflow_engine.run.submission import buckets_of, new_execution, pipeline_of
from workflow_engine.settings import Settings
from workflow_engine.store import Claim, ExecutionFilter, ExecutionSummary, Page, Store
from workflow_engine.topology.overrides import apply_overrides

#: in the data directory: the mount points that buckets were found on
MOUNTS_FILE = "mount-points"


class Engine:
    """Runs workflows on this machine.

    `queued` is set whenever this process has put an execution into the queue.
    """

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
        self.buckets = Buckets(
            settings.buckets,
            fallback_root=output_dir,
            mounts=Mounts(settings.data_dir / MOUNTS_FILE),
        )
        self.queued = threading.Event()
        self._inputs = Inputs(
            self.buckets.below(None),
            lambda: self.store if self._store_exists() else None,
        )
        self._output_dir = output_dir
        self._template_folders: dict[Path, FolderTemplates] = {}
        self._running = RunService(self)

    @cached_property
    def store(self) -> Store:
        """The store of the settings, opened at the first use."""
        with suppress(OSError):  # whoever needs it says more
            private_folder(self.settings.data_dir)
        close_folder(self.settings.data_dir)
        return Store.open(self.settings.store.url)

    @property
    def work_root(self) -> Path:
        """Where executions work (`run/work_directory.py`)."""
        return self.settings.data_dir / "work"

    def close(self) -> None:
        """Close the store and the connections of the buckets, where they were opened."""
        self.buckets.close()
        if "store" in self.__dict__:
            self.store.close()

    def _store_exists(self) -> bool:
        """Whether there is a store to ask; planning must not create one."""
        return "store" in self.__dict__ or Store.exists(self.settings.store.url)

    # --- what is registered --------------------------------------------------------------

    @cached_property
    def workflows(self) -> Workflows:
        """The registered workflows."""
        return Workflows(self.store, self._accepted, self.custom_template)

    @cached_property
    def media(self) -> MediaLibrary:
        """The media library."""
        return MediaLibrary(self.store, self.buckets)

    @cached_property
    def media_buckets(self) -> MediaBuckets:
        """The buckets that are bound to the media library."""
        return MediaBuckets(self.store)

    @cached_property
    def pipelines(self) -> Pipelines:
        """The queues of executions."""
        return Pipelines(self.store, self.settings.queues, self.settings.topics)

    @cached_property
    def templates(self) -> Templates:
        """Templates of transcode outputs."""
        return Templates(self.store, TemplateKind.TRANSCODE, self.registry)

    @cached_property
    def watermark_templates(self) -> Templates:
        """Templates of watermarks."""
        return Templates(self.store, TemplateKind.WATERMARK, self.registry)

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs outside of workflows."""
        return Jobs(self)

    @cached_property
    def intake(self) -> Intake:
        """The intake of objects that land in buckets."""
        return Intake(self)

    @cached_property
    def outbox(self) -> Outbox:
        """Writes the messages of executions."""
        return Outbox(self.settings)

    @cached_property
    def file_templates(self) -> FileTemplates:
        """The templates of the store that files define."""
        return FileTemplates(self.store, self.registry)

    def custom_template(self, template_id: str) -> Mapping[str, Json] | None:
        """Return a custom template that is not deleted; a `TemplateLookup`."""
        return self._template(template_id, deleted=False)

    def accepted_template(self, template_id: str) -> Mapping[str, Json] | None:
        """Return a custom template, also a deleted one: executions that exist go on with it."""
        return self._template(template_id, deleted=True)

    def _template(self, template_id: str, *, deleted: bool) -> Mapping[str, Json] | None:
        for templates in self._template_folders.values():
            if (found := templates(template_id)) is not None:
                return found
        record = self.store.templates.get(template_id) if self._store_exists() else None
        if record is None or (record.state is TemplateState.DELETED and not deleted):
            return None
        return lookup_form(record)

    def _know_templates_beside(self, folder: Path) -> None:
        """Find templates in files, too, which need no `serve` to have seen them."""
        beside = FolderTemplates(folder / TEMPLATE_FOLDER, self.registry)
        self._template_folders.setdefault(folder, beside)

    # --- what to run ---------------------------------------------------------------------

    def parse(self, text: str, file: str = "") -> Graph:
        """Return the graph of a topology's text. Raises TopologyError with every problem in it."""
        return graphs.load(text, self.registry, file, templates=self.custom_template)

    def _parse_accepted(self, record: ExecutionRecord) -> Graph:
        """Return the graph of an execution; as `parse` does, but templates may be deleted."""
        return graphs.load(record.topology, self.registry, templates=self.accepted_template)

    def _accepted(self, text: str, file: str = "") -> Graph:
        """Return the graph of a topology that may be registered; see `load` for the pipeline."""
        graph = self.parse(text, file)
        self._pipeline_of(graph)
        return graph

    def load(self, path: Path, overrides: Path | None = None) -> Workflow:
        """Read a topology file, and a file of OverrideParams that changes it for this run.

        Templates in `templates/` beside the file are known, too. Raises TopologyError with every
        problem in it, InvalidInputError for a file that cannot be read and for a PipelineId that
        the settings do not let pass.
        """
        self._know_templates_beside(path.parent)
        graph = self._accepted(read_text(path), str(path))
        if overrides is not None:
            graph = self._overridden(graph, read_text(overrides), str(overrides))
        return Workflow(name=path.stem, graph=graph)

    def _overridden(self, graph: Graph, overrides: str, file: str = "OverrideParams") -> Graph:
        """Load a topology that was valid before the overrides: its problems are theirs."""
        text = apply_overrides(graph.topology.text, overrides, file)
        try:
            return self.parse(text)
        except TopologyError as error:
            raise TopologyError(
                replace(problem, file=file, line=0, column=0) for problem in error.problems
            ) from None

    def _pipeline_of(self, graph: Graph) -> str:
        store = self.store if self._store_exists() else None
        return pipeline_of(graph, store, strict=self.settings.pipelines.strict)

    def open_input(self, workflow: Workflow, given: str, key: str | None = None) -> Source:
        """Find and pin the input: an object URL of a configured bucket, or a file.

        `key` is the object key that a file gets; default: ObjectPrefix and the file's name.
        Raises InvalidInputError when there is no such input or it cannot be read.
        """
        return self._inputs.open(workflow.graph.binding, given, key)

    def plan(self, workflow: Workflow, source: Source, *, fresh: bool = False) -> Plan:
        """Plan a run: the input and what is read beside it are measured, nothing is encoded.

        Raises ActivityError when Start itself would fail.
        """
        known = self._store_exists() and not fresh
        return preview(
            workflow.graph,
            source,
            Names.of(source.ref.object, media_id=media_id(source.ref)),
            buckets=self.buckets,
            opener=self.opener(self.buckets),
            store=self.store if known else None,
            fuse=self.settings.runner.fuse,
            templates=self.custom_template,
        )

    def opener(self, buckets: Buckets) -> Callable[[ObjectRef], Source]:
        """Return what finds and pins an object beside the input; it raises as `open_input` does."""
        return lambda ref: self._inputs.side(ref, buckets.get)

    # --- the queue -----------------------------------------------------------------------

    def submit(
        self,
        workflow: WorkflowRecord,
        ref: ObjectRef,
        *,
        user_data: str = "",
        overrides: str = "",
        dedupe_key: str | None = None,
    ) -> ExecutionRecord:
        """Queue a run of a registered workflow on an object of a configured bucket.

        `overrides` is the JSON text of OverrideParams. Raises InvalidInputError when there is no
        such object, TopologyError for overrides that do not fit, DuplicateExecutionError when
        the dedupe key was used before.
        """
        graph = self.parse(workflow.topology)
        if overrides:
            graph = self._overridden(graph, overrides)
        bucket = self.buckets.get(ref.bucket)
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
            name=workflow.name,
            workflow_id=workflow.id,
            pipeline_id=self._pipeline_of(graph),
            origin=bucket.place(ref.object),
            version=info.version,
            buckets=buckets_of(graph, ref.bucket, self.buckets.locations),
            user_data=user_data,
        )
        return self._queue(record, dedupe_key)

    def enqueue(
        self,
        graph: Graph,
        ref: ObjectRef,
        *,
        kind: ExecutionKind,
        name: str,
        pipeline_id: str,
        request: Mapping[str, Json],
        priority: int = DEFAULT_PRIORITY,
        user_data: str = "",
    ) -> ExecutionRecord:
        """Queue a job outside of workflows; when its input cannot be read, its Start will fail."""
        record = new_execution(
            graph,
            ref,
            kind=kind,
            name=name,
            pipeline_id=pipeline_id,
            request=request,
            priority=priority,
            buckets=buckets_of(graph, ref.bucket, self.buckets.locations),
            user_data=user_data,
        )
        return self._queue(record)

    def _queue(self, record: ExecutionRecord, dedupe_key: str | None = None) -> ExecutionRecord:
        self.store.queue.add(record, dedupe_key=dedupe_key)
        self.queued.set()
        return record

    def cancel(self, run_id: str) -> ExecutionRecord:
        """Cancel an execution: at once while it waits, else within seconds.

        Raises InvalidInputError when there is none or it has ended.
        """
        before = self.execution(run_id)
        self.store.queue.request_cancel(run_id)
        record = self.execution(run_id)
        # one that has just ended of itself was not cancelled either
        if before.state.ended or (record.state.ended and record.code != Code.CANCELLED):
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The execution "{run_id}" has ended as {record.state}.',
                remedy="Only executions that have not ended can be cancelled.",
            )
        return record

    def execution(self, run_id: str) -> ExecutionRecord:
        """Return an execution. Raises InvalidInputError when there is none."""
        record = self.store.executions.get(run_id)
        if record is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'There is no execution with the RunId "{run_id}".',
                remedy="See mediaflow execution list.",
            )
        return record

    def execution_page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionRecord]:
        """Return a page of brief executions, newest first, within `[service] history_days`."""
        return self.store.executions.page(self._recent(chosen), limit=limit, after=after)

    def summary_page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionSummary]:
        """Return a page of summaries, as `execution_page` does of brief executions."""
        return self.store.executions.summary_page(self._recent(chosen), limit=limit, after=after)

    def _recent(self, chosen: ExecutionFilter) -> ExecutionFilter:
        oldest = utc_now() - timedelta(days=self.settings.service.history_days)
        since = max(chosen.since, oldest) if chosen.since else oldest
        return replace(chosen, since=since)

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

        `on_start` gets the runner before anything runs; its `stop` interrupts the run: the
        record then ends as Fail with the code Interrupted. Activities that fail do not raise.
        Raises LeaseLostError when another process took the execution over.
        """
        record = new_execution(
            workflow.graph,
            source.ref,
            name=workflow.name,
            workflow_id=workflow.id,
            pipeline_id=self._pipeline_of(workflow.graph),
            origin=source.place,
            version=source.info.version,
            output_root=str(self._output_dir or ""),
            buckets=buckets_of(workflow.graph, source.ref.bucket, self.buckets.locations),
            user_data=user_data,
            fresh=fresh,
            state=ExecutionState.RUNNING,
        )
        claim = self.store.queue.add_claimed(
            record, owner=lease.owner_name(), lease_seconds=lease.LEASE
        )

        def prepare() -> Runner:
            return self._running.runner(claim, workflow.graph, record, lambda: source, observers)

        return self._running.with_messages(
            record.run_id, lambda: self._running.execute(claim, prepare, executor, on_start)
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
        self._know_templates_beside(self.settings.workflows.dir)
        try:
            claim = self.store.queue.claim(
                run_id, owner=lease.owner_name(), lease_seconds=lease.LEASE
            )
        except LeaseLostError as error:
            raise InvalidInputError(error.code, error.message, remedy=error.remedy) from None

        def prepare() -> Runner:
            # read again under the claim: another process may have ended it meanwhile
            record = self._resumable(run_id)
            source = self._inputs.again(record)
            graph = self._parse_accepted(record)
            return self._running.runner(claim, graph, record, lambda: source, observers)

        return self._running.with_messages(
            run_id, lambda: self._running.execute(claim, prepare, executor, on_start)
        )

    def requeue(self, run_id: str) -> None:
        """Put an execution that failed back into the queue; what succeeded in it is kept.

        Raises InvalidInputError when there is no such execution, nothing is left to do in it, it
        has not ended, or it belongs to a terminal.
        """
        record = self._resumable(run_id)
        if self.store.queue.requeue(run_id):
            self.queued.set()
            return
        if record.output_root:
            sentence = f'The execution "{run_id}" was run in the foreground.'
            remedy = f"Continue it alone: mediaflow execution resume {run_id}"
        else:
            sentence = f'The execution "{run_id}" has not ended yet.'
            remedy = "Wait until it ends, or cancel it."
        raise InvalidInputError(Code.INVALID_STATE, sentence, remedy=remedy)

    def run_claimed(
        self, claim: Claim, *, executor: Executor, on_start: Callable[[Runner], None]
    ) -> ExecutionRecord:
        """Run what is left of an execution out of the queue and return it.

        An input that cannot be read any more, or is another version now, fails its Start. An
        execution that cannot be run at all, because its topology does not load any more, ends as
        Fail; that raises. Whatever else raises leaves it for the next claim.
        """

        def prepare() -> Runner:
            try:
                record = self.execution(claim.run_id)
                graph = self._parse_accepted(record)
                return self._running.runner(
                    claim, graph, record, lambda: self._inputs.again(record)
                )
            except (StoreError, LeaseLostError):
                raise
            except Exception as error:
                self._running.refuse(claim, as_engine_error(error))
                raise

        return self._running.execute(claim, prepare, executor, on_start)

    def _resumable(self, run_id: str) -> ExecutionRecord:
        record = self.execution(run_id)
        if record.state is ExecutionState.COMPLETED and not record.failed:
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The execution "{run_id}" has already completed.',
                remedy="Run the topology again for another execution.",
            )
        return record

    def sweep(self) -> None:
        """Take away what killed processes of this machine left in folders and buckets."""
        self._running.sweep()
