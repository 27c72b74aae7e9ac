"""Killed processes: nothing half written, nothing done twice, nothing left running."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

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


def test_a_run_outlives_its_prefect_server(alone: CommandLine, bunny: Path):
    process = alone.start("run", EXAMPLES / "ladder.json", bunny, "--json")
    wait_for(lambda: list(alone.data.rglob("attempt-*")), seconds=120)
    alone("prefect", "stop")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert '"State": "Completed"' in out


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
