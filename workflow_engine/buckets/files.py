"""File operations behind local buckets: what survives a crash, and what never shows half.

A name appears only after the bytes behind it are on the disk, and is itself on the disk when
the operation returns.
"""

import errno
import fcntl
import logging
import os
import secrets
import shutil
import signal
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import BinaryIO

from workflow_engine.errors import InterruptedRunError
from workflow_engine.records import Block, Digests, DigestSum

log = logging.getLogger(__name__)

#: characters of the object's name in a temporary name, far below the limit of 255 bytes
_TEMPORARY_NAME = 40
#: bytes that are read at once
BLOCK = 1 << 20
#: file systems that refuse leases by EAGAIN, too, when nobody writes: their server lent none
_LENT = frozenset({"nfs", "nfs4", "cifs", "smb3"})
#: file systems that other machines, or programs, keep: the times of their files are theirs
_KEPT_ELSEWHERE = _LENT | {"9p", "afs", "ceph", "glusterfs", "lustre", "smbfs", "virtiofs"}
_MOUNTS = Path("/proc/self/mountinfo")


def hidden_name(path: Path) -> str:
    """Return a new name for what is to become `path`, hidden beside it."""
    # cut by characters so that even four-byte ones stay below the limit of 255 bytes
    return f".{path.name[:_TEMPORARY_NAME]}.{secrets.token_hex(8)}.part"


def stage_move(source: Path, hidden: Path) -> bool:
    """Move a file to its hidden name; False when only a copy can. Raises OSError."""
    if source.is_symlink():  # the link would be moved, not the file
        return False
    _sync(source)
    try:
        os.replace(source, hidden)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def stage_copy(source: Path, hidden: Path) -> None:
    """Copy a file to its hidden name, onto the disk. Raises OSError."""
    with _whole(hidden):
        shutil.copyfile(source, hidden)


def stage_blocks(blocks: Iterable[Block], hidden: Path) -> Digests:
    """Write blocks under a hidden name, onto the disk, and return their digests without MD5.

    Raises OSError, and what the blocks raise.
    """
    total = DigestSum(md5=False)
    with _whole(hidden), hidden.open("wb") as file:
        for block in blocks:
            total.update(block)
            file.write(block)
    return total.result()


def write_at(file: BinaryIO, start: int, block: Block) -> None:
    """Write a block into an open file; from any thread. Raises OSError."""
    rest = memoryview(block)
    while rest:
        written = os.pwrite(file.fileno(), rest, start)
        rest, start = rest[written:], start + written


def blocks_at(file: BinaryIO, start: int, end: int) -> Iterator[Block]:
    """Yield what an open file holds from a place on. Raises OSError."""
    while start < end and (block := os.pread(file.fileno(), min(BLOCK, end - start), start)):
        yield block
        start += len(block)


@contextmanager
def _whole(hidden: Path) -> Generator[None]:
    """Bring the file to the disk at the end, or leave none."""
    try:
        yield
        _sync(hidden)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def sweep(path: Path, hidden: str) -> None:
    """Remove what lies under a name of `hidden_name`, if anything does. Raises OSError."""
    if hidden.startswith(".") and hidden.endswith(".part") and "/" not in hidden:
        path.with_name(hidden).unlink(missing_ok=True)


def read_blocks(
    path: Path, cancel: Event | None = None, span: range | None = None
) -> Generator[Block]:
    """Yield the content of a file, or a span of it. Raises OSError and InterruptedRunError."""
    start, end = (span.start, span.stop) if span is not None else (0, sys.maxsize)
    with path.open("rb", buffering=0) as file:
        for block in blocks_at(file, start, end):
            if cancel is not None and cancel.is_set():
                raise InterruptedRunError()
            yield block


def make_folder(folder: Path) -> None:
    """Create a folder and its parents. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def _sync(path: Path) -> None:
    # read-only is enough for fsync, and works for folders and files that are not writable
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk. Raises OSError."""
    try:
        _sync(folder)
    except OSError as error:
        # some network file systems sync folders by themselves and refuse to be asked
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def is_settled(path: Path | str) -> bool | None:
    """Whether no process has the file open for writing; None where nobody can tell.

    Asked for by a read lease. The kernel grants them on local file systems, to the owner of the
    file and to CAP_LEASE.
    """
    if sys.platform != "linux":
        return None
    try:
        # does not wait for whoever holds a lease, which is a file server that lets a client write
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    try:
        # who opens the file for writing then sends a signal; the default one would kill us
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        writer = error.errno == errno.EAGAIN and _file_system(descriptor) not in _LENT
        return False if writer else None
    finally:
        os.close(descriptor)
    return True


def times_of_another_clock(folder: Path) -> bool:
    """Whether the times of files in a folder may come from the clock of another machine."""
    if sys.platform != "linux":
        return False
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        kind = _file_system(descriptor)
    finally:
        os.close(descriptor)
    return kind in _KEPT_ELSEWHERE or kind.startswith("fuse.")


def _file_system(descriptor: int) -> str:
    """Return the kind of file system that an open file lies in, empty when that is not known."""
    device = os.fstat(descriptor).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        mount, _, rest = line.partition(" - ")
        if mount.split(" ")[2] == number:
            return rest.split(" ")[0]
    return ""


def has_link(root: Path, key: str) -> bool:
    """Whether a part of the path from `root` to a key may be a symbolic link."""
    path = os.fspath(root)
    for part in key.split("/"):
        path = f"{path}/{part}"
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        if stat.S_ISLNK(mode):
            return True
    return False


def walk(root: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield key and entry of every finished file whose key starts with `prefix`, by key."""
    stack = [_entries(root, "")]  # not recursive: a tree may be deeper than Python's stack
    while stack:
        for key, entry in stack[-1]:
            if not key.endswith("/"):
                if key.startswith(prefix):
                    yield key, entry
            elif key.startswith(prefix) or prefix.startswith(key):
                stack.append(_entries(Path(entry.path), key))
                break
        else:
            stack.pop()


def _entries(folder: Path, base: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield what a folder holds, keys below `base`; those of folders end with a slash."""
    try:
        with os.scandir(folder) as scan:
            found = [(e.name + "/" * e.is_dir(follow_symlinks=False), e) for e in scan]
    except FileNotFoundError:
        return  # taken away since its parent was read
    except OSError as error:
        log.warning('The folder "%s" cannot be listed: %s.', folder, error.strerror)
        return
    for name, entry in sorted(found, key=lambda pair: pair[0]):
        if not name.startswith(".") and not name.endswith(".part"):
            yield base + name, entry
