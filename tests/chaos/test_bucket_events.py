"""Objects land in a store while the process that takes them in is killed again and again.

Their events come by a queue: repeated, shuffled, late, too early, or not at all. In the end each
object has one run of the version that it has in the end, and none has two.
"""

import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.support.bucket_events import NAMES, UNLISTED, WAYS, Post, Writer, real_name
from tests.support.s3 import ENVIRONMENT, S3Server
from tests.support.sqs_server import create_queue, sqs_client
from tests.support.waiting import wait_for
from tests.support.watching import Process, engine, topology

#: the first one has no versions, the second one has; nobody lists the third one
BUCKETS = ("plain", "versions", UNLISTED)
WRITERS = 6
#: objects that land in each bucket, in each way, in how many seconds, and how often it is killed
QUICK = (11, 4, 3)
FULL = (40, 15, 7)
#: a process that is to die at a commit gets so many, at most
COMMITS = 25
#: seconds that a process gets to take something in
LIFE = 5.0

CONFIGURATION = """
[buckets.{bucket}]
url = "s3://{real_name}"
endpoint_url = "{endpoint}"
addressing_style = "path"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
settle_seconds = 0.3
events = {{sqs = "{queue}"}}
"""

#: bucket, key and version
Version = tuple[str, str, str]


class Cloud:
    """A store, a queue of its events, and the configuration that listens to them."""

    def __init__(self, home: Path, server: S3Server, queue_client: Any) -> None:
        self.server = server
        self.queue_client = queue_client
        self.queue = create_queue(queue_client, "events")
        self.config = home / "mediaflow.toml"
        self._database = home / "mediaflow.db"
        text = f'[store]\nurl = "sqlite:///{self._database}"\n'
        for bucket in BUCKETS:
            name = real_name(bucket)
            server.create(name)
            text += CONFIGURATION.format(
                bucket=bucket, real_name=name, endpoint=server.url, queue=self.queue
            )
        versioned = {"Bucket": real_name("versions")}
        with server.client() as client:
            client.put_bucket_versioning(**versioned, VersioningConfiguration={"Status": "Enabled"})
        self.config.write_text(text)
        self.engine = engine(self.config)
        for bucket in BUCKETS:
            self.engine.workflows.add(bucket, topology(bucket=bucket))

    def process(self, *death: str) -> Process:
        """The process that takes in what lands; `death` is the commit at which it dies."""
        return Process(sys.executable, "-m", "tests.support.bucket_events", self.config, *death)

    def listed(self) -> list[str]:
        """The buckets that were listed, each with the time of its last listing."""
        records = self.engine.store.listeners.all()
        return [f"{one.bucket} {one.last_reconcile}" for one in records if one.last_reconcile]

    def present(self) -> set[Version]:
        """The versions that lie in the store now."""
        with self.server.client() as client:
            return {
                (bucket, one["Key"], _version(client.head_object(Bucket=name, Key=one["Key"])))
                for bucket in BUCKETS
                for name in [real_name(bucket)]
                for page in client.get_paginator("list_objects_v2").paginate(Bucket=name)
                for one in page["Contents"]
            }

    def runs(self) -> Counter[Version]:
        """How many executions each version has."""
        records = self.engine.store.executions.newest(limit=100_000)
        return Counter((one.input.bucket, one.input.object, one.version) for one in records)

    def count(self, where: str = "true", *values: str) -> int:
        """How many executions there are."""
        with closing(sqlite3.connect(self._database)) as connection:
            query = f"SELECT count(*) FROM executions WHERE {where}"
            return connection.execute(query, values).fetchone()[0]

    def ran(self, bucket: str, key: str) -> bool:
        return self.count("bucket = ? AND object = ?", bucket, key) > 0

    def wait_for(self, wanted: set[Version]) -> None:
        """Wait until these have run, and neither a message nor an arrival is left."""
        deadline = time.monotonic() + 120
        while (found := (self._left(), sorted(wanted - self.runs().keys()))) != (0, []):
            assert time.monotonic() < deadline, found
            time.sleep(0.5)

    def _left(self) -> int:
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        answer = self.queue_client.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        return sum(map(int, answer["Attributes"].values())) + self.engine.store.arrivals.count()


