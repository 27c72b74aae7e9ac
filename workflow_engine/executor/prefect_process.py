"""The process of the local Prefect server: its environment, its files, whether it gets on.

`prefect_server.py` decides when there is one. Nothing in here imports prefect.
"""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workflow_engine.errors import InterruptedRunError

#: days that the server keeps events; four fifths of what a run leaves, shown in a feed only
_EVENT_DAYS = 1
_DAY = 86400  # seconds

#: seconds after which a user hears that it takes long
_SAY_AFTER = 20.0
#: seconds without any sign of life after which a process is given up
_STALLED_AFTER = 120.0
#: free space inside the database from which on it is worth to be given back, in bytes
_WORTH_SHRINKING = 64 << 20

#: `python -m prefect`, once it was told to continue
_MAIN = """
import runpy, sys
if sys.stdin.read(1):
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
"""
_COMMAND = (sys.executable, "-c", _MAIN, "server", "start", "--host", "127.0.0.1")

_ENVIRONMENT = {
    # quiet: no telemetry, no advertisements
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # nothing that we start is scheduled, paused, or limited by Prefect, and what was cancelled is
    # ended by us
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{_EVENT_DAYS}D",
    # many rows in one transaction: each costs a sync of the disk
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    # its log is read by a machine, too: one line for each error
    "COLUMNS": "1000",
    "NO_COLOR": "1",
}

#: many states of task runs in one transaction, up to a second late
_BATCHES = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}

#: what a log says about causes that users can do something about
_CAUSES = (
    (re.compile("address already in use", re.I), "its port is in use by another program"),
    (re.compile("database is locked", re.I), "its database is locked by another process"),
    (re.compile("no space left|disk is full", re.I), "the disk is full"),
)
#: the last line of a traceback
_EXCEPTION = re.compile(r"^[\w.]*(?:Error|Exception|Interrupt|Exit|Timeout)\b.*$", re.M)


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """How a server runs.

    It keeps flow runs, with their task runs, logs and artifacts, for `kept_days`; 0: for ever.
    With `batches` it needs a third less of the processor, and shows states up to 1 s late.
    """

    port: int
    kept_days: int
    batches: bool


def launch(home: Path, options: ServerOptions) -> "subprocess.Popen[bytes]":
    """Make the process of a server, which waits for `let_begin`.

    When its starter is killed before, it ends by itself: there is none that nobody has recorded.
    What it writes, `server.log` as well, only its user can read.
    """
    make_private(home)
    give_back_space(home / "prefect.db")
    log_path = home / "server.log"
    log_path.touch(mode=0o600)
    with log_path.open("wb") as log_file:
        return subprocess.Popen(
            [*_COMMAND, "--port", str(options.port)],
            # own session and no inherited stdio: a run whose output is piped can end
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=log_file,
            stderr=log_file,
            cwd=home,
            umask=0o077,
            env=environment(home, options),
        )


def let_begin(process: "subprocess.Popen[bytes]") -> None:
    """Let a process of `launch` continue, once it is recorded."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(b"!")


def environment(home: Path, options: ServerOptions) -> dict[str, str]:
    """Return the environment of a server, with all that Prefect has to know."""
    # a user's own Prefect settings (profile, database, auth) do not belong to this server
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    removal = {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(options.kept_days * _DAY),
    }
    address = f"http://127.0.0.1:{options.port}"
    return {
        **inherited,
        **_ENVIRONMENT,
        **(removal if options.kept_days else {}),
        **(_BATCHES if options.batches else {}),
        "PREFECT_HOME": str(home),
        # the UI asks port 4200 unless it is told
        "PREFECT_UI_API_URL": f"{address}/api",
        # no page of another site may read or start anything here
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{address},http://localhost:{options.port}",
    }


def make_private(home: Path) -> None:
    """Make the directory if it is missing; let nobody else in, nor read what lies there."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    for path in home.iterdir():
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)


def give_back_space(database: Path) -> None:
    """Shrink a database that nobody uses when a third of it, and not little, is free.

    Prefect deletes what is old, but leaves the file as large as it ever was.
    """
    if not database.exists():
        return
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(database, timeout=0)) as connection,
    ):
        free, pages, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("freelist_count", "page_count", "page_size")
        )
        worth = free * size >= _WORTH_SHRINKING and free * 3 >= pages
        # what is left is written to a copy first, and to the log of the database then
        room = shutil.disk_usage(database.parent).free > 3 * (pages - free) * size
        if worth and room:
            connection.execute("VACUUM")


class Patience:
    """Waits for a server as long as its process gets on.

    `abandoned` says that nobody wants it any more; `say` gets one sentence when it takes long.
    """

    def __init__(self, home: Path, abandoned: Callable[[], bool], say: Callable[[str], None]):
        self._home = home
        self._abandoned = abandoned
        self._say = say
        self._say_at = time.monotonic() + _SAY_AFTER
        self._seen: tuple[int, int] = (0, 0)
        self._seen_at = time.monotonic()

    def pause(self) -> None:
        """Wait a little. Raises InterruptedRunError when the server is not wanted any more."""
        if self._abandoned():
            raise InterruptedRunError()
        if time.monotonic() > self._say_at:
            self._say_at = float("inf")
            self._say(
                f"Still waiting for the local Prefect server after {_SAY_AFTER:.0f} s. "
                "Runs with --executor inline do without it; prefect.api_url names another one."
            )
        time.sleep(0.1)

    def gets_on(self, pid: int) -> bool:
        """Whether the server wrote to its log or used the processor during the last minutes."""
        signs = (_size(self._home / "server.log"), _ticks(pid))
        if signs != self._seen:
            self._seen, self._seen_at = signs, time.monotonic()
        return time.monotonic() - self._seen_at < _STALLED_AFTER


def failure_cause(home: Path, status: int | None) -> str:
    """Return why a server did not come up, from its log and how its process ended.

    `status` is that of `Popen.poll`: None while it runs.
    """
    try:
        text = (home / "server.log").read_text(errors="replace")
    except OSError:
        text = ""
    for pattern, cause in _CAUSES:
        if pattern.search(text):
            return cause
    if lines := _EXCEPTION.findall(text):
        return lines[-1].strip().rstrip(".")
    if status is None:
        return f"its process did nothing for {_STALLED_AFTER:.0f} s"
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with status {status}"


def start_time(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty where there is no /proc."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _ticks(pid: int) -> int:
    """Return how much of the processor a process has used, in ticks of user and system time."""
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str]:
    try:
        # behind the name in parentheses, which may hold anything, stand fields 3 and up
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
