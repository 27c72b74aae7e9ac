"""What is seen in traces: a span for each execution, activity and media process.

>>> with span("activity hd", {"mediaflow.activity": "hd"}) as activity:
...     activity.fail("NoSpace", "The disk is full.")

The span around a block is the parent of those inside of it; `in_context` takes it to other
threads, `current_span` to those that have a context of their own. Until `use` was called nothing is
measured and nothing costs.
"""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

#: of a span: text, numbers, truth
Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """A span that has begun."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def fail(self, code: str, message: str) -> None:
        """Note that what it spans has failed."""
        ...

    def end(self) -> None:
        """End it now."""
        ...


class Tracer(Protocol):
    """Begins spans."""

    def begin(self, name: str, attributes: Attributes, parent: Span | None) -> Span:
        """Return a new span; without a parent it is the first of its trace."""
        ...


class _NoSpan:
    """Takes everything and keeps nothing."""

    def set(self, attributes: Attributes) -> None:
        pass

    def fail(self, code: str, message: str) -> None:
        pass

    def end(self) -> None:
        pass


NO_SPAN: Span = _NoSpan()
_span: ContextVar[Span | None] = ContextVar("span", default=None)
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Begin spans with a tracer from now on; None: with none."""
    global _tracer
    _tracer = tracer


def current_span() -> Span | None:
    """Return the span that the present thread is in."""
    return _span.get()


@contextmanager
def span(name: str, attributes: Attributes, *, parent: Span | None = None) -> Generator[Span]:
    """Begin a span, and end it with the block; an exception out of the block fails it.

    `parent` is for threads that are in none.
    """
    if _tracer is None:
        yield NO_SPAN
        return
    begun = _tracer.begin(name, attributes, parent or _span.get())
    token = _span.set(begun)
    try:
        yield begun
    except BaseException as error:
        begun.fail(str(getattr(error, "code", type(error).__name__)), str(error))
        raise
    finally:
        _span.reset(token)
        begun.end()


def process_span(tool: str) -> AbstractContextManager[Span]:
    """Begin the span of a media process, where it works for a run; `tool` is its file's name."""
    if _span.get() is None:
        return _nothing()
    # packages call their files ffmpeg-linux-x64 and the like
    return span(tool.partition("-")[0], {"process.executable.name": tool})


@contextmanager
def _nothing() -> Generator[Span]:
    yield NO_SPAN
