"""A clock that stands still until it is moved."""


class Clock:
    """It shows seconds since the epoch; call it to read it.

    >>> clock = Clock(1000.0)
    >>> clock.advance(0.5)
    >>> clock()
    1000.5
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forwards."""
        self.now += seconds
