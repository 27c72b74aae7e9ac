"""The Prefect server that a service reports to: started, watched, replaced by nothing.

The configured server is only used. A local one is started when there is none for this data
directory, started again when it dies, and ends with the service, unless a foreground run had
started it. Nobody waits for it: while no server answers executions run all the same; they are only
not shown (decisions 1 and 19). What has ended in the meantime is told to it afterwards.
"""

import logging
import threading
import time

from workflow_engine.errors import InterruptedRunError, MediaflowError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.executor.prefect_api import answers, configured_url, shown_url, ui_url
from workflow_engine.executor.prefect_ends import Lookup, tell_ends
from workflow_engine.executor.prefect_flow import PrefectExecutor
from workflow_engine.executor.prefect_server import (
    Starter,
    ensure_server,
    running_server,
    stop_server,
)
from workflow_engine.executor.prefect_session import flush
from workflow_engine.run.runner import Executor
from workflow_engine.settings import Settings

log = logging.getLogger(__name__)

#: seconds between two looks at the server
PERIOD = 5.0
#: seconds until a server that did not start is tried again: each attempt costs some of the CPU
RETRY = 60.0
#: seconds that a look may last at the end, and the last news of the runs
PATIENCE = 5.0
#: seconds between two searches for runs whose end could not be told, also after one that failed
SWEEP_PERIOD = 30.0


class PrefectComponent:
    """Keeps a Prefect server at hand. `lookup` finds executions by their RunIds."""

    name = "prefect"

    def __init__(self, settings: Settings, lookup: Lookup) -> None:
        self._data_dir = settings.data_dir
        self._port = settings.prefect.port
        self._kept_days = settings.retention.days
        self._configured = configured_url(settings.prefect.api_url)
        self._pages_url = pages_url(settings)
        self._lookup = lookup
        self._api_url = ""
        self._retry_at = 0.0
        self._sweep_at = 0.0
        self._problem = "The Prefect server is being started."
        if self._configured:
            self._problem = "The Prefect server has not answered yet."
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to look for the server, and after it; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and a local server that belongs to services."""
        if self._thread.ident is None:
            return
        self._done.set()
        flush(PATIENCE)
        self._thread.join(PATIENCE)
        if not self._configured:
            stop_server(self._data_dir, Starter.SERVE)

    def status(self) -> str:
        """Return what is wrong with the server, empty when it answers."""
        return self._problem

    def executor(self) -> Executor:
        """Return an executor for one execution."""
        if self._problem:
            return InlineExecutor()
        return PrefectExecutor(self._api_url, self._pages_url)

    def _watch(self) -> None:
        while not self._done.is_set():
            self._look()
            if not self._problem:
                self._sweep()
            self._done.wait(PERIOD)

    def _look(self) -> None:
        try:
            problem = self._find()
        except InterruptedRunError:  # the service ends
            return
        except MediaflowError as error:
            problem = str(error)
        except Exception as error:
            problem = f"The Prefect server cannot be looked after: {error}."
        self._report(problem)

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("executions run without being shown in Prefect: %s", problem)
        if self._problem and not problem:
            log.info("Prefect UI %s", ui_url(self._api_url))
            self._sweep_at = 0.0  # there is news
        self._problem = problem

    def _find(self) -> str:
        """Find the server, starting a local one; return what is wrong with it."""
        if self._configured:
            self._api_url = self._configured
            if answers(self._configured):
                return ""
            return f'The Prefect server "{shown_url(self._configured)}" does not answer.'
        server = running_server(self._data_dir)
        if server is None:
            if time.monotonic() < self._retry_at:
                return self._problem
            self._retry_at = time.monotonic() + RETRY
            self._report(self._problem or "The Prefect server does not answer.")
            server = ensure_server(
                self._data_dir,
                self._port,
                self._starts_slowly,
                kept_days=self._kept_days,
                starter=Starter.SERVE,
                abandoned=self._done.is_set,
            )
            self._retry_at = 0.0
        if self._api_url not in ("", server.api_url):
            flush(PATIENCE)  # prefect's threads would keep looking for the old server
        # prefect reads the address once, so a server that is started again keeps its port
        self._port = server.port
        self._api_url = server.api_url
        return ""

    def _starts_slowly(self, sentence: str) -> None:
        log.info("the Prefect server takes long to start; executions run without being shown")

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at:
            return
        try:
            tell_ends(self._api_url, self._lookup)
        except Exception as error:  # whatever a server of another version answers
            log.warning("Prefect was not told what has ended: %r", error)
        self._sweep_at = time.monotonic() + SWEEP_PERIOD


def pages_url(settings: Settings) -> str:
    """Return where a browser finds the pages of the service, "" where the port is not known."""
    if settings.service.public_url:
        return str(settings.service.public_url)
    if not settings.service.port:
        return ""
    host = settings.service.host
    if host in ("0.0.0.0", "::"):  # every address of the machine
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.service.port}"
