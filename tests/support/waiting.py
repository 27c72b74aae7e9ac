"""Waiting for what a test is about, instead of for a time."""

import time
from collections.abc import Callable
from typing import Any


def wait_for(condition: Callable[[], Any], seconds: float = 60, *, every: float = 0.02) -> Any:
    """Wait until a condition holds, looking again `every` so many seconds; return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(every)
    return found
