"""Takes in what arrived, once it is complete.

`stability.py` says what is complete, `admission.py` what it starts.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from workflow_engine.buckets import Bucket, Buckets, ObjectInfo
from workflow_engine.catalog.matching import why_nothing_starts
from workflow_engine.errors import Code, MediaflowError
from workflow_engine.ingest.admission import OwnOutputs, WorkflowMatcher, admission
from workflow_engine.ingest.contents import Contents, Seen
from workflow_engine.ingest.parts import RARELY, Held, Parts
from workflow_engine.ingest.stability import (
    ObjectCheck,
    is_folder,
    known_as,
    look_at,
    next_look,
    require_there,
    went_away,
)
from workflow_engine.ingest.unmatched import UnmatchedLog
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import (
    EMPTY,
    INCOMPLETE,
    LISTINGS,
    PARTS,
    Admission,
    Arrival,
    Watched,
)
from workflow_engine.settings import BucketSettings
from workflow_engine.store import Store
from workflow_engine.telemetry import fields

log = logging.getLogger(__name__)

#: how late an event may tell of what landed during the first listing of a bucket
_LATE = timedelta(minutes=5)
#: seconds between two log lines about what waits in one bucket
_LOG_SECONDS = 60.0
#: empty objects are forgotten after it; a listing finds those that are filled later
_EMPTY = timedelta(minutes=15)


@dataclass
class _Round:
    """What becomes of the arrivals of one bucket that are due."""

    settle_seconds: float
    complete: list[tuple[Arrival, ObjectInfo]] = field(
        default_factory=list[tuple[Arrival, ObjectInfo]]
    )
    waiting: list[Arrival] = field(default_factory=list[Arrival])
    gone: list[Arrival] = field(default_factory=list[Arrival])
    #: other content under a version that was taken, and that version
    replaced: list[tuple[str, Seen]] = field(default_factory=list[tuple[str, Seen]])
    problems: list[str] = field(default_factory=list[str])

    def wait(self, arrival: Arrival, look: str) -> None:
        """Look at an arrival again later; `look` is the version that was seen now."""
        now = utc_now()
        due = next_look(arrival, settle_seconds=self.settle_seconds, now=now)
        self.waiting.append(arrival.later(due, look))

    def hold(self, arrival: Arrival, version: str, held: Held) -> None:
        """Look again later at an arrival that is held; say so once when that is for too long."""
        if held.until is not None:
            self.waiting.append(arrival.later(held.until, version))
        elif not held.late:
            self.wait(arrival, f"{PARTS}{version}")
        else:
            look = f"{INCOMPLETE}{version}"
            if arrival.look != look:
                log.warning(
                    'the object "%s" of the bucket "%s" is incomplete and starts nothing: %s',
                    arrival.key,
                    arrival.bucket,
                    held.reason,
                )
            due = utc_now() + timedelta(seconds=RARELY)
            self.waiting.append(arrival.later(due, look))


class StabilityChecker:
    """Takes arrivals in once they are complete."""

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
        unmatched: UnmatchedLog,
        queued: threading.Event,
    ) -> None:
        """`settings` are those of the buckets; `queued` is set when runs were queued.

        `matcher` says what objects start, `unmatched` logs what starts nothing.
        """
        self._store = store
        self._buckets = buckets
        self._settings = settings
        self._matcher = matcher
        self._own_outputs = own_outputs
        self._contents = contents
        self._parts = parts
        self._unmatched = unmatched
        self._queued = queued
        self._quiet_until: dict[str, float] = {}

    def settle(self, name: str, due: Sequence[Arrival]) -> None:
        """Look at arrivals of a bucket and take in those that are complete.

        Those that are not wait, and so do all while the bucket cannot be read.
        """
        sorted_out = _Round(self._settings[name].settle_seconds)
        try:
            bucket = self._buckets.get(name)
            before = require_there(bucket)
            looks = look_at(
                bucket,
                [(arrival.key, arrival.seen) for arrival in due],
                settle_seconds=sorted_out.settle_seconds,
            )
            if require_there(bucket) != before:
                raise went_away(bucket)
        except MediaflowError as error:
            sorted_out.problems.append(error.message)
            for arrival in due:
                sorted_out.wait(arrival, arrival.look)
        else:
            for arrival, look in zip(due, looks, strict=True):
                self._sort(arrival, look, sorted_out)
            self._take(bucket, sorted_out)
            self._parts.settle(bucket, [arrival.key for arrival in sorted_out.gone])
        if sorted_out.problems and time.monotonic() >= self._quiet_until.get(name, 0.0):
            self._quiet_until[name] = time.monotonic() + _LOG_SECONDS
            log.warning('what landed in the bucket "%s" waits: %s', name, sorted_out.problems[0])
        self._store.arrivals.postpone(sorted_out.waiting)
        self._store.arrivals.drop(sorted_out.gone)

    def _take(self, bucket: Bucket, sorted_out: _Round) -> None:
        """Take in what is complete and was not taken before."""
        fresh = self._fresh(bucket, sorted_out)
        found = [info for _, info, _ in fresh]
        verdicts = self._matcher.verdicts(bucket.name, [info.key for info in found])
        starts = self._matcher.starts(verdicts)
        owners = self._own_outputs.owners(bucket, found, starts)
        held = self._held(bucket, fresh, owners, sorted_out)
        if held is None:
            return
        admissions: list[Admission] = []
        for arrival, info, again in fresh:
            owner, hold = owners.get(info.key), held.get(info.key)
            if owner is None:
                sorted_out.wait(arrival, info.version)
                continue
            if hold and not hold.named_by and starts[info.key]:
                sorted_out.hold(arrival, info.version, hold)
                continue
            of_another = bool(owner or (hold and hold.named_by))
            runs = self._matcher.executions([] if of_another else starts[info.key], bucket, info)
            unmatched = not of_another and not runs
            admissions.append(
                admission(bucket, info, runs, arrival=arrival, again=again, unmatched=unmatched)
            )
        self._parts.settle(bucket, [one.key for one in admissions])
        taken = self._store.intake.take(admissions)
        for one, is_new in zip(admissions, taken.new, strict=True):
            if is_new and one.executions:
                _tell(one)
            elif is_new and one.unmatched:
                reason = why_nothing_starts(bucket.name, verdicts[one.key])
                self._unmatched.say(bucket.name, one.key, reason)
        for version, seen in sorted_out.replaced:
            self._contents.keep(bucket, version, seen)
        if taken.runs:
            self._queued.set()

    def _held(
        self,
        bucket: Bucket,
        fresh: Sequence[tuple[Arrival, ObjectInfo, bool]],
        owners: Mapping[str, str],
        sorted_out: _Round,
    ) -> Mapping[str, Held] | None:
        """Return what starts nothing now; None when that cannot be told, and all of it waits."""
        others = [info for _, info, _ in fresh if owners.get(info.key) == ""]
        noticed = {arrival.key: arrival.first_noticed for arrival, _, _ in fresh}
        try:
            return self._parts.judge(bucket, others, noticed, sorted_out.settle_seconds)
        except MediaflowError as error:
            sorted_out.problems.append(error.message)
            for arrival, info, _ in fresh:
                sorted_out.wait(arrival, info.version)
            return None

    def _sort(self, arrival: Arrival, look: ObjectCheck, sorted_out: _Round) -> None:
        """Put an arrival where it belongs after a look."""
        info, problem = look.info, look.problem
        if problem is not None and problem.code == Code.OBJECT_KEY:
            self._unmatched.say(arrival.bucket, arrival.key, problem.message)
            sorted_out.gone.append(arrival)
        elif problem is not None:
            sorted_out.problems.append(problem.message)
            sorted_out.wait(arrival, arrival.look)
        elif info is None or (not info.size and arrival.first_noticed < utc_now() - _EMPTY):
            sorted_out.gone.append(arrival)
        elif look.complete:
            sorted_out.complete.append((arrival, info))
        else:
            sorted_out.wait(arrival, info.version if info.size else EMPTY)

    def _fresh(self, bucket: Bucket, sorted_out: _Round) -> list[tuple[Arrival, ObjectInfo, bool]]:
        """Return what is to be taken, and whether the version was taken before."""
        intake = self._store.intake
        known = intake.known(bucket.name, [info.key for _, info in sorted_out.complete])
        watched = intake.watched(bucket.name)
        fresh: list[tuple[Arrival, ObjectInfo, bool]] = []
        called: list[tuple[str, str, str]] = []
        for arrival, info in sorted_out.complete:
            same = known_as(info, known.get(info.key, ()))
            wins = all(one.existing for one in same) and _may_be_new(arrival, watched)
            if not same or arrival.again or wins:
                fresh.append((arrival, info, bool(same)))
                continue
            seen = self._contents.seen(bucket, info)
            if seen is None:
                sorted_out.wait(arrival, info.version)
                continue
            sorted_out.replaced.append((info.version, seen))
            if not known_as(seen.info, known[info.key]):
                fresh.append((arrival, seen.info, False))
                continue
            sorted_out.gone.append(arrival)
            if arrival.listed and not is_folder(bucket) and arrival.listed != same[0].listed:
                # else every listing would find it again
                called.append((info.key, same[0].version, arrival.listed))
        intake.relist(bucket.name, called)
        return fresh


def _tell(taken: Admission) -> None:
    """Log that an object was taken, and the runs that it starts."""
    runs = {run.run_id: run.workflow for run in taken.executions}
    told = ", ".join(f'workflow "{workflow}" (run {run_id})' for run_id, workflow in runs.items())
    place = f"{taken.bucket}/{taken.key}"
    log.info('took "%s": starts %s', place, told, extra=fields(object=place, runs=runs))


def _may_be_new(arrival: Arrival, watched: Watched | None) -> bool:
    """Tell whether an object that the first listing found may have landed during it."""
    if arrival.source in LISTINGS or watched is None:
        return False
    return watched.listed is None or arrival.first_noticed <= watched.listed + _LATE
