"""What the flows of a process share: Prefect's settings, its client, and the terminal.

Flows run in a context of their own (`contextvars`), so that neither the environment nor the Prefect
settings of a program that embeds the engine are changed. Imports prefect at need only.
"""

import contextvars
import logging
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, cast

#: prefect's loggers that may be silenced, with their own levels
_LEVELS = {
    "prefect": logging.INFO,
    "prefect.flow_runs": logging.NOTSET,
    "prefect.task_runs": logging.NOTSET,
}

#: set once the logs of prefect are ours to change
_own = threading.Event()


def own_process(home: Path) -> None:
    """Take prefect for this process alone, as the command line does, not a program that embeds.

    Call it before prefect is imported: it keeps prefect's files in `home`, and what prefect says
    off the terminal.
    """
    os.environ.setdefault("PREFECT_HOME", str(home))
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # the store and the UI have what is worth knowing; the terminal belongs to the progress
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    _own.set()


@cache
def session(api_url: str) -> contextvars.Context:
    """Return the context for flows that report to a server; give each flow a copy.

    It is kept, for what it holds costs a third of a small flow: building the settings, and a client
    that loads all known certificates.
    """
    context = contextvars.copy_context()
    context.run(_enter, api_url)
    if _own.is_set():  # now that the import of prefect has set up its loggers
        # what prefect's own threads say about a server that went away is of no interest to a user
        for name in ("prefect._internal", "prefect._internal.concurrency"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        logging.getLogger("prefect.task_runs").addFilter(_tidy)
    return context


def _enter(api_url: str) -> None:
    from prefect.context import SettingsContext, SyncClientContext, get_settings_context
    from prefect.settings import (
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        get_current_settings,
    )

    # a server that went away may cost seconds, not the minute of the default
    defaults: dict[Any, Any] = {
        PREFECT_CLIENT_MAX_RETRIES: 2,
        PREFECT_API_REQUEST_TIMEOUT: 10,
        PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
    }
    changes: Any = {
        **{setting: value for setting, value in defaults.items() if setting.name not in os.environ},
        PREFECT_API_URL: api_url,
        # without heartbeats the end of a flow does not wait for their thread, almost 1 s
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
    }
    settings = get_current_settings().copy_with_update(updates=changes)
    SettingsContext(profile=get_settings_context().profile, settings=settings).__enter__()
    SyncClientContext().__enter__()


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


def silence() -> None:
    """Keep what prefect's threads say about a lost server off the terminal, if it is ours."""
    if _own.is_set():
        for name in _LEVELS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def unsilence() -> None:
    """Let the next flow's log go to the server again."""
    if _own.is_set():
        for name, level in _LEVELS.items():
            logging.getLogger(name).setLevel(level)


def _tidy(record: logging.LogRecord) -> bool:
    """Whether to keep a line of the log of task runs; what was skipped by rule is not an error."""
    if record.exc_info == (None, None, None):
        # of a task that returned a Failed state: its last line says the same, without the
        # "NoneType: None" of a traceback that there is not
        return False
    if str(record.msg).startswith("Finished in state Skipped("):
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
