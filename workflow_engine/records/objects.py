"""Objects in buckets: their names, their digests, and what was published.

`Digests.of` is the one place here that reads a file.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: a JSON value
Json = Any

#: bytes from which on a second thread makes digests faster
_WORTH_A_THREAD = 1 << 18

#: a piece of a file
Block = bytes | bytearray | memoryview


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectRef:
    """An object in a bucket. `object` is the key as it is, not URL-encoded."""

    bucket: str
    object: str
    location: str = ""

    def to_wire(self) -> dict[str, str]:
        """The `{Bucket, Location, Object}` of the API."""
        return {"Bucket": self.bucket, "Location": self.location, "Object": self.object}


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """Size in bytes and checksums of a file, lower-case hexadecimal.

    SHA-256 tells contents apart. MD5, which takes more than twice as long, is for those who name
    or check objects by it: it is empty where nobody does, and not compared.
    """

    size: int
    sha256: str
    md5: str = field(default="", compare=False)

    @classmethod
    def of(cls, path: Path) -> "Digests":
        """Read a file once, in blocks of 1 MiB, and return both digests. Raises OSError."""
        total = DigestSum(md5=True)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
        return total.result()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadContent:
    """What was read last at a place: the version and, of a file, its fingerprint then."""

    version: str
    fingerprint: str
    digests: Digests


def content_version(version: str, content: Digests) -> str:
    """Return the version of a file whose size and time are those of one with other content.

    >>> content_version("3-17", Digests(size=3, sha256="ba7816bf8f01cfea414140de5dae2223"))
    '3-17-ba7816bf8f01cfea'
    """
    return f"{version}-{content.sha256[:16]}"


class DigestSum:
    """Computes the digests of content that comes in blocks, both at the same time.

    MD5 only when it is asked for.
    """

    def __init__(self, *, md5: bool) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._thread: ThreadPoolExecutor | None = None  # ends with this object

    def update(self, block: Block) -> None:
        """Take the next block."""
        self._size += len(block)
        if self._md5 is None or len(block) < _WORTH_A_THREAD:
            self._sha256.update(block)
            if self._md5 is not None:
                self._md5.update(block)
            return
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="md5")
        other = self._thread.submit(self._md5.update, block)
        self._sha256.update(block)
        other.result()

    def result(self) -> Digests:
        """Return the digests of all blocks so far."""
        md5 = self._md5.hexdigest() if self._md5 is not None else ""
        return Digests(size=self._size, sha256=self._sha256.hexdigest(), md5=md5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A published object.

    `place` is where it lies: an absolute path, or a URL. `media` is what a probe of the file
    said (the Properties of specification, mediainfo, 2), empty for what is not media. `streams` are
    the keys of the elementary streams that others can be made of; it is found by the first.
    """

    ref: ObjectRef
    place: str
    digests: Digests
    media: Mapping[str, Json] = field(default_factory=dict[str, Json])
    streams: tuple[str, ...] = ()

    def to_wire(self) -> dict[str, Json]:
        """The extension object of `run --json`: Bucket, Object, Path or URL, Size, ETag."""
        kind = "Path" if self.place.startswith("/") else "URL"
        return {
            "Bucket": self.ref.bucket,
            "Object": self.ref.object,
            kind: self.place,
            "Size": self.digests.size,
            "ETag": self.digests.md5,
        }
