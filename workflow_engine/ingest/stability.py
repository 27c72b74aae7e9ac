"""Looks at objects that landed: which version lies there, and whether it is complete.

An object of a store appears whole. A file does not: it is complete when no process writes it and
it has not changed for as long as its bucket settles. Where the kernel knows who writes it, the
time of the last change tells that; else only a second look does, as clocks of network mounts may
be late.
"""

import errno
import logging
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from workflow_engine.buckets import Bucket, LocalBucket, ObjectInfo, mounts
from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import Arrival, KnownVersion

log = logging.getLogger(__name__)

#: least seconds between two looks at an object
_SHORTEST = 0.2
#: longest seconds between two looks at an object
_LONGEST = 30.0
#: share of the time since an object was noticed that passes until the next look
_SHARE = 0.1

#: times of files come from a clock that is late by as much
_FILE_CLOCK = timedelta(milliseconds=10)

#: looks at once where each is a round trip
_AT_ONCE = 8
#: failures of a bucket after which no more is looked at
_ENOUGH = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectCheck:
    """What lies under a key, None where nothing does, and whether it may be taken.

    `problem` says why it could not be looked at.
    """

    info: ObjectInfo | None = None
    complete: bool = False
    problem: MediaflowError | None = None


def look_at(
    bucket: Bucket, objects: Sequence[tuple[str, str]], *, settle_seconds: float
) -> list[ObjectCheck]:
    """Look at objects: keys, each with the version that was seen a settling time ago, or "".

    A bucket that fails several times is left alone with the rest.
    """
    failures: list[MediaflowError] = []

    def look(one: tuple[str, str]) -> ObjectCheck:
        if len(failures) >= _ENOUGH:
            return ObjectCheck(problem=failures[-1])
        key, before = one
        try:
            return _look(bucket, key, before, settle_seconds)
        except InvalidInputError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.ELOOP:
                return ObjectCheck()  # a link to itself leads nowhere, as a dead one does
            return ObjectCheck(problem=error)
        except MediaflowError as error:
            failures.append(error)
            return ObjectCheck(problem=error)
        except Exception as error:  # one object must not keep all others waiting
            log.exception(
                'the object "%s" of the bucket "%s" cannot be looked at', key, bucket.name
            )
            return ObjectCheck(
                problem=MediaflowError(Code.INTERNAL, f"The look has failed: {error!r}.")
            )

    if is_folder(bucket):
        return list(map(look, objects))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as pool:
        return list(pool.map(look, objects))


def _look(bucket: Bucket, key: str, before: str, settle_seconds: float) -> ObjectCheck:
    settled = bucket.settled(key)
    now = utc_now()
    info = bucket.head(key)  # behind `settled`: what begins to change now is not a version yet
    if info is None:
        return ObjectCheck()
    old = info.modified <= now - max(timedelta(seconds=settle_seconds), _FILE_CLOCK)
    # a file that was seen in another version may be written on another machine
    whole = settled is True and not (before and is_folder(bucket))
    stable = info.version == before or (old and whole)
    return ObjectCheck(info=info, complete=info.size > 0 and settled is not False and stable)


def next_look(arrival: Arrival, *, settle_seconds: float, now: datetime) -> datetime:
    """Return when to look again at what is not complete: the longer it takes, the later."""
    waited = (now - arrival.first_noticed).total_seconds()
    longest = max(_LONGEST, settle_seconds)
    return now + timedelta(seconds=min(max(settle_seconds, waited * _SHARE, _SHORTEST), longest))


def name_in_listing(info: ObjectInfo) -> str:
    """Return what a listing calls the version of an object: listings know no version ids."""
    etag = info.etag
    return f"{etag}-{info.size}-{int(info.modified.timestamp())}" if etag else info.version


def known_as(info: ObjectInfo, known: Iterable[KnownVersion]) -> list[KnownVersion]:
    """Return what is known of the version of an object.

    What lay there at the first listing is known by its name in the listing only.
    """
    name = name_in_listing(info)
    return [
        one for one in known if one.version == info.version or (one.existing and one.listed == name)
    ]


def is_folder(bucket: Bucket) -> bool:
    """Tell whether a bucket is a folder, where files grow in sight."""
    return isinstance(bucket, LocalBucket)


def require_there(bucket: Bucket) -> tuple[int, int]:
    """Return what tells a folder from another one that is mounted in its place.

    Raises InvalidInputError when it is missing: what lay there is not gone. Nothing is known of
    object stores, which answer for themselves.
    """
    if not isinstance(bucket, LocalBucket):
        return (0, 0)
    try:
        found = os.stat(bucket.root)
    except OSError as error:
        raise InvalidInputError(
            Code.RESOURCE_ACCESS,
            f'The folder "{bucket.root}" of the bucket "{bucket.name}" cannot be read: '
            f"{error.strerror}.",
            remedy="Create or mount it, or correct the path of the bucket.",
        ) from error
    return found.st_dev, found.st_ino


def mount_point(bucket: Bucket) -> str:
    """Return where the file system is mounted that holds a bucket's folder, "" for no folder."""
    if not isinstance(bucket, LocalBucket):
        return ""
    return mounts.mount_point(bucket.root)


def went_away(bucket: Bucket) -> MediaflowError:
    """Return the error of a folder that was unmounted, or replaced, while it was listed."""
    return MediaflowError(
        Code.RESOURCE_ACCESS,
        f'The folder of the bucket "{bucket.name}" was replaced while it was listed.',
        remedy="It is listed again soon; check the mount if this happens often.",
    )
