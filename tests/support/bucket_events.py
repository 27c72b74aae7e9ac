"""Uploads to a store, the events that S3 would send of them, and a process that takes them in.

    python -m tests.support.bucket_events mediaflow.toml [COMMIT before|after]

is that process; it dies by itself at its nth commit. See `test_bucket_events.py`.
"""

import heapq
import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from tests.support.commits import die_at
from tests.support.watching import watch
from triggers import sqs
from triggers.listener import ListenerContext, ListenerReport
from triggers.sqs import SqsListener

#: a bucket that is never listed: only events tell what landed there
UNLISTED = "told"
#: share of the uploads to other buckets that no event tells of
DROPPED = 0.1
#: bytes of all parts of an upload but the last, at least
PART = 5 << 20
#: beginnings of names: some are told apart only by who decodes them rightly, or by case
NAMES = (
    "clip",
    "a b ",
    "1+1",
    "1%2B1",
    "1%252B1",
    "1 1",
    "50%25 & =?#",
    "\u00fc \U0001f3ac",
    "case",
    "Case",
    "deep/er/and/deep/er/",
)


class Post(threading.Thread):
    """Sends events as on a bad day: each one to four times, shuffled, late, and some never."""

    def __init__(self, client: Any, url: str) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._url = url
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._numbers = itertools.count()
        self._closing = False
        self.dropped = 0

    def tell(self, bucket: str, key: str, kind: str, **told: Any) -> None:
        """Send the event of an upload, perhaps; `told` is what S3 says of the object."""
        if bucket != UNLISTED and random.random() < DROPPED:
            self.dropped += 1
            return
        event = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": datetime.now().isoformat() + "Z",
            "eventName": f"ObjectCreated:{kind}",
            "s3": {
                "bucket": {"name": real_name(bucket)},
                "object": {
                    "key": quote_plus(key),
                    "sequencer": f"{next(self._numbers):018X}",
                    **told,
                },
            },
        }
        with self._lock:
            self._waiting += [event] * random.randint(1, 4)

    def close(self) -> None:
        """Send what is left."""
        self._closing = True
        self.join()

    def run(self) -> None:
        while not self._closing or self._waiting:
            time.sleep(0.1)
            with self._lock:
                random.shuffle(self._waiting)
                going = [self._waiting.pop() for _ in range((len(self._waiting) + 1) // 2)]
            messages: list[Any] = []
            while going:
                count = random.randint(1, 20)
                messages.append({"Records": going[:count]})
                del going[:count]
            for first in range(0, len(messages), 10):
                self._send(messages[first : first + 10])

    def _send(self, messages: Iterable[Any]) -> None:
        entries = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(message),
                "DelaySeconds": random.choice((0, 0, 0, 1, 2, 4)),
            }
            for number, message in enumerate(messages)
        ]
        answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        assert not answer.get("Failed"), answer


