"""Several calls to an object store at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from workflow_engine.telemetry import in_context

#: objects of a store that are asked for, or written, at once
AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(do: Callable[[T], R], items: Sequence[T], at_once: int = AT_ONCE) -> list[R]:
    """Return what is made of each item, in their order; raises what the first one raised.

    Nothing runs any more when it returns or raises.
    """
    if at_once == 1 or len(items) < 2:
        return [do(item) for item in items]
    with ThreadPoolExecutor(at_once, thread_name_prefix="objects") as pool:
        futures = [pool.submit(in_context(do), item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)
