"""Finds by listing what no event told, and queues runs by hand for what lies there.

A listing is compared with the intake page by page: neither is ever in memory as a whole, and the
work grows with the listing, not with all that was ever taken.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice

from workflow_engine.buckets import Bucket, Buckets, LocalBucket, ObjectInfo
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.ingest.admission import (
    OwnOutputs,
    PreparedWorkflow,
    WorkflowMatcher,
    admission,
)
from workflow_engine.ingest.contents import MOST_REPLACED, Contents
from workflow_engine.ingest.existing import lay_there
from workflow_engine.ingest.parts import Parts
from workflow_engine.ingest.stability import (
    is_folder,
    look_at,
    mount_point,
    name_in_listing,
    require_there,
    went_away,
)
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import Admission, Arrival, KnownVersion, Reconciled, Watched
from workflow_engine.settings import BucketSettings
from workflow_engine.store import Store
from workflow_engine.topology.object_names import is_candidate

#: objects of a listing that are looked up at once
_PAGE = 1000


class Reconciler:
    """Compares buckets with the intake. `matcher` says what objects start."""

    def __init__(
        self,
        *,
        store: Store,
        buckets: Buckets,
        settings: Mapping[str, BucketSettings],
        matcher: WorkflowMatcher,
        own_outputs: OwnOutputs,
        contents: Contents,
        parts: Parts,
        queued: threading.Event,
    ) -> None:
        """`settings` are those of the buckets; `queued` is set when runs were queued."""
        self._store = store
        self._buckets = buckets
        self._settings = settings
        self._matcher = matcher
        self._own_outputs = own_outputs
        self._queued = queued
        self._contents = contents
        self._parts = parts

    def reconcile(self, name: str, prefix: str, source: str) -> Reconciled:
        """See `Intake.reconcile`."""
        started = time.monotonic()
        settings, bucket = self._settings_of(name), self._buckets.get(name)
        self.look_for_folder(name)
        before, mount = require_there(bucket), mount_point(bucket)
        intake = self._store.intake
        watched = self._watched(name, mount)
        is_old = None
        if watched.listed is None and settings.existing == "skip":
            is_old = lay_there(bucket, watched, mount)
        listed = new = skipped = replaced = 0
        for page in _pages(bucket.list(prefix)):
            listed += len(page)
            unknown = self._unknown(bucket, page)
            if is_old is not None:
                old = {info.key for info in unknown if is_old(info)}
                intake.skip([admission(bucket, i) for i in unknown if i.key in old])
                self._parts.settle(bucket, old)
                unknown = [info for info in unknown if info.key not in old]
            elif replaced < MOST_REPLACED:
                others = self._contents.replaced(bucket, page)
                replaced += len(others)
                unknown += others
            self._find(bucket, unknown, settings, source)
            self._parts.hasten(name, self._parts.note(name, [info.key for info in unknown]))
            new += len(unknown)
        if require_there(bucket) != before:
            raise went_away(bucket)
        if not prefix and (watched.listed is None or watched.mount != mount):
            intake.complete(name, utc_now(), mount)
            skipped = self._skipped(name) if is_old is not None else 0
        seconds = time.monotonic() - started
        return Reconciled(listed=listed, new=new, skipped=skipped, seconds=seconds)

    def _skipped(self, name: str) -> int:
        """Return how many objects the first listing left alone, however often it was begun."""
        watched = self._store.intake.watched(name)
        return watched.skipped if watched is not None else 0

    def look_for_folder(self, name: str) -> None:
        """Remember it when the folder of a bucket does not exist before its first listing."""
        bucket = self._buckets.get(name)
        if isinstance(bucket, LocalBucket) and not bucket.root.exists():
            self._store.intake.missing(name, mount_point(bucket))

    def _watched(self, name: str, mount: str) -> Watched:
        """Return since when a bucket is watched, which may be from now on."""
        intake = self._store.intake
        watched = intake.watched(name)
        if watched is None:
            intake.watch([name], utc_now())
        elif watched.listed and watched.mount is not None and len(mount) > len(watched.mount):
            intake.begin_again(name)  # it was the empty folder below the mount
        else:
            return watched
        watched = intake.watched(name)
        assert watched is not None
        return watched

    def _unknown(self, bucket: Bucket, page: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        """Return the objects that hold something and were not processed this version."""
        names = {info.key: name_in_listing(info) for info in page if info.size}
        unknown = self._store.intake.unknown(bucket.name, names)
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
        now, place = utc_now(), self._buckets.locations[bucket.name]
        self._store.arrivals.find(
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
                    place=place,
                )
                for info in found
            ]
        )

    def replay(self, name: str, prefix: str) -> Reconciled:
        """See `Intake.replay`."""
        started = time.monotonic()
        settings, bucket = self._settings_of(name), self._buckets.get(name)
        require_there(bucket)
        listed = runs = 0
        for page in _pages(bucket.list(prefix)):
            listed += len(page)
            runs += self._replay(bucket, page, settings)
        if runs:
            self._queued.set()
        return Reconciled(listed=listed, new=runs, seconds=time.monotonic() - started)

    def _replay(self, bucket: Bucket, page: Sequence[ObjectInfo], settings: BucketSettings) -> int:
        """Queue the runs that objects lack, when they are complete; return how many."""
        intake = self._store.intake
        candidates = [info for info in page if info.size and is_candidate(info.key)]
        verdicts = self._matcher.verdicts(bucket.name, [info.key for info in candidates])
        starts = self._matcher.starts(verdicts)
        keys = [key for key, found in starts.items() if found]
        there = intake.started(bucket.name, keys)
        known = intake.known(bucket.name, keys)

        def lacking(info: ObjectInfo, version: str) -> list[PreparedWorkflow]:
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
        self._parts.note(bucket.name, [info.key for info in page])
        owners = self._own_outputs.owners(bucket, complete, starts, wait=True)
        others = [info for info in complete if owners.get(info.key) == ""]
        held = self._parts.judge(bucket, others, {}, settings.settle_seconds)
        not_yet += [i for i in others if i.key in held and not held[i.key].named_by]
        self._find(bucket, not_yet, settings, "replay", again=True)
        waiting = {info.key for info in not_yet}
        self._parts.settle(bucket, [info.key for info in page if info.key not in waiting])
        admissions: list[Admission] = []
        for info in complete:
            if info.key in owners and info.key not in held:
                left = [] if owners[info.key] else lacking(info, info.version)
                runs = self._matcher.executions(left, bucket, info)
                admissions.append(admission(bucket, info, runs, again=True))
        return intake.take(admissions).runs

    def _settings_of(self, name: str) -> BucketSettings:
        """Return the settings of a bucket. Raises InvalidInputError where there are none."""
        settings = self._settings.get(name)
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
