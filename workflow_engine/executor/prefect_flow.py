"""The execution as a Prefect flow run, each activity as a task run.

The only module that imports prefect, and only when it is used. The store is the truth: Prefect
schedules the tasks and shows them. Whatever it cannot do any more (its server went away), the
inline executor finishes. Design, decisions 1, 2 and 4; measured facts in the Prefect notes.
"""

import contextvars
import logging
import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workflow_engine.activity import Artifact
from workflow_engine.errors import InterruptedRunError, LeaseLostError
from workflow_engine.executor.inline import MAX_THREADS, InlineExecutor
from workflow_engine.executor.prefect_server import answers, ui_url
from workflow_engine.graph import REPORT
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionState
from workflow_engine.runner import Outcome, Runner

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow

log = logging.getLogger(__name__)

#: rows of a table of outputs
_LISTED_OUTPUTS = 50
#: seconds between two looks at the server, and how many misses on end mean that it is gone
_HEALTH_PERIOD = 2.0
_HEALTH_FAILURES = 3
#: seconds between two updates of the progress artifacts
_PROGRESS_PERIOD = 1.0


class PrefectExecutor:
    """Runs an execution as a flow in this process, reporting to a Prefect server.

    `abandoned` tells that the server went away for good: prefect then still has threads that
    try to reach it, and a process that wants to end must not wait for them.
    """

    def __init__(self, api_url: str, home: Path) -> None:
        self.abandoned = False
        self._api_url = api_url
        self._home = home

    def execute(self, runner: Runner) -> None:
        """Run the flow; then finish inline what Prefect could not.

        The flow has a thread of its own, so that a server that went away cannot hold up the end
        of the run, and signals stay with the main thread.
        """
        self._configure()
        errors: list[BaseException] = []
        flow = threading.Thread(target=self._flow, args=(runner, errors), name="flow", daemon=True)
        flow.start()
        watch = _Health(self._api_url)
        while flow.is_alive() and not self.abandoned:
            flow.join(0.1)
            if watch.lost():
                _silence_prefect()
                self.abandoned = runner.ended()
        for error in errors:
            if isinstance(error, InterruptedRunError | LeaseLostError):
                raise error
            log.warning("Prefect failed, the run goes on without it: %s", error)
        InlineExecutor().execute(runner)

    def _flow(self, runner: Runner, errors: list[BaseException]) -> None:
        try:
            self._run_flow(runner)
        except BaseException as error:
            errors.append(error)

    def _configure(self) -> None:
        """Point prefect at the server before its first import reads the environment."""
        os.environ["PREFECT_API_URL"] = self._api_url
        os.environ.setdefault("PREFECT_HOME", str(self._home))
        os.environ.setdefault("DO_NOT_TRACK", "1")
        # the store and the UI have what is worth knowing; the terminal belongs to the progress
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "false")
        # a server that went away may cost seconds, not the minute of the default
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "2")

    def _run_flow(self, runner: Runner) -> None:
        from prefect.flow_engine import run_flow
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        interrupted = threading.Event()
        flow = _make_flow(runner, interrupted)
        # without heartbeats the end of a flow does not wait for their thread, almost 1 s
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            flow_run = _create_flow_run(flow, runner)
            runner.set_prefect_url(f"{ui_url(self._api_url)}/runs/flow-run/{flow_run.id}")
            run_flow(flow, flow_run=flow_run, parameters=_parameters(runner), return_type="state")
        if interrupted.is_set() or runner.cancel.is_set():
            raise InterruptedRunError("Interrupted", "The run was interrupted.")


class _Health:
    """Asks a server every few seconds whether it is there, from a thread of its own."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self._lost = threading.Event()
        threading.Thread(target=self._ask, name="prefect health", daemon=True).start()

    def lost(self) -> bool:
        """Whether the server failed to answer several times on end."""
        return self._lost.is_set()

    def _ask(self) -> None:
        failures = 0
        while failures < _HEALTH_FAILURES:
            time.sleep(_HEALTH_PERIOD)
            failures = 0 if answers(self._api_url) else failures + 1
        self._lost.set()


def _silence_prefect() -> None:
    """Keep what prefect's threads say about a lost server off the terminal."""
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.CRITICAL + 1)


def _parameters(runner: Runner) -> dict[str, str]:
    record = runner.record
    return {
        "workflow": record.workflow,
        "bucket": record.input.bucket,
        "object": record.input.object,
        "run_id": record.run_id,
    }


