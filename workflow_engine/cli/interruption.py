"""Ctrl-C: the first one stops a run cleanly, the second one as it comes."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workflow_engine.errors import InterruptedRunError, Interruption

if TYPE_CHECKING:
    from workflow_engine.run.cancellation import Cancellation
    from workflow_engine.run.service import OnStart


@contextmanager
def interruptible() -> "Generator[OnStart]":
    """Turn SIGINT and SIGTERM into a clean stop of the run; a second one kills as usual.

    Before this was given a cancellation, they raise InterruptedRunError.
    """
    running: list[Cancellation] = []

    def interrupt(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        for cancellation in running:
            cancellation.stop(Interruption.USER)
        if not running:
            raise InterruptedRunError()

    kept = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield running.append
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
