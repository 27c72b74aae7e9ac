"""Finds by listing what no event told, and queues runs by hand for what lies there.

A listing is compared with the intake page by page: neither is ever in memory as a whole, and the
work grows with the listing, not with all that was ever taken.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from workflow_engine.buckets import Bucket, ObjectInfo
from workflow_engine.catalog.landing import Arrival, KnownVersion, Reconciled
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.landing.looking import (
    is_folder,
    landed_since,
    look_at,
    mount_point,
    name_in_listing,
    require_there,
    went_away,
)
from workflow_engine.landing.taking import Start, Starter, taking
from workflow_engine.matching import is_candidate
from workflow_engine.records import utc_now
from workflow_engine.settings import BucketSettings

if TYPE_CHECKING:
    from workflow_engine.engine import Engine

#: objects of a listing that are looked up at once
_PAGE = 1000


class Lister:
    """Compares buckets with the intake. `starter` says what objects start."""

    def __init__(self, engine: "Engine", starter: Starter) -> None:
        self._engine = engine
        self._starter = starter
        self._mounts: dict[str, str] = {}  # at the last listing of each bucket

    def reconcile(self, name: str, prefix: str, source: str, began: datetime | None) -> Reconciled:
        """See `Landing.reconcile`."""
        started = time.monotonic()
        settings, bucket = self._settings(name), self._engine.buckets.get(name)
        before, mount = require_there(bucket), mount_point(bucket)
        intake = self._engine.store.intake
        if len(mount) > len(self._mounts.get(name, mount)):
            intake.begin_again(name)  # it was the empty folder below the mount
        watched = intake.watch(name, began or utc_now())
        skips = watched.listed is None and settings.existing == "skip"
        listed = new = 0
        for page in _pages(bucket.list(prefix)):
            listed += len(page)
            unknown = self._unknown(bucket, page)
            if skips:
                old = [info for info in unknown if not landed_since(info, watched.since)]
                intake.skip([taking(bucket, info) for info in old])
                unknown = [info for info in unknown if landed_since(info, watched.since)]
            self._find(bucket, unknown, settings, source)
            new += len(unknown)
        if require_there(bucket) != before:
            raise went_away(bucket)
        self._mounts[name] = mount
        if not prefix and watched.listed is None:
            intake.complete(name, utc_now())
        return Reconciled(listed=listed, new=new, seconds=time.monotonic() - started)

    def _unknown(self, bucket: Bucket, page: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        """Return the objects that hold something and were not taken in this version."""
        names = {info.key: name_in_listing(info) for info in page if info.size}
        unknown = self._engine.store.intake.unknown(bucket.name, names)
        return [info for info in page if info.key in unknown and is_candidate(info.key)]

    def _find(
        self,
        bucket: Bucket,
        found: Sequence[ObjectInfo],
        settings: BucketSettings,
        source: str,
        *,
        again: bool = False,
    ) -> None:
        """Note what a listing found; for files the listing was a first look."""
        now = utc_now()
        self._engine.store.arrivals.find(
            [
                Arrival(
                    bucket=bucket.name,
                    key=info.key,
                    source=source,
                    first_noticed=now,
                    due=now + timedelta(seconds=settings.settle_seconds),
                    look=info.version if is_folder(bucket) else "",
                    listed=name_in_listing(info),
                    again=again,
                )
                for info in found
            ]
        )

    def replay(self, name: str, prefix: str) -> Reconciled:
        """See `Landing.replay`."""
        started = time.monotonic()
        settings, bucket = self._settings(name), self._engine.buckets.get(name)
        require_there(bucket)
        listed = runs = 0
        for page in _pages(bucket.list(prefix)):
            listed += len(page)
            runs += self._replay(bucket, page, settings)
        if runs:
            self._engine.queued.set()
        return Reconciled(listed=listed, new=runs, seconds=time.monotonic() - started)

    def _replay(self, bucket: Bucket, page: Sequence[ObjectInfo], settings: BucketSettings) -> int:
        """Queue the runs that objects lack, when they are complete; return how many."""
        intake = self._engine.store.intake
        candidates = [info for info in page if info.size and is_candidate(info.key)]
        starts = self._starter.starts(bucket.name, [info.key for info in candidates])
        keys = [key for key, found in starts.items() if found]
        there = intake.started(bucket.name, keys)
        known = intake.known(bucket.name, keys)

        def lacking(info: ObjectInfo, version: str) -> list[Start]:
            return [
                start
                for start in starts[info.key]
                if (start.workflow.id, info.key, version) not in there
            ]

        wanted = [
            info for info in candidates if lacking(info, _version(info, known.get(info.key, ())))
        ]
        looks = look_at(
            bucket,
            [(info.key, "") for info in wanted],
            settle_seconds=settings.settle_seconds,
        )
        complete = [look.info for look in looks if look.complete and look.info is not None]
        not_yet = [info for info, look in zip(wanted, looks, strict=True) if not look.complete]
        self._find(bucket, not_yet, settings, "replay", again=True)
        left = self._starter.not_own(bucket, complete, starts, wait=True)
        takings = [
            taking(
                bucket,
                info,
                self._starter.executions(
                    [start for start in lacking(info, info.version) if start in left[info.key]],
                    bucket,
                    info,
                ),
                again=True,
            )
            for info in complete
            if info.key in left
        ]
        return intake.take(takings).runs

    def _settings(self, name: str) -> BucketSettings:
        """Return the settings of a bucket. Raises InvalidInputError where there are none."""
        settings = self._engine.settings.buckets.get(name)
        if settings is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The bucket "{name}" is not configured.',
                remedy=f"Add [buckets.{name}] to the configuration.",
            )
        return settings


def _pages(objects: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    left = iter(objects)
    while page := list(islice(left, _PAGE)):
        yield page


def _version(listed: ObjectInfo, known: Iterable[KnownVersion]) -> str:
    """Return the version of an object in a listing, which may call it by another name."""
    name = name_in_listing(listed)
    taken = (one.version for one in known if one.listed == name and not one.existing)
    return next(taken, listed.version)
