"""When an activity is tried again after a transient cause; `errors.Transient` says which these are.

Pauses grow from the first to the longest one, each twice the one before, and vary at random, so
that many activities do not come back to a storage at the same moment. Room on a disk takes an
operator, or an execution that ends: a full disk has the longest pause from the beginning.
"""

from dataclasses import dataclass

from workflow_engine.errors import Transient

#: how much a pause may vary, as a share of it, in both directions
JITTER = 0.15
#: a pause has long reached any limit by then
_MOST_DOUBLINGS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often an activity is tried in all, and the pauses between, in seconds.

    The default is patient for ten minutes at least.
    """

    attempts: int = 18
    first_pause: float = 1.0
    longest_pause: float = 60.0

    def pause(self, failed: int, cause: Transient, chance: float) -> float:
        """Return the seconds before the next attempt, after so many failed ones.

        `chance` is a random number from 0 to 1.
        """
        pause = self.longest_pause
        if cause is not Transient.SPACE:
            pause = min(self.first_pause * 2.0 ** min(failed - 1, _MOST_DOUBLINGS), pause)
        return pause * (1 + JITTER * (2 * chance - 1))
