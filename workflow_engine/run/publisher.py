"""How outputs become visible: intent first, then all staged, then each gets its name.

A `Publication` is what one activity publishes; after a transient cause it continues where it
stopped. What a killed process left of one is completed from the intent. Also how outputs of an
equal finished step are published again under other names; `reuse.py` finds them. Decisions
5 (content keys), 6 (order of writes) and 20 (transient causes).
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Event, Lock

from workflow_engine.activity import Produced
from workflow_engine.buckets import Bucket, Buckets, Staged
from workflow_engine.buckets.faults import LostHandleError
from workflow_engine.buckets.parallel import AT_ONCE, in_parallel
from workflow_engine.errors import InterruptedRunError, MediaflowError
from workflow_engine.records import ActivityRecord, Digests, Json, ObjectRef, Output
from workflow_engine.run.reuse import Finished
from workflow_engine.run.source import Source
from workflow_engine.store import Claim, Intended, Intent, Store

log = logging.getLogger(__name__)

#: seconds for which names may be given before it is looked whether the claim still holds
CHECKED_FOR = 1.0


@dataclass(kw_only=True)
class _Placement:
    """An output on its way to its bucket: how it gets there, and how far it has come."""

    position: int  # among the outputs of its activity
    output: Output
    bucket: Bucket
    reserve: Callable[[], str]  # returns a handle
    stage: Callable[[str], Staged]  # takes it
    last: bool  # whether others must have their names first
    handle: str = ""
    staged: Staged | None = None
    begun: bool = False  # to be named: whether it is visible is not known for sure
    named: bool = False
    version: str = ""  # that the storage gave it, where it tells

    def start_again(self) -> None:
        """Forget what the storage has lost."""
        self.handle, self.staged = "", None


class _Fence:
    """Keeps a process from giving names once another one has taken its execution over.

    Thousands of objects take longer than that. Thread-safe.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._lock = Lock()
        self._checked = float("-inf")  # by the monotonic clock

    def require(self) -> None:
        """Raise LeaseLostError when the claim does not hold any more."""
        with self._lock:
            now = time.monotonic()
            if now - self._checked >= CHECKED_FOR:
                self._store.queue.check(self._claim)
                self._checked = now


class Publication:
    """The outputs of one activity on their way to their buckets."""

    def __init__(
        self,
        store: Store,
        claim: Claim,
        outputs: Sequence[Output],
        placements: Sequence[_Placement],
    ) -> None:
        self.outputs = tuple(outputs)
        self._store = store
        self._claim = claim
        self._placements = placements
        self._at_once = AT_ONCE if any(one.bucket.remote for one in placements) else 1
        self._intended = False
        self._fence = _Fence(store, claim)

    def publish(self, record: ActivityRecord, step_key: str | None, cancel: Event) -> None:
        """Commit the intent, stage and verify everything, then give the names in order.

        `record` is the success of the activity, with these outputs. A further call after an error
        does what is left. Raises InterruptedRunError when `cancel` is set before the first name is
        given or while there is still something to upload, LeaseLostError, and what the buckets
        raise.
        """
        if not self.outputs:
            return
        self._intend(record, step_key)

        def stage(one: _Placement) -> None:
            if cancel.is_set():
                raise InterruptedRunError()
            try:
                one.staged = one.stage(one.handle)
            except LostHandleError:
                one.start_again()
                raise

        in_parallel(stage, [one for one in self._placements if one.staged is None], self._at_once)
        # from here on names are given, each to an object that is whole
        left = [one for one in self._placements if not one.named]
        in_parallel(self._give_name, [one for one in left if not one.last], self._at_once)
        in_parallel(self._give_name, [one for one in left if one.last], 1)
        # one transaction for all: thousands of small ones would take longer than the uploads
        self._store.digests.save_all(
            [
                (one.output.place, one.version, one.output.digests)
                for one in self._placements
                if one.version
            ]
        )

    def take_back(self, activity: str) -> None:
        """Take away what has no name yet, and the intent if nothing can have; after an error."""
        for one in self._placements:
            if not one.named:
                _sweep(one.bucket, one.output, one.handle)
        if not any(one.begun for one in self._placements):
            self._store.steps.retract(self._claim, activity)

    def leave(self, activity: str) -> None:
        """Leave it to whoever takes the execution over; take away what only this process knows."""
        known = {
            intent.handle for intent in self._store.steps.intents(self._claim.run_id, activity)
        }
        for one in self._placements:
            if one.handle not in known:
                _sweep(one.bucket, one.output, one.handle)

    def _intend(self, record: ActivityRecord, step_key: str | None) -> None:
        def reserve(one: _Placement) -> None:
            one.handle = one.reserve()

        missing = [one for one in self._placements if not one.handle]
        if missing or not self._intended:
            in_parallel(reserve, missing, self._at_once)
            by_position = {one.position: one.handle for one in self._placements}
            handles = [by_position.get(n, "") for n in range(len(self.outputs))]
            self._store.steps.intend(self._claim, record, step_key=step_key, handles=handles)
            self._intended = True

    def _give_name(self, one: _Placement) -> None:
        assert one.staged is not None
        self._fence.require()
        one.begun = True
        try:
            one.version = one.staged.publish()
        except LostHandleError:
            one.start_again()
            raise
        one.named = True


