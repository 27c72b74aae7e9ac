"""Reading objects of a store: pinned to one version, in order, and on after a broken connection.

Parts are fetched ahead by a few threads, so that a distant store is read faster than by one
connection. Whoever reads blocks has as many parts in memory; to a file the threads write by
themselves, and hold a block each. Every answer must be of the version that is read: not all
servers obey If-Match.
"""

import re
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from workflow_engine.buckets import files
from workflow_engine.buckets.faults import changed
from workflow_engine.buckets.interface import ObjectInfo
from workflow_engine.buckets.s3_client import ABSENT, Client
from workflow_engine.errors import Code, InterruptedRunError, InvalidInputError
from workflow_engine.records import Block, Digests, DigestSum

#: bytes of one request
PART = 8 << 20
#: bytes of one request for a file: longer ones cost less, as long as each thread has several
FILE_PART = 32 << 20
#: parts that are fetched while one is used
AHEAD = 4
#: broken connections in a row, without a byte in between
ATTEMPTS = 6
#: before the second attempt, in seconds; doubled for each one after it
FIRST_PAUSE = 0.5

_T = TypeVar("_T")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of an object: what to ask the store for, and what its answers must be."""

    key: str
    size: int
    raw_etag: str  # as the store wrote it: some compare If-Match by letters
    version_id: str
    modified: datetime
    md5: str  # of the content, empty where the ETag does not tell
    metadata: Mapping[str, str]

    @classmethod
    def of(cls, key: str, answer: Mapping[str, Any], size: int | None = None) -> "Version":
        """Return what an answer to HEAD or GET tells of the object."""
        etag = normal_etag(answer.get("ETag", ""))
        headers: Mapping[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        # with a key of its own, and for objects that are appended to, an ETag only looks like MD5
        plain = answer.get("ServerSideEncryption") in (None, "AES256")
        plain &= "SSECustomerAlgorithm" not in answer
        plain &= headers.get("x-oss-object-type", "Normal") == "Normal"
        version_id = answer.get("VersionId", "")
        return cls(
            key=key,
            size=answer["ContentLength"] if size is None else size,
            raw_etag=answer.get("ETag", ""),
            version_id="" if version_id == "null" else version_id,
            modified=answer["LastModified"],
            md5=etag if plain and _MD5.fullmatch(etag) else "",
            metadata={k.lower(): v for k, v in answer.get("Metadata", {}).items()},
        )

    @property
    def info(self) -> ObjectInfo:
        """The object as users of buckets see it."""
        return object_info(self.key, self.size, self.raw_etag, self.modified, self.version_id)

    def conditions(self) -> dict[str, str]:
        """The parameters that ask for this version only."""
        given = {"IfMatch": self.raw_etag, "VersionId": self.version_id}
        return {name: value for name, value in given.items() if value}


def object_info(
    key: str, size: int, etag: str, modified: datetime, version_id: str = ""
) -> ObjectInfo:
    """Return an object as users of buckets see it (decision 12)."""
    etag = normal_etag(etag)
    # whole seconds: listings are more exact than headers
    version = version_id or f"{etag}-{size}-{int(modified.timestamp())}"
    return ObjectInfo(key=key, size=size, version=version, modified=modified, etag=etag)


def normal_etag(etag: str) -> str:
    """Return an ETag in lower case, without quotes."""
    return etag.strip('"').lower()


def find(client: Client, key: str) -> Version | None:
    """Return the version that lies under a key now, None where nothing does.

    Raises InvalidInputError for a store that cannot tell versions: two of one size and second.
    """
    answer = client.call("head_object", none_for=ABSENT, Key=key)
    if answer is None:
        return None
    found = Version.of(key, answer)
    if not (found.info.etag or found.version_id):
        raise InvalidInputError(
            Code.NOT_SUPPORTED,
            f'The store of the bucket "{client.name}" gives "{key}" neither an ETag nor a version '
            "id, so that changes could not be noticed.",
            remedy="Let the store compute ETags (of rclone: --etag-hash).",
        )
    return found


class ObjectReader:
    """Reads one version of an object of a bucket."""

    def __init__(
        self, client: Client, version: Version, cancel: threading.Event | None = None
    ) -> None:
        self._client = client
        self._version = version
        self._cancel = cancel
        self._over = threading.Event()

    def blocks(self, span: range | None = None) -> Generator[Block]:
        """Yield the content, or a span of it, in order; raises as `Bucket.fetch` does."""
        whole = range(self._version.size) if span is None else span
        for part in self._parts(PART, whole, lambda start, end: list(self._range(start, end))):
            yield from part

    def save(self, path: Path) -> Digests:
        """Write the content to a new file and return its digests, MD5 where the ETag tells it.

        Raises OSError, and as `Bucket.fetch` does.
        """
        total = DigestSum(md5=bool(self._version.md5))
        with path.open("w+b", buffering=0) as file:

            def write(start: int, end: int) -> tuple[int, int]:
                at = start
                for block in self._range(start, end):
                    files.write_at(file, at, block)
                    at += len(block)
                return start, end

            step = min(max(PART, self._version.size // (4 * AHEAD)), FILE_PART)
            for start, end in self._parts(step, range(self._version.size), write):
                for block in files.blocks_at(file, start, end):  # the page cache has them
                    total.update(block)
        return total.result()

    def _parts(self, step: int, span: range, fetch: Callable[[int, int], _T]) -> Generator[_T]:
        """Fetch the parts of a span ahead, each from byte to byte, and yield them in order."""
        pending = deque[Future[_T]]()
        pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="s3-read")
        try:
            for start in range(span.start, span.stop, step):
                pending.append(pool.submit(fetch, start, min(start + step, span.stop)))
                if len(pending) > AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            self._over.set()
            pool.shutdown(cancel_futures=True)

    def _range(self, start: int, end: int) -> Generator[bytes]:
        """Yield a part in blocks, going on where a connection broke."""
        from botocore.exceptions import BotoCoreError

        failures = 0
        while start < end:
            try:
                with closing(self._open(start, end - 1)) as body:
                    while start < end:
                        self._require_going_on()
                        block = body.read(min(files.BLOCK, end - start))
                        if not block:
                            raise ConnectionError("the body ended early")
                        start += len(block)
                        failures = 0
                        yield block
            except (BotoCoreError, OSError) as error:
                failures += 1
                if failures == ATTEMPTS:
                    raise self._client.failure(error, self._version.key) from error
                self._over.wait(FIRST_PAUSE * 2 ** (failures - 1))

    def _open(self, first: int, last: int) -> Any:
        """Return the body of a range of the version. Raises InvalidInputError for another one."""
        version = self._version
        answer = self._client.call(
            "get_object", Key=version.key, Range=f"bytes={first}-{last}", **version.conditions()
        )
        # the answer to a range says what the whole is; some servers send it with status 200
        told = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
        begin, size = map(int, told.groups()) if told else (0, answer["ContentLength"])
        found = Version.of(version.key, answer, size)
        if begin != first or found.info.version != version.info.version:
            answer["Body"].close()
            raise changed(self._client.name, version.key)
        return answer["Body"]

    def _require_going_on(self) -> None:
        if self._over.is_set() or (self._cancel is not None and self._cancel.is_set()):
            raise InterruptedRunError()
