"""`serve`: the service in the foreground, until a signal."""

import logging
import os
import queue
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from workflow_engine.cli.common import emit, printable, settings

if TYPE_CHECKING:
    from workflow_engine.settings import Settings


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

    Prints one line with its address when it is ready, and logs to stderr, also where the Prefect
    UI is once it is up. Ask /readyz whether it takes work.

    SIGINT (Ctrl-C) or SIGTERM takes no new executions, lets the running ones end, and exits; a
    second one stops them where they are. What waits, what was stopped and what a kill -9 left
    continues, under the same RunId, with the next serve.

    Settings: [service], which --host and --port override, [workflows], [buckets.NAME], [queues],
    [topics], [pipelines], [runner], [store], [prefect].
    """
    signals = _Signals()
    _log_to_stderr()
    with suppress(_Stopped):
        _serve(signals, host, port)
    _say("mediaflow has stopped.")
    _leave()


def _serve(signals: "_Signals", host: str | None, port: int | None) -> None:
    from workflow_engine.executor.prefect_session import own_process
    from workflow_engine.service.server import Server

    chosen = settings()
    own_process(chosen.data_dir / "prefect")
    server = Server(chosen, host=host, port=port)
    _say(_told(chosen))
    try:
        api = server.start()
        signals.started()
        emit(f"mediaflow is ready: API {api}, Prefect UI is being started")
        signals.wait()
        server.drain()
        if running := server.running():
            _say(f"Waiting for {running} execution(s); a second signal stops them.")
        while not server.idle() and not signals.wait(0.2):
            pass
    finally:
        signals.started()
        server.stop()


def _told(chosen: "Settings") -> str:
    from workflow_engine.store import shown_url

    return printable(
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


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


class _Lines(logging.Formatter):
    """One line for each record, whatever is in the names that it quotes."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.exc_info else printable(text)


def _log_to_stderr() -> None:
    """Log what happens, one line each, with the time."""
    logging.raiseExceptions = False  # Prefect tells stderr by it that its server is gone
    ours = logging.getLogger("workflow_engine")
    for handler in ours.handlers:
        handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in ("workflow_engine", "activities", "triggers"):
        logger = logging.getLogger(name)
        logger.setLevel(min(logger.level, logging.INFO))
    # uvicorn warns of whatever strangers send, and advises to install what is of no use here
    for name, level in (("uvicorn.error", logging.ERROR), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers[:] = ours.handlers
        logger.propagate = False
