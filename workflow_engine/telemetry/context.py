"""Which run, and which activity of it, the present thread works for.

Every line that is logged inside of `bound` belongs to that run, also those of libraries. A thread
that is started inside begins without it: hand it `in_context(call)`.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """A run and an activity of it; both are "" outside of runs."""

    run_id: str = ""
    activity: str = ""


_OUTSIDE = RunContext()
_context: ContextVar[RunContext] = ContextVar("run_context", default=_OUTSIDE)


def current() -> RunContext:
    """Return what the present thread works for."""
    return _context.get()


@contextmanager
def bound(run_id: str, activity: str = "") -> Generator[None]:
    """Work for a run until the end of the block."""
    token = _context.set(RunContext(run_id=run_id, activity=activity))
    try:
        yield
    finally:
        _context.reset(token)


def in_context(call: Callable[P, R]) -> Callable[P, R]:
    """Return a function that works for the run of now, on whatever thread it is called, once."""
    context = copy_context()

    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.run(call, *args, **kwargs)

    return called


def fields(**values: Any) -> dict[str, Any]:
    """Return the `extra` of a log record: values that a line of JSON has beside its message."""
    return {"fields": values}
