"""The execution as a Prefect flow run, each activity as a task run.

With `prefect_show.py`, which it uses, the only module that imports prefect, and only at need.
The store is the truth: Prefect schedules the tasks and shows them. Whatever it cannot do any more
(its server went away), the inline executor finishes. Design, decisions 1, 2 and 4.
"""

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workflow_engine.errors import (
    InterruptedRunError,
    Interruption,
    LeaseLostError,
    StoreError,
)
from workflow_engine.executor.inline import MAX_THREADS, InlineExecutor
from workflow_engine.executor.prefect_server import answers, flow_run_state, ui_url
from workflow_engine.executor.prefect_show import Show
from workflow_engine.records import ActivityState, ExecutionState
from workflow_engine.runner import Runner

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow

log = logging.getLogger(__name__)

#: prefect's loggers that may be silenced, with their own levels
_LEVELS = {
    "prefect": logging.INFO,
    "prefect.flow_runs": logging.NOTSET,
    "prefect.task_runs": logging.NOTSET,
}
#: characters that Prefect takes in no flow name
_BANNED = re.compile(r"[/%&<>]")
#: seconds between two looks at the server, and how many misses on end mean that it is gone
_HEALTH_PERIOD = 2.0
_HEALTH_FAILURES = 3
#: seconds that Prefect gets to show an interrupted run as cancelled
_GRACE = 3.0


