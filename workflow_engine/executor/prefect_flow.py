"""Executions as Prefect flow runs, whatever becomes of the Prefect server.

With `prefect_tasks.py`, which has the flow, and `prefect_show.py` the only module that imports
prefect, and only at need. The store is the truth: Prefect schedules the tasks and shows them.
Whatever it cannot do any more (its server went away), the inline executor finishes.
Decisions 1, 2 and 4.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workflow_engine.errors import (
    InterruptedRunError,
    Interruption,
    LeaseLostError,
    StoreError,
)
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.executor.prefect_api import answers, get, ui_url
from workflow_engine.executor.prefect_ends import leave_open
from workflow_engine.executor.prefect_tasks import Gate, create_flow_run, make_flow, parameters
from workflow_engine.run.runner import Runner

if TYPE_CHECKING:
    from prefect.settings import Settings

log = logging.getLogger(__name__)

#: prefect's loggers that may be silenced, with their own levels
_LEVELS = {
    "prefect": logging.INFO,
    "prefect.flow_runs": logging.NOTSET,
    "prefect.task_runs": logging.NOTSET,
}
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
        gate = Gate()
        try:
            self._execute(runner, gate)
        finally:
            gate.over.set()

    def _execute(self, runner: Runner, gate: Gate) -> None:
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

    def _await(self, flow: threading.Thread, runner: Runner, gate: Gate, health: "_Health") -> bool:
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

    def _flow(self, runner: Runner, gate: Gate, errors: list[BaseException]) -> None:
        try:
            self._run_flow(runner, gate)
        except BaseException as error:
            errors.append(error)
        goes_on = not runner.cancel.is_set() or runner.interruption is Interruption.LEFT
        if self._flow_run_id and goes_on and (errors or not runner.ended()):
            leave_open(self._api_url, self._flow_run_id)

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

    def _run_flow(self, runner: Runner, gate: Gate) -> None:
        from prefect.context import SettingsContext, SyncClientContext, get_settings_context
        from prefect.flow_engine import run_flow

        # what prefect's own threads say about a server that went away is no news to a user
        logging.getLogger("prefect._internal").setLevel(logging.CRITICAL + 1)
        logging.getLogger("prefect._internal.concurrency").setLevel(logging.CRITICAL + 1)
        logging.getLogger("prefect.task_runs").addFilter(_tidy)
        _unsilence_prefect()
        flow = make_flow(runner, gate)
        profile = get_settings_context().profile
        # one client serves the whole flow, for each loads all known certificates
        with (
            SettingsContext(profile=profile, settings=_flow_settings(self._api_url)),
            SyncClientContext.get_or_create() as context,
        ):
            flow_run = create_flow_run(context.client, flow, runner)
            self._flow_run_id = str(flow_run.id)
            runner.set_prefect_url(f"{ui_url(self._api_url)}/runs/flow-run/{flow_run.id}")
            run_flow(flow, flow_run=flow_run, parameters=parameters(runner), return_type="state")


@cache
def _flow_settings(api_url: str) -> "Settings":
    """Return Prefect's settings for flows: kept, for building them takes a third of a small flow.

    Without heartbeats the end of a flow does not wait for their thread, almost 1 s.
    """
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        get_current_settings,
    )

    changes: Any = {PREFECT_API_URL: api_url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    return get_current_settings().copy_with_update(updates=changes)


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


def _tidy(record: logging.LogRecord) -> bool:
    """Whether to keep a line of the log of task runs; what was skipped by rule is no error."""
    if record.exc_info == (None, None, None):
        # of a task that returned a Failed state: its last line says the same, without the
        # "NoneType: None" of a traceback that there is not
        return False
    if str(record.msg).startswith("Finished in state Skipped("):
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def _silence_prefect() -> None:
    """Keep what prefect's threads say about a lost server off the terminal."""
    for name in _LEVELS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _unsilence_prefect() -> None:
    """Let the next flow's log go to the server again."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
