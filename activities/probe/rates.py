"""The frame rate of a stream: a constant one, whatever its pictures keep to.

Specification: transcode, 22.3.
"""

import math
from collections.abc import Mapping
from fractions import Fraction

from activities.probe.values import duration, ratio, whole
from workflow_engine.records import Json

#: frames per second, exclusive: time bases that look like rates (1000, 90000) begin here
MAX_FPS = 1000
#: the fastest clock that is taken for a frame rate where pictures come at varying times
MAX_BASE = 240
#: share by which two rates may differ and still be one
_SAME_RATE = Fraction(1, 200)
_STANDARD_RATES = [
    *(Fraction(n * 1000, 1001) for n in (24, 30, 60)),
    *(Fraction(n) for n in (24, 25, 30, 50, 60)),
]
#: clocks of streams that count fields: two of a frame, or five of two frames (soft telecine)
_FIELD_RATES = (Fraction(2), Fraction(5, 2))


def constant_rate(stream: Mapping[str, Json]) -> Fraction:
    """Return the rate at which a picture is shown, as a constant one.

    Where pictures come at equal times, that is their rate, else the rate of the clock that they
    keep to: an average would show bursts of pictures too late (specification, transcode, 22.3).
    """
    average, base = (_sane_rate(stream, key) for key in ("avg_frame_rate", "r_frame_rate"))
    if average is None:
        return base or _counted_rate(stream)
    if average == base:
        return average
    if base and any(_near(times * average, base) for times in _FIELD_RATES):
        return _standard(average)
    if base and base <= MAX_BASE:
        return _standard(base)
    return _standard(Fraction(math.ceil(average * 10), 10))


def _counted_rate(stream: Mapping[str, Json]) -> Fraction:
    frames, seconds = whole(stream.get("nb_frames")), duration(stream.get("duration"))
    # real cameras are faster than MAX_FPS too, and these numbers are no time bases
    if seconds and seconds <= frames <= 100 * MAX_FPS * seconds:
        return Fraction(frames / seconds).limit_denominator(1001)
    return Fraction(25)


def varies(stream: Mapping[str, Json]) -> bool:
    """Whether pictures seem to come at varying times."""
    average, base = (_sane_rate(stream, key) for key in ("avg_frame_rate", "r_frame_rate"))
    return not (average and base and _near(average, base))


def _sane_rate(stream: Mapping[str, Json], key: str) -> Fraction | None:
    rate = ratio(stream.get(key))
    return rate if rate is not None and Fraction(1, 1000) <= rate < MAX_FPS else None


def _near(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= _SAME_RATE * other


def _standard(rate: Fraction) -> Fraction:
    """Return the standard rate that one is meant to be, else itself."""
    nearest = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if _near(rate, nearest) else rate
