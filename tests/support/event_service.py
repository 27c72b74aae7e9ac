"""Triggers with real senders, for the tests of events.

The objects lie in a folder, whose bucket is called as the one in the events; queues and their
events come from a real server.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.sqs_server import REGION, create_queue, sqs_client
from tests.support.waiting import wait_for
from tests.support.watching import TICK, topology
from triggers.listener import ListenerFactory
from triggers.polling import PollListener
from triggers.service import Triggers
from triggers.sqs import SqsListener
from triggers.webhook import WebhookListener
from workflow_engine.engine import Engine
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import ListenerRecord
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
        time.sleep(TICK)
        self.triggers = Triggers(self.engine, factories=FACTORIES)
        self.triggers.start()
        wanted = [name for name, one in self.engine.settings.buckets.items() if one.events]
        wait_for(lambda: all(self.record(name).last_reconcile for name in wanted))
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
        records = self.engine.store.executions.newest(limit=100_000)
        return sorted(record.input.object for record in records)

    def settled(self, count: int) -> list[str]:
        """Wait for so many runs and for nothing to be waiting; return what ran."""
        wait_for(lambda: len(self.runs()) >= count and not self.engine.store.arrivals.count())
        time.sleep(0.5)
        return self.runs()


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


Make = Callable[[str], Service]
