"""Through the front door: a file that lands becomes one execution with finished outputs."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from alibabacloud_mts20140618 import models as tea

from tests.support.places import EXAMPLES
from tests.support.s3 import ENVIRONMENT, S3Server
from tests.support.service import Service
from tests.support.sqs_server import create_queue, sqs_client
from tests.support.transcodes import ffprobe
from tests.support.waiting import wait_for
from tests.unit.test_events import s3
from workflow_engine.store import Store

MINIMAL = (EXAMPLES / "minimal.json").read_text()
BUCKET = """
[buckets.{name}]
url = "s3://real-{name}"
endpoint_url = "{endpoint}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
settle_seconds = 0.5
{events}
"""


class Stores:
    """Buckets in an object store: one is polled, one has a queue, and one takes outputs."""

    def __init__(self, server: S3Server, queues: Any) -> None:
        self.server = server
        self._queues = queues
        self._queue = create_queue(queues, "landing")
        events = {
            "polled": 'events = "poll"\npoll_seconds = 1',
            "queued": f'events = {{sqs = "{self._queue}"}}',
            "vault": "",
        }
        self.configuration = ""
        for name, told in events.items():
            server.create(f"real-{name}")
            self.configuration += BUCKET.format(name=name, endpoint=server.url, events=told)

    def upload(self, path: Path, bucket: str, key: str) -> None:
        """Upload a file, and tell of it as S3 does, though twice."""
        with self.server.client() as client:
            client.upload_file(path, f"real-{bucket}", key)
        if bucket == "queued":
            message = {"Records": [s3(quote_plus(key), bucket="real-queued")]}
            for _ in range(2):
                self._queues.send_message(QueueUrl=self._queue, MessageBody=json.dumps(message))

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        with self.server.client() as client:
            found = client.list_objects_v2(Bucket=f"real-{bucket}", Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]


@pytest.fixture(scope="module")
def stores(s3_servers: Callable[[str], S3Server]) -> Iterator[Stores]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        with closing(sqs_client(s3_servers("moto").url, environment)) as queues:
            yield Stores(s3_servers("seaweedfs"), queues)


@pytest.fixture(scope="module")
def service(
    stores: Stores, clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    service = Service(
        tmp_path_factory.mktemp("landing"),
        stores.configuration,
        MEDIAFLOW_BUCKETS__UPLOADS__EVENTS="watch",
        MEDIAFLOW_BUCKETS__UPLOADS__SETTLE_SECONDS="0.5",
    )
    loop = MINIMAL.replace("incoming/", "loop/").replace("{RunId}/", "loop/out/{FileName}-")
    for name, text, bucket, target in (
        ("minimal", MINIMAL, "uploads", "renditions"),
        ("loop", loop, "uploads", "uploads"),
        ("of-polled", MINIMAL, "polled", "vault"),
        ("of-queued", MINIMAL, "queued", "vault"),
        ("remote-loop", loop, "polled", "polled"),
    ):
        text = text.replace('"uploads"', f'"{bucket}"').replace('"renditions"', f'"{target}"')
        (service.home / f"workflows/{name}.json").write_text(text)
    incoming = service.bucket("uploads") / "incoming"
    incoming.mkdir()
    shutil.copy(clip, incoming / "before.mp4")
    time.sleep(0.1)
    try:
        service.begin()
        # before Python has read a line of the service
        shutil.copy2(clip, incoming / "at once.mp4")
        yield service.ready()
    finally:
        service.close()


def runs(service: Service, **chosen: str) -> list[dict[str, Any]]:
    answer = service.legacy()("ListMediaWorkflowExecutions", **chosen)
    return answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]


def ended(service: Service, **chosen: str) -> dict[str, Any]:
    """Wait for the only run, and return it."""

    def done() -> Any:
        found = runs(service, **chosen)
        return found if found and found[0]["State"] != "Running" else None

    (run,) = wait_for(done, 90)
    assert run["State"] == "Completed"
    return run


def test_a_clip_that_lands_at_the_first_moment_of_the_first_start(service: Service):
    ended(service, InputFileURL="http://uploads.local.aliyuncs.com/incoming/at%20once.mp4")
    for key, outcome in (("at once.mp4", "Runs"), ("before.mp4", "SkippedAsExisting")):
        assert service.json("trigger", "why", f"oss://uploads/incoming/{key}")["Outcome"] == outcome
    (status,) = [
        one for one in service.json("trigger", "status")["Buckets"] if one["Bucket"] == "uploads"
    ]
    assert status["SkippedAsExisting"] == 1
    assert "mediaflow trigger replay uploads" in service.log


def test_a_clip_that_lands_is_run_once_and_found_by_workflow_and_input(
    service: Service, clip: Path
):
    shutil.copy(clip, service.bucket("uploads") / "incoming/landed.mp4")
    run = ended(service, InputFileURL="http://uploads.local.aliyuncs.com/incoming/landed.mp4")
    assert run["Name"] == "minimal"
    by_workflow = runs(service, MediaWorkflowId=run["MediaWorkflowId"])
    assert [one["RunId"] for one in by_workflow].count(run["RunId"]) == 1
    assert len(list((service.bucket("renditions") / run["RunId"]).glob("*.mp4"))) == 1


def test_outputs_in_the_watched_bucket_start_nothing(service: Service, clip: Path):
    (service.bucket("uploads") / "loop").mkdir()
    shutil.copy(clip, service.bucket("uploads") / "loop/clip.mp4")
    ended(service, MediaWorkflowName="loop")
    assert (service.bucket("uploads") / "loop/out").is_dir()
    # a listing by hand sees the outputs, too, and starts nothing for them
    replayed = service.json("trigger", "replay", "uploads", "loop/")
    assert (replayed["Listed"], replayed["Queued"]) == (4, 0)
    assert problem(service, "uploads") == ""
    assert len(runs(service, MediaWorkflowName="loop")) == 1


@pytest.mark.parametrize("bucket", ["polled", "queued"])
def test_a_clip_that_lands_in_a_store_has_its_outputs_in_a_store(
    service: Service, stores: Stores, clip: Path, tmp_path: Path, bucket: str
):
    key = "incoming/1+1 \U0001f3ac.mp4"
    stores.upload(clip, bucket, key)
    url = f"http://{bucket}.local.aliyuncs.com/{quote(key)}"
    run = ended(service, InputFileURL=url)
    by_workflow = tea.ListMediaWorkflowExecutionsRequest(media_workflow_id=run["MediaWorkflowId"])
    by_input = tea.ListMediaWorkflowExecutionsRequest(input_file_url=url)
    for asked in (by_workflow, by_input):
        answer = service.tea().list_media_workflow_executions(asked).body
        (found,) = answer.media_workflow_execution_list.media_workflow_execution
        assert (found.run_id, found.name, found.state) == (
            run["RunId"],
            f"of-{bucket}",
            "Completed",
        )
        assert found.input.input_file.object == key
    (output,) = [one for one in stores.keys("vault", run["RunId"]) if one.endswith(".mp4")]
    with stores.server.client() as client:
        client.download_file("real-vault", output, str(tmp_path / "output.mp4"))
    probed = ffprobe(tmp_path / "output.mp4", "-show_streams", "-show_format")
    assert {one["codec_name"] for one in probed["streams"]} == {"h264", "aac"}
    assert float(probed["format"]["duration"]) == pytest.approx(4, abs=0.2)
    assert problem(service, bucket) == ""


def test_outputs_in_the_polled_bucket_of_a_store_start_nothing(
    service: Service, stores: Stores, clip: Path
):
    stores.upload(clip, "polled", "loop/clip.mp4")
    ended(service, MediaWorkflowName="remote-loop")
    outputs = stores.keys("polled", "loop/out/")
    assert outputs
    with service.store() as store:
        for _ in range(2):
            before = listed(store)
            wait_for(lambda before=before: listed(store) > before)
    replayed = service.json("trigger", "replay", "polled", "loop/")
    assert (replayed["Listed"], replayed["Queued"]) == (1 + len(outputs), 0)
    assert len(runs(service, MediaWorkflowName="remote-loop")) == 1


def listed(store: Store) -> datetime:
    """When the polled bucket was listed last."""
    (moment,) = [one.last_reconcile for one in store.listeners.all() if one.bucket == "polled"]
    assert moment is not None
    return moment


def problem(service: Service, bucket: str) -> str:
    """What keeps events of a bucket from arriving."""
    status = service.json("trigger", "status")
    (found,) = [one for one in status["Buckets"] if one["Bucket"] == bucket]
    return found["Problem"]
