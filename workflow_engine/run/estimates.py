"""How long what runs will still take, and the whole run: from its own speed, and from rates.

What runs is judged by how far it is; what waits, and what has hardly begun, by how long such work
took on this machine before (`work.py`, `store/rates.py`). Where neither says anything, nothing is
said. What an execution measures is kept at its end.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from workflow_engine.activity import Produced, Role
from workflow_engine.errors import StoreError
from workflow_engine.planning.graph import Graph
from workflow_engine.planning.plan import Planned, shared_groups
from workflow_engine.planning.schedule import Task, length
from workflow_engine.records import ActivityRecord, Progress, Work
from workflow_engine.records.rates import Measurement, Rate, Rates, divided, expected
from workflow_engine.run.job import Job
from workflow_engine.run.side_inputs import NotReadError
from workflow_engine.run.work import (
    Learnt,
    planned_publishing,
    publishing,
    task_of,
    time_needed,
    together,
)

log = logging.getLogger(__name__)

#: seconds of work, and the share of it, before which its own speed says nothing
_EARLY_SECONDS, _EARLY_SHARE = 3.0, 0.03
#: the share of work from which on its own speed says everything
_SURE_SHARE = 0.33
#: seconds of work from which on an execution is worth to be learnt of
WORTH = 1.0
#: bytes whose publishing is worth to be told of
_TOLD = 10_000_000
#: seconds between two estimates of the whole run, and how much of the time they may take
_PERIOD, _PART = 1.0, 0.01


@dataclass(kw_only=True)
class _Publishing:
    """What an activity publishes."""

    works: Sequence[Work]
    began: float
    ended: bool = False


class Estimates:
    """The times of one execution. Thread-safe."""

    def __init__(
        self,
        graph: Graph,
        *,
        learnt: Learnt,
        processes: int,
        fuse: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`learnt` finds rates; may raise StoreError."""
        self._graph = graph
        self._learnt = learnt
        self._processes = processes
        self._fuse = fuse
        self._clock = clock
        #: the plans of all activities as far as they can be known; set once something plans
        self.outlook: Callable[[], Mapping[str, Planned]] = dict
        #: shows an activity again: something can be said of it now
        self.tell: Callable[[str], None] = lambda name: None
        self._lock = threading.RLock()
        self._rates: dict[str, Rate | None] = {}
        self._jobs: dict[str, Job] = {}
        self._publishing: dict[str, _Publishing] = {}
        self._measured: list[tuple[Sequence[Work], float]] = []
        self._run_left: float | None = None
        self._looked = self._look_again = 0.0

    # --- what is told --------------------------------------------------------------------

    def begin(
        self, members: Sequence[Planned], slot: Callable[[], AbstractContextManager[object]]
    ) -> Job:
        """Return a job of activities that begin now, in place of that of an earlier attempt."""
        job = Job(members, slot, self._clock)
        with self._lock:
            self._jobs |= dict.fromkeys(job.members, job)
        return job

    def end(self, job: Job) -> None:
        """Take what a job has done well as a measure for others."""
        job.end()
        self._measure(list(job.work.values()), job.seconds)

    @contextmanager
    def published(self, name: str, files: Iterable[Produced]) -> Generator[None]:
        """Measure how long an activity takes to publish what it has made."""
        sizes = [(one.ref, one.path.stat().st_size) for one in files if one.path.is_file()]
        one = _Publishing(works=publishing(sizes), began=self._clock())
        with self._lock:
            self._publishing[name] = one
        if sum(size for _, size in sizes) >= _TOLD:
            self.tell(name)
        yield
        one.ended = True
        self._measure(one.works, self._clock() - one.began)

    def _measure(self, works: Sequence[Work], seconds: float) -> None:
        if works and seconds > 0:
            with self._lock:
                self._measured.append((works, seconds))

    def measured(self) -> list[Measurement]:
        """Return what was measured; nothing where it took too little time to learn from."""
        with self._lock:
            if sum(seconds for _, seconds in self._measured) < WORTH:
                return []
            return [
                one
                for works, seconds in self._measured
                for one in divided(works, seconds, self._known(works))
            ]

    # --- what is asked -------------------------------------------------------------------

    def progress(self, name: str, activities: Mapping[str, ActivityRecord]) -> Progress:
        """Return how far an activity is, with what can be said of the time that is left.

        `activities` are those of the execution as they stand.
        """
        with self._lock:
            job = self._jobs.get(name)
            left = self._left(activities[name])
            seconds = None if left is None else sum(left)
            whole = self._whole(activities)
            return Progress(
                fraction=activities[name].progress,
                speed=job.speed if job and not job.ended else None,
                seconds_left=seconds,
                run_seconds_left=None if whole is None else max(whole, seconds or 0.0),
            )

    def _left(self, record: ActivityRecord) -> tuple[float, float] | None:
        """Return how long an activity takes that has begun: its process, and publishing."""
        job = self._jobs.get(record.name)
        if job is None:
            return None
        publishes = self._left_to_publish(record.name, job)
        if job.ended:
            return 0.0, publishes
        left = self._left_to_do(job, record.progress)
        return None if left is None else (left, publishes)

    def _left_to_do(self, job: Job, fraction: float) -> float | None:
        works = list(job.work.values())
        usual, spent = expected(works, self._known(works)), job.seconds
        sure = spent >= _EARLY_SECONDS and fraction >= _EARLY_SHARE
        if usual is None:
            return (1 - fraction) * spent / fraction if sure else None
        if not sure:
            # longer than it ever took, and not far yet: nobody knows
            return usual - spent if spent < usual else None
        share = min(1.0, fraction / _SURE_SHARE)
        return (1 - fraction) * (usual * (1 - share) + spent / fraction * share)

    def _left_to_publish(self, name: str, job: Job) -> float:
        one, step = self._publishing.get(name), job.members[name].step
        if one is not None and one.ended:
            return 0.0
        works = one.works if one else planned_publishing(step.outputs if step else ())
        usual = expected(works, self._known(works)) or 0.0
        return max(0.0, usual - (self._clock() - one.began if one else 0.0))

    def _whole(self, activities: Mapping[str, ActivityRecord]) -> float | None:
        """Return how long the run takes; between two estimates, the time that went by is less."""
        now = self._clock()
        if now < self._look_again:
            known = self._run_left
            return None if known is None else max(0.0, known - (now - self._looked))
        self._run_left = self._run(activities)
        self._looked = self._clock()
        self._look_again = self._looked + max(_PERIOD, (self._looked - now) / _PART)
        return self._run_left

    def _run(self, activities: Mapping[str, ActivityRecord]) -> float | None:
        open_ = [name for name in self._graph.order if not activities[name].state.ended]
        tasks: list[Task] = []
        for job in dict.fromkeys(self._jobs[name] for name in open_ if name in self._jobs):
            own = [activities[name] for name in job.members if name in open_]
            # a member that is only about to be told is as far as the others
            done = max(record.progress for record in own)
            lefts = [self._left(replace(record, progress=done)) for record in own]
            lefts = [left for left in lefts if left is not None]
            if len(lefts) < len(own):
                return None
            tasks.append(
                Task(
                    names=tuple(record.name for record in own),
                    seconds=max(seconds for seconds, _ in lefts),
                    after=max(after for _, after in lefts),
                    running=job.begun or job.ended,
                )
            )
        waiting = [
            name
            for name in open_
            # a Report takes no time that counts
            if name not in self._jobs and self._graph.nodes[name].role is not Role.REPORT
        ]
        found = self._of_waiting(waiting)
        return None if found is None else length([*tasks, *found], self._processes)

    def _of_waiting(self, names: Collection[str]) -> list[Task] | None:
        """Return the tasks of activities that have not begun; None where one is not known."""
        if not names:
            return []
        planned = self.outlook()
        known = {name: planned[name] for name in names if name in planned}
        unread = any(isinstance(one.error, NotReadError) for one in known.values())
        if unread or len(known) < len(names):
            return None
        steps = {name: one for name, one in known.items() if one.step is not None}
        groups = shared_groups(self._graph, steps.values()) if self._fuse else ()
        tasks: list[Task] = []
        for own in together(steps, groups):
            needed = time_needed([steps[name] for name in own], self._learnt_once)
            if needed is None:
                return None
            tasks.append(task_of(self._graph, own, needed))
        # what is skipped or fails takes no time
        tasks += [
            Task(names=(name,), before=frozenset(self._graph.predecessors(name)), seconds=0.0)
            for name in known
            if name not in steps
        ]
        return tasks

    def _known(self, works: Iterable[Work]) -> Rates:
        return self._learnt_once({work.kind for work in works})

    def _learnt_once(self, kinds: Collection[str]) -> Rates:
        """Return what was learnt of some kinds of work before this execution."""
        if new := [kind for kind in kinds if kind not in self._rates]:
            found: Rates = {}
            try:
                found = self._learnt(new)
            except StoreError as error:  # the run is worth more
                log.debug("no rates are known: %s", error)
            self._rates |= {kind: found.get(kind) for kind in new}
        return {kind: rate for kind in kinds if (rate := self._rates[kind]) is not None}
