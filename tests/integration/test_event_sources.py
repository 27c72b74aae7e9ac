"""Events from queues, over HTTP and by listings: whatever a sender does, each object runs once.

The objects lie in a folder, whose bucket is called as the one in the events; queues and their
events come from a real server. `test_s3_end_to_end` has the objects in a store, too.
"""

import base64
import http.client
import json
import logging
import os
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote_plus, urlencode

import boto3
import pytest
from fastapi import FastAPI
from moto.server import ThreadedMotoServer

from tests.api_clients import serving
from tests.integration.sqs_server import REGION, create_queue, sqs_client, sqs_server
from tests.unit.test_events import eventbridge, minio, oss, s3, sns
from tests.watching import topology, wait
from triggers import sqs
from triggers.listener import ListenerFactory, load_factory
from triggers.polling import PollListener
from triggers.service import Triggers
from triggers.sqs import SqsListener
from triggers.webhook import WebhookListener
from workflow_engine.api.app import SERVER_OPTIONS
from workflow_engine.catalog.landing import ListenerRecord
from workflow_engine.engine import Engine
from workflow_engine.records import utc_now
from workflow_engine.settings import load_settings
from workflow_engine.testing import FakeRegistry

FACTORIES: dict[str, ListenerFactory] = {
    "sqs": SqsListener,
    "webhook": WebhookListener,
    "poll": PollListener,
}

#: keys that have something to decode
ODD_KEYS = ["vod/my clip.mp4", "a+b & c=d.mp4", "50%25.mp4", "\u00fc/\u4e2d\u6587.mp4", "noext"]


class Service:
    """Triggers on the buckets of a configuration, with a workflow that takes all of `uploads`."""

    def __init__(self, home: Path, buckets: str) -> None:
        self.home = home
        config = home / "mediaflow.toml"
        config.write_text(f'[store]\nurl = "sqlite:///{home}/mediaflow.db"\n{buckets}')
        self.engine = Engine(load_settings(config), registry=FakeRegistry().registry)
        self.engine.workflows.add("ingest", topology())
        self.triggers: Triggers | None = None
        (home / "uploads").mkdir(exist_ok=True)

    def start(self) -> "Service":
        """Begin to listen; returns when the first listings are over."""
        self.triggers = Triggers(self.engine, factories=FACTORIES)
        self.triggers.start()
        wanted = [name for name, one in self.engine.settings.buckets.items() if one.events]
        wait(lambda: all(self.record(name).last_reconcile for name in wanted))
        return self

    def stop(self) -> None:
        if self.triggers is not None:
            self.triggers.stop()
            self.triggers = None

    def put(self, key: str, content: str = "content", bucket: str = "uploads") -> None:
        path = self.home / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    @property
    def problem(self) -> str:
        assert self.triggers
        return self.triggers.status()

    def record(self, bucket: str = "uploads") -> ListenerRecord:
        """What the listener of a bucket says of itself."""
        found = [one for one in self.engine.store.listeners.all() if one.bucket == bucket]
        return found[0] if found else ListenerRecord(bucket=bucket, kind="", updated=utc_now())

    def runs(self) -> list[str]:
        """The keys of all executions, sorted; one that ran twice stands there twice."""
        records = self.engine.store.executions(limit=100_000)
        return sorted(record.input.object for record in records)

    def settled(self, count: int) -> list[str]:
        """Wait for so many runs and for nothing to be waiting; return what ran."""
        wait(lambda: len(self.runs()) >= count and not self.engine.store.arrivals.count())
        time.sleep(0.5)
        return self.runs()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """Make services; they end with the test."""
    made: list[Service] = []

    def new(buckets: str) -> Service:
        made.append(Service(tmp_path, buckets))
        return made[-1]

    yield new
    for service in made:
        service.stop()
        service.engine.close()


@contextmanager
def store_away(service: Service, table: str = "arrivals") -> Iterator[None]:
    """Take a table away, so that the store fails."""
    with closing(sqlite3.connect(service.home / "mediaflow.db")) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO away")
        yield
        connection.execute(f"ALTER TABLE away RENAME TO {table}")


def folder(url: str = "", name: str = "uploads", events: str = "", settle: float = 0.2) -> str:
    """The configuration of a bucket in a folder."""
    told = events or f'{{sqs = "{url}"}}'
    return f'[buckets.{name}]\npath = "{name}"\nevents = {told}\nsettle_seconds = {settle}\n'


