"""Buckets whose events do not arrive: `events = "poll"`.

All that is to be done is to list the bucket every `poll_seconds`, which the service does for
every bucket now and then (`attendant.py`), and again soon after a listing that failed.
"""

from triggers.listener import ListenerContext


class PollListener:
    """Hears nothing; has its bucket listed."""

    kind = "poll"

    def __init__(self, context: ListenerContext) -> None:
        self.bucket = context.bucket
        self._report = context.report

    def start(self) -> None:
        """Have the first listing made."""
        self._report.listening()

    def stop(self) -> None:
        """Nothing is left to end."""

    def status(self) -> str:
        """Return nothing: what keeps a bucket from being listed, the service says."""
        return ""
