"""The Prefect server that a service reports to: started, watched, replaced by nothing.

The configured server is only used. A local one is started when there is none for this data
directory, started again when it dies, and stopped with the service that started it. While no
server answers executions run all the same; they are only not shown (design, decision 1).
"""

import logging
import threading
import time

from workflow_engine.errors import MediaflowError
from workflow_engine.executor import Executor
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.executor.prefect_flow import PrefectExecutor, flush
from workflow_engine.executor.prefect_server import (
    answers,
    configured_url,
    ensure_server,
    running_server,
    shown_url,
    stop_server,
    ui_url,
)
from workflow_engine.settings import Settings

log = logging.getLogger(__name__)

#: seconds between two looks at the server
PERIOD = 5.0
#: seconds until a server that did not start is tried again: each attempt costs some of the CPU
RETRY = 60.0
#: seconds that a look may last at the end, and the last news of the runs
PATIENCE = 5.0


class PrefectComponent:
    """Keeps a Prefect server at hand."""

    name = "prefect"

    def __init__(self, settings: Settings) -> None:
        self._data_dir = settings.data_dir
        self._port = settings.prefect.port
        self._configured = configured_url(settings.prefect.api_url)
        self._api_url = ""
        self._ours = False
        self._retry_at = 0.0
        self._problem = "The Prefect server is not up yet."
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=self.name, daemon=True)

    def start(self) -> None:
        """Find or start the server, then look after it. Blocks until it answers or failed."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and the server if this service started it."""
        self._done.set()
        flush(PATIENCE)
        self._join()
        if self._ours:
            stop_server(self._data_dir)
        self._join()  # one that was just being started is gone, too

    def status(self) -> str:
        """Return what is wrong with the server, empty when it answers."""
        return self._problem

    def url(self) -> str:
        """Return the address of the UI, empty while there is none."""
        return ui_url(self._api_url) if self._api_url else ""

    def executor(self) -> Executor:
        """Return an executor for one execution."""
        if self._problem:
            return InlineExecutor()
        return PrefectExecutor(self._api_url, self._data_dir / "prefect")

    def _join(self) -> None:
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _watch(self) -> None:
        while not self._done.wait(PERIOD):
            self._look()

    def _look(self) -> None:
        try:
            problem = self._find()
        except MediaflowError as error:
            problem = str(error)
        except Exception as error:
            problem = f"The Prefect server cannot be looked after: {error}."
        if problem and problem != self._problem:
            log.warning("executions run without being shown in Prefect: %s", problem)
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
            if self._done.is_set() or time.monotonic() < self._retry_at:
                return self._problem
            self._retry_at = time.monotonic() + RETRY
            server = ensure_server(self._data_dir, self._port, self._starting)
            self._retry_at = 0.0
        if self._api_url not in ("", server.api_url):
            flush(PATIENCE)  # prefect's threads would go on to look for the old server
        # prefect reads the address once, so a server that is started again keeps its port
        self._port = server.port
        self._api_url = server.api_url
        return ""

    def _starting(self, sentence: str) -> None:
        self._ours = True
        self._problem = "The Prefect server is being started."
