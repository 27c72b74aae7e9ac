"""Writing long objects of a store: all content lies there, in parts, before the object appears.

A multipart upload is invisible until it is completed. Each carries a token in its metadata: when
the answer to its completion is lost, the object itself tells whether it was made. `s3_put.py`
writes small files; copies of all sizes are made here.
"""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from workflow_engine.buckets.faults import LostHandleError
from workflow_engine.buckets.s3_client import ABSENT, Client
from workflow_engine.buckets.s3_read import Version, find
from workflow_engine.errors import InterruptedRunError, MediaflowError
from workflow_engine.records import Block, DigestSum

#: bytes of a part, as long as so many are enough
PART = 8 << 20
MAX_PARTS = 10_000
#: bytes of a part that the store copies by itself; more might outlast the wait for the answer
COPY_PART = 512 << 20
#: parts of one upload on their way at once
AT_ONCE = 4
#: bytes of all parts of a bucket that are in memory at once
MEMORY = 64 << 20

_MIB = 1 << 20
_TOKEN = "mediaflow-upload"

#: by extension; what browsers and players go by
_CONTENT_TYPES = {
    "aac": "audio/aac",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "gif": "image/gif",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "m4s": "video/iso.segment",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpd": "application/dash+xml",
    "ogg": "audio/ogg",
    "png": "image/png",
    "srt": "application/x-subrip",
    "ts": "video/mp2t",
    "vtt": "text/vtt",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}


def content_type(key: str) -> str:
    """Return the media type of an object by the extension of its key."""
    return _CONTENT_TYPES.get(key.rpartition(".")[2].lower(), "application/octet-stream")


