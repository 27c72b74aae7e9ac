"""A whole service, with few files to open, under clients that only want to stop it."""

import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.service_home import COVER, START, topology
from tests.support.waiting import wait_for
from workflow_engine.records import ActivityState, ExecutionState

#: files that the service may open
FILES = 1024
#: nobody answers there: executions run without Prefect, which has its own tests
NO_PREFECT = '[prefect]\napi_url = "http://127.0.0.1:9/api"\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("flooded"), NO_PREFECT, files=FILES)
    shutil.copy(clip, service.bucket("uploads") / "clip.mp4")
    (service.home / "workflows/cover.json").write_text(
        topology(start=START, cover=COVER, report={"Type": "Report"})
    )
    try:
        yield service.start()
    finally:
        service.close()


def connected(service: Service, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    with suppress(OSError):  # the server may have answered already, and closed
        client.sendall(sent)
    return client


def answers_within(service: Service, seconds: float) -> None:
    assert is_ready(service, seconds)


def is_ready(service: Service, seconds: float) -> bool:
    """Whether it takes work, which it has to say within some seconds."""
    request = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with closing(connected(service, request)) as client:
        client.settimeout(seconds)
        return client.recv(100).startswith(b"HTTP/1.1 200 ")


def pid(service: Service) -> int:
    assert service.process
    return service.process.pid


def resident(service: Service) -> int:
    """Memory of the service in bytes."""
    pages = Path(f"/proc/{pid(service)}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def submit(service: Service) -> str:
    with service.store() as store:
        workflow = store.workflows.named("cover")
    assert workflow is not None
    url = "http://uploads.local.aliyuncs.com/clip.mp4"
    media = service.legacy()("AddMedia", FileURL=url, MediaWorkflowId=workflow.id)["Media"]
    return media["RunIdList"]["RunId"][0]


def assert_completed(service: Service, run_ids: list[str]) -> None:
    for run_id in run_ids:
        wait_for(lambda run_id=run_id: service.record(run_id).state.ended, 120)
        record = service.record(run_id)
        assert record.state is ExecutionState.COMPLETED, record.message
        assert {one.state for one in record.activities} == {ActivityState.SUCCESS}


def test_idle_connections_stop_nothing(service: Service):
    lines = len(service.log.splitlines())
    with ExitStack() as clients:
        run_ids = [submit(service)]
        for number in range(FILES + 76):
            clients.enter_context(connected(service))
            if number % 300 == 299:
                run_ids.append(submit(service))
        answers_within(service, 5)
        run_ids.append(submit(service))
        assert_completed(service, run_ids)
    answers_within(service, 5)
    # our own calls leave a line each
    assert len(service.log.splitlines()) - lines < 100
    assert "Traceback" not in service.log


def test_unfinished_request_lines_take_little_memory(service: Service):
    most = [resident(service)]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most.append(resident(service))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ExitStack() as clients:
            for size in (3_900_000, 1_000_000) * 150:
                clients.enter_context(connected(service, b"GET /?a=" + b"x" * size))
            answers_within(service, 30)
    finally:
        done.set()
        watcher.join()
    assert max(most) < 250e6


def test_without_a_free_file_connections_wait_and_the_log_is_short(service: Service):
    lines = len(service.log.splitlines())
    number = pid(service)
    used = set(map(int, os.listdir(f"/proc/{number}/fd")))
    free = min(set(range(FILES)) - used)
    kept = resource.prlimit(number, resource.RLIMIT_NOFILE)
    with ExitStack() as clients:
        resource.prlimit(number, resource.RLIMIT_NOFILE, (free + 2, kept[1]))
        try:
            for _ in range(60):
                clients.enter_context(connected(service))
            wait_for(lambda: "too many open files" in service.log, 10)
            began = cpu_seconds(number)
            time.sleep(2)
            assert cpu_seconds(number) - began < 1, "it must not spin"
        finally:
            resource.prlimit(number, resource.RLIMIT_NOFILE, kept)
    # a part that found no free file says so until it looks again
    wait_for(lambda: is_ready(service, 5), 30)
    assert len(service.log.splitlines()) - lines < 100
    assert "Traceback" not in service.log


def cpu_seconds(number: int) -> float:
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
