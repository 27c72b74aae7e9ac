"""Calls per second, by account and action, counted by this process (specification, api, 1).

The table `[service.rate_limits]` names actions, or "default" for all that have no limit of
their own; 0 means no limit.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from workflow_engine.api.action import DEFAULT_RATE
from workflow_engine.errors import Code, InvalidInputError, SettingsError
from workflow_engine.topology.suggest import Suggester

#: the length of the window in seconds
_WINDOW = 1.0
_DEFAULT = "default"


class ThrottledError(InvalidInputError):
    """A call came too early; `retry_after` is in milliseconds, at least 1."""

    def __init__(self, seconds: float, message: str) -> None:
        """`seconds` is how long the caller has to wait."""
        super().__init__(Code.THROTTLING, message, remedy="Wait, and send it again.")
        self.retry_after = max(1, math.ceil(seconds * 1000))


class RateLimits:
    """A sliding window for each account and action. Safe to use from several threads."""

    def __init__(
        self,
        rates: Mapping[str, int],
        table: Mapping[str, int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rates` has each action's own rate, `table` is `[service.rate_limits]`.

        Raises SettingsError for a name in the table that is not an action.
        """
        for name in table:
            if name not in rates and name != _DEFAULT:
                raise SettingsError(
                    Code.INVALID,
                    f'The action "{name}" of [service.rate_limits] is not known.',
                    pointer=f"/service/rate_limits/{name}",
                    remedy=Suggester([*rates, _DEFAULT]).remedy(name),
                )
        usual = table.get(_DEFAULT, DEFAULT_RATE)
        self._rates = {
            name: table.get(name, usual if own == DEFAULT_RATE else own)
            for name, own in rates.items()
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def admit(self, account: str, action: str) -> None:
        """Count a call. Raises ThrottledError, and counts nothing, when it is one too many."""
        rate = self._rates[action]
        if not rate:
            return
        with self._lock:
            now = self._clock()
            calls = self._calls.setdefault((account, action), deque())
            while calls and calls[0] + _WINDOW <= now:
                calls.popleft()
            if len(calls) < rate:
                calls.append(now)
                return
            wait = calls[0] + _WINDOW - now
        raise ThrottledError(wait, f'The action "{action}" is limited to {rate} calls per second.')
