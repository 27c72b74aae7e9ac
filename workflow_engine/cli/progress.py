"""Live progress of a run on stderr: bars on a terminal, nothing elsewhere."""

import threading
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from workflow_engine.cli.common import options
from workflow_engine.records import ActivityRecord, ActivityState

_STYLES = {
    ActivityState.RUNNING: "cyan",
    ActivityState.SUCCESS: "green",
    ActivityState.FAIL: "red",
    ActivityState.SKIPPED: "yellow",
}


def _waits(record: ActivityRecord) -> bool:
    """Whether the message tells of the next attempt."""
    return record.state is ActivityState.RUNNING and bool(record.message)


class LiveProgress:
    """An observer that draws one bar per started activity."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.fields[state]:<8}", style="bold"),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not options.live,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if options.quiet:
            return
        self._bars.console.print(escape(text), highlight=False, soft_wrap=True)

    def activity_changed(self, record: ActivityRecord) -> None:
        """Start a bar, or give it its final state."""
        style = _STYLES.get(record.state, "white")
        state = "reused" if record.reused else str(record.state).lower()
        with self._lock:
            if record.name not in self._tasks:
                self._tasks[record.name] = self._bars.add_task(
                    escape(record.name), total=1.0, state=""
                )
            task = self._tasks[record.name]
            news = f"  [yellow]{escape(record.message)}[/]" if _waits(record) else ""
            self._bars.update(
                task, state=f"[{style}]{state}[/]", description=escape(record.name) + news
            )
            if record.state is ActivityState.SUCCESS:
                self._bars.update(task, completed=1.0)
            if record.state.ended:
                self._bars.stop_task(task)

    def progressed(self, name: str, fraction: float) -> None:
        """Move a bar."""
        with self._lock:
            if name in self._tasks:
                self._bars.update(self._tasks[name], completed=fraction)

    def __enter__(self) -> "LiveProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