class Writer(threading.Thread):
    """Uploads objects, each in one of `WAYS`, many of them at the same time.

    `ran` says whether a key has runs. `written` gets what each answer said of a version: its
    version id, or ETag and size; `early` the objects that ran before they were there.
    """

    def __init__(self, client: Any, post: Post, ran: Callable[[str, str], bool]) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._post = post
        self._ran = ran
        self._uploads: list[tuple[float, str, Generator[float]]] = []
        self.written: dict[tuple[str, str], list[str]] = {}
        self.early: list[tuple[str, str]] = []
        self.done = False

    def add(self, way: str, bucket: str, key: str, seconds: float) -> None:
        """Begin an upload so many seconds after the start."""
        self.written[bucket, key] = []
        self._uploads.append((seconds, f"{bucket} {key}", WAYS[way](self, bucket, key)))

    def run(self) -> None:
        began = time.monotonic()
        heapq.heapify(self._uploads)
        while self._uploads:
            due, name, upload = heapq.heappop(self._uploads)
            time.sleep(max(0.0, began + due - time.monotonic()))
            for pause in itertools.islice(upload, 1):
                heapq.heappush(self._uploads, (due + pause, name, upload))
        self.done = True

    # --- the ways: each yields the seconds until it goes on ------------------------------

    def single(self, bucket: str, key: str) -> Generator[float]:
        self._put(bucket, key, _content())
        yield 0

    def thrice(self, bucket: str, key: str) -> Generator[float]:
        """Three versions; the last one may be the first one again."""
        first = _content()
        # a listing cannot tell versions of one content and second, whatever their ids
        again = first if bucket != "versions" and random.random() < 0.3 else _content()
        for content in (first, _content(), again):
            self._put(bucket, key, content)
            yield random.choice((0.0, 0.3, 1.0, 2.0))

    def early_told(self, bucket: str, key: str) -> Generator[float]:
        """An event comes seconds before the object."""
        self._post.tell(bucket, key, "Put", size=1)
        yield random.uniform(1, 4)
        self._require_nothing(bucket, key)
        self._put(bucket, key, _content())

    def copied(self, bucket: str, key: str) -> Generator[float]:
        """The store makes the object from another one."""
        origin = {"Bucket": "test-other", "Key": f"origin of {bucket}/{key}"}
        self._client.put_object(**origin, Body=_content())
        yield 0.1
        answer = self._client.copy_object(Bucket=real_name(bucket), Key=key, CopySource=origin)
        size = self._client.head_object(**origin)["ContentLength"]
        self._landed(bucket, key, "Copy", size, answer | answer["CopyObjectResult"])

    def parts(self, bucket: str, key: str) -> Generator[float]:
        """A multipart upload that lies open for a while; one in ten is never completed."""
        content = [b"x" * PART, _content()] if random.random() < 0.1 else [_content()]
        upload = {"Bucket": real_name(bucket), "Key": key}
        upload["UploadId"] = self._client.create_multipart_upload(**upload)["UploadId"]
        made: list[Any] = []
        for number, part in enumerate(content, 1):
            yield random.uniform(0.1, 3)
            answer = self._client.upload_part(**upload, PartNumber=number, Body=part)
            made.append({"PartNumber": number, "ETag": answer["ETag"]})
            self._post.tell(bucket, key, "Put", size=len(part))  # what no store should say
        yield random.uniform(0.1, 3)
        self._require_nothing(bucket, key)
        if random.random() < 0.1:
            return
        answer = self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": made})
        self._landed(bucket, key, "CompleteMultipartUpload", sum(map(len, content)), answer)

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        answer = self._client.put_object(Bucket=real_name(bucket), Key=key, Body=content)
        self._landed(bucket, key, "Put", len(content), answer)

    def _landed(self, bucket: str, key: str, kind: str, size: int, answer: Any) -> None:
        etag, version_id = answer["ETag"].strip('"'), answer.get("VersionId")
        self.written[bucket, key].append(version_id or f"{etag}-{size}")
        told = {"versionId": version_id} if version_id else {}
        self._post.tell(bucket, key, kind, size=size, eTag=etag, **told)

    def _require_nothing(self, bucket: str, key: str) -> None:
        if self._ran(bucket, key):
            self.early.append((bucket, key))


WAYS = {
    "single": Writer.single,
    "thrice": Writer.thrice,
    "early": Writer.early_told,
    "copied": Writer.copied,
    "parts": Writer.parts,
}


def real_name(bucket: str) -> str:
    """What the store calls a bucket."""
    return f"events-{bucket}"


def _content() -> bytes:
    return random.randbytes(random.randint(1, 3000))


# --- the process -----------------------------------------------------------------------------


class _Unlisting:
    """The report of a listener whose bucket is not to be listed."""

    def __init__(self, report: ListenerReport) -> None:
        self.heard = report.heard
        self.problem = report.problem

    def listening(self) -> None: ...

    def reconcile(self) -> None: ...


def _listener(context: ListenerContext) -> SqsListener:
    buckets = [
        replace(bucket, report=_Unlisting(bucket.report)) if bucket.name == UNLISTED else bucket
        for bucket in context.buckets
    ]
    return SqsListener(replace(context, buckets=buckets))


def main() -> None:
    sqs.WAIT_SECONDS, sqs.HIDDEN_SECONDS = 2, 4  # so that messages of the dead come again soon
    config, *death = sys.argv[1:]

    def began() -> None:
        if death:
            die_at(int(death[0]), after=death[1] == "after")

    watch(Path(config), {"sqs": _listener}, began)


if __name__ == "__main__":
    main()
