"""The local Prefect server while it starts: slow, stuck, broken, not wanted any more, private."""

import os
import signal
import sqlite3
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.processes import processes_in
from tests.support.waiting import wait_for
from workflow_engine.errors import InstallationError, InterruptedRunError
from workflow_engine.executor import prefect_process
from workflow_engine.executor.prefect_process import failure_cause, give_back_space
from workflow_engine.executor.prefect_server import (
    LocalServer,
    Starter,
    ensure_server,
    running_server,
    stop_server,
)

# a server is meant to outlive who started it
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def test_a_slow_start_is_said_and_one_that_is_not_wanted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prefect_process, "_SAY_AFTER", 0.5)
    said: list[str] = []
    with pytest.raises(InterruptedRunError):
        ensure_server(tmp_path, 0, said.append, abandoned=lambda: len(said) == 2)
    assert "--executor inline" in said[1] and "prefect.api_url" in said[1]
    wait_for(lambda: not processes_in(tmp_path / "prefect"), 10)
    assert not (tmp_path / "prefect/server.json").exists()


def test_a_process_that_does_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefect_process, "_STALLED_AFTER", 2.0)

    def stop() -> None:
        (pid,) = wait_for(lambda: processes_in(tmp_path / "prefect"))
        os.kill(pid, signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(InstallationError, match="did nothing for 2 s") as caught:
        ensure_server(tmp_path, 0, print)
    stopper.join()
    assert str(tmp_path / "prefect/server.log") in caught.value.remedy
    assert not processes_in(tmp_path / "prefect")


@pytest.mark.long
def test_two_that_wait_for_one_server_get_the_same(tmp_path: Path):
    """The one that does not start it waits as well, and can be told to stop waiting."""
    found: list[LocalServer] = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_server(tmp_path, 0, print)))
        for _ in range(2)
    ]
    try:
        for thread in threads:
            thread.start()
        wait_for((tmp_path / "prefect/server.json").exists)
        with pytest.raises(InterruptedRunError):
            ensure_server(tmp_path, 0, print, abandoned=lambda: True)
        for thread in threads:
            thread.join()
        assert len(found) == 2 and found[0] == found[1]
    finally:
        stop_server(tmp_path)


def test_a_server_that_cannot_start_says_why(alone: CommandLine, clip: Path):
    home = alone.data / "prefect"
    home.mkdir(parents=True)
    (home / "prefect.db").write_text("This is no database. " * 100)
    ended = alone.run("remux-hls", clip)
    assert ended.code == 1
    assert "file is not a database" in ended.err
    assert str(home / "server.log") in ended.err


BANNER = "Check out the dashboard at http://127.0.0.1:4200\n"


@pytest.mark.parametrize(
    ("text", "status", "cause"),
    [
        ("OSError: [Errno 98] address already in use\n", 1, "port is in use"),
        ("sqlite3.OperationalError: database is locked\n" + BANNER, 1, "database is locked"),
        ("OSError: [Errno 28] No space left on device\n", 1, "disk is full"),
        ("sqlite3.OperationalError: database or disk is full\n", 3, "disk is full"),
        ("ValueError: one\n" + BANNER + "a.b.OtherError: two\nServer stopped!\n", 1, "a.b.OtherE"),
        (BANNER, 3, "ended with status 3"),
        (BANNER, -9, "ended by SIGKILL"),
        ("", None, "did nothing"),
    ],
)
def test_the_cause_is_never_a_line_of_the_banner(
    tmp_path: Path, text: str, status: int | None, cause: str
):
    (tmp_path / "server.log").write_text(text)
    told = failure_cause(tmp_path, status)
    assert cause in told and "dashboard" not in told and "stopped!" not in told


def test_what_the_server_keeps_is_private(prefect: LocalServer):
    home = Path(os.readlink(f"/proc/{prefect.pid}/cwd"))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    files = [path for path in home.iterdir() if path.is_file()]
    assert {"prefect.db", "server.log", "server.json"} <= {path.name for path in files}
    assert {path.name for path in files if path.stat().st_mode & 0o077} == set()


def test_what_others_could_read_is_closed(tmp_path: Path):
    """An earlier version left it open."""
    home = tmp_path / "prefect"
    home.mkdir(mode=0o755)
    (home / "prefect.db").touch(mode=0o644)
    prefect_process.make_private(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "prefect.db").stat().st_mode) == 0o600


def test_pages_of_other_sites_are_refused(prefect: LocalServer):
    def allowed(origin: str) -> str | None:
        request = urllib.request.Request(f"{prefect.api_url}/health", headers={"Origin": origin})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.headers["Access-Control-Allow-Origin"]

    own = f"http://localhost:{prefect.port}"
    assert allowed(own) == own
    assert allowed("http://example.com") is None
    assert allowed("http://localhost:8000") is None


def test_only_this_machine_is_answered(prefect: LocalServer):
    """No socket of the server listens on another address than 127.0.0.1."""
    wanted = f":{prefect.port:04X}"
    lines = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listening = [line.split()[1] for line in lines.splitlines() if line.split()[3] == "0A"]
    assert [one for one in listening if one.endswith(wanted)] == [f"0100007F{wanted}"]


@pytest.fixture
def database(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a database of 3 MB out of which some MB were deleted."""

    def make(deleted: int) -> Path:
        path = tmp_path / "prefect.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE t (mb INTEGER, x BLOB)")
            for mb in range(3):
                connection.execute("INSERT INTO t VALUES (?, randomblob(1000000))", (mb,))
            connection.execute("DELETE FROM t WHERE mb < ?", (deleted,))
            connection.commit()
        return path

    return make


@pytest.mark.parametrize(("deleted", "shrinks"), [(2, True), (0, False)])
def test_free_space_is_given_back(
    database: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    deleted: int,
    shrinks: bool,
):
    monkeypatch.setattr(prefect_process, "_WORTH_SHRINKING", 1_000_000)
    path = database(deleted)
    before = path.stat().st_size
    give_back_space(path)
    assert (path.stat().st_size < before / 2) is shrinks
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (3 - deleted,)


def test_a_database_in_use_is_left_alone(
    database: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prefect_process, "_WORTH_SHRINKING", 1_000_000)
    path = database(2)
    before = path.stat().st_size
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        give_back_space(path)
    assert path.stat().st_size == before


@pytest.mark.long
def test_a_service_ends_only_what_services_started(alone: CommandLine):
    """What a foreground run said to keep is kept; what a killed service left is ended."""
    ensure_server(alone.data, 0, print, starter=Starter.SERVE)
    adopted = ensure_server(alone.data, 0, print, starter=Starter.RUN)
    assert adopted.starter == Starter.SERVE
    assert stop_server(alone.data, Starter.RUN) is None
    assert running_server(alone.data) == adopted
    assert stop_server(alone.data, Starter.SERVE) == adopted
    assert running_server(alone.data) is None
