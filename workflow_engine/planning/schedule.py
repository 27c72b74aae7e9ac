"""How long the rest of a graph takes, where so many processes run at once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True, kw_only=True)
class Task:
    """Activities that are done together: for `seconds` in a process, and `after` without one.

    It begins when those of `before` have ended that are activities of tasks, too; one that is
    `running` has begun. What it publishes takes no process.
    """

    names: tuple[str, ...]
    before: frozenset[str] = frozenset()
    seconds: float
    after: float = 0.0
    running: bool = False


def length(tasks: Sequence[Task], processes: int) -> float:
    """Return after how many seconds all tasks have ended; the first of those that can begin do."""
    left = {name for task in tasks for name in task.names}
    waiting = [task for task in tasks if not task.running]
    ends: list[tuple[float, int, bool, Task]] = []
    order = {id(task): number for number, task in enumerate(tasks)}
    for task in tasks:
        if task.running:
            heappush(ends, (task.seconds, order[id(task)], False, task))
    free, now = processes - len(ends), 0.0
    while True:
        ready = [task for task in waiting if not task.before & left][: max(0, free)]
        for task in ready:
            waiting.remove(task)
            free -= 1
            heappush(ends, (now + task.seconds, order[id(task)], False, task))
        if not ends:
            return now
        now, number, published, task = heappop(ends)
        if published:
            left.difference_update(task.names)
        else:
            free += 1
            heappush(ends, (now + task.after, number, True, task))
