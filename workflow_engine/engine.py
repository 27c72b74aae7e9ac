"""The place of assembly: what the command line, the API and the triggers call.

`Engine` puts settings, buckets, store, catalog, queue and runs together and hands each of them
what it needs; it holds no rules of its own. `catalog/` has what is registered, `run/` what runs
an execution, `ingest/` what lands in buckets, `jobs/` what runs outside of workflows. The package
itself has an example.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from workflow_engine.activity import Registry, load_registry
from workflow_engine.buckets import Buckets, Mounts
from workflow_engine.catalog.media import MediaLibrary, NewMedia, add_media, media_id
from workflow_engine.catalog.media_buckets import MediaBuckets
from workflow_engine.catalog.pipelines import Pipelines
from workflow_engine.catalog.template_files import FileTemplates
from workflow_engine.catalog.template_lookup import TemplateFinder
from workflow_engine.catalog.templates import Templates
from workflow_engine.catalog.topologies import TopologyLoader
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.errors import Code, MediaflowError, SettingsError
from workflow_engine.ingest.admission import WorkflowMatcher
from workflow_engine.ingest.intake import Intake
from workflow_engine.ingest.parts import Parts
from workflow_engine.jobs import Jobs
from workflow_engine.jobs.topologies import inspection_of_files, media_info_of_files
from workflow_engine.messages import Outbox, configured
from workflow_engine.pages.execution import execution_page
from workflow_engine.pages.rendering import render
from workflow_engine.planning.graph import Graph, Workflow
from workflow_engine.planning.plan import Plan
from workflow_engine.records import ExecutionRecord, Json, ObjectRef, StepResult
from workflow_engine.records.catalog import MediaRecord, TemplateKind, WorkflowRecord
from workflow_engine.run.exhibits import execution_facts
from workflow_engine.run.history import ExecutionHistory
from workflow_engine.run.inputs import Inputs
from workflow_engine.run.journal import Observer
from workflow_engine.run.preview import describe, preview
from workflow_engine.run.queue import ExecutionQueue
from workflow_engine.run.report_page import file_link
from workflow_engine.run.runner import Executor
from workflow_engine.run.service import OnStart, RunService, ignore
from workflow_engine.run.source import Source
from workflow_engine.run.submission import Submissions
from workflow_engine.run.work import Forecast, forecast
from workflow_engine.settings import Settings
from workflow_engine.store import Store
from workflow_engine.store.private import close_folder, private_folder
from workflow_engine.topology.placeholders import Names

#: in the data directory: the mount points that buckets were found on
MOUNTS_FILE = "mount-points"

T = TypeVar("T")


class _Part(Generic[T]):
    """A part of an engine that is made at its first use: once, whatever threads ask for it."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, engine: "Engine", owner: type) -> T:
        parts = engine.__dict__  # what is in it comes from there the next time
        with engine.making:
            if self._name not in parts:
                parts[self._name] = self._make(engine)
            return parts[self._name]


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
        self.making = threading.RLock()
        self._output_dir = output_dir
        self._inputs = Inputs(self.buckets.below(None), self._known_store)
        self._templates = TemplateFinder(self._known_store, self.registry)
        self._topologies = TopologyLoader(
            self.registry, self._templates, self._known_store, strict=settings.pipelines.strict
        )

    @_Part
    def store(self) -> Store:
        """The store of the settings, opened at the first use."""
        with suppress(OSError):  # whoever needs it says more
            private_folder(self.settings.data_dir)
        close_folder(self.settings.data_dir)
        return Store.open(self.settings.store.url)

    def _known_store(self) -> Store | None:
        """Return the store if there is one to ask; planning must not create one."""
        known = "store" in self.__dict__ or Store.exists(self.settings.store.url)
        return self.store if known else None

    def close(self) -> None:
        """Close the store and the connections of the buckets, where they were opened."""
        self.buckets.close()
        if "store" in self.__dict__:
            self.store.close()

    # --- the parts -----------------------------------------------------------------------

    @_Part
    def workflows(self) -> Workflows:
        """The registered workflows."""
        return Workflows(self.store, self._topologies.parse_checked, self._templates.current)

    @_Part
    def media(self) -> MediaLibrary:
        """The media library."""
        return MediaLibrary(self.store, self.buckets)

    @_Part
    def media_buckets(self) -> MediaBuckets:
        """The buckets that are bound to the media library."""
        return MediaBuckets(self.store)

    @_Part
    def pipelines(self) -> Pipelines:
        """The queues of executions."""
        chosen = self.settings
        return Pipelines(self.store, chosen.queues, chosen.topics, strict=chosen.pipelines.strict)

    @_Part
    def templates(self) -> Templates:
        """Templates of transcode outputs."""
        return Templates(self.store, TemplateKind.TRANSCODE, self.registry)

    @_Part
    def watermark_templates(self) -> Templates:
        """Templates of watermarks."""
        return Templates(self.store, TemplateKind.WATERMARK, self.registry)

    @_Part
    def file_templates(self) -> FileTemplates:
        """The templates of the store that files define."""
        return FileTemplates(self.store, self.registry)

    @_Part
    def outbox(self) -> Outbox:
        """Writes the messages of executions."""
        return Outbox(configured(self.settings))

    @_Part
    def queue(self) -> ExecutionQueue:
        """The queue of executions."""
        return ExecutionQueue(self.store, self.outbox, self.queued)

    @_Part
    def history(self) -> ExecutionHistory:
        """The executions of the store; pages show those within `[service] history_days`."""
        return ExecutionHistory(self.store, days=self.settings.service.history_days)

    @_Part
    def _submissions(self) -> Submissions:
        """Queues runs by hand."""
        return Submissions(self._topologies, self.buckets, self.queue)

    @_Part
    def jobs(self) -> Jobs:
        """Jobs, those of workflows among them."""
        return Jobs(
            store=self.store,
            parse=self.parse,
            buckets=self.buckets,
            pipelines=self.pipelines,
            queue=self.queue,
            history=self.history,
            templates=self._templates.accepted,
        )

    @_Part
    def intake(self) -> Intake:
        """The intake of objects that land in buckets."""
        matcher = WorkflowMatcher(
            store=self.store,
            buckets=self.buckets,
            parse=self.parse,
            registry=self.registry,
            strict=self.settings.pipelines.strict,
        )
        return Intake(
            store=self.store,
            buckets=self.buckets,
            settings=self.settings.buckets,
            matcher=matcher,
            parts=Parts(self.store, self.registry, self.settings.hls, self.settings.data_dir),
            queued=self.queued,
            scratch=self.settings.data_dir,
        )

    @_Part
    def runs(self) -> RunService:
        """What runs executions in this process."""
        return RunService(
            store=self.store,
            buckets=self.buckets,
            inputs=self._inputs,
            outbox=self.outbox,
            settings=self.settings.runner,
            retry=self.settings.retry.policy,
            work_root=self.settings.data_dir / "work",
            parse=self._topologies.parse_accepted,
            templates=self._templates.accepted,
        )

    # --- what to run ---------------------------------------------------------------------

    def custom_template(self, template_id: str) -> Mapping[str, Json] | None:
        """Return a custom template that is not deleted; a `TemplateLookup`."""
        return self._templates.current(template_id)

    def parse(self, text: str, file: str = "") -> Graph:
        """Return the graph of a topology's text. Raises TopologyError with every problem in it."""
        return self._topologies.parse(text, file)

    def load(self, path: Path, overrides: Path | None = None) -> Workflow:
        """Read a topology file, and a file of OverrideParams that changes it for this run.

        Templates in `templates/` beside the file are known, too. Raises TopologyError with every
        problem in it, InvalidInputError for a file that cannot be read and for a PipelineId that
        the settings do not let pass.
        """
        return self._topologies.load(path, overrides)

    def open_input(self, workflow: Workflow, given: str, key: str | None = None) -> Source:
        """Find and pin the input: an object URL of a configured bucket, or a file.

        `key` is the object key that a file gets; default: ObjectPrefix and the file's name.
        Raises InvalidInputError when there is no such input or it cannot be read.
        """
        return self._inputs.open(workflow.graph.binding, given, key)

    def input_version(self, given: str) -> str | None:
        """Return the version that lies under an object URL now; None for nothing, and for files.

        Raises MediaflowError where the bucket cannot be asked.
        """
        return self._inputs.version(given)

    def plan(self, workflow: Workflow, source: Source, *, fresh: bool = False) -> Plan:
        """Plan a run: the input and what is read beside it are measured, nothing is encoded.

        Raises ActivityError when Start itself would fail.
        """
        return preview(
            workflow.graph,
            source,
            Names.of(source.ref.object, media_id=media_id(source.ref)),
            buckets=self.buckets,
            opener=self._inputs.opener(self.buckets),
            store=None if fresh else self._known_store(),
            fuse=self.settings.runner.fuse,
            templates=self._templates.current,
            count_limit=self.settings.runner.count_limit,
        )

    def forecast(self, workflow: Workflow, plan: Plan) -> Forecast:
        """Return about how long a plan would take, by what earlier runs of this machine took."""
        store = self._known_store()
        return forecast(
            workflow.graph,
            plan,
            store.rates.of if store else lambda kinds: {},
            self.settings.runner.processes,
        )

    def media_info(self, given: str) -> tuple[ObjectRef, StepResult]:
        """Look at a file, or an object of a configured bucket by its URL, as Start does.

        Returns the object and what Start leaves: the data of the result has the `Properties` of
        specification, mediainfo, 2. Nothing is kept. Raises InvalidInputError when there is no
        such input, ActivityError when it cannot be used.
        """
        return self._found(media_info_of_files(), given)

    def media_check(self, given: str) -> tuple[ObjectRef, StepResult]:
        """Look for defects of the picture in a file, or in an object by its URL.

        Returns the object and what Inspection leaves: `Spans` are the defects by time. Nothing is
        kept. Raises as `media_info` does.
        """
        return self._found(inspection_of_files(), given)

    def _found(self, topology: str, given: str) -> tuple[ObjectRef, StepResult]:
        graph = self.parse(topology)
        source = self._inputs.open(graph.binding, given)
        names = Names.of(source.ref.object, media_id=media_id(source.ref))
        found = describe(
            graph,
            source,
            names,
            buckets=self.buckets,
            store=self._known_store(),
            count_limit=self.settings.runner.count_limit,
        )
        return source.ref, found

    def page(self, record: ExecutionRecord) -> str:
        """Return the page of an execution as it stands: an HTML file, whose pictures are linked."""
        graph = None
        with suppress(MediaflowError):  # what it ran may be more than this version reads
            graph = self._topologies.parse_accepted(record.topology)
        facts = replace(execution_facts(record, graph), link=file_link, load_pictures=True)
        return render("execution.html", page=execution_page(facts), standalone=True)

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
        return self._submissions.submit(
            workflow, ref, user_data=user_data, overrides=overrides, dedupe_key=dedupe_key
        )

    def again(self, run_id: str, *, fresh: bool = False) -> ExecutionRecord:
        """Queue another run with the topology, the input and the user data of an execution.

        `fresh` uses no finished steps. Raises InvalidInputError when there is no such execution,
        its input is gone, or it was not a run of a workflow in the queue.
        """
        return self._submissions.again(self.history.get(run_id), fresh=fresh)

    def add_media(self, given: NewMedia) -> MediaRecord:
        """Add a media, and run the workflow on it that is named and Active; see `add_media`."""
        return add_media(
            given,
            library=self.media,
            buckets=self.buckets,
            workflows=self.workflows,
            submit=lambda workflow, ref: self.submit(
                workflow, ref, user_data=given.user_data, overrides=given.overrides
            ),
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
        on_start: OnStart = ignore,
    ) -> ExecutionRecord:
        """Run a workflow on an input to its end and return the execution.

        `on_start` gets the run's `Cancellation` before anything runs; its `stop` interrupts the
        run: the record then ends as Fail with the code Interrupted. Activities that fail do not
        raise. Raises LeaseLostError when another process took the execution over.
        """
        return self.runs.run(
            workflow,
            source,
            pipeline_id=self._topologies.pipeline_of(workflow.graph),
            output_root=str(self._output_dir or ""),
            executor=executor,
            user_data=user_data,
            fresh=fresh,
            observers=observers,
            on_start=on_start,
        )

    def resume(
        self,
        run_id: str,
        *,
        executor: Executor,
        observers: Sequence[Observer] = (),
        on_start: OnStart = ignore,
    ) -> ExecutionRecord:
        """Go on with an execution that was killed, interrupted or had failures, under its RunId.

        What succeeded is kept; everything else, and Report, runs again. Raises InvalidInputError
        when there is no such execution, nothing is left to do, the input is not what it was, or
        while a living process runs it.
        """
        self._templates.know_beside(self.settings.workflows.dir)
        return self.runs.resume(run_id, executor=executor, observers=observers, on_start=on_start)