def _create_flow_run(flow: "Flow[Any, Any]", runner: Runner) -> "FlowRun":
    """Create the flow run under the RunId as idempotency key, which the client does not offer."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import FlowRunCreate
    from prefect.client.schemas.objects import FlowRun
    from prefect.states import Pending, to_state_create

    record = runner.record
    with get_client(sync_client=True) as client:
        wanted = FlowRunCreate(
            flow_id=client.create_flow(flow),
            name=f"{record.input.object.rpartition('/')[2]} {record.run_id[:8]}",
            parameters=_parameters(runner),
            tags=[record.workflow, record.run_id],
            idempotency_key=record.run_id,
            state=to_state_create(Pending()),
        )
        response = client.request("POST", "/flow_runs/", json=wanted.model_dump(mode="json"))
        return FlowRun.model_validate(response.json())


def _make_flow(runner: Runner, interrupted: threading.Event) -> "Flow[Any, Any]":
    """Build the flow: one task per activity, edges as in the topology."""
    from prefect import allow_failure, flow, task
    from prefect.states import Cancelled, Completed, Failed
    from prefect.task_runners import ThreadPoolTaskRunner

    show = _Show()
    runner.watch(show)
    record = runner.record

    def activity(name: str) -> "State[Any]":
        try:
            with show.progress(name):
                outcome = runner.run_activity(name)
        except InterruptedRunError as error:
            interrupted.set()
            return Cancelled(message=error.message)
        show.artifacts(outcome)
        ended = outcome.record
        if ended.state is ActivityState.SKIPPED:
            return Completed(name="Skipped", message=ended.message)
        if ended.state is ActivityState.FAIL:
            return Failed(message=f"{ended.code}: {ended.message}")
        return Completed(message="Reused" if ended.reused else None)

    base = task(persist_result=False)(activity)

    def media_workflow(workflow: str, bucket: str, object: str, run_id: str) -> "State[Any]":
        futures: dict[str, Any] = {}
        for name in runner.graph.order:
            before: Any = [allow_failure(futures[p]) for p in runner.graph.predecessors(name)]
            named: Any = base.with_options(name=name, task_run_name=name)
            futures[name] = named.submit(name, wait_for=before)
        for future in futures.values():
            future.wait()
        if interrupted.is_set():
            return Cancelled(message="The run was interrupted.")
        start = runner.record.activity(runner.graph.start.name)
        if start.state is not ActivityState.SUCCESS:
            return Failed(message=f"{start.code}: {start.message}")
        return Completed(message=str(ExecutionState.COMPLETED))

    # a task waits for its predecessors on its thread; tasks are submitted in the order of the
    # graph, so the oldest one waiting can always go on
    runs_on: Any = cast("Any", ThreadPoolTaskRunner)(max_workers=MAX_THREADS)
    decorate = cast("Any", flow)(name=record.workflow, persist_result=False, task_runner=runs_on)
    return decorate(media_workflow)


class _Show:
    """Artifacts of the activities. After a first failure no more are tried in this run.

    Progress is sent by a thread of its own, so that no ffmpeg waits for HTTP.
    """

    def __init__(self) -> None:
        self._bars: dict[str, Any] = {}
        self._latest: dict[str, float] = {}
        self._lock = threading.Lock()
        self._broken = threading.Event()

    def activity_changed(self, record: ActivityRecord) -> None:
        """Fill the bar of what succeeded; task states show the rest."""
        if record.state is ActivityState.SUCCESS:
            self.progressed(record.name, 1.0)

    def progressed(self, name: str, fraction: float) -> None:
        """Keep the newest value for the next update."""
        with self._lock:
            self._latest[name] = fraction

    @contextmanager
    def progress(self, name: str) -> Generator[None]:
        """Update the progress artifact of one activity while it runs, and once after."""
        context = contextvars.copy_context()
        done = threading.Event()

        def update() -> None:
            while not done.wait(_PROGRESS_PERIOD):
                context.run(self._send_progress, name)

        thread = threading.Thread(target=update, name=f"progress {name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            # a server that went away must not hold the run up
            thread.join(timeout=2 * _PROGRESS_PERIOD)
            if name in self._bars and not thread.is_alive():
                self._send_progress(name)

    def artifacts(self, outcome: Outcome) -> None:
        """Show tables and links of a finished activity, and what it published."""
        for artifact in (*outcome.artifacts, *_published(outcome.record)):
            self._try(_create, artifact)

    def _send_progress(self, name: str) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        with self._lock:
            fraction = self._latest.pop(name, None)
        if fraction is None:
            return
        percent = round(fraction * 100, 1)
        if name in self._bars:
            self._try(update_progress_artifact, self._bars[name], progress=percent)
        elif bar := self._try(create_progress_artifact, progress=percent, description=name):
            self._bars[name] = bar

    def _try(self, call: Any, *arguments: Any, **options: Any) -> Any:
        if self._broken.is_set():
            return None
        try:
            return call(*arguments, **options)
        except Exception as error:
            self._broken.set()
            log.warning("Prefect takes no artifacts any more: %s", error)
            return None


def _published(record: ActivityRecord) -> Iterator[Artifact]:
    """Yield a table of the outputs; the report as a link besides."""
    if not record.outputs:
        return
    rows = [
        {"Object": o.ref.object, "Bucket": o.ref.bucket, "Bytes": o.digests.size, "Place": o.place}
        for o in record.outputs[:_LISTED_OUTPUTS]
    ]
    title = f"Outputs of {record.name}, {len(record.outputs)} in all"
    yield Artifact(kind="table", title=title, content=rows)
    if record.type == REPORT:
        place = record.outputs[-1].place
        link = place if "://" in place else Path(place).as_uri()
        yield Artifact(kind="link", title="Report", content=link)


def _create(artifact: Artifact) -> None:
    from prefect.artifacts import (
        create_link_artifact,
        create_markdown_artifact,
        create_table_artifact,
    )

    if artifact.kind == "table":
        create_table_artifact(table=artifact.content, description=artifact.title)
    elif artifact.kind == "link":
        create_link_artifact(link=artifact.content, description=artifact.title)
    else:
        create_markdown_artifact(markdown=artifact.content, description=artifact.title)
