"""How outputs become visible: intent first, then all staged, then each gets its name.

Also how outputs of an equal finished step are published again under other names; `reuse.py`
finds them. Design, decisions 5 (content keys) and 6 (order of writes).
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Event

from workflow_engine.activity import Produced
from workflow_engine.buckets import Bucket, Buckets, Staged
from workflow_engine.errors import Code, InterruptedRunError, InvalidInputError, MediaflowError
from workflow_engine.records import Digests, ObjectRef, Output
from workflow_engine.reuse import AT_ONCE, Finished, in_parallel
from workflow_engine.source import Source
from workflow_engine.store import Claim, Intent, Store

log = logging.getLogger(__name__)

#: of the original of a copy: then the step is made anew
_NOT_TO_BE_HAD = (Code.RESOURCE_NOT_FOUND, Code.RESOURCE_CONTENT_BAD, Code.RESOURCE_ACCESS)


@dataclass(frozen=True, kw_only=True)
class _Placement:
    """An output that is to be brought to its bucket: how, and whether others must come first."""

    position: int  # among the outputs of its activity
    output: Output
    bucket: Bucket
    stage: Callable[[str], Staged]  # takes a handle
    last: bool

    def sweep(self, handle: str) -> None:
        """Take away what was staged; after an error, which is the one to tell."""
        _sweep(self.bucket, self.output, handle)


class Publisher:
    """Publishes the outputs of one execution."""

    def __init__(self, store: Store, claim: Claim, source: Source, buckets: Buckets) -> None:
        self.finished = Finished(store, buckets)
        self._store = store
        self._claim = claim
        self._source = source
        self._buckets = buckets

    def publish(
        self, activity: str, files: Sequence[Produced], cancel: Event
    ) -> tuple[Output, ...]:
        """Make finished files visible under their names and return them, what is `last` last.

        Nothing is visible until all of them lie in the storage. Raises InterruptedRunError when
        `cancel` is set before that, ActivityError for the input's own place, and what the
        buckets raise.
        """
        ordered = sorted(files, key=lambda produced: produced.last)
        self.require_other_places([produced.ref for produced in ordered])
        placements = [self._of_file(*numbered, cancel) for numbered in enumerate(ordered)]
        outputs = tuple(placement.output for placement in placements)
        self._place_all(activity, outputs, placements, cancel)
        return outputs

    def _of_file(self, position: int, produced: Produced, cancel: Event) -> _Placement:
        bucket, key = self._buckets.get(produced.ref.bucket), produced.ref.object
        output = Output(
            ref=produced.ref,
            place=bucket.place(key),
            digests=Digests.of(produced.path),
            media=produced.media,
        )
        return _Placement(
            position=position,
            output=output,
            bucket=bucket,
            stage=lambda handle: bucket.stage(produced.path, key, handle, cancel=cancel),
            last=produced.last,
        )

    def republish(
        self, activity: str, finished: Sequence[Output], refs: Sequence[ObjectRef], cancel: Event
    ) -> tuple[Output, ...] | None:
        """Publish the outputs of a finished step under the names of this execution.

        None means that one of them is not what it was, so that the step must run. What is
        published is the copy that was verified, whatever happens to the original meanwhile.
        """
        self.require_other_places(refs)
        outputs = tuple(
            replace(old, ref=ref, place=self._buckets.get(ref.bucket).place(ref.object))
            for old, ref in zip(finished, refs, strict=True)
        )
        pairs = list(zip(finished, outputs, strict=True))
        if not self.finished.intact([old for old, new in pairs if old.place == new.place], cancel):
            return None
        try:
            placements = [
                self._of_copy(position, old, new, cancel)
                for position, (old, new) in enumerate(pairs)
                if old.place != new.place
            ]
            self._place_all(activity, outputs, placements, cancel)
        except InvalidInputError as error:
            if error.code not in _NOT_TO_BE_HAD:
                raise
            return None
        return outputs

    def _of_copy(self, position: int, old: Output, new: Output, cancel: Event) -> _Placement:
        bucket, key = self._buckets.get(new.ref.bucket), new.ref.object

        def stage(handle: str) -> Staged:
            origin, known = self.finished.origin(old)
            return bucket.stage_copy(origin, key, old.digests, handle, known=known, cancel=cancel)

        # they were recorded in the right order, but not which of them are last
        return _Placement(position=position, output=new, bucket=bucket, stage=stage, last=True)

    def _place_all(
        self,
        activity: str,
        outputs: Sequence[Output],
        placements: Sequence[_Placement],
        cancel: Event,
    ) -> None:
        """Commit the intent, stage and verify everything, then publish in order."""
        at_once = AT_ONCE if any(one.bucket.remote for one in placements) else 1
        handles: dict[int, str] = {}  # by position

        def reserve(one: _Placement) -> None:
            handles[one.position] = one.bucket.reserve(one.output.ref.object)

        def stage(one: _Placement) -> Staged:
            if cancel.is_set():
                raise InterruptedRunError()
            return one.stage(handles[one.position])

        def take_back() -> None:
            for one in placements:
                one.sweep(handles.get(one.position, ""))

        with ExitStack() as undo:
            undo.callback(self._store.intend, self._claim, activity, ())
            undo.callback(take_back)
            in_parallel(reserve, placements, at_once)
            named = [handles.get(position, "") for position in range(len(outputs))]
            self._store.intend(self._claim, activity, outputs, named)
            staged = in_parallel(stage, placements, at_once)
            # another process may have taken the execution over while the files were staged
            self._store.check(self._claim)
            undo.pop_all()
        # from here on only names are given: nothing is taken back, each object is whole
        ready = list(zip(placements, staged, strict=True))
        try:
            in_parallel(self._give_name, [one for one in ready if not one[0].last], at_once)
            in_parallel(self._give_name, [one for one in ready if one[0].last], 1)
        except BaseException:
            take_back()
            raise

    def _give_name(self, ready: tuple[_Placement, Staged]) -> None:
        one, staged = ready
        version = staged.publish()
        if version:
            self._store.cache_digests(one.output.place, version, one.output.digests)

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
