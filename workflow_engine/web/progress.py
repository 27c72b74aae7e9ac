"""What runs in this process says of its progress: speed and time left, which no store has."""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from workflow_engine.records import ActivityRecord, Progress
from workflow_engine.records.progress import about
from workflow_engine.run.journal import Observer


class RunningProgress:
    """The latest progress of the activities that run here. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[tuple[str, str], Progress] = {}

    @contextmanager
    def observed(self, run_id: str) -> Generator[Sequence[Observer]]:
        """Watch an execution while it runs here."""
        try:
            yield [_Observer(self, run_id)]
        finally:
            with self._lock:
                self._latest = {key: one for key, one in self._latest.items() if key[0] != run_id}

    def told(self, run_id: str, activity: str, fraction: float) -> str:
        """Return what is told of the progress of an activity, `fraction` as the store has it."""
        with self._lock:
            known = self._latest.get((run_id, activity))
        if known is None:
            return f"{fraction:.0%}"
        facts = [f"{known.fraction:.0%}"]
        if known.speed is not None:
            facts.append(f"{known.speed:.2g} x")
        if known.seconds_left is not None:
            facts.append(f"{about(known.seconds_left)} left")
        return ", ".join(facts)

    def put(self, run_id: str, activity: str, progress: Progress | None) -> None:
        """Keep the progress of an activity, None once it has ended."""
        with self._lock:
            if progress is None:
                self._latest.pop((run_id, activity), None)
            else:
                self._latest[run_id, activity] = progress


class _Observer:
    """Keeps the progress of one execution."""

    def __init__(self, progress: RunningProgress, run_id: str) -> None:
        self._progress = progress
        self._run_id = run_id

    def activity_changed(self, record: ActivityRecord) -> None:
        if record.state.ended:
            self._progress.put(self._run_id, record.name, None)

    def progressed(self, name: str, progress: Progress) -> None:
        self._progress.put(self._run_id, name, progress)
