"""A process killed in the middle of an upload: nothing is visible, and nothing stays behind."""

import json
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.media import make
from tests.support.places import EXAMPLES
from tests.support.s3 import ENVIRONMENT, Proxy, S3Server
from tests.support.stores import let_claims_lapse
from tests.support.waiting import wait_for

CONFIGURATION = """
[buckets.renditions]
url = "s3://test-other"
endpoint_url = "{url}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
"""


def stored(server: S3Server) -> list[str]:
    with server.client() as client:
        found = client.list_objects_v2(Bucket="test-other").get("Contents", [])
    return [one["Key"] for one in found]


def uploads(server: S3Server) -> list[str]:
    with server.client() as client:
        try:
            found = client.list_multipart_uploads(Bucket="test-other").get("Uploads", [])
        except client.exceptions.NoSuchUpload:  # rclone, as long as there was none
            found = []
    return [one["Key"] for one in found]


@pytest.fixture
def film(size: str, bunny: Path, tmp_path: Path) -> Path:
    """Give a film of one segment that one PUT uploads, or of one that takes several parts."""
    if size == "small":
        return bunny
    times = (9 << 20) // bunny.stat().st_size
    return make(tmp_path / "long.mp4", "-stream_loop", str(times), "-i", str(bunny), "-c", "copy")


@pytest.mark.parametrize(
    ("name", "size", "next_step"),
    [
        ("seaweedfs", "small", "resume"),
        pytest.param("seaweedfs", "long", "resume", marks=pytest.mark.long),
        ("rclone", "long", "run"),
    ],
)
def test_kill_9_in_the_middle_of_an_upload(
    name: str,
    size: str,
    next_step: str,
    film: Path,
    s3_servers: Callable[[str], S3Server],
    alone: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
):
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    server = s3_servers(name)
    flow = (EXAMPLES / "remux-hls.json").read_text().replace('"Duration": "4"', '"Duration": "60"')
    (alone.cwd / "flow.json").write_text(flow)
    run = ("run", alone.cwd / "flow.json", film, "--json", "--executor", "inline")
    before = stored(server)
    with closing(Proxy(server.url)) as proxy:
        (alone.cwd / "mediaflow.toml").write_text(CONFIGURATION.format(url=proxy.url))
        proxy.stall_after = film.stat().st_size // 2
        process = alone.start(*run)
        wait_for(lambda: proxy.stalled or process.poll() is not None, seconds=120)
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        proxy.stall_after = 1 << 62
        assert stored(server) == before
        assert uploads(server) == (["long/stream-00001.ts"] if size == "long" else [])
        (killed,) = alone("execution", "list", "--json").json
        run_id = killed["RunId"]
        let_claims_lapse(alone.data)
        assert "No process runs it" in alone("execution", "show", run_id).out
        if next_step == "resume":
            ended = alone("execution", "resume", run_id, "--json", "--executor", "inline")
            assert json.loads(ended.out)["RunId"] == run_id
        else:
            ended = alone(*run)
        assert ended.code == 0, ended.err
        assert uploads(server) == []
        assert set(stored(server)) - set(before) == {
            output["Object"] for one in ended.json["ActivityList"] for output in one["Outputs"]
        }
        report = alone("execution", "report", ended.json["RunId"], "--json")
        assert report.code == 0 and isinstance(report.json, dict)
