"""What a run shows in the Prefect UI beside its states: progress, log, tables, links, pictures.

Used by `prefect_tasks.py` inside the flow and its tasks; `prefect_words.py` has the texts.
"""

import contextvars
import logging
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

from workflow_engine.activity import Artifact
from workflow_engine.executor.prefect_words import (
    linked,
    log_lines,
    outputs_table,
    pictures_text,
    workflow_text,
)
from workflow_engine.records import ActivityRecord, ActivityState, Progress, about
from workflow_engine.run.outcomes import Outcome
from workflow_engine.run.runner import Runner
from workflow_engine.telemetry import in_context

log = logging.getLogger(__name__)

#: seconds between two updates of the progress artifacts
_PROGRESS_PERIOD = 1.0
#: seconds that the end of a run waits for what is not shown yet
_PATIENCE = 5.0


class Show:
    """Artifacts of the activities. After a first failure no more are tried in this run.

    Progress, tables and links are sent by threads of their own, so that neither an ffmpeg nor the
    next activity waits for HTTP. `close` waits for what is left.
    """

    def __init__(self, runner: Runner, pages_url: str) -> None:
        """`pages_url` leads to the pages of `serve`, "" where there are none."""
        self._runner = runner
        self._pages_url = pages_url
        self._waiting: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._sender = threading.Thread(
            target=in_context(self._send), name="artifacts", daemon=True
        )
        self._sender.start()
        self._bars: dict[str, Any] = {}
        self._latest: dict[str, Progress] = {}
        self._lock = threading.Lock()
        self._broken = threading.Event()

    def activity_changed(self, record: ActivityRecord) -> None:
        """Fill the bar of what succeeded, log what is tried again; task states show the rest."""
        if record.state is ActivityState.SUCCESS:
            self.progressed(record.name, Progress(fraction=1.0))
        elif record.state is ActivityState.RUNNING and record.message:
            self._try(_log, [(logging.WARNING, f"{record.name}: {record.message}")])

    def progressed(self, name: str, progress: Progress) -> None:
        """Keep the newest value for the next update."""
        with self._lock:
            self._latest[name] = progress

    @contextmanager
    def progress(self, name: str) -> Generator[None]:
        """Update the progress artifact of one activity while it runs, and once after."""
        context = contextvars.copy_context()
        done = threading.Event()

        def update() -> None:
            while not done.wait(_PROGRESS_PERIOD):
                context.run(self._send_progress, name)

        thread = threading.Thread(target=update, name=f"progress {name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            # a server that went away must not hold the run up
            thread.join(timeout=2 * _PROGRESS_PERIOD)
            if name in self._bars and not thread.is_alive():
                self._send_progress(name)

    def workflow(self) -> None:
        """Show what the workflow is."""
        runner = self._runner
        self._put_all(lambda: [workflow_text(runner.graph, runner.record, self._pages_url)])

    def artifacts(self, outcome: Outcome) -> None:
        """Log what a finished activity did; show tables and links, and what it published."""
        self._try(_log, log_lines(outcome.record))
        self._put_all(lambda: self._of_outcome(outcome))

    def _of_outcome(self, outcome: Outcome) -> Iterator[Artifact]:
        told = [one for one in outcome.artifacts if isinstance(one, Artifact)]
        for artifact in (*told, *outputs_table(outcome.record)):
            yield linked(artifact, self._runner.record, self._pages_url)

    def pictures(self) -> None:
        """Show small copies of the pictures that came out."""
        self._put_all(lambda: pictures_text(self._runner.thumbnails))

    def _put_all(self, make: Callable[[], Iterable[Artifact]]) -> None:
        for artifact in self._try(lambda: [*make()]) or ():
            self._put(artifact)

    def _put(self, artifact: Artifact) -> None:
        context = contextvars.copy_context()  # says to which run it belongs
        self._waiting.put(lambda: context.run(self._try, _create, artifact))

    def close(self) -> None:
        """Wait until everything is shown; not long, for a server that does not answer."""
        self._waiting.put(None)
        self._sender.join(timeout=_PATIENCE)
        self._broken.set()

    def _send(self) -> None:
        while (send := self._waiting.get()) is not None:
            send()

    def _send_progress(self, name: str) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        with self._lock:
            progress = self._latest.pop(name, None)
        if progress is None:
            return
        shown: dict[str, Any] = {
            "progress": round(progress.fraction * 100, 1),
            "description": _description(name, progress),
        }
        if name in self._bars:
            self._try(update_progress_artifact, self._bars[name], **shown)
        elif bar := self._try(create_progress_artifact, **shown):
            self._bars[name] = bar

    def _try(self, call: Any, *arguments: Any, **options: Any) -> Any:
        if self._broken.is_set():
            return None
        try:
            return call(*arguments, **options)
        except Exception as error:
            self._broken.set()
            log.warning("Prefect takes no artifacts any more: %s", error)
            return None


def _description(name: str, progress: Progress) -> str:
    """`hd: 2.1 x, about 3 min left`."""
    facts: list[str] = []
    if progress.speed is not None:
        facts.append(f"{progress.speed:.2g} x")
    if progress.seconds_left is not None and progress.fraction < 1:
        facts.append(f"{about(progress.seconds_left)} left")
    return f"{name}: {', '.join(facts)}" if facts else name


def _log(lines: Iterable[tuple[int, str]]) -> None:
    """Write into the log of the task that runs on this thread, if one does."""
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    with suppress(MissingContextError):
        logger = get_run_logger()
        for level, text in lines:
            logger.log(level, "%s", text)


def _create(artifact: Artifact) -> None:
    from prefect.artifacts import (
        create_link_artifact,
        create_markdown_artifact,
        create_table_artifact,
    )

    if artifact.kind == "table":
        create_table_artifact(table=artifact.content, description=artifact.title)
    elif artifact.kind == "link":
        create_link_artifact(link=artifact.content, description=artifact.title)
    else:
        create_markdown_artifact(markdown=artifact.content, description=artifact.title)
