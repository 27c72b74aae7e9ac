"""One process for sibling activities: one decode serves them all (decision 7).

Whichever member comes first runs the process for the whole group, the others wait for its
result without holding a process slot. When the process fails of itself, each member runs alone.
After a transient cause every member gets the error, and the first that tries again runs the
process for all; when the process was killed, each is tried alone, which needs less memory at once.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from workflow_engine.activity import ActivityContext, ActivityResult
from workflow_engine.errors import ActivityError, Code, Transient, transience
from workflow_engine.planning.plan import Planned

log = logging.getLogger(__name__)

#: gives the contexts of activities while they are at work
AtWork = Callable[[Sequence[Planned]], AbstractContextManager[Sequence[ActivityContext]]]

#: failures that would hit every member alone as well
_COMMON_FAILURES = (Code.TIMEOUT, Code.NO_SPACE)


class SharedProcess:
    """A group of planned activities that share one process."""

    def __init__(
        self,
        members: Sequence[Planned],
        at_work: AtWork,
        discard: Callable[[str], None],
    ) -> None:
        """`at_work` gives the contexts of the members while the process runs.

        `discard` takes the directory of one away, by name, when the process has failed.
        """
        self._members = members
        self._at_work = at_work
        self._discard = discard
        self._lock = threading.Lock()
        self._tried = False
        self._results: dict[str, ActivityResult | ActivityError] = {}
        self._error: BaseException | None = None
        self._told: set[str] = set()  # who got the error

    def result(self, name: str) -> ActivityResult | None:
        """Run or await the process; None means that the member must run alone.

        Raises what ended the process when that concerns every member, and what the member failed
        by; a member that asks again after a transient cause tries again.
        """
        with self._lock:
            cause = transience(self._error)
            if cause is not None and name in self._told:
                self._error = None
                self._told.clear()
                self._tried = cause is Transient.KILLED
            if not self._tried:
                self._tried = True
                self._run()
            if self._error is not None:
                self._told.add(name)
                raise self._error
            result = self._results.get(name)
        if isinstance(result, ActivityError):
            raise result
        return result

    def _run(self) -> None:
        names = [member.node.name for member in self._members]
        try:
            with self._at_work(self._members) as contexts:
                steps = [member.step for member in self._members if member.step is not None]
                pairs = list(zip(steps, contexts, strict=True))
                results = self._members[0].node.activity.run_shared(pairs)
            self._results = dict(zip(names, results, strict=True))
            return
        except ActivityError as error:
            if error.code in _COMMON_FAILURES or error.transient is not None:
                self._error = error
            else:
                log.warning("one process for %s failed, running each alone: %s", names, error)
        except BaseException as error:
            self._error = error
        for name in names:
            self._discard(name)
