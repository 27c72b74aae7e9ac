"""Live progress of a run on stderr: bars on a terminal, nothing elsewhere."""

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from workflow_engine.cli.common import options
from workflow_engine.records import ActivityRecord, ActivityState, Progress, about

_STYLES = {
    ActivityState.RUNNING: "cyan",
    ActivityState.SUCCESS: "green",
    ActivityState.FAIL: "red",
    ActivityState.SKIPPED: "yellow",
}
#: the most that a bar shows of an activity that has not ended: its outputs are still published
_ALMOST = 0.99


def _waits(record: ActivityRecord) -> bool:
    """Whether the message tells of the next attempt."""
    return record.state is ActivityState.RUNNING and bool(record.message)


class Countdown:
    """About how long something still takes, which is less from moment to moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end: float | None = None

    def set(self, seconds: float | None) -> None:
        """Take a new estimate; None: nobody knows."""
        self._end = None if seconds is None else self._clock() + seconds

    def __str__(self) -> str:
        """Say `about 3 min left`; nothing where nobody knows, or where it should be over."""
        left = -1.0 if self._end is None else self._end - self._clock()
        return f"{about(left)} left" if left > 0 else ""


class LiveProgress:
    """An observer that draws one bar per started activity, and tells the time that is left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._left = Countdown()
        self._bars = _Bars(
            TextColumn("{task.fields[state]:<8}", style="bold"),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            _SpeedColumn(),
            TextColumn("{task.fields[left]}", style="dim"),
            console=self._console,
            disable=not options.live,
        )
        self._bars.footer = self._footer
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
                    escape(record.name), total=1.0, state="", speed=None, left=Countdown()
                )
            task = self._tasks[record.name]
            bar = self._bars.tasks[task]
            if bar.stop_time is not None and not record.state.ended:  # it runs once more
                bar.stop_time = None
                self._bars.reset(task)
            news = f"  [yellow]{escape(record.message)}[/]" if _waits(record) else ""
            self._bars.update(
                task, state=f"[{style}]{state}[/]", description=escape(record.name) + news
            )
            if record.state is ActivityState.SUCCESS:
                self._bars.update(task, completed=1.0)
            if record.state.ended:
                bar.fields["left"].set(None)
                self._bars.update(task, speed=None)
                self._bars.stop_task(task)

    def progressed(self, name: str, progress: Progress) -> None:
        """Move a bar, and tell how long it and the run still take."""
        with self._lock:
            self._left.set(progress.run_seconds_left)
            task = self._bars.tasks[self._tasks[name]] if name in self._tasks else None
            if task is None or task.stop_time is not None:
                return
            task.fields["left"].set(progress.seconds_left)
            self._bars.update(
                task.id, completed=min(progress.fraction, _ALMOST), speed=progress.speed
            )

    def _footer(self) -> str:
        """The time that is left of the run, while it is more than that of one activity."""
        return str(self._left)

    def __enter__(self) -> "LiveProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set(None)
        self._bars.stop()


class _Bars(Bars):
    """Bars with a line below them."""

    footer: Callable[[], str] = str

    def get_renderables(self) -> Iterable[RenderableType]:
        """Draw the bars, and what is to be said of all of them."""
        yield from super().get_renderables()
        if text := self.footer():
            yield Text(f"whole run: {text}", style="dim")


class _SpeedColumn(ProgressColumn):
    """How many seconds of media are done in a second."""

    def render(self, task: Task) -> Text:
        """Draw `2.1x`."""
        speed: float | None = task.fields["speed"]
        return Text("" if speed is None else f"{speed:.2g}x".rjust(5), style="dim")
