"""How far something is, how fast it gets on, and how long it will probably take."""

from dataclasses import dataclass

#: up to so many seconds, in steps of so many; and so many minutes
_SECONDS, _SECONDS_STEP = 55, 5
_MINUTES = ((10, 1), (60, 5), (600, 10))


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far an activity is.

    `fraction` runs from 0 to 1. `speed` is that of its media process: seconds of media in a second,
    None where it has none. `seconds_left` is about how long the activity still takes, and
    `run_seconds_left` the whole run, both None while nothing sensible can be said.
    """

    fraction: float
    speed: float | None = None
    seconds_left: float | None = None
    run_seconds_left: float | None = None


def about(seconds: float) -> str:
    """Return a duration as nobody takes for exact: `about 40 s`, `about 3 min`, `about 1 h 20 min`.

    `a few seconds` below five.
    """
    if seconds < _SECONDS_STEP:
        return "a few seconds"
    if seconds < _SECONDS:
        return f"about {_rounded(seconds, _SECONDS_STEP)} s"
    minutes = seconds / 60
    for most, step in _MINUTES:
        if _rounded(minutes, step) < most:
            whole = _rounded(minutes, step)
            break
    else:
        whole = _rounded(minutes, 60)
    hours, rest = divmod(whole, 60)
    parts = [f"{hours} h"] if hours else []
    parts += [f"{rest} min"] if rest else []
    return f"about {' '.join(parts)}"


def _rounded(value: float, step: int) -> int:
    return max(step, step * round(value / step))
