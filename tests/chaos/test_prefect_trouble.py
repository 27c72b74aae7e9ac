"""A Prefect server boots, hangs and dies: `serve` works on, and the picture is right in the end."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.prefect_runs import asked, open_runs, task_states
from tests.support.processes import processes_in, state_of
from tests.support.service import Service
from tests.support.service_home import (
    REPORT,
    START,
    completed,
    encoding,
    enlarged,
    submit,
    topology,
)
from tests.support.waiting import wait_for
from workflow_engine.executor.prefect_server import running_server
from workflow_engine.records import ExecutionRecord, ExecutionState


def booting(service: Service) -> int:
    """Wait for the process of the Prefect server, which has begun and does not answer yet."""

    def begun() -> list[int]:
        found = processes_in(service.data / "prefect")
        return [pid for pid in found if "pydantic_core" in Path(f"/proc/{pid}/maps").read_text()]

    (pid,) = wait_for(begun)
    return pid


def assert_no_server(service: Service) -> None:
    """Wait until no process of the Prefect server is left: one that was killed may still end."""
    home = service.data / "prefect"
    deadline = time.monotonic() + 10
    while left := processes_in(home):
        assert time.monotonic() < deadline, (state_of(left[0]), service.log)
        time.sleep(0.05)


def assert_told(service: Service, records: list[ExecutionRecord]) -> None:
    """Wait until nothing is open, and look whether ends are shown as they were."""
    api = service.prefect + "/api"
    deadline = time.monotonic() + 120
    while left := open_runs(api):
        assert time.monotonic() < deadline, (left, service.log)
        time.sleep(1)
    for record in records:
        if flow_run := record.prefect_url.rpartition("/")[2]:
            assert asked(api, f"/flow_runs/{flow_run}")["state"]["type"] == "COMPLETED"
            # a killed attempt leaves what had not begun, under the names of Prefect
            states = task_states(api, flow_run)
            assert set(states.values()) <= {"Completed", "Crashed"}, states
            assert all(states.get(one.name) != "Crashed" for one in record.activities), states


@pytest.fixture
def race(tmp_path: Path) -> Service:
    """A service that has not been started before and watches a folder."""
    return Service(
        tmp_path,
        MEDIAFLOW_BUCKETS__UPLOADS__EVENTS="watch",
        MEDIAFLOW_BUCKETS__UPLOADS__SETTLE_SECONDS="0.5",
    )


def test_files_that_land_while_it_starts_run(race: Service, clip: Path):
    text = topology(start=START, report=REPORT)
    (race.home / "workflows/quick.json").write_text(text)
    try:
        race.begin()
        begun = time.monotonic()
        for seconds in (0, 1, 5):
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
            shutil.copy(clip, race.bucket("uploads") / f"at-{seconds}.mp4")

        def done() -> list[ExecutionRecord]:
            if not (race.data / "mediaflow.db").exists():
                return []
            with race.store() as store:
                found = store.executions.newest()
            return [one for one in found if one.state is ExecutionState.COMPLETED]

        wait_for(lambda: len(done()) == 3, 60)
        assert {one.input.object for one in done()} == {"at-0.mp4", "at-1.mp4", "at-5.mp4"}
    finally:
        race.close()


def test_it_works_and_ends_while_its_server_is_stuck_in_its_start(own_prefect: Service):
    service = own_prefect
    service.begin()
    os.kill(booting(service), signal.SIGSTOP)
    service.ready()
    record = completed(service, submit(service, "quick"))
    assert record.prefect_url == ""
    assert "started" in service.get("/readyz")["prefect"]
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0, service.log
    assert_no_server(service)


@pytest.mark.long
def test_a_server_ends_with_the_service_that_adopted_it(own_prefect: Service):
    """A killed service had started it."""
    service = own_prefect
    service.start()
    pid = booting(service)
    wait_for((service.data / "prefect" / "server.json").exists)  # else nobody could adopt it
    service.kill()
    service.start().shown()
    assert processes_in(service.data / "prefect") == [pid]
    assert service.stop() == 0, service.log
    assert_no_server(service)


@pytest.mark.long
def test_a_server_that_a_run_said_to_keep_outlives_the_service(own_prefect: Service, clip: Path):
    service = own_prefect
    line = CommandLine(service.data, service.home)
    path = service.home / "workflows/quick.json"
    assert line("run", path, clip).code == 0
    kept = running_server(service.data)
    assert kept is not None
    service.start().shown()
    assert service.stop() == 0, service.log
    assert running_server(service.data) == kept


@pytest.mark.long
def test_nothing_stays_open_after_trouble(own_prefect: Service):
    """Prefect hangs for 15 s, is killed, and the service is killed, each in mid-run."""
    for name, bitrate in (("first", 2000), ("second", 2100), ("third", 2200)):
        text = topology(start=START, large=enlarged("S00000001-200040", bitrate), report=REPORT)
        (own_prefect.home / f"workflows/{name}.json").write_text(text)
    service = own_prefect.start().shown()
    runs = [submit(service, "first")]
    encoding(service, runs[0])
    (pid,) = processes_in(service.data / "prefect")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(15)
    os.kill(pid, signal.SIGCONT)
    completed(service, runs[0])
    service.shown()

    runs.append(submit(service, "second"))
    encoding(service, runs[1])
    os.killpg(pid, signal.SIGKILL)
    completed(service, runs[1])
    wait_for(lambda: service.get("/readyz")["prefect"] == "ok", 120)

    runs.append(submit(service, "third"))
    encoding(service, runs[2])
    service.kill()
    service.start().shown()
    records = [completed(service, run_id) for run_id in runs]
    assert all(record.prefect_url for record in records)
    assert_told(service, records)


@pytest.mark.long
def test_twenty_early_kills_and_everything_gets_done(own_prefect: Service):
    service, seconds = own_prefect, random.Random(7)
    service.start()
    runs = [submit(service, "quick") for _ in range(30)]

    def left() -> list[str]:
        with service.store() as store:
            found = store.executions.by_ids(runs)
        return [one.run_id for one in found if not one.state.ended]

    service.kill()
    for _ in range(20):
        service.begin()
        time.sleep(seconds.uniform(3, 9))
        service.kill()
    assert len(left()) < len(runs), "twenty short lives made no progress"
    service.start().shown(240)
    records = [completed(service, run_id, 240) for run_id in runs]
    assert len(processes_in(service.data / "prefect")) == 1
    assert_told(service, records)
