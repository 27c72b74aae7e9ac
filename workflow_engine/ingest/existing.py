"""Tells what lay in a bucket before it was first watched from what has landed since.

The first listing of a bucket comes seconds or, where a share is mounted late, weeks after the
moment since which the bucket is watched. Only times tell what lay there before, and a file that
is moved, or copied with its times, keeps those of its content: of files it is the time of the
last change of the file itself (ctime) that counts, which renaming, linking and copying set, and
which nobody can set back. A folder that is moved in as a whole shows it by its own.
"""

import os
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from workflow_engine.buckets import Bucket, LocalBucket, ObjectInfo, S3Bucket
from workflow_engine.buckets.files import times_of_another_clock
from workflow_engine.records.ingest import Watched

#: nanoseconds by which the times of files are late: the kernel's clock ticks
_TICK = 10_000_000
#: many stores and file systems know whole seconds only
_WHOLE_SECOND = timedelta(seconds=1)
#: by how much the clocks of network mounts may be wrong; nobody tells it
_WRONG = timedelta(minutes=1)
_BILLION = 1_000_000_000


def lay_there(bucket: Bucket, watched: Watched, mount: str) -> Callable[[ObjectInfo], bool]:
    """Return what tells whether an object lay in a bucket before it was first watched.

    `mount` is where the file system is mounted now that holds the folder of the bucket.
    """
    if not isinstance(bucket, LocalBucket):
        ahead = bucket.clock_ahead() if isinstance(bucket, S3Bucket) else timedelta()
        return lambda info: not _dated_since(info, watched.since + ahead)
    if watched.missing and mount == watched.mount:
        return lambda info: False  # there was not even a folder
    # of a share that was mounted later, folders have had other reasons to change
    same = watched.mount in (None, mount)
    return _Folder(bucket, watched.since, moves=same).lay_there


def _dated_since(info: ObjectInfo, moment: datetime) -> bool:
    late = timedelta() if info.modified.microsecond else _WHOLE_SECOND
    return info.modified + late >= moment


class _Folder:
    """The files of a local bucket. `moves`: whether folders may have been moved in as a whole."""

    def __init__(self, bucket: LocalBucket, since: datetime, *, moves: bool) -> None:
        self._root = os.fspath(bucket.root)
        wrong = _WRONG if times_of_another_clock(bucket.root) else timedelta()
        self._since = int((since - wrong).timestamp() * _BILLION)
        self._moves = moves
        self._was_moved = lru_cache(maxsize=10_000)(self._moved_since)

    def lay_there(self, info: ObjectInfo) -> bool:
        path = os.path.join(self._root, info.key)
        try:
            found = os.lstat(path)
            changed = found.st_ctime_ns
            if stat.S_ISLNK(found.st_mode):
                changed = max(changed, os.stat(path).st_ctime_ns)
        except OSError:  # it has gone since it was listed, maybe by an unmount
            return True
        return not self._is_since(changed) and not (self._moves and self._came_in_a_folder(path))

    def _is_since(self, changed: int) -> bool:
        late = _TICK if changed % _BILLION else _BILLION
        return changed + late >= self._since

    def _came_in_a_folder(self, path: str) -> bool:
        while path != self._root:
            path = os.path.dirname(path)
            if self._was_moved(path):
                return True
        return False

    def _moved_since(self, folder: str) -> bool:
        """Whether a folder was moved: a change of what is in it sets both of its times."""
        try:
            found = os.stat(folder)
        except OSError:
            return False
        return found.st_ctime_ns > found.st_mtime_ns and self._is_since(found.st_ctime_ns)