class Publisher:
    """Publishes the outputs of one execution."""

    def __init__(self, store: Store, claim: Claim, source: Source, buckets: Buckets) -> None:
        self.finished = Finished(store, buckets)
        self._store = store
        self._claim = claim
        self._source = source
        self._buckets = buckets

    def of_files(
        self, files: Sequence[Produced], stream_key: Callable[[Json], str], cancel: Event
    ) -> Publication:
        """Return the publication of finished files, what is `last` last.

        `stream_key` makes keys of what shapes the streams of a file.

        Raises ActivityError for the input's own place, OSError, and what the buckets raise.
        """
        ordered = sorted(files, key=lambda produced: produced.last)
        self.require_other_places([produced.ref for produced in ordered])
        placements = [
            self._of_file(position, one, tuple(map(stream_key, one.streams)), cancel)
            for position, one in enumerate(ordered)
        ]
        outputs = [placement.output for placement in placements]
        return Publication(self._store, self._claim, outputs, placements)

    def _of_file(
        self, position: int, produced: Produced, streams: tuple[str, ...], cancel: Event
    ) -> _Placement:
        bucket, key = self._buckets.get(produced.ref.bucket), produced.ref.object
        output = Output(
            ref=produced.ref,
            place=bucket.place(key),
            digests=Digests.of(produced.path),
            media=produced.media,
            streams=streams,
        )
        return _Placement(
            position=position,
            output=output,
            bucket=bucket,
            reserve=lambda: bucket.reserve(key, produced.path),
            stage=lambda handle: bucket.stage(produced.path, key, handle, cancel=cancel),
            last=produced.last,
        )

    def of_copies(
        self, finished: Sequence[Output], refs: Sequence[ObjectRef], cancel: Event
    ) -> Publication | None:
        """Return the publication of a finished step's outputs under other names.

        None means that one of them is not what it was, so that the step must run. What is
        published is the copy that was verified, whatever happens to the original in the meantime:
        `Publication.publish` raises InvalidInputError when that cannot be had.
        """
        self.require_other_places(refs)
        outputs = [
            replace(old, ref=ref, place=self._buckets.get(ref.bucket).place(ref.object))
            for old, ref in zip(finished, refs, strict=True)
        ]
        pairs = list(zip(finished, outputs, strict=True))
        if not self.finished.intact([old for old, new in pairs if old.place == new.place], cancel):
            return None
        placements = [
            self._of_copy(position, old, new, cancel)
            for position, (old, new) in enumerate(pairs)
            if old.place != new.place
        ]
        return Publication(self._store, self._claim, outputs, placements)

    def _of_copy(self, position: int, old: Output, new: Output, cancel: Event) -> _Placement:
        bucket, key = self._buckets.get(new.ref.bucket), new.ref.object

        def stage(handle: str) -> Staged:
            origin, known = self.finished.origin(old)
            return bucket.stage_copy(origin, key, old.digests, handle, known=known, cancel=cancel)

        # they were recorded in the right order, but not which of them are last
        return _Placement(
            position=position,
            output=new,
            bucket=bucket,
            reserve=lambda: bucket.reserve(key),
            stage=stage,
            last=True,
        )

    def complete(self, intended: Intended, cancel: Event) -> bool:
        """Give the names that a killed process did not give any more.

        False, and no name is given, when an output is neither there nor staged as a whole. What
        has its name already is verified and left alone.
        """
        outputs = list(zip(intended.record.outputs, intended.handles, strict=True))
        at_once = AT_ONCE if any("://" in output.place for output, _ in outputs) else 1
        named = in_parallel(lambda one: self.finished.intact([one[0]], cancel), outputs, at_once)
        unnamed = [one for one, there in zip(outputs, named, strict=True) if not there]
        staged = [self._staged(output, handle, cancel) for output, handle in unnamed]
        ready = [one for one in staged if one is not None]
        if len(ready) < len(unnamed):
            return False
        fence = _Fence(self._store, self._claim)
        for one in ready:  # in their order: what refers to others is last
            fence.require()
            one.publish()
        return self.finished.intact([output for output, _ in unnamed], cancel)

    def _staged(self, output: Output, handle: str, cancel: Event) -> Staged | None:
        bucket = self._buckets.get(output.ref.bucket)
        if not handle or bucket.place(output.ref.object) != output.place:
            return None
        return bucket.staged(output.ref.object, handle, output.digests, cancel=cancel)

    def require_other_places(self, refs: Sequence[ObjectRef]) -> None:
        """Refuse to write where the input lies. Raises ActivityError."""
        for ref in refs:
            self._source.require_other_place(ref, self._buckets.get(ref.bucket))


def sweep(buckets: Buckets, intents: Iterable[Intent]) -> None:
    """Take away what killed attempts left in the storage; what stays there is logged."""
    for intent in intents:
        try:
            bucket = buckets.at(intent.output.place).bucket
        except MediaflowError as error:
            log.warning("leftovers stay: %s", error)
        else:
            _sweep(bucket, intent.output, intent.handle)


def _sweep(bucket: Bucket, output: Output, handle: str) -> None:
    if not handle:
        return
    try:
        bucket.sweep(output.ref.object, handle)
    except (MediaflowError, OSError) as error:
        log.warning('what was staged for "%s" stays there: %s', output.place, error)