def _version(head: Any) -> str:
    etag, seconds = head["ETag"].strip('"'), int(head["LastModified"].timestamp())
    return head.get("VersionId") or f"{etag}-{head['ContentLength']}-{seconds}"


@pytest.fixture
def cloud(
    tmp_path: Path,
    s3_servers: Callable[[str], S3Server],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    with closing(sqs_client(s3_servers("moto").url, monkeypatch)) as queues:
        made = Cloud(tmp_path, s3_servers("seaweedfs"), queues)
        with closing(made.engine):
            yield made


@pytest.mark.parametrize(
    ("share", "seconds", "kills"),
    [pytest.param(*QUICK, id="quick"), pytest.param(*FULL, marks=pytest.mark.long, id="full")],
)
def test_kill_9_while_uploads_are_told_of(cloud: Cloud, share: int, seconds: int, kills: int):
    process = cloud.process().start()
    wait_for(lambda: len(cloud.listed()) == len(BUCKETS) - 1)
    post = Post(cloud.queue_client, cloud.queue)
    writers: list[Writer] = []
    try:
        with cloud.server.client() as client:
            writers += [Writer(client, post, cloud.ran) for _ in range(WRITERS)]
            hand_out(writers, share, seconds)
            for thread in (post, *writers):
                thread.start()
            process = kill_again_and_again(cloud, process, kills)
            for writer in writers:
                writer.join(120)
            assert all(writer.done for writer in writers)
        for bucket, key in ((UNLISTED, "never/was.mp4"), (UNLISTED, "../a.mp4"), ("no", "a.mp4")):
            post.tell(bucket, key, "Put")
        post.close()
        present = cloud.present()
        cloud.wait_for({one for one in present if one[0] == UNLISTED})
        process.kill()
        before = cloud.listed()
        process = cloud.process().start()
        wait_for(lambda: not set(before) & set(cloud.listed()))  # finds what no event told of
        cloud.wait_for(present)
        time.sleep(1)  # for runs that there must not be
    finally:
        process.kill()
    assert post.dropped > 0
    compare(cloud, writers, present, share)


def hand_out(writers: list[Writer], share: int, seconds: int) -> None:
    """Give each writer its share of the uploads."""
    turn = cycle(writers)
    for way in WAYS:
        for bucket in BUCKETS:
            for number in range(share):
                name = f"{NAMES[number % len(NAMES)]}{number // len(NAMES)}"
                next(turn).add(way, bucket, f"{way}/{name}.mp4", random.uniform(0, seconds))


def kill_again_and_again(cloud: Cloud, process: Process, kills: int) -> Process:
    """Kill at any time, and have two of three die at a commit; return one that lives."""
    for number in range(kills):
        let_live(cloud, process)
        process.kill()
        death = (str(random.randint(1, COMMITS)), random.choice(("before", "after")))
        process = cloud.process(*(death if number % 3 else ())).start()
    let_live(cloud, process)
    process.kill()
    return cloud.process().start()


def let_live(cloud: Cloud, process: Process) -> None:
    """Return soon after a process has taken something in, or when it is dead."""
    before, until = cloud.count(), time.monotonic() + LIFE
    while cloud.count() == before and time.monotonic() < until and not process.dies(0.05):
        pass
    process.dies(random.uniform(0, 1))


def compare(cloud: Cloud, writers: list[Writer], present: set[Version], share: int) -> None:
    """Each object has one run of the version that it has now, and none of what never was."""
    written = {name: versions for one in writers for name, versions in one.written.items()}
    runs = cloud.runs()
    assert [one for one, count in runs.items() if count > 1] == []
    assert sorted(present - runs.keys()) == []
    strange = [
        (bucket, key, version)
        for bucket, key, version in runs
        if not {version, version.rpartition("-")[0]} & {*written.get((bucket, key), ())}
    ]
    assert strange == []
    objects = Counter((bucket, key) for bucket, key, _ in runs)
    assert {name: count for name, count in objects.items() if count > len(written[name])} == {}
    assert {name for name, versions in written.items() if versions} == objects.keys()
    assert [one for writer in writers for one in writer.early] == []
    assert len(objects) > 0.9 * share * len(BUCKETS) * len(WAYS)
