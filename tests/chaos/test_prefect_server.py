"""Prefect's server hangs, is slow, goes away, is another's: runs end all the same."""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import media
from tests.support.command_line import CommandLine
from tests.support.places import EXAMPLES
from tests.support.waiting import wait_for


@pytest.mark.long
def test_a_run_outlives_its_prefect_server(alone: CommandLine, media_dir: Path):
    large = media.clip(media_dir, 2, "1280x720", name="large")
    process = alone.start("run", EXAMPLES / "ladder.json", large, "--json")
    wait_for(lambda: list(alone.data.rglob("attempt-*")), seconds=120)
    alone.stop_prefect()
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert '"State": "Completed"' in out


def server_pid(data: Path) -> int:
    return int(json.loads((data / "prefect" / "server.json").read_text())["pid"])


@pytest.mark.long
def test_a_server_that_hangs_holds_nothing_up(alone: CommandLine, clip: Path, bunny: Path):
    ended = alone.run("remux-hls", clip)
    assert ended.code == 0, ended.err
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


@pytest.mark.long
def test_a_slow_server_gets_no_second_beside_it(alone: CommandLine, clip: Path):
    ended = alone.run("remux-hls", clip)
    assert ended.code == 0, ended.err
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


@pytest.mark.long
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


@pytest.mark.long
def test_two_data_directories_that_want_one_port(alone: CommandLine, clip: Path):
    """Neither reports to the server of the other, whoever gets the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = ("run", EXAMPLES / "remux-hls.json", clip, "--json", "--output-dir")
    wanted = {"MEDIAFLOW_PREFECT__PORT": str(port)}
    with closing(CommandLine(alone.cwd / "other", alone.cwd)) as other:
        processes = [line.start(*run, line.data / "out", env=wanted) for line in (alone, other)]
        ended = [(*process.communicate(timeout=180), process.returncode) for process in processes]
        other("prefect", "stop")
    assert [code for _, _, code in ended] == [0, 0], ended
    urls = [json.loads(out)["PrefectUrl"] for out, _, _ in ended]
    assert len({urlsplit(url).port for url in urls}) == 2


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
@pytest.mark.long
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
