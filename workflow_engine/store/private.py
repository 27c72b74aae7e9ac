"""Folders and files that only the user who runs mediaflow may read, whatever the umask is.

What exists already is closed to everybody else, too. A mode that lets the group in but not
everybody (0750, 0640) was set on purpose, for backups say, and stays.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

_FOLDER = 0o700
_FILE = 0o600


def private_folder(folder: Path) -> None:
    """Create a folder where it is missing. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(_FOLDER)


def close_folder(folder: Path) -> None:
    """Close a folder of our own to others; one that is missing, or shared as /tmp is, stays."""
    _close(folder, _FOLDER)


def private_file(file: Path) -> None:
    """Create an empty file where it is missing, and close it to others. Raises OSError."""
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE))
    close_file(file)


def close_file(file: Path) -> None:
    """Close a file of our own to others, where there is one."""
    _close(file, _FILE)


def _close(path: Path, mode: int) -> None:
    with suppress(OSError):
        found = path.stat()
        shared = found.st_mode & stat.S_ISVTX or found.st_uid != os.geteuid()
        if found.st_mode & stat.S_IRWXO and not shared:
            path.chmod(mode)
