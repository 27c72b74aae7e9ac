"""Events from queues: whatever a sender does, each object runs once."""

import json
import logging
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from moto.server import ThreadedMotoServer

from tests.support.event_service import ODD_KEYS, Cloud, Make, Service, folder, store_away
from tests.support.sqs_server import create_queue, sqs_client
from tests.support.waiting import wait_for
from tests.unit.test_events import s3
from triggers import sqs


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
        wait_for(lambda: not cloud.left(url))
        assert service.problem == ""
        wait_for(lambda: service.record().seen == len(keys))
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
        wait_for(lambda: not cloud.left(url))
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
        wait_for(lambda: not cloud.left(url))
        assert service.settled(len(keys)) == sorted(keys)

    def test_an_event_before_its_object(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        cloud.send(url, {"Records": [record("later.mp4")]})
        wait_for(lambda: service.record().seen == 1)
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
        wait_for(lambda: len(deletions) == 3)
        wait_for(lambda: not cloud.left(url))
        assert service.settled(1) == ["a.mp4"]

    def test_nothing_is_deleted_while_the_store_fails(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        service = make(folder(url)).start()
        with store_away(service):
            service.put("a.mp4")
            cloud.send(url, {"Records": [record("a.mp4")]})
            wait_for(lambda: "cannot be kept" in service.problem)
            time.sleep(1.5)
            assert cloud.left(url) == 1
        assert service.settled(1) == ["a.mp4"]
        wait_for(lambda: not cloud.left(url))
        wait_for(lambda: service.problem == "")

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
        wait_for(lambda: cloud.left(dead) == 3)
        assert cloud.left(url) == 0
        for message in sent:
            assert caplog.text.count(f'the message "{message}"') == 1
        assert "cannot be read: 3" in service.problem
        wait_for(lambda: "cannot be read: 3" in service.record().problem)

    def test_a_message_that_cannot_be_read_in_a_fifo_queue(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue("events.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        service = make(folder(url)).start()
        service.put("a.mp4")
        cloud.send(url, "hello", MessageGroupId="g")
        cloud.send(url, {"Records": [record("a.mp4")]}, MessageGroupId="g")
        assert service.settled(1) == ["a.mp4"]
        wait_for(lambda: not cloud.left(url))

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
        wait_for(lambda: service.record("second").seen == 1 and service.record().seen == 1)
        wait_for(lambda: service.engine.store.intake.known("second", ["b.mp4"]))
        assert service.settled(1) == ["a.mp4"]
        wait_for(lambda: not cloud.left(url))

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
        wait_for(lambda: not cloud.left(url))
        assert service.problem == ""

    def test_a_queue_that_does_not_exist_yet(self, make: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        cloud.sqs.delete_queue(QueueUrl=url)
        service = make(folder(url)).start()
        wait_for(lambda: "does not exist" in service.problem)
        assert url in service.problem
        wait_for(lambda: "does not exist" in service.record().problem)
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
        wait_for(lambda: "cannot be reached" in service.problem)
        server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        server.start()
        try:
            service.put("a.mp4")
            url = create_queue(client, "events")
            client.send_message(
                QueueUrl=url, MessageBody=json.dumps({"Records": [record("a.mp4")]})
            )
            assert service.settled(1) == ["a.mp4"]
            wait_for(lambda: service.problem == "")
        finally:
            server.stop()
        wait_for(lambda: "cannot be reached" in service.problem)

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
        wait_for(lambda: "credentials" in service.problem)

    @pytest.mark.parametrize("url", ["events", "arn:aws:sqs:eu-west-1:1:events", "http://["])
    def test_a_url_that_is_none(self, make: Make, cloud: Cloud, url: str) -> None:
        service = make(folder(url)).start()
        wait_for(lambda: url in service.problem)

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
        answer = wait_for(
            lambda: cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
        )
        assert json.loads(answer[0]["Body"])["Records"]
        assert service.engine.store.arrivals.count() == 0
        wait_for(lambda: "sqs" not in [thread.name for thread in threading.enumerate()])


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
