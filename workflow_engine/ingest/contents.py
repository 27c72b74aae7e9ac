"""Reads what lies under a key where its version does not say enough.

The version of a file is its size and time (decision 12), and another file that is renamed
over it may have both. Such content, told by the file's fingerprint and then by reading it, is a
version of its own, `content_version`. What nobody has read yet is not told apart: whoever reads it
first reads what lies there then.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workflow_engine.buckets import Bucket, LocalBucket, ObjectInfo
from workflow_engine.buckets.files import times_of_another_clock
from workflow_engine.errors import MediaflowError
from workflow_engine.records import Digests, ReadContent, content_version
from workflow_engine.store import Store

log = logging.getLogger(__name__)

#: bytes that are read on the spot
_READ_AT_ONCE = 64 << 20
#: contents that were read in the background and that nobody has asked for again
_MOST_KEPT = 100
#: files of a page that one listing has compared, about: after a restore all have another inode
MOST_REPLACED = 200


class ContentReader:
    """Reads contents, large ones in the background, one at a time; thread-safe."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for what must be downloaded."""
        self._folder = folder
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._found: dict[tuple[str, str, str], Digests] = {}

    def digests(self, bucket: Bucket, info: ObjectInfo, *, wait: bool = False) -> Digests | None:
        """Return the digests of an object version.

        None when it cannot be read, or is being read, which takes long: ask again later, or `wait`.
        """
        if wait or info.size <= _READ_AT_ONCE:
            return self._read(bucket, info)
        one = (bucket.place(info.key), info.version, info.fingerprint)
        with self._lock:
            if one in self._found:
                return self._found.pop(one)
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(
                    target=self._keep, args=(one, bucket, info), name="contents", daemon=True
                )
                self._reading.start()
        return None

    def _keep(self, one: tuple[str, str, str], bucket: Bucket, info: ObjectInfo) -> None:
        found = self._read(bucket, info)
        if found is None:
            return
        with self._lock:
            while len(self._found) >= _MOST_KEPT:
                del self._found[next(iter(self._found))]
            self._found[one] = found

    def _read(self, bucket: Bucket, info: ObjectInfo) -> Digests | None:
        try:
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                file = Path(folder) / "object"
                found = bucket.fetch(info.key, file) or Digests.of(file)
            now = bucket.head(info.key)
        except (MediaflowError, OSError) as error:
            log.warning('the object "%s" of "%s" cannot be read: %s', info.key, bucket.name, error)
            return None
        # not the versions: that of a file may be the one of its content
        if now is None or replace(now, version="") != replace(info, version=""):
            return None
        return found if now.fingerprint == info.fingerprint else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A file that was looked at: `info` has the version of its content, `read` what was read."""

    info: ObjectInfo
    read: Digests | None = None


class Contents:
    """Tells the files that were taken from others under the same versions."""

    def __init__(self, store: Store, reader: ContentReader) -> None:
        self._store = store
        self._reader = reader

    def replaced(self, bucket: Bucket, page: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        """Return some files of a listing that are others than those that were read, by inode.

        Nothing is known of object stores, and inodes mean nothing where others keep the files.
        """
        if not isinstance(bucket, LocalBucket) or times_of_another_clock(bucket.root):
            return []
        last = self._store.digests.last_read([_place(bucket, info.key) for info in page])
        found = (info for info in page if _is_another(info, last.get(_place(bucket, info.key))))
        return [info for info, _ in zip(found, range(MOST_REPLACED), strict=False)]

    def seen(self, bucket: Bucket, info: ObjectInfo) -> Seen | None:
        """Return a file with the version of its content; None while that is read.

        Its own version stays where the content is the one that was read under it.
        """
        if not isinstance(bucket, LocalBucket):
            return Seen(info=info)
        last = self._store.digests.last_read([_place(bucket, info.key)])
        before = last.get(_place(bucket, info.key))
        if before is None or before.version != info.version or not before.fingerprint:
            return Seen(info=info)
        if before.fingerprint == info.fingerprint:
            return Seen(info=info)
        read = self._reader.digests(bucket, info)
        if read is None:
            return None
        if read != before.digests:
            info = replace(info, version=content_version(info.version, read))
        return Seen(info=info, read=read)

    def keep(self, bucket: Bucket, version: str, seen: Seen) -> None:
        """Remember what was read under a version, once what it means is in the store."""
        if seen.read is not None:
            place, fingerprint = bucket.place(seen.info.key), seen.info.fingerprint
            self._store.digests.save(place, version, seen.read, fingerprint)


def _place(bucket: LocalBucket, key: str) -> str:
    return os.path.join(bucket.root, key)


def _is_another(info: ObjectInfo, before: ReadContent | None) -> bool:
    if before is None or before.version != info.version or not before.fingerprint:
        return False
    return _inode(before.fingerprint) != _inode(info.fingerprint)


def _inode(fingerprint: str) -> str:
    return fingerprint.rpartition("-")[2]
