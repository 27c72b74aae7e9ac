"""Executions as Prefect flow runs, whatever becomes of the Prefect server.

With `prefect_tasks.py`, which has the flow, and `prefect_show.py` the only module that imports
prefect, and only at need. The store is the truth: Prefect schedules the tasks and shows them.
Whatever it cannot do any more (its server went away), the inline executor finishes.
Decisions 1, 2 and 4.
"""

import logging
import threading
import time
from collections.abc import Callable

from workflow_engine.errors import (
    InterruptedRunError,
    Interruption,
    LeaseLostError,
    StoreError,
)
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.executor.prefect_api import answers, get, ui_url
from workflow_engine.executor.prefect_ends import leave_open
from workflow_engine.executor.prefect_session import session, silence, unsilence
from workflow_engine.executor.prefect_tasks import FlowGate, create_flow_run, flow_of, parameters
from workflow_engine.run.runner import Runner

log = logging.getLogger(__name__)

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

    def __init__(self, api_url: str, pages_url: str = "") -> None:
        """`pages_url` is where the pages of `serve` are, "" where there are none."""
        self.abandoned = False
        self._api_url = api_url
        self._pages_url = pages_url
        self._flow_run_id = ""

    def execute(self, runner: Runner) -> None:
        """Run the flow; then finish inline what Prefect could not.

        The flow has a thread of its own, so that a server that went away or hangs cannot hold up
        the end of the run, and signals stay with the main thread.
        """
        gate = FlowGate()
        try:
            self._execute(runner, gate)
        finally:
            gate.over.set()

    def _execute(self, runner: Runner, gate: FlowGate) -> None:
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
            log.warning("Prefect failed, the run continues without it: %s", reason)
        if runner.cancel.is_set() and not runner.ended():
            raise InterruptedRunError(runner.interruption)
        InlineExecutor().execute(runner)

    def _await(
        self, flow: threading.Thread, runner: Runner, gate: FlowGate, health: "_Health"
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
                silence()
            if not (lost or interrupted) or not gate.close():
                continue
            left_since = left_since or time.monotonic()
            if lost or time.monotonic() - left_since > _GRACE:
                silence()
                return False
        while not gate.close():  # the flow broke, activities of it may still run
            time.sleep(0.1)
        return True

    def _flow(self, runner: Runner, gate: FlowGate, errors: list[BaseException]) -> None:
        try:
            session(self._api_url).copy().run(self._run_flow, runner, gate)
        except BaseException as error:
            errors.append(error)
        goes_on = not runner.cancel.is_set() or runner.interruption is Interruption.LEFT
        if self._flow_run_id and goes_on and (errors or not runner.ended()):
            leave_open(self._api_url, self._flow_run_id)

    def _run_flow(self, runner: Runner, gate: FlowGate) -> None:
        from prefect.context import SyncClientContext
        from prefect.flow_engine import run_flow

        unsilence()
        context = SyncClientContext.get()
        assert context is not None  # of the session
        with flow_of(runner, gate, self._pages_url) as flow:
            flow_run = create_flow_run(context.client, flow, runner)
            self._flow_run_id = str(flow_run.id)
            runner.set_prefect_url(f"{ui_url(self._api_url)}/runs/flow-run/{flow_run.id}")
            run_flow(flow, flow_run=flow_run, parameters=parameters(runner), return_type="state")


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
            failures = 0 if self._answers() else failures + 1
        self._lost.set()

    def _answers(self) -> bool:
        """Ask for the flow run, once there is one: that is an answer, too."""
        if not (flow_run_id := self._flow_run_id()):
            return answers(self._api_url, _HEALTH_PERIOD)
        flow_run = get(self._api_url, f"/flow_runs/{flow_run_id}", _HEALTH_PERIOD)
        if flow_run is None:
            return answers(self._api_url, _HEALTH_PERIOD)
        if flow_run["state_type"] in ("CANCELLING", "CANCELLED"):
            self._runner.stop(Interruption.CANCELLED)
        return True
