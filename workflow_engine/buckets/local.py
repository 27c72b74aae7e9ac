"""Buckets that are folders, and the bucket of one file that `run FILE` reads from.

Object keys become paths under the folder; no key and no symbolic link leads out of it (bucket
facts, "URLs and keys"). A published object was written beside its place, or moved there, and is
on the disk before its name is.
"""

import errno
import logging
import os
import posixpath
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from workflow_engine.buckets import files
from workflow_engine.buckets.faults import changed, not_found, other_content
from workflow_engine.buckets.interface import ObjectInfo, Place
from workflow_engine.buckets.mounts import Mounts
from workflow_engine.errors import Code, InvalidInputError, file_error
from workflow_engine.records import Block, Digests, DigestSum
from workflow_engine.topology.placeholders import check_key

log = logging.getLogger(__name__)

#: the last second of year 9999: file systems may hold later times than `datetime` can
_LAST_SECOND = 253402300799.0


class LocalBucket:
    """A bucket in a folder, which appears with the first object.

    Nothing is found, and nothing appears, while the file system of the folder is not mounted.
    """

    remote = False

    def __init__(self, name: str, root: Path, mounts: Mounts | None = None) -> None:
        self.name = name
        self.root = root.absolute()
        self._mounts = mounts or Mounts()

    def head(self, key: str) -> ObjectInfo | None:
        """See `Bucket.head`. Folders, pipes and devices are no objects."""
        self._require_mounted()
        return _head(self.name, key, self.place(key))

    def _require_mounted(self) -> None:
        self._mounts.require(self.name, self.root)
        self._mounts.found(self.root)

    def settled(self, key: str) -> bool | None:
        """See `Bucket.settled`: no process has the file open for writing."""
        return files.is_settled(self.place(key))

    def place(self, key: str) -> str:
        """See `Bucket.place`: the last part of the path may be a link that stays in the bucket."""
        check_key(key)
        if files.has_link(self.root, key):
            root = os.path.realpath(self.root)
            if os.path.commonpath((root, os.path.realpath(self.root / key))) != root:
                raise InvalidInputError(
                    Code.OBJECT_KEY,
                    f'The object key "{key}" leads out of the bucket "{self.name}" by a symbolic '
                    "link.",
                    remedy="Remove the link, or make its target a bucket of its own.",
                )
        return os.path.join(self.root, key)

    def identity(self, key: str) -> str:
        """See `Bucket.identity`."""
        return os.path.realpath(self._path(key))

    def read(
        self,
        key: str,
        *,
        version: str = "",
        span: range | None = None,
        cancel: Event | None = None,
    ) -> Iterator[Block]:
        """See `Bucket.read`."""
        return _read(self, self._path(key), key, version, span, cancel)

    def fetch(
        self, key: str, target: Path, *, version: str = "", cancel: Event | None = None
    ) -> None:
        """See `Bucket.fetch`: a symbolic link to the file itself."""
        _fetch(self, self._path(key), key, target, version)

    def reserve(self, key: str, file: Path | None = None) -> str:
        """See `Bucket.reserve`: a hidden name beside the object."""
        return files.hidden_name(self._path(key))

    def stage(
        self, source: Path, key: str, handle: str = "", *, cancel: Event | None = None
    ) -> "StagedFile":
        """See `Bucket.stage`: a move on the same file system, else a copy beside the place."""
        staged = self._staged(key, handle)
        with self.changing(key):
            self._prepare(staged.path)
            if not files.stage_move(source, staged.hidden):
                files.stage_copy(source, staged.hidden)
                source.unlink()
        return staged

    def staged(
        self, key: str, handle: str, digests: Digests, *, cancel: Event | None = None
    ) -> "StagedFile | None":
        """See `Bucket.staged`: the hidden file is read."""
        staged = self._staged(key, handle)
        total = DigestSum(md5=False)
        with self.changing(key):
            try:
                for block in files.read_blocks(staged.hidden, cancel):
                    total.update(block)
            except FileNotFoundError:
                return None
        return staged if total.result() == digests else None

    def stage_copy(
        self,
        origin: Place,
        key: str,
        digests: Digests,
        handle: str = "",
        *,
        known: str = "",
        cancel: Event | None = None,
    ) -> "StagedFile":
        """See `Bucket.stage_copy`; what was written is compared, whatever is known."""
        staged = self._staged(key, handle)
        blocks = origin.bucket.read(origin.key, version=known, cancel=cancel)
        with self.changing(key):
            self._prepare(staged.path)
            found = files.stage_blocks(blocks, staged.hidden)
        if found != digests:
            staged.discard()
            raise other_content(origin)
        return staged

    def sweep(self, key: str, handle: str) -> None:
        """See `Bucket.sweep`."""
        with self.changing(key):
            files.sweep(self._path(key), handle)

    def set_access(self, keys: Sequence[str], published: bool) -> None:
        """See `Bucket.set_access`: nothing happens."""

    def _staged(self, key: str, handle: str) -> "StagedFile":
        path = self._path(key)
        return StagedFile(self, key, path.with_name(handle or files.hidden_name(path)), path)

    def _prepare(self, path: Path) -> None:
        """Make the folder; refuse a folder in the object's place before anything is written."""
        files.make_folder(path.parent)
        self._mounts.found(path.parent)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        """See `Bucket.list`.

        Links to folders are not followed; links out of the bucket, unreadable files and names
        that no key can have are left out.

        Raises InvalidInputError when the folder is missing: an unmounted disk is not empty.
        """
        self._require_mounted()
        if not self.root.is_dir():
            raise InvalidInputError(
                Code.RESOURCE_ACCESS,
                f'The folder "{self.root}" of the bucket "{self.name}" does not exist.',
                remedy="Create or mount it, or correct the path of the bucket.",
            )
        for key, entry in files.walk(self.root, prefix):
            if key <= start_after:
                continue
            try:
                check_key(key)
                path = self.place(key) if entry.is_symlink() else entry.path
                info = _head(self.name, key, path)
            except InvalidInputError as error:
                log.debug("not listed: %s", error)
                continue
            if info is not None:
                yield info

    def _path(self, key: str) -> Path:
        return Path(self.place(key))

    @contextmanager
    def changing(self, key: str) -> Generator[None]:
        """Turn what the file system says while an object changes into errors of the bucket."""
        self._mounts.require(self.name, self.root / key)
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            path = self.root / key
            there = next(p for p in (path, *path.parents) if p.exists())
            raise InvalidInputError(
                Code.OBJECT_KEY,
                f'The object key "{key}" cannot be used in the bucket "{self.name}": "{there}" is '
                + ("a folder." if there.is_dir() else "a file."),
                remedy="Give the output another name.",
            ) from error
        except OSError as error:
            raise file_error(
                error,
                f'The object "{key}" of the bucket "{self.name}" cannot be changed',
                check=f'Check the folder "{self.root}" and its permissions.',
                room=f'Make room on the disk of "{self.root}".',
            ) from error


