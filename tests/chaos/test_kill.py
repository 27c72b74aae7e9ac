"""Killed processes: nothing half written, nothing done twice, nothing left running."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import EXAMPLES, CommandLine


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def media_processes(data: Path) -> list[int]:
    """Processes of ffmpeg that work below a data directory."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                cwd, name = os.readlink(entry / "cwd"), (entry / "comm").read_text()
            except OSError:
                continue
            if cwd.startswith(str(data)) and "ffmpeg" in name:
                found.append(int(entry.name))
    return found


def test_kill_9_loses_nothing_and_the_next_run_goes_on(alone: CommandLine, bunny: Path):
    command = ("run", EXAMPLES / "ladder.json", bunny, "--json", "--executor", "inline")
    process = alone.start(*command)
    cover = alone.cwd / "mediaflow-out/renditions/bigbuckbunny/cover.jpg"
    wait_for(cover.exists)
    wait_for(lambda: list(alone.data.rglob("attempt-*/[!s]*.mp4")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not media_processes(alone.data), seconds=10)
    assert [p.name for p in (alone.cwd / "mediaflow-out").rglob("*") if p.is_file()] == [
        "cover.jpg"
    ]
    ended = alone(*command)
    assert ended.code == 0, ended.err
    reused = {a["Name"]: a["Reused"] for a in ended.json["ActivityList"]}
    assert reused["start"] and reused["analysis"] and reused["cover"]
    assert not reused["hd"]


def test_kill_9_and_resume_under_the_same_run_id(alone: CommandLine, bunny: Path):
    process = alone.start("run", EXAMPLES / "ladder.json", bunny, "--json")
    wait_for(lambda: list(alone.data.rglob("attempt-*/[!s]*.mp4")), seconds=120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (killed,) = alone("execution", "list", "--json").json
    run_id = killed["RunId"]
    before = {a["Name"]: a for a in killed["ActivityList"] if a["State"] == "Success"}
    assert {"start", "analysis"} <= before.keys()
    wait_for(lambda: "No process runs it" in alone("execution", "show", run_id).out)
    ended = alone("execution", "resume", run_id, "--json")
    assert ended.code == 0, ended.err
    record = ended.json
    assert (record["RunId"], record["State"]) == (run_id, "Completed")
    after = {a["Name"]: a for a in record["ActivityList"]}
    assert all(after[name] == activity for name, activity in before.items())
    api, _, flow_run = record["PrefectUrl"].partition("/runs/flow-run/")
    assert record["PrefectUrl"] == killed["PrefectUrl"]
    with urllib.request.urlopen(f"{api}/api/flow_runs/{flow_run}", timeout=20) as answer:
        assert json.load(answer)["state"]["type"] == "COMPLETED"


def test_a_run_outlives_its_prefect_server(alone: CommandLine, bunny: Path):
    process = alone.start("run", EXAMPLES / "ladder.json", bunny, "--json")
    wait_for(lambda: list(alone.data.rglob("attempt-*")), seconds=120)
    alone("prefect", "stop")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert '"State": "Completed"' in out


def server_pid(data: Path) -> int:
    return int(json.loads((data / "prefect" / "server.json").read_text())["pid"])


def test_a_server_that_hangs_holds_nothing_up(alone: CommandLine, clip: Path, bunny: Path):
    alone.run("remux-hls", clip)
    pid = server_pid(alone.data)
    process = alone.start("run", EXAMPLES / "ladder.json", bunny, "--json")
    wait_for(lambda: list((alone.data / "work").glob("*/attempt-*")))
    os.kill(pid, signal.SIGSTOP)
    try:
        out, err = process.communicate(timeout=90)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert process.returncode == 0, err
    assert json.loads(out)["State"] == "Completed"


def test_a_slow_server_gets_no_second_beside_it(alone: CommandLine, clip: Path):
    alone.run("remux-hls", clip)
    pid = server_pid(alone.data)
    os.kill(pid, signal.SIGSTOP)
    process = alone.start("run", EXAMPLES / "remux-hls.json", clip, "--json")
    time.sleep(7)
    os.kill(pid, signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert server_pid(alone.data) == pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_server_starts_leaves_none(
    alone: CommandLine, clip: Path, number: signal.Signals
):
    process = alone.start("run", EXAMPLES / "remux-hls.json", clip)
    wait_for((alone.data / "prefect" / "server.json").exists)
    pid = server_pid(alone.data)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Interrupted" in err
    wait_for(lambda: not Path(f"/proc/{pid}/cmdline").exists(), seconds=5)
    assert not (alone.data / "prefect" / "server.json").exists()


def test_a_strangers_server_on_the_port_is_not_adopted(alone: CommandLine, clip: Path):
    import http.server
    import threading

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        ended = alone.run("remux-hls", clip, "--json", env={"MEDIAFLOW_PREFECT__PORT": str(port)})
        server.shutdown()
    assert ended.code == 0, ended.err
    assert f":{port}/" not in ended.json["PrefectUrl"]


def test_two_data_directories_that_want_one_port(alone: CommandLine, clip: Path):
    """Neither reports to the server of the other, whoever gets the port."""
    other = CommandLine(alone.cwd / "other", alone.cwd)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = ("run", EXAMPLES / "remux-hls.json", clip, "--json", "--output-dir")
    wanted = {"MEDIAFLOW_PREFECT__PORT": str(port)}
    try:
        processes = [line.start(*run, line.data / "out", env=wanted) for line in (alone, other)]
        ended = [(*process.communicate(timeout=180), process.returncode) for process in processes]
        assert [code for _, _, code in ended] == [0, 0], ended
        urls = [json.loads(out)["PrefectUrl"] for out, _, _ in ended]
        assert len({urlsplit(url).port for url in urls}) == 2
    finally:
        other("prefect", "stop")


def test_another_process_under_the_recorded_number_is_left_alone(alone: CommandLine):
    record = alone.data / "prefect" / "server.json"
    record.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        record.write_text(json.dumps({"pid": stranger.pid, "port": 4200, "started": "1"}))
        assert "no local server" in alone("prefect", "stop").out
        assert stranger.poll() is None
        stranger.kill()


def test_a_configured_server_that_does_not_answer_is_named(alone: CommandLine, clip: Path):
    ended = alone.run("remux-hls", clip, env={"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    assert ended.code == 1 and "http://127.0.0.1:9/api" in ended.err


@pytest.mark.parametrize("runs", [3])
def test_runs_that_begin_together_share_one_server_and_store(
    alone: CommandLine, clip: Path, runs: int
):
    processes = [
        alone.start("run", EXAMPLES / "remux-hls.json", clip, "--json", "--output-dir", f"o{n}")
        for n in range(runs)
    ]
    ended = [p.communicate(timeout=200) for p in processes]
    assert [p.returncode for p in processes] == [0] * runs, ended
    assert len(alone("execution", "list", "--json").json) == runs
