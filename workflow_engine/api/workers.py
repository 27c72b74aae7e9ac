"""Threads that run blocking calls for an event loop.

asyncio's own executor costs twice as much for each call, and at the end of the process waits for
calls that hang; these threads do neither.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


def stay_on_one_core() -> None:
    """Keep this thread, and those that it will start, on one core, where the system can do that.

    Python runs one of them at a time anyway. On several cores they would hand the interpreter,
    and all that they touch, from core to core at every row of a query: twice the work, measured.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})


class Workers(Generic[A, R]):
    """Runs one function in at most `most` threads, started when needed; for one event loop."""

    def __init__(self, function: Callable[[A], R], most: int) -> None:
        self._function = function
        self._most = most
        self._threads = 0
        self._waiting = 0
        self._calls: SimpleQueue[tuple[asyncio.Future[R], A]] = SimpleQueue()

    def run(self, argument: A) -> "asyncio.Future[R]":
        """Call the function, in the loop's own thread; the future has what came of it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        if self._threads < min(self._waiting, self._most):
            self._threads += 1
            threading.Thread(target=self._work, name="api", daemon=True).start()
        self._calls.put((future, argument))
        return future

    def _work(self) -> None:
        while True:
            future, argument = self._calls.get()
            settle = self._outcome(future, argument)
            try:
                future.get_loop().call_soon_threadsafe(settle)
            except RuntimeError:
                continue  # the loop is closed, so nobody waits for the result

    def _outcome(self, future: "asyncio.Future[R]", argument: A) -> Callable[[], None]:
        """Make the call, and return what the loop's thread has to do about it."""
        try:
            result = self._function(argument)
        except BaseException as error:
            return partial(self._settle, future, future.set_exception, error)
        return partial(self._settle, future, future.set_result, result)

    def _settle(
        self, future: "asyncio.Future[R]", how: Callable[[Any], None], outcome: object
    ) -> None:
        self._waiting -= 1
        if not future.done():  # it is when its request was given up
            how(outcome)
