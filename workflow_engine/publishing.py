"""How outputs become visible: intent first, then all staged, then each gets its name.

Also how outputs of an equal finished step are found, verified and published again under other
names. Design, decisions 5 (content keys) and 6 (order of writes).
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event

from workflow_engine.activity import Produced, Result
from workflow_engine.buckets import Bucket, Staged, read_place
from workflow_engine.errors import Code, InterruptedRunError, InvalidInputError
from workflow_engine.plan import Planned
from workflow_engine.records import Digests, ObjectRef, Output
from workflow_engine.source import Source
from workflow_engine.store import Claim, Store


class Publisher:
    """Publishes the outputs of one execution. `destination` finds a bucket by name."""

    def __init__(
        self,
        store: Store,
        claim: Claim,
        source: Source,
        destination: Callable[[str], Bucket],
    ) -> None:
        self._store = store
        self._claim = claim
        self._source = source
        self._destination = destination

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
        outputs = tuple(
            Output(
                ref=produced.ref,
                place=self._place(produced.ref),
                digests=Digests.of(produced.path),
                media=produced.media,
            )
            for produced in ordered
        )
        sources = [produced.path for produced in ordered]
        self._place_all(activity, outputs, sources, cancel)
        return outputs

    def republish(
        self, activity: str, finished: Sequence[Output], refs: Sequence[ObjectRef], cancel: Event
    ) -> tuple[Output, ...] | None:
        """Publish the outputs of a finished step under the names of this execution.

        None means that one of them is not what it was, so that the step must run. What is
        published is the copy that was verified, whatever happens to the original meanwhile.
        """
        self.require_other_places(refs)
        outputs = tuple(
            replace(old, ref=ref, place=self._place(ref))
            for old, ref in zip(finished, refs, strict=True)
        )
        try:
            moved = [o for o, new in zip(finished, outputs, strict=True) if o.place != new.place]
            kept = [o for o, new in zip(finished, outputs, strict=True) if o.place == new.place]
            if not all(map(intact, kept)):
                return None
            targets = tuple(
                new for old, new in zip(finished, outputs, strict=True) if old.place != new.place
            )
            self._place_all(activity, targets, [output.place for output in moved], cancel)
        except (_OtherContentError, OSError):
            return None
        except InvalidInputError as error:
            if error.code != Code.RESOURCE_NOT_FOUND:
                raise
            return None
        return outputs

    def _place_all(
        self,
        activity: str,
        outputs: Sequence[Output],
        sources: Sequence[Path] | Sequence[str],
        cancel: Event,
    ) -> None:
        """Commit the intent, stage every source, verify, then publish in order."""
        self._store.intend(self._claim, activity, outputs)
        with ExitStack() as undo:
            undo.callback(self._store.intend, self._claim, activity, ())
            staged: list[Staged] = []
            for output, source in zip(outputs, sources, strict=True):
                if cancel.is_set():
                    raise InterruptedRunError(Code.INTERRUPTED, "The run was interrupted.")
                bucket, key = self._destination(output.ref.bucket), output.ref.object
                if isinstance(source, Path):
                    one = bucket.stage(source, key)
                    undo.callback(one.discard)
                else:
                    one = bucket.stage_copy(source, key)
                    undo.callback(one.discard)
                    if one.digests() != output.digests:
                        raise _OtherContentError
                staged.append(one)
            # another process may have taken the execution over while the files were staged
            self._store.check(self._claim)
            undo.pop_all()
        # from here on only names are given: nothing is taken back, each object is whole
        for index, one in enumerate(staged):
            try:
                one.publish()
            except BaseException:
                for left in staged[index:]:
                    left.discard()
                raise

    def require_other_places(self, refs: Sequence[ObjectRef]) -> None:
        """Refuse to write where the input lies. Raises ActivityError."""
        for ref in refs:
            self._source.require_other_place(ref, self._place(ref))

    def _place(self, ref: ObjectRef) -> str:
        return self._destination(ref.bucket).place(ref.object)


class _OtherContentError(Exception):
    """A finished output does not hold any more what was recorded of it."""


def find_finished(store: Store, planned: Planned) -> Result | None:
    """Return the recorded result of an equal step if its outputs still seem to be there.

    Their content is verified when they are published again.
    """
    if planned.step is None or not planned.node.activity.reusable:
        return None
    found = store.find_step(planned.key)
    if found is None or not all(map(_there, found.outputs)):
        return None
    return Result(
        type=planned.node.type,
        data=found.data,
        outputs=found.outputs,
        commands=found.commands,
        warnings=found.warnings,
    )


def intact(output: Output) -> bool:
    """Whether an output still holds what was recorded of it; reads it whole."""
    try:
        return Digests.of(read_place(output.place)) == output.digests
    except OSError:
        return False


def _there(output: Output) -> bool:
    try:
        return read_place(output.place).stat().st_size == output.digests.size
    except OSError:
        return False
