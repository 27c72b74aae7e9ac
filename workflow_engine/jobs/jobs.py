"""`Jobs`: submit, find and cancel jobs; those of workflows are found beside the others."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from workflow_engine.activity import TemplateLookup
from workflow_engine.buckets import Buckets
from workflow_engine.catalog.checks import placed
from workflow_engine.catalog.media import media_id
from workflow_engine.catalog.pipelines import Pipelines
from workflow_engine.errors import (
    Code,
    DuplicateExecutionError,
    InvalidInputError,
    MediaflowError,
    TopologyError,
    pointer_to,
)
from workflow_engine.jobs import boost, topologies
from workflow_engine.jobs.echo import analysis_echo, members, snapshot_echo
from workflow_engine.jobs.given import JobInput, JobObject, refuse_workflow_placeholders
from workflow_engine.jobs.new_job import NewJob
from workflow_engine.jobs.of_activities import as_execution
from workflow_engine.jobs.states import jobs_in
from workflow_engine.jobs.topologies import Target, WantedOutput
from workflow_engine.jobs.transcoding import is_intelligent, transcode_job
from workflow_engine.messages.job_states import job_state
from workflow_engine.messages.outbox import OWN_QUEUE
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    DEFAULT_PRIORITY,
    ActivityJob,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    stable_id,
)
from workflow_engine.records.catalog import PipelineRecord
from workflow_engine.run.history import ExecutionHistory
from workflow_engine.run.queue import ExecutionQueue
from workflow_engine.store import Page, Store

#: seconds between two looks at a job that somebody waits for
_LOOK_AGAIN = 0.1

_REFUSED = {
    ExecutionState.QUEUED: Code.JOB_IN_RUNNING,  # somebody has just claimed it
    ExecutionState.RUNNING: Code.JOB_IN_RUNNING,
    ExecutionState.COMPLETED: Code.JOB_IN_COMPLETE,
    ExecutionState.FAIL: Code.JOB_IN_FAILURE,
}


class Jobs:
    """The jobs of one engine. Pointers of errors name the parameters of the API."""

    def __init__(
        self,
        *,
        store: Store,
        parse: Callable[[str], Graph],
        buckets: Buckets,
        pipelines: Pipelines,
        queue: ExecutionQueue,
        history: ExecutionHistory,
        templates: TemplateLookup,
    ) -> None:
        self._store = store
        self._parse_topology = parse
        self._buckets = buckets
        self._pipelines = pipelines
        self._queue = queue
        self._history = history
        self._templates = templates

    # --- submit --------------------------------------------------------------------------

    def transcode(
        self, given: JobInput, outputs: Sequence[Json], target: Target, *, pipeline_id: str
    ) -> list[ExecutionRecord | InvalidInputError]:
        """Queue a job for each output; where one cannot be made its error stands in its place.

        Raises InvalidInputError for what concerns all of them.
        """
        pipeline = self._pipelines.accepted(pipeline_id)
        boost.refuse_source(pipeline, self._known_duration(given.ref))
        self._require_bucket(given.bucket, "/Input/Bucket")
        self._require_bucket(target.bucket, "/OutputBucket")
        jobs: list[ExecutionRecord | InvalidInputError] = []
        for place, output in enumerate(outputs):
            try:
                jobs.append(self._queued(self._transcode(given, output, target, pipeline)))
            except InvalidInputError as error:
                jobs.append(topologies.asked(error, output=place))
        return jobs

    def snapshot(
        self, given: JobInput, config: Json, *, pipeline_id: str = "", user_data: str = ""
    ) -> ExecutionRecord:
        """Queue a job that takes pictures. Raises InvalidInputError."""
        pipeline = self._pipelines.accepted(pipeline_id)
        self._require_bucket(given.bucket, "/Input/Bucket")
        graph = self._parse(topologies.snapshot(given, pipeline.id, config))
        for name in ("OutputFile", "TileOutputFile"):
            if file := members(members(config).get(name)):
                pointer = pointer_to("SnapshotConfig", name)
                self._require_bucket(str(file["Bucket"]), pointer + "/Bucket")
                refuse_workflow_placeholders(str(file["Object"]), pointer + "/Object")
        request = {"SnapshotConfig": snapshot_echo(config)}
        return self._queued(
            NewJob(
                kind=ExecutionKind.SNAPSHOT,
                graph=graph,
                given=given,
                pipeline=pipeline,
                request=request,
                user_data=user_data,
            )
        )

    def analysis(
        self,
        given: JobInput,
        config: Json = None,
        *,
        pipeline_id: str,
        priority: int = DEFAULT_PRIORITY,
        user_data: str = "",
    ) -> ExecutionRecord:
        """Queue a job that finds the intelligent templates for an object.

        Raises InvalidInputError.
        """
        pipeline = self._pipelines.accepted(pipeline_id)
        boost.refuse_analysis(pipeline)
        self._require_bucket(given.bucket, "/Input/Bucket")
        graph = self._parse(topologies.analysis(given, pipeline.id, config))
        request = {"AnalysisConfig": analysis_echo(config)}
        return self._queued(
            NewJob(
                kind=ExecutionKind.ANALYSIS,
                graph=graph,
                given=given,
                pipeline=pipeline,
                request=request,
                priority=priority,
                user_data=user_data,
            )
        )

    def media_info(
        self,
        given: JobInput,
        *,
        kind: ExecutionKind = ExecutionKind.MEDIA_INFO,
        pipeline_id: str = "",
        priority: int = DEFAULT_PRIORITY,
        user_data: str = "",
        request: Mapping[str, Json],
    ) -> ExecutionRecord:
        """Queue a job that probes an object. Raises InvalidInputError.

        `request` is kept for answers.
        """
        pipeline = self._pipelines.accepted(pipeline_id)
        self._require_bucket(given.bucket, "/Input/Bucket")
        graph = self._parse(topologies.media_info(given, pipeline.id))
        return self._queued(
            NewJob(
                kind=kind,
                graph=graph,
                given=given,
                pipeline=pipeline,
                request=request,
                priority=priority,
                user_data=user_data,
            )
        )

    def convert(
        self,
        given: JobInput,
        outputs: Sequence[WantedOutput],
        *,
        pipeline_id: str = "",
        priority: int = DEFAULT_PRIORITY,
        user_data: str = "",
        token: str = "",
        request: Mapping[str, Json],
    ) -> ExecutionRecord:
        """Queue a job that makes several outputs of an object. Raises InvalidInputError.

        A second one with the same token is the first one again. `request` is kept for answers.
        """
        pipeline = self._pipelines.accepted(pipeline_id)
        boost.refuse_source(pipeline, self._known_duration(given.ref))
        self._require_bucket(given.bucket, "/Config/Inputs/0/InputFile/Media")
        for wanted in outputs:
            place = wanted.fields.get("/OutputObject", "/OutputObject")
            self._require_bucket(wanted.target.bucket, wanted.pointer + place)
            template = str(wanted.output.get("TemplateId", ""))
            boost.refuse_template(pipeline, template, self._store.templates.get(template))
        analysed = any(is_intelligent(wanted.output) for wanted in outputs)
        text = topologies.convert(given, pipeline.id, outputs, analysed=analysed)
        try:
            graph = self._parse_topology(text)
        except TopologyError as error:
            raise topologies.wanted(error, outputs) from None
        job = NewJob(
            kind=ExecutionKind.IMS_CONVERT,
            graph=graph,
            given=given,
            pipeline=pipeline,
            request=request,
            priority=priority,
            user_data=user_data,
        )
        record = job.execution(self._buckets.locations)
        try:
            key = stable_id(str(job.kind), token) if token else None
            return self._queue.add(record, dedupe_key=key)
        except DuplicateExecutionError as error:
            first = self._store.executions.get(error.run_id)
            assert first is not None
            return first

    def video_quality(
        self,
        given: JobInput,
        target: JobObject,
        params: Mapping[str, Json],
        *,
        user_id: int,
        pipeline_id: str = "",
        user_data: str = "",
        queue: str = "",
    ) -> ExecutionRecord:
        """Queue a job that looks for defects of the picture. Raises InvalidInputError.

        `params` are JobParams, `queue` is told of the end in place of the pipeline's.
        """
        pipeline = self._pipelines.accepted(pipeline_id)
        self._require_bucket(given.bucket, "/Input/Bucket")
        self._require_bucket(target.bucket, "/Output/Bucket")
        refuse_workflow_placeholders(target.object, "/Output/Object")
        request: dict[str, Json] = {"UserId": user_id, "Output": target.shown_url}
        if queue:
            self._pipelines.check_queue(queue, "/NotifyUrl")
            request[OWN_QUEUE] = queue
        return self._queued(
            NewJob(
                kind=ExecutionKind.VIDEO_QUALITY,
                graph=self._parse(topologies.video_quality(given, pipeline.id, target, params)),
                given=given,
                pipeline=pipeline,
                request=request,
                user_data=user_data,
            )
        )

    def _transcode(
        self, given: JobInput, output: Json, target: Target, pipeline: PipelineRecord
    ) -> NewJob:
        return transcode_job(self._store, self._parse_topology, given, output, target, pipeline)

    def _queued(self, job: NewJob) -> ExecutionRecord:
        record = job.execution(self._buckets.locations)
        if job.error is not None:
            return self._queue.add_failed(record, job.pipeline, job.error)
        return self._queue.add(record)

    def _require_bucket(self, name: str, pointer: str) -> None:
        """Raise InvalidInputError unless a bucket is configured."""
        with placed(pointer):
            self._buckets.get(name)

    def _parse(self, topology: str) -> Graph:
        try:
            return self._parse_topology(topology)
        except TopologyError as error:
            raise topologies.asked(error) from None

    def _known_duration(self, ref: ObjectRef) -> float | None:
        """Return the seconds of an object that a run has probed before."""
        media = self._store.media.get(media_id(ref))
        duration = media.properties.get("Duration") if media else None
        return float(duration) if duration else None

    # --- find ----------------------------------------------------------------------------

    def by_ids(self, kind: ExecutionKind, job_ids: Sequence[str]) -> list[ExecutionRecord]:
        """Return those of some jobs that exist and are of a kind, the newest first."""
        own = self._store.executions.by_ids(job_ids, kind=kind)
        of_activities = self._store.activity_jobs.by_ids(kind, job_ids)
        runs = {
            run.run_id: run
            for run in self._store.executions.by_ids({job.run_id for job in of_activities})
        }
        graphs = {text: self._graph(text) for text in {run.topology for run in runs.values()}}
        found = own + [
            as_execution(job, run, graphs[run.topology], self._templates)
            for job in of_activities
            if (run := runs.get(job.run_id))  # it may have been removed in between
        ]
        return sorted(found, key=lambda job: (job.created, job.run_id), reverse=True)

    def _graph(self, topology: str) -> Graph | None:
        try:
            return self._parse_topology(topology)
        except MediaflowError:  # of an activity type that is gone, or refused by now
            return None

    def page(
        self,
        kind: ExecutionKind,
        *,
        state: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        pipeline_id: str = "",
        limit: int,
        after: str = "",
    ) -> Page[ExecutionRecord]:
        """Return a page of the jobs of a kind, those of workflows among them, the newest first.

        `state` is a word of that kind. A pipeline that is not known means the one that its jobs
        went to. Raises InvalidInputError.
        """
        pipeline = self._pipelines.accepted(pipeline_id).id if pipeline_id else ""
        chosen = replace(jobs_in(kind, state), since=since, until=until, pipeline_id=pipeline)
        ids = self._history.job_page(chosen, limit=limit, after=after)
        return Page(items=self.by_ids(kind, ids.items), next_token=ids.next_token)

    def wait(self, job_id: str, seconds: float) -> ExecutionRecord:
        """Return a job once it has ended, or as it stands after so many seconds.

        Raises KeyError for an unknown id.
        """
        until = time.monotonic() + seconds
        while True:
            job = self._store.executions.get(job_id)
            if job is None:
                raise KeyError(job_id)
            if job.state.ended or time.monotonic() >= until:
                return job
            time.sleep(_LOOK_AGAIN)

    # --- cancel --------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Cancel a transcode job that has not begun.

        Raises InvalidInputError: `PermissionDenied.JobInRunning`, `.JobInComplete`,
        `.JobInFailure`, `InvalidParameter.InvalidState` for one of a workflow that waits, or
        `InvalidParameter.ResourceNotFound`.
        """
        job = self._transcode_job(job_id)
        for part in self._store.activity_jobs.by_ids(ExecutionKind.TRANSCODE, [job_id]):
            raise _part_of_a_run(part, job)
        if not job.state.ended:
            self._store.queue.request_cancel(job_id, only_queued=True)
            job = self._transcode_job(job_id)
            if job.code == Code.CANCELLED:
                return
        raise InvalidInputError(
            _REFUSED[job.state],
            f'The job "{job_id}" {_standing(job)}.',
            pointer="/JobId",
            remedy="Only jobs that wait in their pipeline can be cancelled.",
        )

    def _transcode_job(self, job_id: str) -> ExecutionRecord:
        found = self.by_ids(ExecutionKind.TRANSCODE, [job_id])
        if not found:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'There is no transcode job with the id "{job_id}".',
                pointer="/JobId",
                remedy="Use a JobId that SubmitJobs returned.",
            )
        return found[0]


def _standing(job: ExecutionRecord) -> str:
    if job.state is ExecutionState.QUEUED:
        return "waits"
    return f"has ended as {job_state(job)}" if job.state.ended else "is running"


def _part_of_a_run(part: ActivityJob, job: ExecutionRecord) -> InvalidInputError:
    """Return why the job of an activity is not cancelled (specification, topology, 7)."""
    waits = job.state is ExecutionState.QUEUED
    return InvalidInputError(
        Code.INVALID_STATE if waits else _REFUSED[job.state],
        f'The job "{part.job_id}" {_standing(job)}; it is the activity "{part.activity}" of the '
        f'run "{part.run_id}", which can only be cancelled as a whole.',
        pointer="/JobId",
        remedy=f"Use `mediaflow execution cancel {part.run_id}`.",
    )
