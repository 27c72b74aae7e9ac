"""`serve`: the service in the foreground, until a signal."""

import logging
import os
import queue
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from workflow_engine.cli.common import emit, settings
from workflow_engine.cli.log_lines import log_to_stderr
from workflow_engine.errors import MediaflowError
from workflow_engine.telemetry.tracing import sending_traces

if TYPE_CHECKING:
    from workflow_engine.settings import Settings

log = logging.getLogger(__name__)


def serve(
    host: Annotated[
        str | None,
        typer.Option(metavar="H", help="Address to listen on; default: 127.0.0.1, this machine."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="P", min=0, max=65535, help="Port, 0 for any; default: 8080."),
    ] = None,
) -> None:
    """Run the service: API, queue, triggers, workflow files, messages, and a Prefect server.

    Prints one line with its address when it is ready, and logs to stderr ([log]), also where the
    Prefect UI is once it is up. Ask /readyz whether it takes work.

    SIGINT (Ctrl-C) or SIGTERM takes no new executions, lets the running ones end, and exits; a
    second one stops them where they are. What waits, what was stopped and what a kill -9 left
    continues, under the same RunId, with the next serve.

    Settings: [service], which --host and --port override, [log], [workflows], [buckets.NAME],
    [queues], [topics], [pipelines], [runner], [store], [prefect].
    """
    signals = _Signals()
    chosen = settings()
    log_to_stderr(chosen.log, debugging=bool(os.environ.get("MEDIAFLOW_DEBUG")))
    try:
        with suppress(_Stopped), sending_traces():
            _serve(signals, chosen, host, port)
    except MediaflowError as error:
        if chosen.log.format == "text":
            raise
        log.critical("%s", error)
        raise typer.Exit(error.exit_code) from None
    log.info("mediaflow has stopped")
    _leave()


def _serve(signals: "_Signals", chosen: "Settings", host: str | None, port: int | None) -> None:
    from workflow_engine.executor.prefect_session import own_process
    from workflow_engine.service.server import Server

    own_process(chosen.data_dir / "prefect")
    server = Server(chosen, host=host, port=port)
    log.info("%s", _told(chosen))
    try:
        api = server.start()
        signals.started()
        emit(f"mediaflow is ready: API {api}, Prefect UI is being started")
        signals.wait()
        server.drain()
        if running := server.running():
            log.info("waiting for %d execution(s); a second signal stops them", running)
        while not server.idle() and not signals.wait(0.2):
            pass
    finally:
        signals.started()
        server.stop()


def _told(chosen: "Settings") -> str:
    from workflow_engine.store import shown_url

    return (
        f"Configuration {chosen.file or 'none'}, data {chosen.data_dir}, "
        f"store {shown_url(chosen.store.url)}, workflows {chosen.workflows.dir}"
    )


class _Stopped(BaseException):
    """A signal came before the service was ready; no part of it may take that for its error."""


class _Signals:
    """SIGINT and SIGTERM, one after the other. Until `started` they raise `_Stopped`."""

    def __init__(self) -> None:
        # its `put` may interrupt a `get` in the same thread; that of an Event or a lock may not
        self._arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._starting = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._arrive)

    def started(self) -> None:
        """Keep the signals that come from now on for `wait`."""
        self._starting = False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the next signal; False when none has come after `seconds`."""
        try:
            self._arrived.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def _arrive(self, number: int, frame: object) -> None:
        if self._starting:
            self._starting = False
            raise _Stopped
        self._arrived.put(number)


def _leave() -> NoReturn:
    """Exit at once: all is told and stopped, and Prefect would look for its server first."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
