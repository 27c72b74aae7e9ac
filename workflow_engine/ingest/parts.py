"""Objects that are made of others, such as playlists, and the parts that they name.

One of them starts its runs when all of its parts are there. Its parts start none of their own.
Which objects may be composite, and what they name, the activity types say. The store remembers
those that landed, so that any process knows them; one that waits is read from the bucket whenever
something lands beside it, and when it is taken, what it names is kept.
"""

import logging
import posixpath
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache, partial
from itertools import groupby, islice
from pathlib import Path

from workflow_engine.activity import Activity, Composite, Registry
from workflow_engine.buckets import Bucket, ObjectInfo
from workflow_engine.errors import ActivityError, Code, InvalidInputError, MediaflowError
from workflow_engine.ingest.stability import is_folder
from workflow_engine.records import utc_now
from workflow_engine.settings import HlsSettings
from workflow_engine.store import Store
from workflow_engine.store.composites import folder_of
from workflow_engine.topology.wire import WireModel

log = logging.getLogger(__name__)

#: bytes; what is longer is not looked into here, and is judged by its run
_LARGEST = 16 << 20
#: documents whose parts are kept
_KEPT = 16
#: parts that are asked for one by one; more are listed
_SINGLE = 20
#: objects that are listed for each part: a page of 1,000 for ten requests that it may save
_LISTED = 100
#: seconds between two looks at what has waited too long, unless something lands beside it
RARELY = 900.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Why an object starts nothing now.

    `named_by` is the key of the object that it is a part of: then it never does. Else it waits:
    until `until` where that is known, or until its parts are there, and `late` says that they
    should have come. `reason` is a clause about the object, without a full stop.
    """

    reason: str
    named_by: str = ""
    until: datetime | None = None
    late: bool = False


class Parts:
    """Judges what lands by what it is made of, or is a part of; thread-safe."""

    def __init__(
        self, store: Store, registry: Registry, settings: HlsSettings, scratch: Path
    ) -> None:
        """`scratch` is a folder for what must be downloaded."""
        self._store = store
        types = {activity.type_name: activity for activity in registry.values()}
        self._types = [activity for activity in types.values() if activity.composites]
        endings = {re.escape(end) for one in self._types for end in one.numbered_parts}
        self._numbered = re.compile(rf".*\d(?:{'|'.join(sorted(endings))})", re.IGNORECASE)
        self._settings = settings
        self._scratch = scratch
        self._named = lru_cache(_KEPT)(self._parts_named)

    def note(self, bucket: str, keys: Iterable[str]) -> list[str]:
        """Remember which of the objects that were noticed may be composite; return their keys."""
        found = [key for key in keys if self._type_of(key)]
        self._store.composites.note(bucket, found)
        return found

    def settle(self, bucket: Bucket, taken: Iterable[str]) -> None:
        """Keep what the composites among these objects name, which do not wait any more."""
        for key in taken:
            if not self._type_of(key):
                continue
            try:
                names = self._keys_of(bucket, key)
            except MediaflowError as error:  # read again when something lands beside it
                log.debug('"%s" of "%s" cannot be read: %s', key, bucket.name, error)
            else:
                self._store.composites.settle(bucket.name, key, names)

    def hasten(self, bucket: str, keys: Iterable[str]) -> None:
        """Look again now at those of some objects that wait for their parts."""
        self._store.arrivals.hasten(bucket, list(keys), utc_now())

    def judge(
        self,
        bucket: Bucket,
        found: Sequence[ObjectInfo],
        noticed: Mapping[str, datetime],
        settle_seconds: float,
    ) -> Mapping[str, Held]:
        """Return which of these complete objects start nothing now, by key.

        `noticed` says when each was noticed first; those that it does not have are not held for
        lists that may come. Composites that wait for one of the objects are looked at soon.
        Raises MediaflowError when the bucket cannot be read.
        """
        named = self._lists(bucket, [info.key for info in found])
        self.hasten(bucket.name, {named[info.key] for info in found if info.key in named})
        held: dict[str, Held] = {}
        for info in found:
            first = noticed.get(info.key)
            if self._type_of(info.key):
                reason = self._lacks(bucket, info)
                waited = utc_now() - max(first or info.modified, info.modified)
                late = waited >= timedelta(seconds=self._settings.wait_seconds)
                one = Held(reason=reason, late=late) if reason else None
            elif self._settings.segments_trigger:
                one = None
            elif owner := named.get(info.key):
                one = Held(reason=f'it is a part of "{owner}"', named_by=owner)
            else:
                one = self._may_be_part(info.key, first, settle_seconds)
            if one is not None:
                held[info.key] = one
        return held

    def _type_of(self, key: str) -> Activity[WireModel] | None:
        lower = key.lower()
        return next((one for one in self._types if lower.endswith(one.composites)), None)

    def _may_be_part(
        self, key: str, noticed: datetime | None, settle_seconds: float
    ) -> Held | None:
        """Hold what is called like a part until a list of it had time to land."""
        if noticed is None or not self._numbered.fullmatch(key):
            return None
        until = noticed + timedelta(seconds=settle_seconds)
        reason = "a playlist that names it may land with it"
        return Held(reason=reason, until=until) if until > utc_now() else None

    # --- what lists name -----------------------------------------------------------------

    def _lists(self, bucket: Bucket, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the list that names each object, of those that landed, by the object's key."""
        table, wanted = self._store.composites, set(keys)
        is_there = cache(partial(self._is_there, bucket))
        named: dict[str, str] = {}
        for key, owners in table.owners(bucket.name, wanted).items():
            if owner := next(filter(is_there, owners), None):
                named[key] = owner
        folders = {folder for key in keys for folder in _folders(key)}
        for listed in table.waiting(bucket.name, folders):
            if is_there(listed):
                for key in wanted & self._keys_of(bucket, listed):
                    named.setdefault(key, listed)
        return named

    def _is_there(self, bucket: Bucket, key: str) -> bool:
        """Whether a list lies there still; else it is forgotten."""
        with suppress(InvalidInputError):  # it lies there, and cannot be read
            if bucket.head(key) is None:
                self._store.composites.settle(bucket.name, key, ())
                return False
        return True

    def _keys_of(self, bucket: Bucket, key: str) -> frozenset[str]:
        try:
            info = bucket.head(key)
            composite = self._composite(bucket, info) if info is not None else None
        except InvalidInputError as error:
            if error.code in (Code.RESOURCE_ACCESS, Code.OBJECT_KEY):
                return frozenset()  # nobody may read it, so its parts are files like others
            raise
        parts = composite.parts if composite is not None else ()
        return frozenset(posixpath.join(folder_of(key), part) for part in parts)

    def _composite(self, bucket: Bucket, info: ObjectInfo) -> Composite | None:
        """Return what an object is made of, None for a file by itself and what is refused."""
        if not info.size or info.size > _LARGEST:
            return None
        return self._named(_Document(bucket, info))

    def _parts_named(self, document: "_Document") -> Composite | None:
        activity = self._type_of(document.info.key)
        if activity is None:
            return None
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            file = Path(folder) / "document"
            document.bucket.fetch(document.info.key, file, version=document.info.version)
            try:
                return activity.composite(file)
            except ActivityError:
                return None  # its run says why

    # --- what lists lack -----------------------------------------------------------------

    def _lacks(self, bucket: Bucket, info: ObjectInfo) -> str:
        """Return a clause that says what a list waits for, "" when all is there."""
        composite = self._composite(bucket, info)
        if composite is None:
            return ""
        if composite.unfinished:
            return composite.unfinished
        keys = [posixpath.join(folder_of(info.key), part) for part in composite.parts]
        missing = missing_part(bucket, keys)
        return f'it names "{missing}", which is not there yet' if missing else ""


