"""What every bucket can do. Keys are object keys as they are, not URL-encoded.

Each method raises InvalidInputError (`InvalidParameter.ObjectKeyInvalid`) for a key that
`placeholders.check_key` refuses, and MediaflowError when the storage fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from workflow_engine.records import Digests


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectInfo:
    """An object as it stands. `size` is in bytes; `version` is opaque and changes with it.

    The version of a local object is its size and mtime_ns (design, decision 12).
    """

    key: str
    size: int
    version: str
    modified: datetime


class Staged(Protocol):
    """Content that lies in the storage and has no name yet."""

    def digests(self) -> Digests:
        """Return the digests of what was stored, read back."""
        ...

    def publish(self) -> None:
        """Give it its name: readers see the old object or the whole new one, never a part."""
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

    def head(self, key: str) -> ObjectInfo | None:
        """Return what lies under a key, None where nothing does.

        Raises InvalidInputError (`PermissionDenied.ResourceAccess`) when it cannot be read.
        """
        ...

    def place(self, key: str) -> str:
        """Return the absolute path or the URL where the object lies or would lie."""
        ...

    def fetch(self, key: str, target: Path) -> None:
        """Make the object readable at `target`, a path that is free, by a link where possible.

        Raises InvalidInputError (`InvalidParameter.ResourceNotFound`) when there is no object.
        """
        ...

    def stage(self, source: Path, key: str) -> Staged:
        """Bring a finished file to the storage, invisible until `Staged.publish`.

        The file is moved where that is possible, so `source` may be gone afterwards. Raises
        MediaflowError (`NoSpace`) when the storage is full; nothing is left behind then.
        """
        ...

    def stage_copy(self, place: str, key: str) -> Staged:
        """Bring a copy of what lies at a `place` to the storage, as `stage` does.

        Raises InvalidInputError (`InvalidParameter.ResourceNotFound`) when nothing lies there.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with `prefix`, in the order of their keys.

        Hidden files and `*.part`, which are not finished, are left out.
        """
        ...
