"""Which file systems the folders of buckets lie on, so that a missing one is noticed.

Where a file system is not mounted there is an empty folder on the disk below, or none. What is
written there is lost to sight as soon as the file system is mounted again, and what is looked for
seems to be deleted. So each mount point under which a bucket was found once is kept, by its path:
device numbers change when a machine starts again.
"""

import logging
import os
import threading
from pathlib import Path

from workflow_engine.errors import Code, MediaflowError, Transient, file_error

log = logging.getLogger(__name__)


def mount_point(path: str | Path) -> str:
    """Return where the file system is mounted that holds a path, or would hold it."""
    real = Path(os.path.realpath(path))
    return next(str(one) for one in (real, *real.parents) if os.path.ismount(one))


class Mounts:
    """The mount points of one machine that buckets need. Thread-safe.

    They are kept in `file`, one a line, where its folder exists; without a file as long as this
    object.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: set[str] | None = None
        self._devices: set[int] = set()
        self._lock = threading.Lock()

    def require(self, bucket: str, path: str | Path) -> None:
        """Refuse a path whose file system is not mounted. Raises MediaflowError."""
        known = self._points()
        if not known:
            return
        real = Path(os.path.realpath(path))
        for one in (real, *real.parents):
            if str(one) in known and not os.path.ismount(one):
                where = f' from "{self._file}"' if self._file else ""
                raise MediaflowError(
                    Code.STORAGE,
                    f'The bucket "{bucket}" lies on the file system of "{one}", which is not '
                    "mounted.",
                    remedy=f"Mount it; or remove its line{where} if the bucket no longer lies "
                    "there, and start mediaflow again.",
                    transient=Transient.STORAGE,
                )

    def found(self, folder: str | Path) -> None:
        """Keep what the folder of a bucket lies on, if it exists."""
        try:
            device = os.stat(folder).st_dev
        except OSError:
            return
        if device in self._devices:
            return
        point, known = mount_point(folder), self._points()
        with self._lock:
            self._devices.add(device)
            if point not in known and point != "/":
                known.add(point)
                self._keep(point)

    def _points(self) -> set[str]:
        with self._lock:
            if self._known is None:
                self._known = set(self._kept().splitlines())
            return self._known

    def _kept(self) -> str:
        try:
            return self._file.read_text(errors="surrogateescape") if self._file else ""
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise file_error(
                error,
                f'The file "{self._file}" cannot be read',
                check="Make it readable for the user that runs mediaflow.",
                room="",
            ) from error

    def _keep(self, point: str) -> None:
        if self._file is None or not self._file.parent.is_dir():
            return
        try:
            with self._file.open("a", errors="surrogateescape") as file:
                file.write(f"{point}\n")
        except OSError as error:  # this process knows it all the same
            log.warning('The file "%s" cannot be written: %s.', self._file, error.strerror)
