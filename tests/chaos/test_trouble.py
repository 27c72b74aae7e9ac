"""Short trouble costs nothing: storage that is away, media processes that somebody kills."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.places import EXAMPLES
from tests.support.processes import media_processes
from tests.support.s3 import ENVIRONMENT, Proxy, S3Server
from tests.support.waiting import wait_for

STORES = """
[runner]
processes = 2
[retry]
first_pause = 0.3
longest_pause = 2
[buckets.uploads]
url = "s3://test-vod"
endpoint_url = "{url}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
[buckets.renditions]
url = "s3://test-other"
endpoint_url = "{url}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
"""
FAST = "[retry]\nfirst_pause = 0.3\nlongest_pause = 2\n"


@contextmanager
def meanwhile(do: Callable[[], None]) -> Iterator[None]:
    """Do something on another thread; what it raises fails the test."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            do()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    yield
    thread.join()
    assert not errors, errors


def attempts(record: Any) -> list[dict[str, str]]:
    return [one for a in record["ActivityList"] for one in a.get("Attempts", [])]


@pytest.mark.long
def test_a_store_that_is_away_four_times(
    s3_servers: Callable[[str], S3Server],
    alone: CommandLine,
    bunny: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    server = s3_servers("seaweedfs")
    with server.client() as client:
        for number in range(3):
            key = f"incoming/away-{number}.mp4"
            client.put_object(Bucket="test-vod", Key=key, Body=bunny.read_bytes())
    with closing(Proxy(server.url)) as proxy:
        (alone.cwd / "mediaflow.toml").write_text(STORES.format(url=proxy.url))
        processes = [
            alone.start(
                *("run", EXAMPLES / "ladder.json", f"s3://uploads/incoming/away-{number}.mp4"),
                *("--json", "--executor", "inline", "--output-dir", alone.cwd / "out"),
            )
            for number in range(3)
        ]

        def trouble() -> None:
            wait_for(lambda: len(list(alone.data.glob("work/*"))) == 3)  # all have begun
            for _ in range(4):
                before = proxy.sent + proxy.received
                wait_for(lambda before=before: proxy.sent + proxy.received > before + 50_000)
                with proxy.away():
                    time.sleep(random.uniform(1, 4))

        with meanwhile(trouble):
            ended = [process.communicate(timeout=300) for process in processes]
        assert proxy.broken
    for process, (out, err) in zip(processes, ended, strict=True):
        assert process.returncode == 0, out + err


@pytest.mark.long
@pytest.mark.parametrize("fuse", ["true", "false"])
def test_ten_media_processes_are_killed(alone: CommandLine, bunny: Path, fuse: str):
    configuration = FAST + f"[runner]\nfuse = {fuse}\nprocesses = 2\n"
    (alone.cwd / "mediaflow.toml").write_text(configuration)
    killed = 0

    def kill() -> None:
        nonlocal killed
        while killed < 10 and running.poll() is None:
            found = media_processes(alone.data)
            if found:
                time.sleep(random.uniform(0, 0.3))
                with suppress(ProcessLookupError):
                    os.kill(random.choice(found), signal.SIGKILL)
                    killed += 1
            time.sleep(0.2)

    running = alone.start(
        *("run", EXAMPLES / "ladder.json", bunny, "--json", "--executor", "inline")
    )
    with meanwhile(kill):
        out, err = running.communicate(timeout=300)
    assert running.returncode == 0 and killed >= 3, err
    record = alone("execution", "list", "--json").json[0]
    assert attempts(record) and all("killed from outside" in a["Message"] for a in attempts(record))
    report = alone("execution", "report", record["RunId"], "--json").json
    told = [one for a in report["Activities"] for one in a.get("Attempts", [])]
    assert told == attempts(record) and out
