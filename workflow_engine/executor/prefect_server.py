"""The local Prefect server of a data directory: found, started, waited for, stopped.

It is started once, kept for the next runs, and recorded in `<data>/prefect/server.json`. A server
that happens to sit on the port is never adopted: ours is recognised by the home directory that it
reports. `prefect_process.py` has its process. Nothing in here imports prefect. Decision 3.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from workflow_engine.errors import Code, InstallationError
from workflow_engine.executor.prefect_api import get
from workflow_engine.executor.prefect_process import (
    Patience,
    ServerOptions,
    failure_cause,
    launch,
    let_begin,
    make_private,
    start_time,
)

#: seconds that a server gets to end before it is killed
_END_TIMEOUT = 15.0
#: how often another port is tried when a program was faster
_PORTS = 3


class Starter(StrEnum):
    """Who started a server, which says how long it stays."""

    #: a foreground run; it stays for the next ones
    RUN = "run"
    #: a service; it ends with the service that uses it
    SERVE = "serve"


@dataclass(frozen=True, kw_only=True)
class LocalServer:
    """A running server of this data directory.

    `started` tells its process from a later one with the same number; empty where unknown.
    """

    pid: int
    port: int
    started: str = ""
    starter: str = Starter.RUN

    @property
    def api_url(self) -> str:
        """The URL for PREFECT_API_URL."""
        return f"http://127.0.0.1:{self.port}/api"


def running_server(data_dir: Path) -> LocalServer | None:
    """Return this data directory's server if it answers."""
    server = _recorded(data_dir)
    return server if server and _is_ours(server, _home(data_dir)) else None


def ensure_server(
    data_dir: Path,
    port: int,
    say: Callable[[str], None],
    *,
    kept_days: int = 90,
    starter: Starter = Starter.RUN,
    abandoned: Callable[[], bool] = lambda: False,
) -> LocalServer:
    """Return this data directory's server, starting it when there is none.

    It is waited for as long as its process gets on. `port` is taken when it is free, else any
    other. `say` gets a sentence when a server is started, and another when that takes long. It
    keeps runs for `kept_days`, 0: for ever. Once
    `abandoned` is true a server that was just being started is ended, and InterruptedRunError
    raised. Raises InstallationError, with the cause, when the server does not come up.
    """
    home = _home(data_dir)
    # who waits for the end of a run looks at it at once
    batches = starter is Starter.SERVE
    options = ServerOptions(port=port, kept_days=kept_days, batches=batches)
    patience = Patience(home, abandoned, say)
    while True:
        if server := running_server(data_dir):
            return server
        make_private(home)
        with _locked(home / "server.lock") as locked:
            if not locked:  # another process is starting one
                patience.pause()
            elif server := _recorded(data_dir):
                if _answers_in_time(server, home, patience):
                    return server
            else:
                if starter is Starter.RUN:
                    say("Starting a local Prefect server; it stays for the next runs.")
                return _start(home, options, starter, patience)


def stop_server(data_dir: Path, starter: Starter | None = None) -> LocalServer | None:
    """Stop this data directory's server; return it, or None when none was running.

    With `starter` only one that was started by such a process.
    """
    server = _recorded(data_dir)
    if server is None or starter not in (None, server.starter):
        return None
    _signal(server, signal.SIGTERM)
    deadline = time.monotonic() + _END_TIMEOUT
    while time.monotonic() < deadline and _alive(server):
        time.sleep(0.1)
    if _alive(server):
        _signal(server, signal.SIGKILL)
    (_home(data_dir) / "server.json").unlink(missing_ok=True)
    return server


def _home(data_dir: Path) -> Path:
    return data_dir.resolve() / "prefect"


def _recorded(data_dir: Path) -> LocalServer | None:
    """Return the server that was started last, if its process still runs."""
    try:
        text = (_home(data_dir) / "server.json").read_text()
        server = LocalServer(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None
    return server if _alive(server) else None


def _is_ours(server: LocalServer, home: Path) -> bool:
    """Whether what answers on the port has this directory as its home."""
    match get(server.api_url, "/admin/settings"):
        case {"home": str(told)}:
            return told == str(home)
        case _:
            return False


def _answers_in_time(server: LocalServer, home: Path, patience: Patience) -> bool:
    """Wait for a server that is there but slow; a second one beside it would share its database.

    False when it ended. Raises InstallationError when it does not get on.
    """
    while _alive(server):
        if _is_ours(server, home):
            return True
        if not patience.gets_on(server.pid):
            raise InstallationError(
                Code.INSTALLATION,
                f"The local Prefect server (pid {server.pid}) does not answer at "
                f"{server.api_url}, and does nothing.",
                remedy=f"Stop it with mediaflow prefect stop, see {home / 'server.log'}, "
                "or run with --executor inline.",
            )
        patience.pause()
    return False


def _start(home: Path, options: ServerOptions, starter: Starter, patience: Patience) -> LocalServer:
    status: int | None = None
    for _ in range(_PORTS):
        port = options.port if options.port and _is_free(options.port) else _free_port()
        process = launch(home, replace(options, port=port))
        server = LocalServer(
            pid=process.pid, port=port, started=start_time(process.pid), starter=starter
        )
        up = False
        try:
            # whole as soon as it is there: another command may look at any moment
            written = home / "server.json.new"
            written.touch(mode=0o600)
            written.write_text(json.dumps(asdict(server)))
            written.replace(home / "server.json")
            let_begin(process)
            up = _comes_up(server, process, home, patience)
            if up:
                return server
            status = process.poll()
            if status is None or _is_free(port):
                break
            # another program was faster
        finally:
            if not up:  # interrupted as well: one that nobody waited for would stay
                _signal(server, signal.SIGKILL)
                process.wait()
                (home / "server.json").unlink(missing_ok=True)
    raise InstallationError(
        Code.INSTALLATION,
        f"The local Prefect server did not start: {failure_cause(home, status)}.",
        remedy=f"See {home / 'server.log'}, or run with --executor inline.",
    )


def _comes_up(
    server: LocalServer, process: "subprocess.Popen[bytes]", home: Path, patience: Patience
) -> bool:
    """Wait until the server answers; False when its process ended or does not get on."""
    while process.poll() is None and patience.gets_on(process.pid):
        if _is_ours(server, home):
            return True
        patience.pause()
    return False


def _signal(server: LocalServer, number: signal.Signals) -> None:
    """Signal the server's whole session: it is the leader of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _alive(server: LocalServer) -> bool:
    """Whether the server's process runs; another program may have its number by now."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(server.pid, os.WNOHANG)
    try:
        os.kill(server.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return start_time(server.pid) == server.started


@contextlib.contextmanager
def _locked(path: Path) -> Generator[bool]:
    """Hold a lock while it is free: runs that begin together start one server."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