@dataclass(frozen=True, slots=True)
class _Document:
    """An object version, compared by where it lies and its version."""

    bucket: Bucket
    info: ObjectInfo

    def __hash__(self) -> int:
        return hash((self.bucket.name, self.info.key, self.info.version))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Document) and (
            (self.bucket.name, self.info.key, self.info.version, self.info.fingerprint)
            == (other.bucket.name, other.info.key, other.info.version, other.info.fingerprint)
        )


def missing_part(bucket: Bucket, keys: Sequence[str]) -> str:
    """Return the first object that is not there, or not whole yet; "" when all are."""
    if is_folder(bucket):
        return next((key for key in keys if not _is_whole(bucket, key)), "")
    listed = set(_listed(bucket, keys))
    # single ones may have names that listings leave out, or lie behind too much else
    left = (key for key in keys if key not in listed)
    return next((key for key in left if bucket.head(key) is None), "")


def _listed(bucket: Bucket, keys: Collection[str]) -> Iterable[str]:
    """Yield what listings find up to the last of these keys, unless much else lies between.

    Keys with different endings are listed apart: a key for decryption is seldom called like the
    segments, and what both names begin with may be nothing at all.
    """
    for _, group in groupby(sorted(keys, key=_ending), _ending):
        alike = list(group)
        if len(alike) > _SINGLE:
            last = max(alike)
            infos = bucket.list(posixpath.commonprefix(alike))
            for info in islice(infos, _LISTED * len(alike)):
                if info.key > last:
                    break
                yield info.key


def _ending(key: str) -> str:
    return posixpath.splitext(key)[1]


def _is_whole(bucket: Bucket, key: str) -> bool:
    try:
        info = bucket.head(key)
    except InvalidInputError:
        return True  # its run says why it cannot be used
    return info is not None and info.size > 0 and bucket.settled(key) is not False


def _folders(key: str) -> Iterable[str]:
    """Yield the folders that a key lies in, the innermost first."""
    folder = folder_of(key)
    while folder:
        yield folder
        folder = folder_of(folder[:-1])
    yield ""
