"""File operations behind local buckets: what survives a crash, and what never shows half.

A name appears only after the bytes behind it are on the disk, and is itself on the disk when
the operation returns.
"""

import errno
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

#: characters of the object's name in a temporary name, far below the limit of 255 bytes
_TEMPORARY_NAME = 40


def stage_move(source: Path, path: Path) -> Path | None:
    """Move a file to a hidden name beside `path`; None when only a copy can. Raises OSError."""
    if source.is_symlink():  # the link would be moved, not the file
        return None
    _sync(source)
    hidden = _hidden_name(path)
    try:
        os.replace(source, hidden)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return None
        raise
    return hidden


def stage_copy(source: Path, path: Path) -> Path:
    """Copy a file to a hidden name beside `path`, onto the disk. Raises OSError."""
    hidden = _hidden_name(path)
    try:
        shutil.copyfile(source, hidden)
        _sync(hidden)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return hidden


def publish(hidden: Path, path: Path) -> None:
    """Give a staged file its name, on the disk. Raises OSError."""
    os.replace(hidden, path)
    sync_folder(path.parent)


def _hidden_name(path: Path) -> Path:
    # cut by characters so that even four-byte ones stay below the limit of 255 bytes
    return path.with_name(f".{path.name[:_TEMPORARY_NAME]}.{secrets.token_hex(8)}.part")


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
