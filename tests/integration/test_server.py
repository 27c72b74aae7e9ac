"""The parts of `serve` together, without a Prefect server."""

import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import ExecutionRecord, new_id, utc_now
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.service.prefect import PrefectComponent
from workflow_engine.service.server import Server
from workflow_engine.service.workflow_files import WorkflowFiles
from workflow_engine.settings import Settings, load_settings
from workflow_engine.store import Store, connections

CONFIGURATION = """
[service]
port = 0
[prefect]
api_url = "{prefect}"
[queues.q]
file = "messages.jsonl"
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def load(prefect: str = "http://127.0.0.1:9/api") -> Settings:
        (tmp_path / "mediaflow.toml").write_text(CONFIGURATION.format(prefect=prefect))
        return load_settings(None)

    return load


@contextmanager
def running(settings: Settings, port: int = 0) -> Iterator[str]:
    """Run a service and give its address."""
    server = Server(settings, port=port)
    try:
        yield server.start()
    finally:
        server.stop()


def readiness(api: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(api + "/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, error.read().decode()


def nothing(run_ids: Collection[str]) -> Sequence[ExecutionRecord]:
    """An empty store."""
    return []


def test_it_takes_work_without_prefect(settings: Callable[[str], Settings]):
    with running(settings("http://me:secret@127.0.0.1:9/api")) as api:
        status, said = readiness(api)
        assert status == 200 and '"runner":"ok"' in said
        wait_for(lambda: "does not answer" in readiness(api)[1])
        assert "secret" not in readiness(api)[1]


def test_it_takes_none_while_its_store_cannot_be_used(
    settings: Callable[[], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.2)
    with running(settings()) as api:
        with closing(sqlite3.connect(tmp_path / "data/mediaflow.db", timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_for(lambda: readiness(api)[0] == 503)
            assert "database is locked" in readiness(api)[1]
            other.rollback()
        wait_for(lambda: readiness(api)[0] == 200)


def test_a_port_in_use_is_refused_and_nothing_is_sent(
    settings: Callable[[], Settings], tmp_path: Path
):
    with closing(Store.open(settings().store.url)) as store:
        message = MessageRecord(
            id=new_id(),
            run_id=new_id(),
            activity="start",
            receiver="queue:q",
            body="{}",
            created=utc_now(),
        )
        store.messages.add(message)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            server = Server(settings(), port=other.getsockname()[1])
            with pytest.raises(InvalidInputError, match="cannot listen"):
                server.start()
            begun = time.monotonic()
            server.stop()
            assert time.monotonic() - begun < 1
        assert store.messages.pending() == 1


def test_two_that_begin_together_do_not_share_a_port(
    settings: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused: list[str] = []
    scan = WorkflowFiles.scan

    def second_start(files: WorkflowFiles) -> None:
        monkeypatch.setattr(WorkflowFiles, "scan", scan)
        second = Server(settings(), port=port)
        with pytest.raises(InvalidInputError) as caught:
            second.start()
        refused.append(caught.value.message)
        second.stop()
        scan(files)

    monkeypatch.setattr(WorkflowFiles, "scan", second_start)
    with running(settings(), port) as api:
        assert readiness(api)[0] == 200
    assert "cannot listen" in refused[0]


def test_what_answers_is_no_prefect_server(settings: Callable[[str], Settings]):
    """Something else may sit there; it must not end the thread that looks after the server."""

    def greet(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.7\r\n")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        component = PrefectComponent(
            settings(f"http://127.0.0.1:{listener.getsockname()[1]}/api"), nothing
        )
        component.start()
        wait_for(lambda: "does not answer" in component.status())
        component.stop()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_data_directory_that_cannot_be_used_is_told(
    settings: Callable[[str], Settings], tmp_path: Path
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/prefect").write_text("in the way")
    component = PrefectComponent(settings(""), nothing)
    component.start()
    wait_for(lambda: "File exists" in component.status())
    component.stop()
