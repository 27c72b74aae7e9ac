"""Tries what an activity does again after a transient cause, and keeps the record of that.

An activity stays Running in the meantime; its message tells of the next attempt. The pause ends
at once when the run does. `retry.py` has the arithmetic. Decision 20.
"""

import logging
import random
from collections.abc import Callable
from typing import TypeVar

from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.errors import MediaflowError, Transient, file_error, transience
from workflow_engine.records import FailedAttempt, utc_now
from workflow_engine.run.cancellation import Cancellation
from workflow_engine.run.journal import Journal
from workflow_engine.telemetry import bound

log = logging.getLogger(__name__)

T = TypeVar("T")


class Attempts:
    """The attempts at the activities of one execution. Thread-safe."""

    def __init__(
        self,
        journal: Journal,
        policy: Callable[[str], RetryPolicy],
        cancellation: Cancellation,
    ) -> None:
        """`policy` is that of an activity; a cancellation ends pauses."""
        self._journal = journal
        self._policy = policy
        self._cancellation = cancellation

    def call(self, name: str, do: Callable[[], T]) -> T:
        """Return what `do` gives, a part of an activity; it is called again after transient causes.

        All parts of an activity share its number of attempts; those of one that has ended were
        made by an earlier run. Raises what `do` raised last, and what ends a run.
        """
        policy, record = self._policy(name), self._journal.activity(name)
        failed = 0 if record.state.ended else len(record.attempts)
        while True:
            try:
                return do()
            except MediaflowError as error:
                failure = error
            except OSError as error:
                if transience(error) is None:
                    raise
                failure = file_error(
                    error,
                    "The operation has failed",
                    check="Check the data directory and its permissions.",
                    room="Make room on the disk of the data directory.",
                )
            failed += 1
            if failure.transient is None or failed >= policy.attempts:
                raise failure
            self._pause(name, failed, failure, failure.transient, policy)

    def _pause(
        self,
        name: str,
        failed: int,
        failure: MediaflowError,
        cause: Transient,
        policy: RetryPolicy,
    ) -> None:
        """Show why the activity is tried again, and wait until then."""
        seconds = policy.pause(failed, cause, random.random())
        coming = f"Attempt {failed + 1} of {policy.attempts}"
        shown = f"{coming} in {seconds:.0f} s: {failure.message}"
        with bound(self._journal.record.run_id, name):  # preparation reads for Start
            log.warning("%s", shown)
        attempt = FailedAttempt(ended=utc_now(), code=failure.code, message=failure.message)
        self._show(name, shown, attempt)
        self._cancellation.event.wait(seconds)
        self._cancellation.require_none()
        self._show(name, f"{coming}, the one before: {failure.message}")

    def _show(self, name: str, message: str, *failed: FailedAttempt) -> None:
        record = self._journal.activity(name)
        if record.state.ended:  # what it left in an earlier run is looked at
            return
        attempts = (*record.attempts, *failed)
        self._journal.run(name, progress=0.0, message=message, attempts=attempts)
