"""The intake of objects that land in buckets: what listeners and `serve` call.

A listener notes what it heard; the note is in the store when `note` returns. `settle` looks at
what is due, takes in what is complete, and queues a run for each workflow that it starts.
Listings find what no event told. Nothing is kept in memory: any process may continue at any time.
Decisions 6, 12 and 13.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from workflow_engine.buckets import Buckets
from workflow_engine.errors import InvalidInputError
from workflow_engine.ingest.admission import OwnOutputs, WorkflowMatcher
from workflow_engine.ingest.contents import ContentReader, Contents
from workflow_engine.ingest.explaining import Explainer
from workflow_engine.ingest.explanation import Explanation
from workflow_engine.ingest.parts import Parts
from workflow_engine.ingest.reconcile import Reconciler
from workflow_engine.ingest.settling import StabilityChecker
from workflow_engine.ingest.unmatched import UnmatchedLog
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import (
    BucketStatus,
    ListenerRecord,
    Notice,
    Reconciled,
)
from workflow_engine.settings import BucketSettings
from workflow_engine.store import Store
from workflow_engine.topology.object_names import is_candidate
from workflow_engine.topology.placeholders import check_key

log = logging.getLogger(__name__)

#: longest seconds from one `settle` to the next: other processes note arrivals, too
IDLE_SECONDS = 1.0


class Intake:
    """The intake of objects; thread-safe.

    `noted` is set whenever this process has noted something.
    """

    def __init__(
        self,
        *,
        store: Store,
        buckets: Buckets,
        settings: Mapping[str, BucketSettings],
        matcher: WorkflowMatcher,
        parts: Parts,
        queued: threading.Event,
        scratch: Path,
    ) -> None:
        """`settings` are those of the buckets; `matcher` says what objects start.

        `parts` holds back what is incomplete, or a part of something else. `queued` is set when
        runs were queued. Contents are downloaded below `scratch`.
        """
        self._store = store
        self._buckets = buckets
        self._settings = settings
        reader = ContentReader(scratch)
        own_outputs, contents = OwnOutputs(store, reader), Contents(store, reader)
        self._unmatched = UnmatchedLog()
        self._parts = parts
        self._checker = StabilityChecker(
            store=store,
            buckets=buckets,
            settings=settings,
            matcher=matcher,
            own_outputs=own_outputs,
            contents=contents,
            parts=parts,
            unmatched=self._unmatched,
            queued=queued,
        )
        self._reconciler = Reconciler(
            store=store,
            buckets=buckets,
            settings=settings,
            matcher=matcher,
            own_outputs=own_outputs,
            contents=contents,
            parts=parts,
            queued=queued,
        )
        self._explainer = Explainer(
            store=store,
            buckets=buckets,
            settings=settings,
            matcher=matcher,
            own_outputs=own_outputs,
            parts=parts,
        )
        self.noted = threading.Event()

    def note(self, notices: Sequence[Notice], *, settle_seconds: float | None = None) -> None:
        """Keep notices, in one transaction; their source may be acknowledged afterwards.

        Each object is due when it has been quiet for `settle_seconds`, by default those of its
        bucket. Notices of what cannot be an object are dropped.
        """
        now = utc_now()
        due: dict[str, datetime] = {}
        for name in {notice.bucket for notice in notices}:
            settings = self._settings.get(name)
            if settings is None:
                log.warning('notices are dropped: the bucket "%s" is not configured', name)
                continue
            quiet = settings.settle_seconds if settle_seconds is None else settle_seconds
            due[name] = now + timedelta(seconds=quiet)
        kept = [
            notice for notice in notices if notice.bucket in due and self._can_be_object(notice)
        ]
        places = self._buckets.locations
        for name in due:
            self._parts.note(name, [notice.key for notice in kept if notice.bucket == name])
        self._store.arrivals.note(kept, now=now, due=due, places=places)
        self.noted.set()

    def settle(self, *, limit: int = 200) -> float:
        """Look at the arrivals that are due, at most `limit`, and take in what is complete.

        Those in buckets that this process does not know, or knows in another place, are left to
        processes that do.

        Returns the seconds until there is more to do, at most `IDLE_SECONDS`. Raises
        MediaflowError when the store fails; what was not processed then is still due.
        """
        arrivals, places = self._store.arrivals, self._buckets.locations
        self._unmatched.sum_up()
        due = arrivals.due(now=utc_now(), limit=limit, places=places)
        by_bucket = attrgetter("bucket")
        for name, group in groupby(sorted(due, key=by_bucket), key=by_bucket):
            self._checker.settle(name, list(group))
        if len(due) == limit:
            return 0.0
        following = arrivals.next_due(places)
        if following is None:
            return IDLE_SECONDS
        return min(max((following - utc_now()).total_seconds(), 0.0), IDLE_SECONDS)

    def begin(self, since: datetime | None = None) -> None:
        """Remember that the buckets with `events` are watched since a moment, by default now.

        For each bucket the first such moment counts, for ever: what lay there before it is what
        the setting `existing` speaks of.
        """
        settings = self._settings
        watched = [name for name, bucket in settings.items() if bucket.events is not None]
        self._store.intake.watch(watched, since or utc_now())

    def look_for_folder(self, bucket: str) -> None:
        """Remember it when the folder of a bucket does not exist before its first listing.

        Everything in it will be new then, unless it comes by the mounting of a share.
        """
        self._reconciler.look_for_folder(bucket)

    def reconcile(self, bucket: str, prefix: str = "", *, source: str = "reconcile") -> Reconciled:
        """List a bucket, or what is below a prefix, and note what was not processed yet.

        Until the first complete listing of a bucket, what lay there before it was watched is left
        alone where `existing = "skip"`. Raises MediaflowError when the bucket cannot be listed to
        the end; nothing is forgotten then.
        """
        found = self._reconciler.reconcile(bucket, prefix, source)
        if found.skipped:
            log.info(
                'bucket "%s": %d skipped as existing: what lay there before the bucket was first '
                "watched; to run it: mediaflow trigger replay %s",
                bucket,
                found.skipped,
                bucket,
            )
        if found.new:
            self.noted.set()
        return found

    def replay(self, bucket: str, prefix: str = "") -> Reconciled:
        """Queue the runs that objects lack, below a prefix, of workflows that they start now.

        Runs that exist stay as they are, and our own outputs start nothing. What is not complete
        arrives, to be taken when it is. Raises MediaflowError when the bucket cannot be listed.
        """
        return self._reconciler.replay(bucket, prefix)

    def explain(self, given: str) -> Explanation:
        """Say why an object did or did not start runs.

        `given` is an object URL, or the path of a file in the folder of a bucket. Raises
        InvalidInputError for a URL that names no object.
        """
        return self._explainer.explain(given)

    def report(self, record: ListenerRecord) -> None:
        """Save the status that a listener reports."""
        self._store.listeners.save(record)

    def status(self) -> list[BucketStatus]:
        """Return how the buckets do that are listened to, or in which something waits."""
        store = self._store
        heard = {record.bucket: record for record in store.listeners.all()}
        kinds = {
            name: settings.events if isinstance(settings.events, str) else settings.events.kind
            for name, settings in self._settings.items()
            if settings.events is not None
        }
        found: list[BucketStatus] = []
        for name in sorted({*kinds, *store.arrivals.buckets()}):
            waiting, oldest = store.arrivals.waiting(name)
            found.append(
                BucketStatus(
                    bucket=name,
                    kind=kinds.get(name, ""),
                    listener=heard.get(name),
                    watched=store.intake.watched(name),
                    waiting=waiting,
                    empty=store.arrivals.empty(name),
                    incomplete=store.arrivals.incomplete(name),
                    oldest=oldest,
                )
            )
        return found

    def _can_be_object(self, notice: Notice) -> bool:
        if not is_candidate(notice.key):
            return False
        try:
            check_key(notice.key)
        except InvalidInputError as error:
            self._unmatched.say(notice.bucket, notice.key, error.message)
            return False
        return True
