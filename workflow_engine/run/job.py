"""Activities that run in one process, and the clock of their work."""

import threading
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from workflow_engine.planning.plan import Planned
from workflow_engine.records import Work
from workflow_engine.run.work import work_of


class Job:
    """One attempt at one or several activities. Waiting for a place among the processes is no work.

    `speed` is that of its media process, in seconds of media a second.
    """

    def __init__(
        self,
        members: Sequence[Planned],
        slot: Callable[[], AbstractContextManager[object]],
        clock: Callable[[], float],
    ) -> None:
        """`slot` is held while a process runs."""
        self.members: Mapping[str, Planned] = {one.node.name: one for one in members}
        self.work: Mapping[Hashable, Work] = work_of(members)
        self.speed: float | None = None
        self.ended = False
        self.begun = False
        self._slot = slot
        self._clock = clock
        self._lock = threading.Lock()
        self._done = 0.0  # until `_since`
        self._since: float | None = clock()  # None: it waits, or has ended

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        with self._lock:
            running = 0.0 if self._since is None else self._clock() - self._since
            return self._done + running

    @contextmanager
    def process(self) -> Generator[None]:
        """Hold a place for a media process."""
        self._pause()
        with self._slot():
            self._resume()
            self.begun = True
            yield

    def end(self) -> None:
        """Count no more: what was made is published now."""
        self._pause()
        self.ended = True

    def _pause(self) -> None:
        with self._lock:
            if self._since is not None:
                self._done += self._clock() - self._since
                self._since = None

    def _resume(self) -> None:
        with self._lock:
            self._since = self._clock()
