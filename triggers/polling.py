"""Buckets whose events do not arrive: `events = "poll"`.

All that is to be done is to list the bucket every `poll_seconds`, which the service does for
every bucket now and then (`reconciler.py`), and again soon after a listing that failed.
"""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from triggers.listener import ListenerContext


class PollListener:
    """Hears nothing; has its buckets listed."""

    def __init__(self, context: ListenerContext) -> None:
        self._buckets = context.buckets

    def start(self) -> None:
        """Have the first listings made."""
        for bucket in self._buckets:
            bucket.report.listening()

    def stop(self) -> None:
        """Nothing is left to end."""

    def status(self) -> str:
        """Return nothing: what keeps a bucket from being listed, the service says."""
        return ""

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing."""
        return ()
