"""Run one command of Shaka Packager for an activity."""

from collections.abc import Sequence
from pathlib import Path

from activities.ffmpeg.diagnosis import Diagnosis
from activities.ffmpeg.process import LastLines, Stopwatch, killed, supervise
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import ActivityError, Code, InterruptedRunError

#: seconds; it copies, so that a film of many hours takes minutes
_LIMIT = 3600.0


def run_packager(command: Sequence[str], *, context: ActivityContext) -> None:
    """Run a command in `context.work` and wait for its end; it holds `context.slot`.

    Raises InterruptedRunError on `context.cancel`, ActivityError otherwise: `Timeout`, `NoSpace` or
    `InternalError`, with the last lines of stderr as `detail`; `transient` as `run` does.
    """
    diagnosis = Diagnosis()
    tail = LastLines(context.work, see=diagnosis.see)
    with context.slot():
        if context.cancel.is_set():
            raise InterruptedRunError()
        watch = Stopwatch()

        def check() -> ActivityError | None:
            if watch.elapsed <= _LIMIT:
                return None
            return ActivityError(
                Code.TIMEOUT, f"The packager did not end within {_LIMIT:g} seconds."
            )

        status = supervise(
            command,
            cwd=context.work,
            on_line=lambda line: None,
            stderr=tail,
            cancel=context.cancel,
            check=check,
        )
    tool = Path(command[0]).name
    error = killed(status, tool, tail.lines) or diagnosis.error(status, tool, tail.lines)
    if error:
        raise error
