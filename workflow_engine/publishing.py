"""How outputs become visible: intent first, then the objects, what refers to others last.

Also how outputs of an equal finished step are found, verified and published again under other
names. Design, decisions 5 (content keys) and 6 (order of writes).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event

from workflow_engine.activity import Produced, Result
from workflow_engine.buckets import Bucket, read_place
from workflow_engine.errors import Code, InterruptedRunError
from workflow_engine.plan import Planned
from workflow_engine.records import Digests, ObjectRef, Output
from workflow_engine.store import Claim, Store


class Publisher:
    """Publishes the outputs of one execution. `destination` finds a bucket by name."""

    def __init__(self, store: Store, claim: Claim, destination: Callable[[str], Bucket]) -> None:
        self._store = store
        self._claim = claim
        self._destination = destination

    def publish(
        self, activity: str, files: Sequence[Produced], cancel: Event
    ) -> tuple[Output, ...]:
        """Make finished files visible under their names and return them, what is `last` last.

        What was placed is taken away again when a later file fails. Raises InterruptedRunError
        once `cancel` is set, and what the buckets raise.
        """
        ordered = sorted(files, key=lambda produced: produced.last)
        outputs = tuple(
            Output(
                ref=produced.ref,
                place=self._place(produced.ref),
                digests=Digests.of(produced.path),
                media=produced.media,
            )
            for produced in ordered
        )
        self._store.intend(self._claim, activity, outputs)
        placed: list[ObjectRef] = []
        try:
            for produced in ordered:
                if cancel.is_set():
                    raise InterruptedRunError(Code.INTERRUPTED, "The run was interrupted.")
                bucket = self._destination(produced.ref.bucket)
                bucket.put(produced.path, produced.ref.object)
                placed.append(produced.ref)
        except BaseException:
            for ref in placed:
                self._destination(ref.bucket).delete(ref.object)
            raise
        return outputs

    def republish(
        self, activity: str, finished: Sequence[Output], refs: Sequence[ObjectRef]
    ) -> tuple[Output, ...]:
        """Copy the outputs of a finished step to their names in this execution."""
        outputs = tuple(
            replace(old, ref=ref, place=self._place(ref))
            for old, ref in zip(finished, refs, strict=True)
        )
        self._store.intend(self._claim, activity, outputs)
        for old, new in zip(finished, outputs, strict=True):
            self._destination(new.ref.bucket).copy(old.place, new.ref.object)
        return outputs

    def _place(self, ref: ObjectRef) -> str:
        return self._destination(ref.bucket).place(ref.object)


def find_finished(store: Store, planned: Planned) -> Result | None:
    """Return the recorded result of an equal step if every output is still as recorded."""
    if planned.step is None or not planned.node.activity.reusable:
        return None
    found = store.find_step(planned.key)
    if found is None or not all(map(_intact, found.outputs)):
        return None
    return Result(
        type=planned.node.type,
        data=found.data,
        outputs=found.outputs,
        commands=found.commands,
        warnings=found.warnings,
    )


def _intact(output: Output) -> bool:
    """Whether an output still has its recorded content: read whole, a size proves little."""
    path = read_place(output.place)
    try:
        return path.stat().st_size == output.digests.size and Digests.of(path) == output.digests
    except OSError:
        return False
