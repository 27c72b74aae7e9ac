"""Which folder lies at a path just now: the same as before, another, or none at all.

An unmounted share leaves an empty folder behind, or one that was filled in the meantime. Taking it
for the share would be wrong in both directions, so its listener stops until the share is back.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
#: file systems that other machines write to, of which the kernel here learns nothing
_REMOTE = re.compile(r"(nfs4?|cifs|smb3?|smbfs|9p|ceph|glusterfs|lustre|afs|virtiofs|fuse\..+)$")


class _Mount(NamedTuple):
    """A mounted file system."""

    id: str
    point: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A folder as it is found. Two that are not equal have different contents."""

    #: without symbolic links
    path: str
    device: int
    inode: int
    #: where the file system that holds it is mounted
    mount: str
    #: the file systems that are mounted somewhere below it
    below: frozenset[str]
    #: whether other machines may change what it holds
    remote: bool

    @classmethod
    def find(cls, path: Path) -> "Folder | None":
        """Return what lies at a path, None when it is not a folder. Raises OSError."""
        try:
            real = os.path.realpath(path, strict=True)
            status = os.stat(real)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not os.path.isdir(real):
            return None
        mounts = list(_mounts())
        holding = [mount for mount in mounts if _within(real, mount.point)]
        # of those that are mounted over each other, the last one is seen
        holder = max(enumerate(holding), key=lambda pair: (len(pair[1].point), pair[0]))[1]
        below = (m for m in mounts if m.point != real and _within(m.point, real))
        return cls(
            path=real,
            device=status.st_dev,
            inode=status.st_ino,
            mount=holder.point,
            below=frozenset(f"{mount.id} {mount.point}" for mount in below),
            remote=bool(_REMOTE.match(holder.kind)),
        )

    def unmounted(self, now: "Folder") -> bool:
        """Whether `now`, at the same path, only shows up because this one is not mounted."""
        return now.mount != self.mount and _within(self.mount, now.mount)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _mounts() -> Iterator[_Mount]:
    """Yield what is mounted; only the root where the system has no list to read."""
    yield _Mount("", "/", "")
    if sys.platform != "linux":
        return
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        fields, _, rest = line.partition(" - ")
        number, _, _, _, point = fields.split(" ")[:5]
        yield _Mount(number, _OCTAL.sub(_unescaped, point), rest.split(" ")[0])


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