class PrefectExecutor:
    """Runs an execution as a flow in this process, reporting to a Prefect server.

    `abandoned` tells that the server went away for good: prefect then still has threads that
    try to reach it, and a process that wants to end must not wait for them.
    """

    def __init__(self, api_url: str, home: Path) -> None:
        self.abandoned = False
        self._api_url = api_url
        self._home = home
        self._flow_run_id = ""

    def execute(self, runner: Runner) -> None:
        """Run the flow; then finish inline what Prefect could not.

        The flow has a thread of its own, so that a server that went away or hangs cannot hold up
        the end of the run, and signals stay with the main thread.
        """
        self._configure()
        gate = _Gate()
        errors: list[BaseException] = []
        flow = threading.Thread(
            target=self._flow, args=(runner, gate, errors), name="flow", daemon=True
        )
        flow.start()
        with _Health(self._api_url, runner, lambda: self._flow_run_id) as health:
            self.abandoned = not self._await(flow, runner, gate, health)
        for error in errors:
            if isinstance(error, LeaseLostError | StoreError):
                raise error
            reason = " ".join(str(error).split()) or repr(error)
            log.warning("Prefect failed, the run goes on without it: %s", reason)
        if runner.cancel.is_set() and not runner.ended():
            raise InterruptedRunError(runner.interruption)
        InlineExecutor().execute(runner)

    def _await(
        self, flow: threading.Thread, runner: Runner, gate: "_Gate", health: "_Health"
    ) -> bool:
        """Wait for the flow; False when it had to be left behind.

        It is left behind once no activity runs in it any more and the server is lost, or the run
        was interrupted and Prefect does not come to an end of itself.
        """
        left_since: float | None = None
        while flow.is_alive():
            flow.join(0.1)
            lost, interrupted = health.lost(), runner.cancel.is_set()
            if lost:
                _silence_prefect()
            if not (lost or interrupted) or not gate.close():
                continue
            left_since = left_since or time.monotonic()
            if lost or time.monotonic() - left_since > _GRACE:
                _silence_prefect()
                return False
        while not gate.close():  # the flow broke, activities of it may still run
            time.sleep(0.1)
        return True

    def _flow(self, runner: Runner, gate: "_Gate", errors: list[BaseException]) -> None:
        try:
            self._run_flow(runner, gate)
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
        os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", "10")

    def _run_flow(self, runner: Runner, gate: "_Gate") -> None:
        from prefect.flow_engine import run_flow
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            temporary_settings,
        )

        # what prefect's own threads say about a server that went away is no news to a user
        logging.getLogger("prefect._internal").setLevel(logging.CRITICAL + 1)
        logging.getLogger("prefect._internal.concurrency").setLevel(logging.CRITICAL + 1)
        _unsilence_prefect()
        flow = _make_flow(runner, gate)
        # without heartbeats the end of a flow does not wait for their thread, almost 1 s
        with temporary_settings(
            {PREFECT_API_URL: self._api_url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        ):
            flow_run = _create_flow_run(flow, runner)
            self._flow_run_id = str(flow_run.id)
            runner.set_prefect_url(f"{ui_url(self._api_url)}/runs/flow-run/{flow_run.id}")
            run_flow(flow, flow_run=flow_run, parameters=_parameters(runner), return_type="state")


def flush(seconds: float) -> None:
    """Wait until Prefect has been told all about the runs of this process, at most `seconds`."""
    if "prefect" not in sys.modules:
        return

    def drain() -> None:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        for worker in (EventsWorker, APILogWorker):
            cast("Any", worker).drain_all(timeout=seconds)

    thread = threading.Thread(target=drain, name="prefect flush", daemon=True)
    thread.start()
    thread.join(seconds)


class _Gate:
    """Lets activities run inside the flow until it is closed; then they run elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = True
        self._inside = 0

    def enter(self) -> bool:
        """Whether an activity may start; `leave` must follow if so."""
        with self._lock:
            self._inside += self._open
            return self._open

    def leave(self) -> None:
        """Note that an activity ended."""
        with self._lock:
            self._inside -= 1

    def close(self) -> bool:
        """Let no more in; return whether nothing is inside any more."""
        with self._lock:
            self._open = False
            return self._inside == 0


class _Health:
    """Asks a server every few seconds whether it is there, from a thread of its own.

    A flow run that was cancelled there, in the UI, is cancelled here.
    """

    def __init__(self, api_url: str, runner: Runner, flow_run_id: Callable[[], str]) -> None:
        self._api_url = api_url
        self._runner = runner
        self._flow_run_id = flow_run_id
        self._lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="prefect health", daemon=True)

    def __enter__(self) -> "_Health":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def lost(self) -> bool:
        """Whether the server failed to answer several times on end."""
        return self._lost.is_set()

    def _ask(self) -> None:
        failures = 0
        while failures < _HEALTH_FAILURES:
            if self._done.wait(_HEALTH_PERIOD):
                return
            failures = 0 if answers(self._api_url, _HEALTH_PERIOD) else failures + 1
            self._look_for_cancel()
        self._lost.set()

    def _look_for_cancel(self) -> None:
        if flow_run := self._flow_run_id():
            state = flow_run_state(self._api_url, flow_run, _HEALTH_PERIOD)
            if state in ("CANCELLING", "CANCELLED"):
                self._runner.stop(Interruption.CANCELLED)


def _silence_prefect() -> None:
    """Keep what prefect's threads say about a lost server off the terminal."""
    for name in _LEVELS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _unsilence_prefect() -> None:
    """Let the next flow's log go to the server again."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)


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
    from prefect.client.schemas.objects import FlowRun, StateType
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
        flow_run = FlowRun.model_validate(response.json())
        if flow_run.state_type is not StateType.PENDING:
            _reopen(client, flow_run)
        return flow_run


def _reopen(client: "SyncPrefectClient", flow_run: "FlowRun") -> None:
    """Make the flow run of an earlier attempt ready for another: its key gives the same run."""
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed, Pending

    client.set_flow_run_state(flow_run.id, Crashed(message="Taken up again."), force=True)
    unfinished = {"type": {"any_": [StateType.RUNNING.value, StateType.PENDING.value]}}
    wanted = {
        "flow_runs": {"id": {"any_": [str(flow_run.id)]}},
        "task_runs": {"state": unfinished},
    }
    # a killed process could not end its task runs
    crashed = {"type": "CRASHED", "name": "Crashed", "message": "Its process was gone."}
    post = cast("Any", client).request
    for task_run in post("POST", "/task_runs/filter", json=wanted).json():
        body = {"state": crashed, "force": True}
        post("POST", f"/task_runs/{task_run['id']}/set_state", json=body)
    client.set_flow_run_state(flow_run.id, Pending(), force=True)


def _constant(name: str) -> Callable[[], str]:
    """Return a function for a run name: as a string it would be a format."""

    def run_name() -> str:
        return name

    return run_name


def _make_flow(runner: Runner, gate: _Gate) -> "Flow[Any, Any]":
    """Build the flow: one task per activity, edges as in the topology."""
    from prefect import allow_failure, flow, task
    from prefect.states import Cancelled, Completed, Failed
    from prefect.task_runners import ThreadPoolTaskRunner

    show = Show()
    runner.watch(show)
    record = runner.record

    def activity(name: str) -> "State[Any]":
        if not gate.enter():
            return Cancelled(message="Run without Prefect.")
        try:
            # Prefect takes a task that raised for one that ended; the activity has not
            if not runner.may_run(name):
                return Cancelled(message="Run without Prefect.")
            with show.progress(name):
                outcome = runner.run_activity(name)
        except InterruptedRunError as error:
            return Cancelled(message=error.message)
        finally:
            gate.leave()
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
            named: Any = base.with_options(name=name, task_run_name=_constant(name))
            futures[name] = named.submit(name, wait_for=before)
        for future in futures.values():
            future.wait()
        if runner.cancel.is_set():
            return Cancelled(message="The run was interrupted.")
        start = runner.record.activity(runner.graph.start.name)
        if start.state is not ActivityState.SUCCESS:
            return Failed(message=f"{start.code}: {start.message}")
        return Completed(message=str(ExecutionState.COMPLETED))

    # a task waits for its predecessors on its thread; tasks are submitted in the order of the
    # graph, so the oldest one waiting can always go on
    runs_on: Any = cast("Any", ThreadPoolTaskRunner)(max_workers=MAX_THREADS)
    name = _BANNED.sub("_", record.workflow)
    decorate = cast("Any", flow)(name=name, persist_result=False, task_runner=runs_on)
    return decorate(media_workflow)
