"""Takes executions out of the queue and runs them, several at once.

What may start, and in which order, is the store's answer (`QueueTable.claim_next`): pipelines,
quotas and priorities count over all processes that share it. An execution whose process was killed
comes out of the queue again once its lease has lapsed, and continues under its RunId.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from workflow_engine.engine import Engine
from workflow_engine.errors import Interruption, LeaseLostError, MediaflowError
from workflow_engine.records import ExecutionRecord, utc_now
from workflow_engine.run import lease
from workflow_engine.run.cancellation import Cancellation
from workflow_engine.run.journal import Observer
from workflow_engine.run.runner import Executor
from workflow_engine.store import Claim
from workflow_engine.telemetry import bound

log = logging.getLogger(__name__)

#: seconds between two looks into the queue; what this process queues is noticed at once
POLL_SECONDS = 0.5


#: makes what watches an execution, by its RunId, for as long as it runs
Observed = Callable[[str], AbstractContextManager[Sequence[Observer]]]


def unobserved(run_id: str) -> AbstractContextManager[Sequence[Observer]]:
    """Let nobody watch: an `Observed`."""
    return nullcontext(())


class Dispatcher:
    """Runs queued executions on threads of this process.

    `executor` gives each its own, `observed` what watches it while it runs; `ran` gets each
    afterwards, and since when it ran here.
    """

    name = "runner"

    def __init__(
        self,
        engine: Engine,
        executor: Callable[[], Executor],
        observed: Observed = unobserved,
        ran: Callable[[ExecutionRecord, datetime], object] = lambda record, since: None,
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._observed = observed
        self._ran = ran
        self._owner = lease.owner_name()
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._cancellations: set[Cancellation] = set()
        self._running: frozenset[str] = frozenset()
        self._closing = threading.Event()
        self._leaving = False
        self._problem = ""
        self._no_news: Callable[[], None] = lambda: None
        self._threads = [
            threading.Thread(target=self._work, name=f"{self.name} {number}", daemon=True)
            for number in range(engine.settings.runner.concurrency)
        ]

    def start(self) -> None:
        """Begin to take executions out of the queue."""
        self._engine.runs.sweep()
        self._no_news = self._engine.store.queue.on_news(self._engine.queued.set)
        for thread in self._threads:
            thread.start()

    def status(self) -> str:
        """Return what keeps executions from running, empty when nothing does."""
        dead = sum(thread.ident is not None and not thread.is_alive() for thread in self._threads)
        if dead and not self._closing.is_set():
            return f"{dead} of {len(self._threads)} threads that run executions have ended."
        return self._problem

    def running(self) -> int:
        """Return how many executions are in work here."""
        return len(self._running)

    def idle(self) -> bool:
        """Whether nothing runs any more, or will; never before `close`."""
        return self._closing.is_set() and not any(map(threading.Thread.is_alive, self._threads))

    def close(self) -> None:
        """Take nothing more out of the queue; what runs continues."""
        self._closing.set()
        self._no_news()
        self._engine.queued.set()

    def leave(self) -> None:
        """Stop what runs where it is; the next process that looks into the queue continues."""
        self.close()
        with self._lock:
            self._leaving = True
            cancellations = list(self._cancellations)
        for cancellation in cancellations:
            cancellation.stop(Interruption.LEFT)

    def join(self, seconds: float) -> bool:
        """Wait until nothing runs any more; False when something still does after `seconds`."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        return self.idle()

    def _work(self) -> None:
        while not self._closing.is_set():
            with self._turn:  # one thread looks into the queue, the others wait for their turn
                claim = self._next()
            if claim is not None:
                with bound(claim.run_id):
                    self._run(claim)

    def _next(self) -> Claim | None:
        """Wait for the next execution to run; None at the end."""
        while not self._closing.is_set():
            self._engine.queued.clear()
            if (claim := self._claim()) is not None:
                with self._lock:
                    self._running |= {claim.run_id}
                return claim
            if not self._closing.is_set():
                self._engine.queued.wait(POLL_SECONDS)
        return None

    def _claim(self) -> Claim | None:
        try:
            claim = self._engine.store.queue.claim_next(
                owner=self._owner,
                lease_seconds=lease.LEASE,
                busy=self._running,
                buckets=self._engine.buckets.locations,
            )
        except Exception as error:  # the store may fail now and answer at the next look
            if not self._problem:
                log.warning("the queue cannot be read: %s", error, exc_info=True)
            self._problem = f"The queue cannot be read: {error}"
            return None
        self._problem = ""
        return claim

    def _run(self, claim: Claim) -> None:
        begun: list[Cancellation] = []

        def started(cancellation: Cancellation) -> None:
            begun.append(cancellation)
            with self._lock:
                self._cancellations.add(cancellation)
                leaving = self._leaving
            if leaving:
                cancellation.stop(Interruption.LEFT)

        try:
            since = utc_now()
            with self._observed(claim.run_id) as observers:
                record = self._engine.runs.run_claimed(
                    claim, executor=self._executor(), observers=observers, on_start=started
                )
            self._ran(record, since)
        except LeaseLostError as error:
            log.warning("run taken over by another process: %s", error.message)
        except MediaflowError as error:
            log.error("run broke: %s", error.problem())
        except Exception as error:
            log.exception("run broke: %r", error)
        finally:
            with self._lock:
                self._cancellations.difference_update(begun)
                self._running -= {claim.run_id}