def part_size(size: int, least: int = PART) -> int:
    """Return how long the parts of an object are, in bytes."""
    needed = -(-size // MAX_PARTS)
    return max(least, -(-needed // _MIB) * _MIB)


class Memory:
    """A limit on the bytes that uploads hold at once; a longer piece passes alone."""

    def __init__(self, limit: int = MEMORY) -> None:
        self._limit = limit
        self._used = 0
        self._freed = threading.Condition()

    def take(self, count: int) -> None:
        """Wait until there is room for so many bytes, and take it."""
        with self._freed:
            self._freed.wait_for(lambda: self._used == 0 or self._used + count <= self._limit)
            self._used += count

    def free(self, count: int) -> None:
        """Give back what was taken."""
        with self._freed:
            self._used -= count
            self._freed.notify_all()


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A multipart upload that was begun. Its `handle` is all that another process needs."""

    key: str
    token: str
    id: str

    @classmethod
    def begin(cls, client: Client, key: str, **more: str) -> "Upload":
        """Begin an upload; nothing is visible."""
        token = token_hex(8)
        answer = client.call(
            "create_multipart_upload",
            Key=key,
            ContentType=content_type(key),
            Metadata={_TOKEN: token},
            **more,
        )
        return cls(key=key, token=token, id=answer["UploadId"])

    @classmethod
    def of(cls, key: str, handle: str) -> "Upload":
        """Return the upload of a handle."""
        token, _, upload_id = handle.partition(":")
        return cls(key=key, token=token, id=upload_id)

    @property
    def handle(self) -> str:
        """Text that names the upload."""
        return f"{self.token}:{self.id}"

    @property
    def names(self) -> dict[str, str]:
        """The parameters that name it in calls."""
        return {"Key": self.key, "UploadId": self.id}

    def abort(self, client: Client) -> None:
        """Take away what was uploaded; a completed upload is not an upload any more."""
        client.call("abort_multipart_upload", none_for=("NoSuchUpload", *ABSENT), **self.names)

    def made(self, found: Version | None) -> bool:
        """Whether an object came from this upload."""
        return found is not None and found.metadata.get(_TOKEN) == self.token


class Writer:
    """Fills one upload and completes it."""

    def __init__(
        self, client: Client, upload: Upload, size: int, cancel: threading.Event | None = None
    ) -> None:
        self.upload = upload
        self._client = client
        self._size = size
        self._cancel = cancel
        self._etags: dict[int, str] = {}

    def fill(self, read: Callable[[int], Block], memory: Memory) -> None:
        """Upload the content, of which `read` returns the next bytes; as `Bucket.stage` does."""
        step = part_size(self._size)
        if self._size <= step:  # threads would cost more than they gain
            memory.take(self._size)
            try:
                return self._put(1, read(self._size))
            finally:
                memory.free(self._size)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3-write") as pool:
            under_way: set[Future[None]] = set()
            try:
                for number, start in enumerate(range(0, max(self._size, 1), step), 1):
                    count = min(step, self._size - start)
                    memory.take(count)
                    try:
                        future = pool.submit(self._put, number, read(count))
                    except BaseException:
                        memory.free(count)
                        raise
                    future.add_done_callback(lambda _, count=count: memory.free(count))
                    under_way.add(future)
                    if len(under_way) == AT_ONCE:
                        under_way = _progressed(under_way)
                while under_way:
                    under_way = _progressed(under_way)
            finally:
                pool.shutdown(cancel_futures=True)

    def copy(self, bucket: str, version: Version) -> None:
        """Let the store copy an object of the same size, where `copies` says that it does.

        Raises InvalidInputError when the object is another version by now.
        """
        step = part_size(self._size, COPY_PART)
        starts = range(0, self._size, step)

        def copied(number: int, start: int) -> None:
            self._require_going_on()
            last = min(start + step, self._size) - 1
            piece = (start, last) if len(starts) > 1 else None
            self._etags[number] = _copy_part(
                self._client, self.upload, number, bucket, version, piece
            )

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3-copy") as pool:
            list(pool.map(copied, range(1, len(starts) + 1), starts))
        if not self.is_filled():
            raise self._lost()

    def is_filled(self) -> bool:
        """Whether the store has all bytes of the content, in parts that `publish` then joins."""
        self._etags, size = {}, 0
        for part in _stored(self._client, self.upload):
            self._etags[part["PartNumber"]] = part["ETag"]
            size += part["Size"]
        return bool(self._etags) and size == self._size

    def publish(self) -> str:
        """See `Staged.publish`."""
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in sorted(self._etags.items())]
        answer = self._client.call(
            "complete_multipart_upload",
            none_for=("NoSuchUpload",),
            MultipartUpload={"Parts": parts},
            **self.upload.names,
        )
        found = find(self._client, self.upload.key)
        if self.upload.made(found):
            assert found is not None
            if found.size == self._size:
                return found.info.version
        elif answer is not None:
            return ""  # replaced since
        raise self._lost()

    def discard(self) -> None:
        """See `Staged.discard`."""
        self.upload.abort(self._client)

    def _put(self, number: int, part: Block) -> None:
        self._require_going_on()
        md5 = hashlib.md5(part, usedforsecurity=False).digest()
        answer = self._client.call(
            "upload_part",
            none_for=("NoSuchUpload",),
            PartNumber=number,
            Body=part,
            ContentMD5=base64.b64encode(md5).decode(),  # the store compares what arrives
            **self.upload.names,
        )
        if answer is None:
            raise self._lost()
        self._etags[number] = answer["ETag"]

    def _lost(self) -> LostHandleError:
        return LostHandleError(self._client.name, self.upload.key)

    def _require_going_on(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise InterruptedRunError()


class Stream:
    """Reads so and so many bytes of content that comes in blocks, and computes its SHA-256."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")
        self.total = DigestSum(md5=False)

    def read(self, count: int) -> Block:
        """Return the next bytes, fewer only at the end."""
        part = bytearray()
        while len(part) < count:
            if not self._rest:
                block = next(self._blocks, b"")
                if not block:
                    break
                self._rest = memoryview(block)
            piece = self._rest[: count - len(part)]
            part += piece
            self._rest = self._rest[len(piece) :]
        self.total.update(part)
        return part


def copies(client: Client, key: str, bucket: str, version: Version) -> bool:
    """Tell whether a store copies parts of objects, by copying a little that never appears.

    Some servers take the call for an upload and store a part of no bytes.
    """
    upload = Upload.begin(client, key)
    try:
        # Amazon copies pieces of long objects only
        count = 1 if version.size > PART else version.size
        piece = (0, 0) if version.size > PART else None
        if not _copy_part(client, upload, 1, bucket, version, piece):
            return False
        return sum(part["Size"] for part in _stored(client, upload)) == count
    finally:
        with suppress(MediaflowError):
            upload.abort(client)


def _stored(client: Client, upload: Upload) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of an upload that the store has; nothing when it knows no such upload."""
    more: dict[str, Any] = {}
    while True:
        page = client.call("list_parts", none_for=("NoSuchUpload",), **upload.names, **more)
        if page is None:
            return
        yield from page.get("Parts", [])
        if not page.get("IsTruncated"):
            return
        more = {"PartNumberMarker": page["NextPartNumberMarker"]}


def _copy_part(
    client: Client,
    upload: Upload,
    number: int,
    bucket: str,
    version: Version,
    piece: tuple[int, int] | None,
) -> str:
    """Copy the bytes from the first to the last of a piece, or all; return the ETag, if any."""
    source = {"Bucket": bucket, "Key": version.key}
    if version.version_id:
        source["VersionId"] = version.version_id
    answer = client.call(
        "upload_part_copy",
        none_for=("NotImplemented",),
        PartNumber=number,
        CopySource=source,
        CopySourceIfMatch=version.raw_etag,
        **({"CopySourceRange": "bytes={}-{}".format(*piece)} if piece else {}),
        **upload.names,
    )
    return "" if answer is None else answer["CopyPartResult"].get("ETag", "")


def _progressed(under_way: set[Future[None]]) -> set[Future[None]]:
    """Wait for one of some parts and return the others; raises what it raised."""
    done, rest = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return rest
