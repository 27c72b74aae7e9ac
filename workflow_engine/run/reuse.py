"""Finished outputs: found by content key, and verified before they are used again.

What lies in a folder is read whole, since anything may have been done to it. What lies in an
object store is known by its ETag where that is the MD5 of the content, else by its version, which
`Publisher` keeps with the digests; it is read once when it is not. Decision 5.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from workflow_engine.activity import StepResult
from workflow_engine.buckets import Buckets, ObjectInfo, Place
from workflow_engine.buckets.parallel import in_parallel
from workflow_engine.errors import InvalidInputError
from workflow_engine.planning.plan import Planned
from workflow_engine.records import DigestSum, Output
from workflow_engine.store import Store


class Finished:
    """The outputs that a store remembers, wherever they lie."""

    def __init__(self, store: Store, buckets: Buckets) -> None:
        self._store = store
        self._buckets = buckets

    def find(self, planned: Planned) -> StepResult | None:
        """Return the recorded result of an equal step if its outputs still seem to be there.

        Their content is verified when they are published again.
        """
        if planned.step is None or not planned.node.activity.reusable:
            return None
        found = self._store.steps.find(planned.key)
        if found is None or not self._all(self._there, found.outputs):
            return None
        return found

    def streams(self, planned: Planned) -> dict[str, Output]:
        """Return outputs that have elementary streams of a step, by the names of the streams.

        They still seem to be there; `fetch` verifies their content.
        """
        step = planned.step
        keys = {name: planned.stream_key(one) for name, one in step.streams.items()} if step else {}
        asked = map(self._store.steps.find_stream, keys.values())
        outputs = [output for output in asked if output and self._there(output)]
        found = {
            name: next((one for one in outputs if key in one.streams), None)
            for name, key in keys.items()
        }
        return {name: output for name, output in found.items() if output}

    def fetch(self, output: Output, target: Path, cancel: Event) -> bool:
        """Copy an output to a free path, and tell whether it is what was recorded of it.

        Raises InterruptedRunError, and what the buckets raise.
        """
        place, total = self._buckets.at(output.place), DigestSum(md5=False)
        with target.open("wb") as file:
            for block in place.bucket.read(place.key, cancel=cancel):
                total.update(block)
                file.write(block)
        if total.result() == output.digests:
            return True
        target.unlink()
        return False

    def intact(self, outputs: Sequence[Output], cancel: Event) -> bool:
        """Whether outputs still hold what was recorded of them. Raises InterruptedRunError."""
        return self._all(lambda output: self._intact(output, cancel), outputs)

    def origin(self, output: Output) -> tuple[Place, str]:
        """Return where an output lies, and the version of it that is known to be intact, or "".

        Raises InvalidInputError when its bucket is not configured any more.
        """
        place = self._buckets.at(output.place)
        info = place.head() if place.bucket.remote else None
        if info is None:
            return place, ""
        same = _by_etag(info, output) or (
            self._store.digests.get(output.place, info.version) == output.digests
        )
        return place, info.version if same else ""

    def _intact(self, output: Output, cancel: Event) -> bool:
        try:
            place = self._buckets.at(output.place)
            info = place.head()
            if info is None or info.size != output.digests.size:
                return False
            if not place.bucket.remote:
                return place.digests(cancel=cancel) == output.digests
            if _by_etag(info, output):
                return True
            known = self._store.digests.get(output.place, info.version)
            if known is None:
                known = place.digests(version=info.version, cancel=cancel)
                self._store.digests.save(output.place, info.version, known)
            return known == output.digests
        except InvalidInputError:
            return False  # it cannot be read, or not any more

    def _there(self, output: Output) -> bool:
        try:
            info = self._buckets.at(output.place).head()
        except InvalidInputError:
            return False
        return info is not None and info.size == output.digests.size

    def _all(self, ask: Callable[[Output], bool], outputs: Sequence[Output]) -> bool:
        """Whether something holds for all outputs; those in object stores are asked together."""
        remote = any("://" in output.place for output in outputs)
        return all(in_parallel(ask, outputs) if remote else map(ask, outputs))


def _by_etag(info: ObjectInfo, output: Output) -> bool:
    """Whether the ETag of an object is the MD5 of an output, so that it holds just that."""
    return info.etag != "" and info.etag == output.digests.md5
