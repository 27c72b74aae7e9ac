"""The service under kill -9, signals and a Prefect server that dies.

Most of it reports to one Prefect server, which runs as long as these tests.
"""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.prefect_runs import asked
from tests.support.processes import media_processes
from tests.support.service import Service
from tests.support.service_home import completed, encoding, ended, submit
from tests.support.waiting import wait_for
from workflow_engine.executor.prefect_server import LocalServer
from workflow_engine.records import ActivityState, ExecutionRecord, ExecutionState

ROOT = Path(__file__).parents[2]


def flow_run(api: str, record: ExecutionRecord) -> str:
    return "/flow_runs/" + record.prefect_url.rpartition("/")[2]


def assert_readable(log: str) -> None:
    """One line for each event, none of them Python's or Prefect's own."""
    ours = re.compile(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (INFO|WARNING) \S+: \S"
        r"|[A-Z].*\.$|mediaf|Configuration \S"
    )
    assert [line for line in log.splitlines() if not ours.match(line)] == []
    assert "Traceback" not in log and "ERROR" not in log


def test_kill_9_and_the_next_serve_goes_on_under_the_run_id(service: Service):
    run_id = submit(service)
    queued = [submit(service) for _ in range(2)]
    encoding(service, run_id)
    before = [a for a in service.record(run_id).activities if a.state is ActivityState.SUCCESS]
    assert {"start", "cover"} <= {a.name for a in before}
    service.kill()
    wait_for(lambda: not media_processes(service.data), 10)
    service.start()
    for one in (*queued, run_id):
        completed(service, one, 240)
    after = service.record(run_id)
    assert [after.activity(one.name) for one in before] == before
    assert len(service.json("execution", "list")) == 3
    assert list((service.data / "work").iterdir()) == []
    assert_readable(service.log)


def test_a_signal_lets_the_executions_end(service: Service, prefect: LocalServer):
    run_id = submit(service)
    encoding(service, run_id)
    second = service("serve", "--port", str(service.port))
    assert second.returncode == 2 and "cannot listen" in second.stderr
    service.signal(signal.SIGTERM)
    waiting = submit(service)
    assert service.wait(120) == 0, service.log
    left = time.time()
    record = completed(service, run_id)
    assert record.ended is not None
    assert left - record.ended.timestamp() < 8
    assert service.record(waiting).state is ExecutionState.QUEUED
    # Prefect knows all of it
    wanted = {"flow_runs": {"id": {"any_": [record.prefect_url.rpartition("/")[2]]}}}

    def told() -> bool:
        tasks = asked(prefect.api_url, "/task_runs/filter", wanted)
        return [task["state"]["type"] for task in tasks] == ["COMPLETED"] * 4

    wait_for(told, 10)
    assert_readable(service.log)


@pytest.mark.long
def test_a_second_signal_leaves_the_execution_for_the_next_serve(service: Service):
    run_id = submit(service)
    encoding(service, run_id)
    assert service.stop() == 0, service.log
    assert not media_processes(service.data)
    left = service.record(run_id)
    assert left.state is ExecutionState.RUNNING
    assert ActivityState.FAIL not in {a.state for a in left.activities}
    service.start()
    completed(service, run_id)
    assert_readable(service.log)


def test_cancel_stops_a_running_execution(service: Service, prefect: LocalServer):
    """By the command line, and in the Prefect UI."""
    runs = [submit(service, "very slow")]
    encoding(service, runs[0])
    runs.append(submit(service, "very slow"))
    told = service("execution", "cancel", runs[0])
    assert told.returncode == 0, told.stderr
    wait_for(lambda: service.record(runs[1]).prefect_url)
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    path = flow_run(prefect.api_url, service.record(runs[1]))
    wait_for(lambda: asked(prefect.api_url, path)["state_type"] == "RUNNING")
    asked(prefect.api_url, path + "/set_state", cancelling)
    for run_id in runs:
        record = ended(service, run_id, 30)
        assert (record.state, record.code) == (ExecutionState.FAIL, "Cancelled")
        path = flow_run(prefect.api_url, record)
        wait_for(lambda path=path: asked(prefect.api_url, path)["state_type"] == "CANCELLED", 20)
    assert not media_processes(service.data)
    late = service("execution", "cancel", runs[0])
    assert late.returncode == 2 and "has ended as Fail" in late.stderr


#: a run in Prefect where something breaks at Start, once
BROKEN_ONCE = """
    import sys
    from pathlib import Path
    from tests.support.queued import Queue
    from workflow_engine.errors import StoreError
    from workflow_engine.executor.prefect_flow import PrefectExecutor
    from workflow_engine.executor.prefect_show import Show
    from workflow_engine.service.dispatcher import Dispatcher

    def break_once(owner, name, error):
        works, broken = getattr(owner, name), []
        def method(*arguments, **more):
            if "start" in str(arguments) and not broken:
                broken.append(name)
                raise error
            return works(*arguments, **more)
        setattr(owner, name, method)

    queue = Queue(Path.cwd())
    if sys.argv[2] == "store":
        break_once(queue.store.steps, "finish", StoreError("InternalError", "It is locked."))
    else:
        break_once(Show, "progress", RuntimeError("Prefect's own"))
    run_id = queue.submit(a={"Text": "A"}, b={"Text": "B"})
    runner = Dispatcher(queue.engine, lambda: PrefectExecutor(sys.argv[1]))
    runner.start()
    record = queue.ended(run_id, 60)
    runner.close()
    runner.join(10)
    print(record.state, *queue.states(run_id).values())
"""


@pytest.mark.parametrize("what", ["store", "prefect"])
def test_what_breaks_in_a_task_skips_nothing(tmp_path: Path, prefect: LocalServer, what: str):
    """Prefect goes on with the next task all the same."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BROKEN_ONCE), prefect.api_url, what],
        cwd=tmp_path,
        env={**os.environ, "MEDIAFLOW_DATA": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout.split() == ["Completed", *["Success"] * 4], ended.stderr


def server(service: Service) -> dict[str, Any]:
    # empty for a moment while it is written
    return json.loads(wait_for((service.data / "prefect/server.json").read_text))


def server_pid(service: Service) -> int:
    return int(server(service)["pid"])


@pytest.mark.long
def test_a_prefect_server_that_dies_is_started_again(own_prefect: Service):
    service = own_prefect.start().shown()
    killed = server_pid(service)
    os.killpg(killed, signal.SIGKILL)
    completed(service, submit(service, "quick"))
    wait_for(lambda: server_pid(service) != killed, 60)
    wait_for(lambda: service.get("/readyz")["prefect"] == "ok", 60)
    record = completed(service, submit(service, "quick"))
    # on another port, where somebody has taken the first one
    assert record.prefect_url.startswith(f"http://127.0.0.1:{server(service)['port']}/")
    service.signal(signal.SIGTERM)
    assert service.wait(20) == 0
    assert not (service.data / "prefect/server.json").exists()
    assert_readable(service.log)


def test_a_signal_during_the_start_leaves_nothing_running(own_prefect: Service):
    process = own_prefect.begin()
    wait_for((own_prefect.data / "prefect/server.json").exists)
    pid = server_pid(own_prefect)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 0
    assert not Path(f"/proc/{pid}/cmdline").exists()
    assert not (own_prefect.data / "prefect/server.json").exists()
