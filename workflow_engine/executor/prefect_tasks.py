"""The flow of an execution: one task per activity, edges as in the topology.

Used by `prefect_flow.py`, in its thread. Decisions 2 and 4.
"""

import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from workflow_engine.errors import InterruptedRunError
from workflow_engine.executor.inline import MAX_THREADS
from workflow_engine.executor.prefect_show import Show
from workflow_engine.executor.prefect_states import EndState, cancelled, flow_state, task_state
from workflow_engine.records import Json
from workflow_engine.run.runner import Runner

if TYPE_CHECKING:
    from uuid import UUID

    from httpx import Response
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow
    from prefect.futures import PrefectFuture

#: characters that Prefect does not allow in flow names
_BANNED = re.compile(r"[/%&<>]")
#: flows that are kept for the next executions of their workflows
_KEPT_FLOWS = 100
#: how often a request is sent to a server whose database is locked, and seconds between
_LOCKED_ATTEMPTS = 20
_LOCKED_PAUSE = 0.02
#: seconds between two looks at an activity that runs elsewhere
_FOLLOW_PERIOD = 0.2


class FlowGate:
    """Lets activities run inside the flow until it is closed; then they run elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = True
        self._inside = 0
        #: set once the execution does not continue in this process
        self.over = threading.Event()

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


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What the flow and the tasks of an execution work on."""

    runner: Runner
    gate: FlowGate
    show: Show


#: ids of flows by API URL and name, each of them a request
_flow_ids: "dict[tuple[str, str], UUID]" = {}
#: the execution of the flow; prefect gives its tasks copies of its context
_work: ContextVar[_Work] = ContextVar("work")


@contextmanager
def flow_of(runner: Runner, gate: FlowGate, pages_url: str) -> "Generator[Flow[Any, Any]]":
    """Give the flow of an execution, which must run on this thread; `pages_url` as in `Show`."""
    show = Show(runner, pages_url)
    runner.watch(show)
    token = _work.set(_Work(runner=runner, gate=gate, show=show))
    try:
        yield _flow(_BANNED.sub("_", runner.record.workflow))
    finally:
        _work.reset(token)


@lru_cache(maxsize=_KEPT_FLOWS)
def _flow(name: str) -> "Flow[Any, Any]":
    """Return the flow of a workflow; kept, since Prefect builds a schema of its parameters."""
    from prefect import flow
    from prefect.settings import get_current_settings
    from prefect.task_runners import ThreadPoolTaskRunner

    # a task waits for its predecessors on its thread; tasks are submitted in the order of the
    # graph, so the oldest one waiting can always continue
    runs_on: Any = cast("Any", ThreadPoolTaskRunner)(max_workers=MAX_THREADS)
    decorate = cast("Any", flow)(
        name=name,
        persist_result=False,
        # never written to; the server would be asked for one
        result_storage=get_current_settings().results.local_storage_path,
        task_runner=runs_on,
        validate_parameters=False,  # they are ours
    )
    return decorate(_media_workflow)


def _media_workflow(workflow: str, bucket: str, object: str, run_id: str) -> "State[Any]":
    from prefect import task

    work = _work.get()
    runner = work.runner
    work.show.workflow()
    base = task(persist_result=False)(_activity)
    futures: dict[str, PrefectFuture[Any]] = {}
    for name in runner.graph.order:
        before = [_ended(futures[one]) for one in runner.graph.predecessors(name)]
        named: Any = base.with_options(name=name, task_run_name=_constant(name))
        futures[name] = named.submit(name, wait_for=before)
    for future in futures.values():
        future.wait()
    work.show.pictures()
    work.show.close()
    if runner.cancel.is_set():
        return _state(cancelled("The run was interrupted."))
    state, code, message = runner.verdict()
    return _state(flow_state(replace(runner.record, state=state, code=code, message=message)))


def _activity(name: str) -> "State[Any]":
    work = _work.get()
    try:
        return _state(_run(work.runner, work.gate, work.show, name))
    except InterruptedRunError as error:
        return _state(cancelled(error.message))


