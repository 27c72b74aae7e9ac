"""Messages into a file, one JSON document per line, whole however many processes write.

The file is opened for each message, so that it may be moved away at any time.
"""

import fcntl
import os
from pathlib import Path

from workflow_engine.buckets.files import sync_folder
from workflow_engine.messages.receivers import DeliveryError
from workflow_engine.records.catalog import MessageRecord


class JsonLines:
    """Appends messages to a file; folder and file are created."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: MessageRecord) -> None:
        """Append the message and bring it to the disk. Raises DeliveryError."""
        try:
            self._append(message.body.encode() + b"\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise DeliveryError(f'The file "{self._path}" cannot be written: {reason}.') from error

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                line = b"\n" + line  # a full disk cut off the line before
            while line:
                line = line[os.write(file, line) :]
            os.fsync(file)
            if not size:
                sync_folder(self._path.parent)
        finally:
            os.close(file)