class StagedFile:
    """A hidden file beside the place where it will appear."""

    def __init__(self, bucket: LocalBucket, key: str, hidden: Path, path: Path) -> None:
        self._bucket = bucket
        self._key = key
        self._named = False
        self.hidden = hidden
        self.path = path

    def publish(self) -> str:
        """See `Staged.publish`."""
        with self._bucket.changing(self._key):
            if not self._named:  # the name may have been given, but not brought to the disk
                os.replace(self.hidden, self.path)
                self._named = True
            files.sync_folder(self.path.parent)
        return ""

    def discard(self) -> None:
        """See `Staged.discard`."""
        self.hidden.unlink(missing_ok=True)


class SingleFileBucket:
    """A bucket with one object, which is a file anywhere; it can only be read."""

    remote = False

    def __init__(self, name: str, key: str, path: Path, mounts: Mounts | None = None) -> None:
        check_key(key)
        self.name = name
        self._key = key
        self._path = path.absolute()
        self._mounts = mounts or Mounts()

    def beside(self, name: str) -> "SingleFileBucket":
        """Return the bucket of another file, by its name relative to the folder of this one.

        Raises InvalidInputError for one that a symbolic link takes out of that folder.
        """
        key = posixpath.join(posixpath.dirname(self._key), name)
        check_key(key)
        folder = self._path.parent
        root, path = os.path.realpath(folder), os.path.realpath(folder / name)
        if os.path.commonpath((root, path)) != root:
            raise InvalidInputError(
                Code.OBJECT_KEY,
                f'The file "{folder / name}" leads out of its folder by a symbolic link.',
                remedy="Put the file itself there.",
            )
        return SingleFileBucket(self.name, key, folder / name, self._mounts)

    def head(self, key: str) -> ObjectInfo | None:
        """See `Bucket.head`."""
        check_key(key)
        self._mounts.require(self.name, self._path)
        return _head(self.name, key, self._path) if key == self._key else None

    def settled(self, key: str) -> bool | None:
        """See `Bucket.settled`."""
        check_key(key)
        return files.is_settled(self._path)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        """See `Bucket.list`."""
        wanted = self._key.startswith(prefix) and self._key > start_after
        info = self.head(self._key) if wanted else None
        if info is not None:
            yield info

    def place(self, key: str) -> str:
        """See `Bucket.place`; for the one key only."""
        if key != self._key:
            raise self._refused(key)
        return str(self._path)

    def identity(self, key: str) -> str:
        """See `Bucket.identity`; for the one key only."""
        return os.path.realpath(self.place(key))

    def read(
        self,
        key: str,
        *,
        version: str = "",
        span: range | None = None,
        cancel: Event | None = None,
    ) -> Iterator[Block]:
        """See `Bucket.read`."""
        return _read(self, self._path, key, version, span, cancel)

    def fetch(
        self, key: str, target: Path, *, version: str = "", cancel: Event | None = None
    ) -> None:
        """See `Bucket.fetch`: a symbolic link to the file."""
        _fetch(self, self._path, key, target, version)

    def reserve(self, key: str, file: Path | None = None) -> str:
        """Refuse: raises InvalidInputError."""
        raise self._refused(key)

    def stage(
        self, source: Path, key: str, handle: str = "", *, cancel: Event | None = None
    ) -> StagedFile:
        """Refuse: raises InvalidInputError."""
        raise self._refused(key)

    def staged(
        self, key: str, handle: str, digests: Digests, *, cancel: Event | None = None
    ) -> StagedFile | None:
        """Refuse: raises InvalidInputError."""
        raise self._refused(key)

    def stage_copy(
        self,
        origin: Place,
        key: str,
        digests: Digests,
        handle: str = "",
        *,
        known: str = "",
        cancel: Event | None = None,
    ) -> StagedFile:
        """Refuse: raises InvalidInputError."""
        raise self._refused(key)

    def sweep(self, key: str, handle: str) -> None:
        """See `Bucket.sweep`: takes away what was staged beside the file."""
        files.sweep(self._path, handle)

    def set_access(self, keys: Sequence[str], published: bool) -> None:
        """See `Bucket.set_access`: nothing happens."""

    def _refused(self, key: str) -> InvalidInputError:
        return InvalidInputError(
            Code.RESOURCE_ACCESS,
            f'The bucket "{self.name}" holds only the input "{self._key}" and cannot take "{key}".',
            remedy="Write the outputs to another bucket.",
        )


