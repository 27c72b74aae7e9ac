"""How much work planned activities are, and how long that takes by what was learnt."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from workflow_engine.activity import PlannedOutput, Role
from workflow_engine.planning.graph import Graph
from workflow_engine.planning.plan import Plan, Planned
from workflow_engine.planning.schedule import Task, length
from workflow_engine.records import ObjectRef, Work
from workflow_engine.records.rates import Rates, expected, least_known

#: bytes that take as long to publish as an object does beside its bytes
_OBJECT_BYTES = 250_000

#: finds what was learnt of some kinds of work
Learnt = Callable[[Collection[str]], Rates]


def work_of(members: Iterable[Planned]) -> Mapping[Hashable, Work]:
    """Return the work of activities that run in one process: what they share counts once.

    Activities that do not say how much they do are taken to do as much each time. Of none of a
    kind, nothing can be said.
    """
    found: dict[Hashable, Work] = {}
    for one in members:
        assert one.step is not None
        own = one.step.work or {one.node.name: Work(kind="", amount=1.0)}
        for part, work in own.items():
            if work.amount > 0:
                found[part] = replace(work, kind=f"{one.node.type} {work.kind}".rstrip())
    return found


def publishing(sizes: Iterable[tuple[ObjectRef, int]]) -> list[Work]:
    """Return the work of publishing objects of so many bytes."""
    amounts: dict[str, float] = {}
    for ref, size in sizes:
        amounts[ref.bucket] = amounts.get(ref.bucket, 0.0) + (size + _OBJECT_BYTES) / 1e6
    return [
        Work(kind=f"publish {bucket}", amount=amount) for bucket, amount in sorted(amounts.items())
    ]


def planned_publishing(outputs: Iterable[PlannedOutput]) -> list[Work]:
    """Return the same of planned outputs, by their estimates."""
    return publishing((output.ref, output.size_estimate or 0) for output in outputs)


@dataclass(frozen=True, kw_only=True)
class TimeNeeded:
    """About how long activities take: in a process, and to publish what they made; in seconds.

    `runs` is by how many measurements that kind of work is known which is known least.
    """

    seconds: float
    after: float
    runs: int = 0

    @property
    def whole(self) -> float:
        """Both together."""
        return self.seconds + self.after


def time_needed(members: Sequence[Planned], learnt: Learnt) -> TimeNeeded | None:
    """Return how long activities take that run in one process; None where nobody knows.

    A Report takes no time that counts.
    """
    if all(one.node.role is Role.REPORT for one in members):
        return TimeNeeded(seconds=0.0, after=0.0)
    works = list(work_of(members).values())
    after = [planned_publishing(one.step.outputs) for one in members if one.step]
    kinds = {work.kind for work in works}
    rates = learnt({*kinds, *(work.kind for own in after for work in own)})
    seconds = expected(works, rates)
    if seconds is None:
        return None
    # storage that was never written to is taken to be as quick as it usually is
    slowest = max((expected(own, rates) or 0.0 for own in after), default=0.0)
    return TimeNeeded(seconds=seconds, after=slowest, runs=least_known(kinds, rates))


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """About how long the activities of a plan take, by name, and the whole of it in seconds.

    Activities of a group have its time. `seconds` is None where that of an activity is not known,
    and where nothing is left to do.
    """

    activities: Mapping[str, TimeNeeded]
    seconds: float | None
    runs: int


def forecast(graph: Graph, plan: Plan, learnt: Learnt, processes: int) -> Forecast:
    """Return how long a run of a plan takes on this machine, `processes` at once."""
    left = {
        one.node.name: one
        for one in plan.activities
        if one.step is not None and one.node.name not in plan.reused
    }
    groups = [group.members for group in plan.groups]
    tasks: list[Task] = []
    known: dict[str, TimeNeeded] = {}
    complete = True
    for names in together(left, groups):
        needed = time_needed([left[name] for name in names], learnt)
        if needed is None:
            complete = False
            continue
        known |= dict.fromkeys(names, needed)
        tasks.append(task_of(graph, names, needed))
    runs = min((one.runs for one in known.values() if one.runs), default=0)
    return Forecast(
        activities=known,
        seconds=length(tasks, processes) if complete and runs else None,
        runs=runs,
    )


def together(names: Collection[str], groups: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return activities as they run: those of groups together, the others alone, in order."""
    found = {
        name: tuple(one for one in group if one in names) for group in groups for name in group
    }
    return list(dict.fromkeys(found.get(name, (name,)) for name in names))


def task_of(graph: Graph, names: tuple[str, ...], needed: TimeNeeded) -> Task:
    """Return activities that have not begun as a task."""
    before = frozenset[str]().union(*(graph.predecessors(name) for name in names))
    return Task(names=names, before=before - set(names), seconds=needed.seconds, after=needed.after)