def _run(runner: Runner, gate: FlowGate, show: Show, name: str) -> EndState:
    """Run an activity and say how it ended. Raises InterruptedRunError."""
    if not gate.enter():
        return _follow(runner, gate, name)
    try:
        # Prefect takes a task that raised for one that ended; the activity has not
        if not runner.may_run(name):
            return cancelled("Run without Prefect.")
        with show.progress(name):
            outcome = runner.run_activity(name)
    finally:
        gate.leave()
    show.artifacts(outcome)
    return task_state(outcome.record)


def _follow(runner: Runner, gate: FlowGate, name: str) -> EndState:
    """Wait for the end of an activity that runs elsewhere, because the server was lost."""
    while True:
        over = gate.over.is_set() or runner.cancel.is_set()
        activity = runner.record.activity(name)
        if activity.state.ended or over:
            return task_state(activity)
        gate.over.wait(_FOLLOW_PERIOD)


def _state(end: EndState) -> "State[Any]":
    from prefect.client.schemas.objects import State, StateType

    return State(type=StateType(end.type), name=end.name, message=end.message or None)


def _ended(future: "PrefectFuture[Any]") -> "PrefectFuture[Any]":
    """Return what lets a task begin once another has ended, in whatever state.

    Prefect's own `allow_failure` would stop what stands behind a Skipped one.
    """
    from prefect.futures import PrefectFuture
    from prefect.states import Completed

    class Ended(PrefectFuture[Any]):
        def __init__(self) -> None:
            pass

        @property
        def task_run_id(self) -> "UUID":
            return future.task_run_id

        @property
        def state(self) -> "State[Any]":
            return Completed(data=True)

        def wait(self, timeout: float | None = None) -> None:
            future.wait(timeout)

        def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> Any:
            self.wait(timeout)

        def add_done_callback(self, fn: "Callable[[PrefectFuture[Any]], None]") -> None:
            future.add_done_callback(fn)

    return Ended()


def parameters(runner: Runner) -> dict[str, str]:
    """Return the parameters of the flow of an execution, which the UI shows."""
    record = runner.record
    return {
        "workflow": record.workflow,
        "bucket": record.input.bucket,
        "object": record.input.object,
        "run_id": record.run_id,
    }


def create_flow_run(
    client: "SyncPrefectClient", flow: "Flow[Any, Any]", runner: Runner
) -> "FlowRun":
    """Create the flow run under the RunId as idempotency key, which the client does not offer."""
    from prefect.client.schemas.actions import FlowRunCreate
    from prefect.client.schemas.objects import FlowRun, StateType
    from prefect.states import Pending, to_state_create

    record = runner.record
    wanted = FlowRunCreate(
        flow_id=_flow_id(client, flow),
        name=f"{record.input.object.rpartition('/')[2]} {record.run_id[:8]}",
        parameters=parameters(runner),
        tags=[record.workflow, record.run_id],
        idempotency_key=record.run_id,
        state=to_state_create(Pending()),
    )
    try:
        response = _post(client, "/flow_runs/", wanted.model_dump(mode="json"))
    except Exception:
        _flow_ids.clear()  # the server may have another database than before
        raise
    flow_run = FlowRun.model_validate(response.json())
    if flow_run.state_type is not StateType.PENDING:
        _reopen(client, flow_run)
    return flow_run


def _post(client: "SyncPrefectClient", path: str, body: "dict[str, Json]") -> "Response":
    """Send JSON that may arrive twice, again at once while the server's database is locked.

    SQLite refuses a transaction in which another one has written meanwhile, and the server answers
    503 within milliseconds; Prefect's client would then pause 2 s. It gets whatever else happens.
    """
    from httpx import Client

    inner: Any = cast("Any", client)._client
    for _ in range(_LOCKED_ATTEMPTS):
        # past the class of Prefect, which adds the pauses
        response = Client.send(inner, inner.build_request("POST", path, json=body))
        if response.is_success:
            return response
        if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        time.sleep(_LOCKED_PAUSE)
    return cast("Any", client).request("POST", path, json=body)


def _flow_id(client: "SyncPrefectClient", flow: "Flow[Any, Any]") -> "UUID":
    key = (str(client.api_url), flow.name)
    if key not in _flow_ids:
        if len(_flow_ids) >= _KEPT_FLOWS:
            _flow_ids.clear()
        _flow_ids[key] = client.create_flow(flow)
    return _flow_ids[key]


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
