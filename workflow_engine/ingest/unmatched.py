"""Logs which objects start nothing, and why, without letting a flood of them fill the log.

log = UnmatchedLog()
log.say("uploads", "in/a.jpg", 'the extension ".jpg" is not one of audio or video')
log.sum_up()    # now and then
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

#: lines about single objects in a period, over all buckets; of more only the number is logged
LINES = 20
#: seconds
PERIOD = 60.0
#: reasons that are quoted with the number
_REASONS = 3


class UnmatchedLog:
    """The log of one process; thread-safe. `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._said = 0
        self._more: dict[str, Counter[str]] = {}

    def say(self, bucket: str, key: str, reason: str) -> None:
        """Log that an object starts nothing, now or in the sum of this period."""
        with self._lock:
            self._end_period()
            if self._said < LINES:
                self._said += 1
                shown = key.encode(errors="backslashreplace").decode()  # it may not be UTF-8
                log.info('object "%s" of bucket "%s" starts nothing: %s', shown, bucket, reason)
            else:
                self._more.setdefault(bucket, Counter())[reason] += 1

    def sum_up(self) -> None:
        """Log how many more there were, when the period is over."""
        with self._lock:
            self._end_period()

    def _end_period(self) -> None:
        if self._clock() - self._began < PERIOD:
            return
        for bucket, reasons in self._more.items():
            most = "; ".join(f"{count}: {text}" for text, count in reasons.most_common(_REASONS))
            others = reasons.total() - sum(count for _, count in reasons.most_common(_REASONS))
            log.info(
                '%d more objects of bucket "%s" start nothing (%s%s)',
                reasons.total(),
                bucket,
                most,
                f"; {others}: other reasons" if others else "",
            )
        self._began, self._said, self._more = self._clock(), 0, {}