# --- SQS ---------------------------------------------------------------------------------


class Cloud:
    """S3, SQS and the services between them, on a server of their own."""

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.endpoint = endpoint
        self.sqs = sqs_client(endpoint, monkeypatch)
        self.s3 = boto3.client("s3", endpoint_url=endpoint)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint)

    def queue(self, name: str = "events", **attributes: str) -> str:
        return create_queue(self.sqs, name, **attributes)

    def arn(self, url: str) -> str:
        return self.attribute(url, "QueueArn")

    def attribute(self, url: str, name: str) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return answer["Attributes"][name]

    def left(self, url: str) -> int:
        """How many messages the queue has, seen and unseen."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(map(int, answer["Attributes"].values()))

    def bucket(self, name: str, **notify: Any) -> None:
        """Make a bucket whose events go somewhere."""
        place = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        self.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=notify)

    def bucket_to_queue(self, name: str, url: str) -> None:
        rule = {"QueueArn": self.arn(url), "Events": ["s3:ObjectCreated:*"]}
        self.bucket(name, QueueConfigurations=[rule])

    def send(self, url: str, message: Any, **more: Any) -> str:
        body = message if isinstance(message, str) else json.dumps(message)
        return self.sqs.send_message(QueueUrl=url, MessageBody=body, **more)["MessageId"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with sqs_server() as endpoint:
        yield endpoint


@pytest.fixture
def cloud(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Cloud]:
    monkeypatch.setattr(sqs, "WAIT_SECONDS", 1)  # the server cannot be stopped while it waits
    made = Cloud(endpoint, monkeypatch)
    for url in made.sqs.list_queues().get("QueueUrls", []):
        made.sqs.delete_queue(QueueUrl=url)
    for bucket in made.s3.list_buckets()["Buckets"]:
        for found in made.s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            made.s3.delete_object(Bucket=bucket["Name"], Key=found["Key"])
        made.s3.delete_bucket(Bucket=bucket["Name"])
    yield made


Make = Callable[[str], Service]


def record(key: str, bucket: str = "uploads") -> Any:
    """A record as S3 writes it."""
    return s3(quote_plus(key), bucket=bucket)


class TestSqs:
    def test_each_object_that_s3_tells_of_runs_once(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        cloud.bucket_to_queue("uploads", url)  # sends a test event
        service = make(folder(url)).start()
        keys = [*ODD_KEYS, *(f"many/{number}.mp4" for number in range(30))]
        for key in keys:
            service.put(key)
            cloud.s3.put_object(Bucket="uploads", Key=key, Body=b"content")
        assert service.settled(len(keys)) == sorted(keys)
        wait(lambda: not cloud.left(url))
        assert service.problem == ""
        wait(lambda: service.record().seen == len(keys))
        assert service.record().last_event is not None

    def test_two_events_of_one_upload(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        cloud.bucket_to_queue("uploads", url)
        service = make(folder(url)).start()
        service.put("big.mp4")
        upload = {"Bucket": "uploads", "Key": "big.mp4"}
        number = cloud.s3.create_multipart_upload(**upload)["UploadId"]
        part = cloud.s3.upload_part(**upload, UploadId=number, PartNumber=1, Body=b"content")
        parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
        cloud.s3.complete_multipart_upload(**upload, UploadId=number, MultipartUpload=parts)
        wait(lambda: not cloud.left(url))
        assert service.settled(1) == ["big.mp4"]

    def test_repeated_shuffled_and_late_events(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        keys = [f"{number}.mp4" for number in range(20)]
        for key in keys:
            service.put(key)
        events = [record(key) for key in keys] * 3
        random.Random(7).shuffle(events)
        for number in range(0, len(events), 4):
            late = {"DelaySeconds": 2} if number % 8 else {}
            cloud.send(url, {"Records": events[number : number + 4]}, **late)
        service.settled(len(keys))
        wait(lambda: not cloud.left(url))
        assert service.settled(len(keys)) == sorted(keys)

    def test_an_event_before_its_object(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        cloud.send(url, {"Records": [record("later.mp4")]})
        wait(lambda: service.record().seen == 1)
        assert service.settled(0) == []
        service.put("later.mp4")
        cloud.send(url, {"Records": [record("later.mp4")]})
        assert service.settled(1) == ["later.mp4"]

    def test_what_no_event_told_is_found_by_a_listing(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        for key in ("told.mp4", "lost.mp4"):
            service.put(key)
        cloud.send(url, {"Records": [record("told.mp4")]})
        assert service.settled(1) == ["told.mp4"]
        service.stop()
        service.start()
        assert service.settled(2) == ["lost.mp4", "told.mp4"]

    def test_messages_that_were_not_deleted_come_again(
        self, make: Make, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqs, "HIDDEN_SECONDS", 1)
        url = cloud.queue()
        service = make(folder(url)).start()
        deletions: list[int] = []
        delete = sqs._Queue.delete

        def crash(queue: Any, messages: Any) -> None:
            deletions.append(len(messages))
            if len(deletions) > 2:
                delete(queue, messages)

        monkeypatch.setattr(sqs._Queue, "delete", crash)
        service.put("a.mp4")
        cloud.send(url, {"Records": [record("a.mp4")]})
        wait(lambda: len(deletions) == 3)
        wait(lambda: not cloud.left(url))
        assert service.settled(1) == ["a.mp4"]

    def test_nothing_is_deleted_while_the_store_fails(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        with store_away(service):
            service.put("a.mp4")
            cloud.send(url, {"Records": [record("a.mp4")]})
            wait(lambda: "cannot be kept" in service.problem)
            time.sleep(1.5)
            assert cloud.left(url) == 1
        assert service.settled(1) == ["a.mp4"]
        wait(lambda: not cloud.left(url))
        wait(lambda: service.problem == "")

    def test_a_message_that_cannot_be_read_holds_up_nobody(
        self,
        make: Make,
        cloud: Cloud,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(sqs, "HIDDEN_SECONDS", 1)
        monkeypatch.setattr(sqs, "UNREADABLE_SECONDS", 1)
        dead = cloud.queue("dead")
        redrive = {"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": "3"}
        url = cloud.queue(RedrivePolicy=json.dumps(redrive))
        service = make(folder(url)).start()
        caplog.set_level(logging.WARNING, "triggers")
        sent = [cloud.send(url, body) for body in ("hello", '{"Records": 5}', "[[[")]
        service.put("a.mp4")
        cloud.send(url, {"Records": [record("a.mp4")]})
        assert service.settled(1) == ["a.mp4"]
        wait(lambda: cloud.left(dead) == 3)
        assert cloud.left(url) == 0
        for message in sent:
            assert caplog.text.count(f'the message "{message}"') == 1
        assert "cannot be read: 3" in service.problem
        wait(lambda: "cannot be read: 3" in service.record().problem)

    def test_a_message_that_cannot_be_read_in_a_fifo_queue(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue("events.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        service = make(folder(url)).start()
        service.put("a.mp4")
        cloud.send(url, "hello", MessageGroupId="g")
        cloud.send(url, {"Records": [record("a.mp4")]}, MessageGroupId="g")
        assert service.settled(1) == ["a.mp4"]
        wait(lambda: not cloud.left(url))

    def test_one_queue_for_two_buckets_and_a_third_that_is_not_configured(
        self, make: Make, cloud: Cloud
    ) -> None:
        url = cloud.queue()
        service = make(folder(url) + folder(url, "second"))
        (service.home / "second").mkdir()
        service.start()
        assert [thread.name for thread in threading.enumerate()].count("sqs") == 1
        service.put("a.mp4")
        service.put("b.mp4", bucket="second")
        records = [record("a.mp4", "uploads"), record("b.mp4", "second")]
        cloud.send(url, {"Records": [*records, record("c.mp4", "third")]})
        wait(lambda: service.record("second").seen == 1 and service.record().seen == 1)
        wait(lambda: service.engine.store.intake.known("second", ["b.mp4"]))
        assert service.settled(1) == ["a.mp4"]
        wait(lambda: not cloud.left(url))

    def test_keys_that_no_object_can_have_hold_up_nobody(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        outside = service.home / "outside.mp4"
        outside.write_text("content")
        service.put("good.mp4")
        keys = ["../outside.mp4", "a/../../outside.mp4", "./good.mp4", "a//b.mp4", "folder/", ""]
        keys += [str(outside), "a\0b.mp4", "a\nb.mp4", "x" * 256, "x/" * 511 + "xx"]
        records = [record(key) for key in keys] + [s3("%ff.mp4", bucket="uploads")]
        cloud.send(url, {"Records": [*records, record("good.mp4")]})
        assert service.settled(1) == ["good.mp4"]
        wait(lambda: not cloud.left(url))
        assert service.problem == ""

    def test_a_queue_that_does_not_exist_yet(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        cloud.sqs.delete_queue(QueueUrl=url)
        service = make(folder(url)).start()
        wait(lambda: "does not exist" in service.problem)
        assert url in service.problem
        wait(lambda: "does not exist" in service.record().problem)
        service.put("lost.mp4")  # no queue, no event
        cloud.queue()
        assert service.settled(1) == ["lost.mp4"]
        assert service.problem == ""

    def test_a_server_that_goes_and_comes_back(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqs, "LONGEST_SECONDS", 1.0)
        monkeypatch.setattr(sqs, "WAIT_SECONDS", 1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        service = make(folder(f"http://127.0.0.1:{port}/123456789012/events"))
        client = sqs_client(f"http://127.0.0.1:{port}", monkeypatch)
        service.start()
        wait(lambda: "cannot be reached" in service.problem)
        server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        server.start()
        try:
            service.put("a.mp4")
            url = create_queue(client, "events")
            client.send_message(
                QueueUrl=url, MessageBody=json.dumps({"Records": [record("a.mp4")]})
            )
            assert service.settled(1) == ["a.mp4"]
            wait(lambda: service.problem == "")
        finally:
            server.stop()
        wait(lambda: "cannot be reached" in service.problem)

    def test_no_credentials(
        self, make: Make, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        url = cloud.queue()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        service = make(folder(url)).start()
        wait(lambda: "credentials" in service.problem)

    @pytest.mark.parametrize("url", ["events", "arn:aws:sqs:eu-west-1:1:events", "http://["])
    def test_a_url_that_is_none(self, make: Make, cloud: Cloud, url: str) -> None:
        service = make(folder(url)).start()
        wait(lambda: url in service.problem)

    def test_stops_at_once_and_takes_nothing_afterwards(
        self, make: Make, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqs, "WAIT_SECONDS", 20)
        url = cloud.queue()
        service = make(folder(url)).start()
        time.sleep(0.5)  # the queue holds the call now
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 3
        service.put("a.mp4")
        cloud.send(url, {"Records": [record("a.mp4")]})
        # the call that is still held brings it, and gives it back
        answer = wait(
            lambda: cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
        )
        assert json.loads(answer[0]["Body"])["Records"]
        assert service.engine.store.arrivals.count() == 0
        wait(lambda: "sqs" not in [thread.name for thread in threading.enumerate()])


class TestCarriers:
    """The same events by other services, in front of the queue."""

    def put(self, cloud: Cloud, service: Service) -> None:
        for key in ODD_KEYS:
            service.put(key)
            cloud.s3.put_object(Bucket="uploads", Key=key, Body=b"content")
        assert service.settled(len(ODD_KEYS)) == sorted(ODD_KEYS)

    def test_sns(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        topics = cloud.client("sns")
        topic = topics.create_topic(Name="uploads")["TopicArn"]
        topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=cloud.arn(url))
        rule = {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
        cloud.bucket("uploads", TopicConfigurations=[rule])
        self.put(cloud, make(folder(url)).start())

    def test_eventbridge(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        events = cloud.client("events")
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
        events.put_rule(Name="uploads", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="uploads", Targets=[{"Id": "1", "Arn": cloud.arn(url)}])
        cloud.bucket("uploads", EventBridgeConfiguration={})
        self.put(cloud, make(folder(url)).start())


# --- HTTP --------------------------------------------------------------------------------

TOKEN = "a-long-random-text"
SERVICE = f'[service]\nevent_token = "{TOKEN}"\n'


class Door:
    """A served webhook."""

    def __init__(self, service: Service) -> None:
        self.service = service
        assert service.triggers
        self._serving = serving(FastAPI(openapi_url=None, routes=service.triggers.routes))

    def __enter__(self) -> "Door":
        self.address = self._serving.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)

    def post(
        self,
        body: Any,
        path: str = "/events/auto",
        *,
        token: str = TOKEN,
        method: str = "POST",
        **headers: str,
    ) -> tuple[int, Any]:
        """Send a body; return the status and what was answered."""
        sent = body if isinstance(body, bytes | str) else json.dumps(body)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(self.address, timeout=20)
        with closing(connection):
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def sends(self, body: Any, path: str = "/events/auto", **more: Any) -> int:
        return self.post(body, path, **more)[0]


@pytest.fixture
def door(make: Make) -> Iterator[Door]:
    """A served webhook of the bucket `uploads`, with a token."""
    with Door(make(SERVICE + folder(events='"webhook"')).start()) as door:
        yield door


def real(message: Any) -> Any:
    """The same message for the bucket of these tests."""
    return json.loads(json.dumps(message).replace("real", "uploads"))


class TestWebhook:
    @pytest.mark.parametrize(
        ("provider", "write"),
        [
            ("s3", lambda key: {"Records": [s3(quote_plus(key))]}),
            ("minio", minio),
            ("oss", oss),
            ("eventbridge", eventbridge),
            ("sns", lambda key: sns({"Records": [s3(quote_plus(key))]})),
            ("auto", oss),
        ],
    )
    def test_every_sender(self, door: Door, provider: str, write: Any) -> None:
        for key in ODD_KEYS:
            door.service.put(key)
            status, told = door.post(real(write(key)), f"/events/{provider}")
            assert status == 200
            assert told["Notices"] >= 1
        assert door.service.settled(len(ODD_KEYS)) == sorted(ODD_KEYS)

    def test_oss_in_base64(self, door: Door) -> None:
        door.service.put("a.mp4")
        body = base64.b64encode(json.dumps(real(oss("a.mp4"))).encode())
        assert door.sends(body, "/events/oss") == 200
        assert door.service.settled(1) == ["a.mp4"]

    def test_the_notices_are_in_the_store_when_the_answer_comes(self, make: Make) -> None:
        service = make(SERVICE + folder(events='"webhook"', settle=60)).start()
        with Door(service) as door:
            for number in range(20):
                assert door.post(real(eventbridge(f"{number}.mp4"))) == (200, {"Notices": 1})
                with closing(sqlite3.connect(service.home / "mediaflow.db")) as other:
                    (kept,) = other.execute("SELECT count(*) FROM arrivals").fetchone()
                assert kept == number + 1

    def test_replays_at_the_same_time(self, door: Door) -> None:
        door.service.put("a.mp4")
        body = real(minio("a.mp4"))
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: door.sends(body), range(100))) == {200}
        assert door.service.settled(1) == ["a.mp4"]
        assert door.sends(body) == 200
        assert door.service.settled(1) == ["a.mp4"]

    def test_many_senders_at_the_same_time(self, door: Door) -> None:
        keys = [f"{number:04}.mp4" for number in range(300)]
        for key in keys:
            door.service.put(key)
        with ThreadPoolExecutor(32) as pool:
            sent = pool.map(lambda key: door.sends(real(eventbridge(key))), keys)
            assert set(sent) == {200}
        assert door.service.settled(len(keys)) == keys

    def test_while_the_store_fails_the_sender_must_repeat(self, door: Door) -> None:
        door.service.put("a.mp4")
        body = real(minio("a.mp4"))
        with store_away(door.service):
            status, told = door.post(body)
            assert status == 503
            assert "Send them again" in told["Message"]
        assert door.sends(body) == 200
        assert door.service.settled(1) == ["a.mp4"]

    def test_lost_events_are_found_by_a_listing(self, door: Door) -> None:
        door.service.put("a.mp4")
        door.service.stop()
        door.service.start()
        assert door.service.settled(1) == ["a.mp4"]

    def test_other_buckets_and_keys_that_cannot_be_are_left_out(self, door: Door) -> None:
        assert door.post({"Records": [s3("a.mp4", bucket="other")]}) == (200, {"Notices": 0})
        for key in ("a\0b", "../../etc/passwd", "/abs", "a//b", "folder/", "\ud800", "x" * 1024):
            assert door.sends(real(eventbridge(key))) == 200
        assert door.sends(real({"Records": [s3("%ff.mp4")]})) == 200
        assert door.service.engine.store.arrivals.count() == 0

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"hello", 400),
            (b"[" * 500_000, 400),
            (b'{"hello": 1}', 400),
            (b"\xff\xfe", 400),
            (b"x" * ((1 << 20) + 1), 413),
        ],
        ids=["empty", "no-json", "deep", "another-shape", "no-text", "long"],
    )
    def test_what_cannot_be_understood(self, door: Door, body: bytes, status: int) -> None:
        answered, told = door.post(body)
        assert answered == status
        assert told["Message"].endswith(".")
        assert door.sends(real(minio())) == 200

    def test_the_longest_body(self, door: Door) -> None:
        body = json.dumps({"Records": []}).encode()
        assert door.sends(body + b" " * ((1 << 20) - len(body))) == 200

    def test_what_is_not_served(self, door: Door) -> None:
        status, told = door.post(minio(), "/events/azure")
        assert status == 404
        assert "minio" in told["Message"]
        assert door.sends(minio(), "/events/auto", method="GET") == 405
        assert door.sends(minio(), "/events") == 404

    def test_sns_asks_for_a_confirmation(
        self, door: Door, caplog: pytest.LogCaptureFixture
    ) -> None:
        visited: list[Any] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.5)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/?Token=x"
            body = {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "Message": "You"}
            assert door.post(body, "/events/sns") == (200, {"Notices": 0})
            with pytest.raises(TimeoutError):
                visited.append(listener.accept())
        assert url in caplog.text
        assert not visited


class TestToken:
    BODY: ClassVar[Any] = {"Records": []}

    def test_every_way_to_show_it(self, door: Door) -> None:
        assert door.sends(self.BODY) == 200
        assert door.sends(self.BODY, token="", Authorization=f"bearer  {TOKEN}") == 200
        assert door.sends(self.BODY, token="", **{"X-Token": TOKEN}) == 200
        query = urlencode({"token": TOKEN})
        assert door.sends(self.BODY, f"/events/auto?{query}", token="") == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": TOKEN},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": "Bearer "},
            {"X-Token": ""},
            {"X-Token": "\u00e9" * 18},
        ],
    )
    def test_without_it_nobody_may_send(self, door: Door, headers: dict[str, str]) -> None:
        status, told = door.post(self.BODY, token="", **headers)
        assert status == 401
        assert TOKEN not in told["Message"]
        assert door.sends(self.BODY, "/events/auto?token=", token="", **headers) == 401

    def test_it_is_in_no_log(self, door: Door, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        door.sends(b"hello", f"/events/auto?token={TOKEN}", token="")
        door.sends(self.BODY, token="wrong-but-secret")
        door.sends(b"hello", **{"X-Token": TOKEN})
        assert SERVER_OPTIONS["access_log"] is False  # pytest brings it back
        logged = [one for one in caplog.records if one.name != "uvicorn.access"]
        text = "\n".join(one.getMessage() for one in logged)
        assert "401" in text
        assert TOKEN not in text
        assert "wrong-but-secret" not in text

    def test_without_a_configured_one_only_this_machine_may_send(self, make: Make) -> None:
        with Door(make(folder(events='"webhook"')).start()) as door:
            assert door.sends(self.BODY, token="") == 200
            for headers in (
                {"Host": "mediaflow.example.com"},
                {"X-Forwarded-For": "10.0.0.1"},
                {"Origin": "https://example.com"},
            ):
                status, told = door.post(self.BODY, token="", **headers)
                assert status == 403
                assert "event_token" in told["Message"] or "Pages" in told["Message"]

    def test_no_bucket_wants_events_by_http(self, make: Make) -> None:
        service = make(SERVICE + folder(events='"poll"')).start()
        assert service.triggers and service.triggers.routes == []


# --- polling -----------------------------------------------------------------------------


class TestPolling:
    BUCKET = folder(events='"poll"') + "poll_seconds = 0.5\n"

    def test_objects_are_found_without_events(self, make: Make) -> None:
        service = make(self.BUCKET)
        service.put("old.mp4")
        os.utime(service.home / "uploads/old.mp4", (1, 1))
        service.start()
        for number in range(5):
            service.put(f"{number}.mp4")
            time.sleep(0.3)
        assert service.settled(5) == [f"{number}.mp4" for number in range(5)]

    def test_a_bucket_that_cannot_be_listed_for_a_while(self, make: Make) -> None:
        service = make(self.BUCKET).start()
        service.put("a.mp4")
        assert service.settled(1) == ["a.mp4"]
        (service.home / "uploads").rename(service.home / "away")
        wait(lambda: "uploads" in service.problem)
        (service.home / "away").rename(service.home / "uploads")
        service.put("b.mp4")
        assert service.settled(2) == ["a.mp4", "b.mp4"]
        wait(lambda: service.problem == "")

    def test_what_is_wrong_shows_as_soon_as_the_store_takes_it(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        service = make(self.BUCKET).start()
        with store_away(service, "listeners"):
            (service.home / "uploads").rename(service.home / "away")
            wait(lambda: "uploads" in service.problem)
            wait(lambda: "the record of a listener was not kept" in caplog.text)
        wait(lambda: "cannot be listed" in service.record().problem, 5)


# --- an object store ---------------------------------------------------------------------


class TestS3EndToEnd:
    """Objects, events and queue in one server; nothing lies in a folder."""

    @pytest.fixture
    def listen(
        self, make: Make, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[str], Service]:
        """Make a service whose bucket lies in the store."""
        monkeypatch.setenv("STORE_KEY", "test-access-key")
        monkeypatch.setenv("STORE_SECRET", "test")
        return lambda events: make(
            f'[buckets.uploads]\nurl = "s3://real-name"\nendpoint_url = "{cloud.endpoint}"\n'
            f'region = "{REGION}"\naddressing_style = "path"\nsettle_seconds = 0.2\n'
            'access_key_id_env = "STORE_KEY"\nsecret_access_key_env = "STORE_SECRET"\n'
            f"poll_seconds = 0.5\nevents = {events}\n"
        )

    def test_every_object_version_runs_once(self, listen: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        cloud.bucket_to_queue("real-name", url)
        service = listen(f'{{sqs = "{url}"}}')
        cloud.s3.put_object(Bucket="real-name", Key="before.mp4", Body=b"x")
        service.start()
        for key in ODD_KEYS:
            cloud.s3.put_object(Bucket="real-name", Key=key, Body=b"content")
        assert "before.mp4" in service.settled(len(ODD_KEYS) + 1)  # its event was in the queue
        assert service.runs() == sorted(["before.mp4", *ODD_KEYS])
        cloud.s3.put_object(Bucket="real-name", Key=ODD_KEYS[0], Body=b"another")
        assert service.settled(len(ODD_KEYS) + 2).count(ODD_KEYS[0]) == 2
        cloud.send(url, {"Records": [s3(quote_plus(ODD_KEYS[0]), bucket="real-name")] * 3})
        wait(lambda: not cloud.left(url))
        assert service.settled(0).count(ODD_KEYS[0]) == 2
        assert service.problem == ""

    def test_listed_keys_of_all_kinds(self, listen: Make, cloud: Cloud) -> None:
        cloud.bucket("real-name")
        service = listen('"poll"').start()
        good = ["a b.mp4", "a+b.mp4", "a%2Bb.mp4", "a%2F..%2Fb.mp4", "clip.mp4", "Clip.mp4"]
        good += ["\U0001f3ac.mp4", "x/" * 509 + "x.mp4"]
        assert len(good[-1]) == 1023
        bad = ["../up.mp4", "a/../../up.mp4", "/etc/passwd", "a//b.mp4", "a/./b.mp4", "folder/"]
        bad += ["nul\0.mp4", "tab\t.mp4", "x" * 256, "x" + good[-1], ".hidden.mp4", "a.part"]
        for key in (*bad, *good):
            cloud.s3.put_object(Bucket="real-name", Key=key, Body=b"content")
        there = cloud.s3.list_objects_v2(Bucket="real-name")["Contents"]
        assert {one["Key"] for one in there} == {*bad, *good}
        assert service.settled(len(good)) == sorted(good)
        assert service.problem == ""


# --- a listener of one's own -------------------------------------------------------------


def test_the_listener_of_the_documentation(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text()
    package = tmp_path / "site"
    info = package / "spool_listener-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spool-listener\nVersion: 1\n")
    point = text.split('[project.entry-points."mediaflow.triggers"]\n')[1].split("```")[0]
    (info / "entry_points.txt").write_text(f"[mediaflow.triggers]\n{point.replace(chr(34), '')}")
    code = text.split("```python\n")[1].split("```")[0]
    (package / "spool_listener.py").write_text(code)
    monkeypatch.syspath_prepend(package)
    monkeypatch.setitem(FACTORIES, "spool", load_factory("spool"))
    spool = tmp_path / "spool"
    service = make(folder(events=f'{{spool = "{spool}"}}')).start()
    wait(lambda: str(spool) in service.problem)
    spool.mkdir()
    wait(lambda: service.problem == "")
    for number in range(3):
        service.put(f"{number}.mp4")
        (spool / f"{number}.key").write_text(f"{number}.mp4\n")
    assert service.settled(3) == ["0.mp4", "1.mp4", "2.mp4"]
    wait(lambda: not list(spool.iterdir()))
