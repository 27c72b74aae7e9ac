"""The Prefect server that runs report to: the configured one, or a local one of our own.

A local server belongs to one data directory. It is started once, kept running for the next
runs, and recorded in `<data>/prefect/server.json`. A server that happens to sit on the port is
never adopted: ours is recognised by the home directory that it reports. Nothing in here imports
prefect. Design, decision 3.
"""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from workflow_engine.errors import Code, InstallationError
from workflow_engine.records import Json

#: seconds that a recorded server gets to answer
SLOW_TIMEOUT = 30.0
#: a new database takes 10 s on two cores, a busy machine several times that
START_TIMEOUT = 90.0  # seconds

_SERVER_COMMAND = (sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1")

#: quiet and private: no telemetry, no advertisements, no service that marks our runs late
_SERVER_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
}


@dataclass(frozen=True, kw_only=True)
class LocalServer:
    """A running server of this data directory.

    `started` tells its process from a later one with the same number; empty where unknown.
    """

    pid: int
    port: int
    started: str = ""

    @property
    def api_url(self) -> str:
        """The URL for PREFECT_API_URL."""
        return f"http://127.0.0.1:{self.port}/api"


def ui_url(api_url: str) -> str:
    """Return the address of the UI that belongs to an API URL."""
    return shown_url(api_url).rstrip("/").removesuffix("/api")


def shown_url(api_url: str) -> str:
    """Return an API URL without user name and password."""
    parts = urlsplit(api_url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def running_server(data_dir: Path) -> LocalServer | None:
    """Return this data directory's server if it answers."""
    server = _recorded(data_dir)
    return server if server and _is_ours(server, _home(data_dir)) else None


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
    match _get(f"{server.api_url}/admin/settings"):
        case {"home": str(told)}:
            return told == str(home)
        case _:
            return False


def configured_url(setting: str | None) -> str | None:
    """Return the API URL of the server that the user chose: the setting, else PREFECT_API_URL."""
    return setting or os.environ.get("PREFECT_API_URL") or None


def answers(api_url: str, timeout: float = 5.0) -> bool:
    """Whether a Prefect server answers at an API URL within some seconds."""
    return _get(f"{api_url.rstrip('/')}/health", timeout) is True


def flow_run_state(api_url: str, flow_run_id: str, timeout: float) -> str:
    """Return the state type of a flow run (`RUNNING`, `CANCELLING` ...); empty when unknown."""
    match _get(f"{api_url.rstrip('/')}/flow_runs/{flow_run_id}", timeout):
        case {"state_type": str(state)}:
            return state
        case _:
            return ""


def require_answer(api_url: str) -> None:
    """Check that a configured server answers. Raises InstallationError."""
    if not answers(api_url):
        raise InstallationError(
            Code.INSTALLATION,
            f'The Prefect server "{shown_url(api_url)}" does not answer.',
            remedy="Start it, remove prefect.api_url (PREFECT_API_URL) to use a local server, "
            "or run with --executor inline.",
        )


def ensure_server(data_dir: Path, port: int, say: Callable[[str], None]) -> LocalServer:
    """Return this data directory's server, starting it when there is none.

    `port` is taken when it is free, else any other. `say` gets one sentence when a server is
    started. Raises InstallationError when it does not come up.
    """
    if server := running_server(data_dir):
        return server
    home = _home(data_dir)
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home / "server.lock"):
        if server := _recorded(data_dir):
            return _awaited(server, home)
        say("Starting a local Prefect server; it stays for the next runs.")
        return _start(home, port if port and _is_free(port) else _free_port())


def _awaited(server: LocalServer, home: Path) -> LocalServer:
    """Wait for a server that is there but slow; a second one beside it would share its database."""
    deadline = time.monotonic() + SLOW_TIMEOUT
    while time.monotonic() < deadline:
        if _is_ours(server, home):
            return server
        time.sleep(0.2)
    raise InstallationError(
        Code.INSTALLATION,
        f"The local Prefect server (pid {server.pid}) does not answer at {server.api_url}.",
        remedy="Stop it with mediaflow prefect stop, or run with --executor inline.",
    )


def stop_server(data_dir: Path) -> LocalServer | None:
    """Stop this data directory's server; return it, or None when none was running."""
    server = _recorded(data_dir)
    if server is None:
        return None
    _signal(server, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and _alive(server):
        time.sleep(0.1)
    if _alive(server):
        _signal(server, signal.SIGKILL)
    (_home(data_dir) / "server.json").unlink(missing_ok=True)
    return server


def _signal(server: LocalServer, number: signal.Signals) -> None:
    """Signal the server's whole session: it is the leader of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number)


def _home(data_dir: Path) -> Path:
    return data_dir.resolve() / "prefect"


def _start(home: Path, port: int) -> LocalServer:
    log_path = home / "server.log"
    with log_path.open("wb") as log_file:
        process = subprocess.Popen(
            [*_SERVER_COMMAND, "--port", str(port)],
            # own session and no inherited stdio: a run whose output is piped can end
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            cwd=home,
            env=_server_environment(home, port),
        )
    server = LocalServer(pid=process.pid, port=port, started=_start_time(process.pid))
    try:
        (home / "server.json").write_text(json.dumps(asdict(server)))
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            if _is_ours(server, home):
                return server
            time.sleep(0.1)
        if process.poll() is not None and not _is_free(port):
            return _start(home, _free_port())  # another program was faster
        lines = log_path.read_text(errors="replace").strip().splitlines()
        raise InstallationError(
            Code.INSTALLATION,
            f"The local Prefect server did not start: {lines[-1] if lines else 'no output'}",
            remedy=f"See {log_path}, or run with --executor inline.",
        )
    except BaseException:
        # interrupted as well: a server that nobody waited for would stay unknown
        _signal(server, signal.SIGKILL)
        process.wait()
        (home / "server.json").unlink(missing_ok=True)
        raise


def _server_environment(home: Path, port: int) -> dict[str, str]:
    # a user's own Prefect settings (profile, database, auth) do not belong to this server
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return {
        **inherited,
        **_SERVER_ENVIRONMENT,
        "PREFECT_HOME": str(home),
        # the UI asks port 4200 unless it is told
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }


def _get(url: str, timeout: float = 5.0) -> Json:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as response:
            return json.load(response)
    except (OSError, ValueError, http.client.HTTPException):
        return None


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
    """Whether the server's process runs; another program may have got its number meanwhile."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(server.pid, os.WNOHANG)
    try:
        os.kill(server.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return _start_time(server.pid) == server.started


def _start_time(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty where there is no /proc."""
    try:
        # behind the name in parentheses, which may hold anything, stand fields 3 and up
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock: two runs that begin together start one server."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
