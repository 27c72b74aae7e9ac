"""What lands in watched buckets, on its way from an event to a run; frozen records.

`ingest/` has the way itself, `store/arrivals.py` and `store/intake.py` keep it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from workflow_engine.records.executions import ExecutionRecord

#: sources that tell what a listing found; every other source tells of an event
LISTINGS = frozenset({"reconcile", "poll", "replay"})
#: what a look at an object without content saw; no version is called so
EMPTY = "empty"
#: before the version that a look saw: of an object whose parts are not all there yet, ...
PARTS = "parts "
#: ... and of one that has waited for them for longer than it should
INCOMPLETE = "incomplete "


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """News of an object that may have landed; `source` is the kind of listener, or a listing."""

    bucket: str
    key: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """An object that was noticed and waits to be taken; there is one per bucket and key.

    `look` is the version that the last look saw, `EMPTY` for an object without content, and behind
    `PARTS` or `INCOMPLETE` for one that waits for its parts; `listed` is what the last listing
    called it; both are "" before. `notices` counts the notices, so that one
    that comes during a look is not lost. `again` asks for the runs of a version that was taken
    before. `place` is where the bucket lies for the process that noticed it.
    """

    bucket: str
    key: str
    source: str
    first_noticed: datetime
    due: datetime
    attempts: int = 0
    notices: int = 1
    look: str = ""
    listed: str = ""
    again: bool = False
    place: str = ""

    @property
    def seen(self) -> str:
        """The version that the last look saw."""
        return self.look.removeprefix(PARTS).removeprefix(INCOMPLETE)

    def later(self, due: datetime, look: str) -> "Arrival":
        """Return the arrival after a look that was not the last."""
        return replace(self, due=due, look=look, attempts=self.attempts + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownVersion:
    """An object version in the intake. `listed` is what a listing calls it.

    An `existing` one lay there when the bucket was first watched, and started nothing. It was
    `taken` into the store at that moment.
    """

    version: str
    listed: str
    existing: bool
    taken: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """An object version to be processed, once and for all, with the runs that it starts.

    `arrival` goes with it, as it was read. With `again` the runs start also when the version was
    taken before, each of them once. `unmatched` tells that no workflow takes it.
    """

    bucket: str
    key: str
    version: str
    listed: str
    executions: tuple[ExecutionRecord, ...] = ()
    arrival: Arrival | None = None
    again: bool = False
    unmatched: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What came of taking object versions in: which were new, and how many runs were queued."""

    new: tuple[bool, ...]
    runs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A bucket that is watched, since when, and when its first listing was complete.

    `mount` is where the file system was mounted that held its folder at the last look (None
    before, "" for object stores); `missing` tells that there was no folder yet at the first one.
    `skipped` counts the object versions that the first listing left alone, `unmatched` those
    that no workflow took.
    """

    bucket: str
    since: datetime
    listed: datetime | None = None
    missing: bool = False
    mount: str | None = None
    skipped: int = 0
    unmatched: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnOutput:
    """What an execution published under a key, or intends to while it runs."""

    run_id: str
    size: int
    sha256: str
    md5: str
    in_work: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenerRecord:
    """The status that the listener of a bucket reports; `seen` counts its notices.

    `problem` is empty while events arrive.
    """

    bucket: str
    kind: str
    problem: str = ""
    last_event: datetime | None = None
    last_reconcile: datetime | None = None
    seen: int = 0
    updated: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What came of a listing.

    `new` counts the objects that are to be processed, for a replay the runs that were queued. When
    the first listing of a bucket is complete, `skipped` counts what lay there before.
    """

    listed: int
    new: int
    skipped: int = 0
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketStatus:
    """How a bucket does: its listener, how many arrivals wait, and the oldest since when.

    `empty` counts the objects without content, `incomplete` those that have waited too long for
    further objects that they name; neither count as waiting. `watched` is None
    for a bucket that no service has watched yet.
    """

    bucket: str
    kind: str
    listener: ListenerRecord | None
    watched: Watched | None
    waiting: int
    empty: int
    incomplete: int
    oldest: datetime | None
