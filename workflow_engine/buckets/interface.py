"""What every bucket can do. Keys are object keys as they are, not URL-encoded.

Each method raises InvalidInputError (`InvalidParameter.ObjectKeyInvalid`) for a key that
`placeholders.check_key` refuses, InvalidInputError (`PermissionDenied.ResourceAccess`) where the
storage refuses, and MediaflowError when it fails, `transient` where that may pass. Those that take
long end with InterruptedRunError soon after their `cancel` was set.

Content is staged under a handle, then published. A handle names what may be left when a process
is killed in between: `sweep` takes that away. That of a file that stays where it was made until it
is published is made by `file_handle`: whoever keeps that place keeps the file (`handle_file`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Protocol

from workflow_engine.records import Block, Digests, DigestSum


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectInfo:
    """An object as it stands. `size` is in bytes; `version` is opaque and changes with it.

    The version of a local object is its size and mtime_ns, that of an object in a store its
    version id, else ETag, size and LastModified (decision 12); listings know no version
    ids, so `head` has the last word. `etag` is in lower case, without quotes, empty for files.
    `fingerprint` is that of a file, empty for objects of a store: while it stays, so does the
    content. Another one says nothing: a chmod or a remount changes it, too.
    """

    key: str
    size: int
    version: str
    modified: datetime
    etag: str = ""
    fingerprint: str = field(default="", compare=False)


_FILE = "file:"


def file_handle(file: Path) -> str:
    """Return the handle of content that stays in a file until it is published."""
    return f"{_FILE}{file.absolute()}"


def handle_file(handle: str) -> Path | None:
    """Return the file that a handle names, None where the content lies in the storage."""
    return Path(handle.removeprefix(_FILE)) if handle.startswith(_FILE) else None


class Staged(Protocol):
    """Content that is ready to be published, and has no name yet."""

    def publish(self) -> str:
        """Give it its name: readers see the old object or the whole new one, never a part.

        Returns the version of what was published, empty where versions say nothing about
        content (folders), where the ETag is its MD5, or when somebody else has written there
        since.
        """
        ...

    def discard(self) -> None:
        """Take it away again."""
        ...


class Bucket(Protocol):
    """A place for objects; see the module docstring for what every method raises."""

    @property
    def name(self) -> str:
        """The name that topologies use."""
        ...

    @property
    def remote(self) -> bool:
        """Whether each call is a round trip, and equal versions mean equal content."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Return what lies under a key, None where nothing does."""
        ...

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with `prefix`, in the order of their keys.

        Those up to `start_after` are left out, like files that are not finished (hidden ones and
        `*.part`) and objects whose key `check_key` refuses.
        """
        ...

    def settled(self, key: str) -> bool | None:
        """Whether nobody is writing the object; True where objects appear whole.

        None where the storage cannot tell (network mounts, files of others): only a version that
        stays the same says more then.
        """
        ...

    def place(self, key: str) -> str:
        """Return where the object lies or would lie: an absolute path, or `s3://NAME/KEY`."""
        ...

    def identity(self, key: str) -> str:
        """Return text that is equal for the same object under whatever name it is reached."""
        ...

    def read(
        self,
        key: str,
        *,
        version: str = "",
        span: range | None = None,
        cancel: Event | None = None,
    ) -> Iterator[Block]:
        """Yield the content of an object, or a span of its bytes; raises as `fetch` does."""
        ...

    def fetch(
        self, key: str, target: Path, *, version: str = "", cancel: Event | None = None
    ) -> Digests | None:
        """Make the object readable at `target`, a path that is free; by a link where possible.

        Returns the digests when the content was read on the way. Raises InvalidInputError when
        there is no object (`InvalidParameter.ResourceNotFound`), or another version than the one
        that is asked for (`InvalidParameter.ResourceContentBad`).
        """
        ...

    def reserve(self, key: str, file: Path | None = None) -> str:
        """Return a new handle for content that is to be staged; nothing is visible.

        `file` is what `stage` will bring, where that is a file that nobody changes.
        """
        ...

    def stage(
        self, source: Path, key: str, handle: str = "", *, cancel: Event | None = None
    ) -> Staged:
        """Bring a finished file to the storage, invisible until `Staged.publish`.

        The file is moved where that is possible, so `source` may be gone afterwards. `handle`
        is one of `reserve`; what a failed call leaves under it is for the next one, or for
        `sweep`. Raises MediaflowError (`NoSpace`) when the storage is full, and
        `faults.LostHandleError` when the storage does not know the handle any more.
        """
        ...

    def staged(
        self, key: str, handle: str, digests: Digests, *, cancel: Event | None = None
    ) -> Staged | None:
        """Return what a killed process staged under a handle, None unless all of it is there."""
        ...

    def stage_copy(
        self,
        origin: "Place",
        key: str,
        digests: Digests,
        handle: str = "",
        *,
        known: str = "",
        cancel: Event | None = None,
    ) -> Staged:
        """Bring a copy of what lies at `origin` to the storage, as `stage` does.

        `known` is the version of the origin that is known to have these digests; without it the
        content is read and compared. Raises InvalidInputError when nothing lies there
        (`InvalidParameter.ResourceNotFound`) or something else
        (`InvalidParameter.ResourceContentBad`).
        """
        ...

    def sweep(self, key: str, handle: str) -> None:
        """Take away what a killed process left under a handle; a published object stays."""
        ...

    def set_access(self, keys: Sequence[str], published: bool) -> None:
        """Let objects be read as their bucket allows (true), or by its owner only (false).

        Nothing happens where single objects have no access rules (decision 17).
        """
        ...


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
