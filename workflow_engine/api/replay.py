"""Nonces that were used, kept in files so that no restart forgets them.

A nonce counts until its request would be refused for its age. Nonces live in slices of time,
one file of digests each; a slice whose time is over is deleted as a whole. Processes
that share the folder see each other's nonces. A digest is written before its request is
answered, so it survives the death of the process; it is not synced, so not always a power cut.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workflow_engine.api.limits import ThrottledError
from workflow_engine.api.signing import CLOCK_WINDOW
from workflow_engine.errors import Code, SettingsError
from workflow_engine.private import private_folder

_DIGEST = 16  # bytes of a nonce's digest
_SUFFIX = ".nonces"
#: digests in memory, about 100 bytes each; more calls than that are refused, not forgotten
MOST_NONCES = 1_000_000


class Nonces:
    """The nonces of all access keys. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        most: int = MOST_NONCES,
    ) -> None:
        """Read what is left in the folder, which is created where missing.

        Raises SettingsError when it cannot be used.
        """
        self._folder = folder
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._slices: dict[int, _Slice] = {}
        try:
            private_folder(folder.parent)
            private_folder(folder)
            self._forget(self._first())
            for file in folder.glob(f"*{_SUFFIX}"):
                if file.stem.isdecimal():
                    self._slice(int(file.stem))
        except OSError as error:
            raise SettingsError(
                Code.RESOURCE_ACCESS,
                f'The folder "{folder}" of used nonces cannot be used: {error.strerror}.',
                remedy="Make it writable, or set MEDIAFLOW_DATA to another folder.",
            ) from error

    def use(self, access_key_id: str, nonce: str, signed_at: float) -> bool:
        """Take a nonce; False when it was taken before. Raises OSError when it cannot be kept.

        Raises ThrottledError when there are too many to remember.
        """
        digest = hashlib.sha256(f"{access_key_id}\0{nonce}".encode()).digest()[:_DIGEST]
        number = int(signed_at + CLOCK_WINDOW) // CLOCK_WINDOW
        with self._lock:
            first = self._first()
            self._forget(first)
            # a clock that was set forward in the meantime must not bring a slice back
            if number < first:
                return False
            taken = self._slice(number).take(digest, full=len(self) >= self._most)
        if taken is None:
            raise ThrottledError(1.0, "More calls came than nonces can be remembered.")
        return taken

    def __len__(self) -> int:
        return sum(len(one.seen) for one in self._slices.values())

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for one in self._slices.values():
                one.close()
            self._slices.clear()

    def _first(self) -> int:
        """Return the number of the oldest slice whose time is not over."""
        return int(self._clock()) // CLOCK_WINDOW

    def _slice(self, number: int) -> "_Slice":
        found = self._slices.get(number)
        if found is None:
            found = self._slices[number] = _Slice(self._folder / f"{number}{_SUFFIX}")
        return found

    def _forget(self, first: int) -> None:
        old = [number for number in self._slices if number < first]
        for number in old:
            self._slices.pop(number).close()
        if old or not self._slices:
            for file in self._folder.glob(f"*{_SUFFIX}"):
                if file.stem.isdecimal() and int(file.stem) < first:
                    file.unlink(missing_ok=True)


class _Slice:
    """The digests of one file, a line each; other processes may add to it, too.

    Nobody locks: whoever appends a line looks at what was appended before it. A line that was
    not written whole, as on a full disk, becomes the beginning of the next one.
    """

    def __init__(self, path: Path) -> None:
        self.seen: set[bytes] = set()
        self._read_to = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._catch_up(os.fstat(self._file).st_size)

    def take(self, digest: bytes, *, full: bool) -> bool | None:
        """Add a digest; False when it is there already, None when there is no room for it."""
        if digest in self.seen:
            return False
        if full:
            return None
        line = digest.hex().encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the disk is full")
        end = os.lseek(self._file, 0, os.SEEK_CUR)
        self._catch_up(end - len(line))
        if digest in self.seen:
            return False
        self.seen.add(digest)
        self._read_to = end
        return True

    def close(self) -> None:
        os.close(self._file)

    def _catch_up(self, end: int) -> None:
        """Read the lines that others added."""
        if end <= self._read_to:
            return
        data = os.pread(self._file, end - self._read_to, self._read_to)
        *lines, rest = data.split(b"\n")
        for line in lines:
            with suppress(ValueError):
                self.seen.add(bytes.fromhex(line[-2 * _DIGEST :].decode("latin-1")))
        self._read_to = end - len(rest)