def _head(bucket: str, key: str, path: Path | str) -> ObjectInfo | None:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return None
        effective = os.access in os.supports_effective_ids
        if not os.access(path, os.R_OK, effective_ids=effective):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise file_error(
            error,
            f'The object "{key}" of the bucket "{bucket}" cannot be read',
            check=f'Make "{path}" readable for the user that runs mediaflow.',
            room="",
        ) from error
    return ObjectInfo(
        key=key,
        size=found.st_size,
        version=f"{found.st_size}-{found.st_mtime_ns}",
        modified=datetime.fromtimestamp(min(found.st_mtime, _LAST_SECOND), UTC),
        fingerprint=f"{found.st_ctime_ns}-{found.st_ino}",
    )


def _read(
    bucket: LocalBucket | SingleFileBucket,
    path: Path,
    key: str,
    version: str,
    span: range | None,
    cancel: Event | None,
) -> Iterator[Block]:
    _require(bucket, key, version)
    try:
        yield from files.read_blocks(path, cancel, span)
    except FileNotFoundError:  # it has just gone
        raise not_found(bucket.name, key) from None
    except OSError as error:
        raise file_error(
            error,
            f'The object "{key}" of the bucket "{bucket.name}" cannot be read',
            check=f'Check "{path}", its disk and its permissions.',
            room="",
        ) from error
    if version:
        _require(bucket, key, version)


def _fetch(
    bucket: LocalBucket | SingleFileBucket, path: Path, key: str, target: Path, version: str
) -> None:
    _require(bucket, key, version)
    target.symlink_to(os.path.realpath(path))


def _require(bucket: LocalBucket | SingleFileBucket, key: str, version: str) -> None:
    found = bucket.head(key)
    if found is None:
        raise not_found(bucket.name, key)
    if version and found.version != version:
        raise changed(bucket.name, key)
