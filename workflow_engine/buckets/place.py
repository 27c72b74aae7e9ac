"""Where a recorded object lies, whatever kind of bucket that is."""

from dataclasses import dataclass
from threading import Event

from workflow_engine.buckets.interface import Bucket, ObjectInfo
from workflow_engine.records import Digests, DigestSum


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An object by the place that records name; `Buckets.at` makes one."""

    bucket: Bucket
    key: str

    def head(self) -> ObjectInfo | None:
        """See `Bucket.head`."""
        return self.bucket.head(self.key)

    def digests(self, *, version: str = "", cancel: Event | None = None) -> Digests:
        """Read the object whole, return its digests without MD5; raises as `Bucket.fetch`."""
        total = DigestSum(md5=False)
        for block in self.bucket.read(self.key, version=version, cancel=cancel):
            total.update(block)
        return total.result()

    def content(self) -> bytes:
        """Return the content of a small object; raises as `Bucket.fetch` does."""
        return b"".join(self.bucket.read(self.key))

    def __str__(self) -> str:
        """The place as records name it."""
        return self.bucket.place(self.key)
