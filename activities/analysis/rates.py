"""How a result template keeps the average rate of its rung, whatever the length of the film.

Pure: rates in kbit/s, buffers in kbit, lengths in seconds. Specification: analysis, 6 (Keeping the
average inside BitrateBnd).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from activities.analysis.selection import Rung

#: what templates may say (specification, transcode, 4)
LEAST_RATE, LEAST_BUFFER, LARGEST_BUFFER = 10, 1000, 6000
#: a predicted rate within these shares of the range may be left to a Crf: predictions err
_CRF_LOW, _CRF_HIGH = 1.06, 0.9
#: by which factor the rate must at least be able to rise above its average, and better may
_LEAST_ROOM, _GOOD_ROOM = 1.1, 1.5
#: shares of the ends of the range that a target keeps off, since two passes err a little
_OFF_LOW, _OFF_HIGH = 1.02, 0.97
#: seconds at the maximum rate that a buffer holds, where it need not be small
_SECONDS_OF_BUFFER = 2
#: seconds; shorter clips are encoded in two passes
_LONG = 10.0
#: how full a buffer is when a film begins, as encoders take it
_FULL = 0.9
#: the share of the bytes of a Crf that a limit may cut
_MOST_CUT = 0.03
#: how far peaks may exceed the range where nothing is streamed
_LOCAL_PEAKS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class RateControl:
    """Either a Crf under a maximum rate, in one pass, or an average rate in two."""

    crf: float | None = None
    bitrate: float | None = None
    maxrate: float
    bufsize: float

    @property
    def mode(self) -> str:
        """The TransMode."""
        return "onepass" if self.bitrate is None else "twopass"


def rate_control(
    rung: Rung,
    crf: float,
    duration: float | None,
    *,
    local: bool,
    cut: Callable[[RateControl], float],
    whole: bool = False,
) -> RateControl:
    """Return how an offered rung keeps its rate; `crf` is what has that rate at its size.

    `duration` is None when unknown; `local` players bear higher peaks. `cut` tells which
    share of its bytes a Maxrate and a Bufsize would cut: with a Crf, the average falls by as much.
    `whole` means that the rate was measured on all of the source, and not predicted.
    """
    assert rung.kbps is not None
    low, high = _OFF_LOW * rung.low, _OFF_HIGH * rung.high
    bufsize = LEAST_BUFFER if duration is None or duration < _LONG else LARGEST_BUFFER
    if not local:
        limited = None
        if whole and not rung.capped and low <= rung.kbps <= high:
            # two passes would miss the average of a few seconds by more than this; whatever the
            # buffer allows, it is no more than was measured
            room = min(max(_SECONDS_OF_BUFFER * rung.high, LEAST_BUFFER), LARGEST_BUFFER)
            limited = RateControl(crf=crf, maxrate=rung.high, bufsize=room)
        elif duration is not None and duration >= _LONG:
            limited = _limited_crf(rung, crf, duration)
        if limited and cut(limited) <= _MOST_CUT:
            return limited
    return RateControl(
        bitrate=max(float(LEAST_RATE), round(min(max(rung.kbps, low), high), 1)),
        maxrate=rung.high * (_LOCAL_PEAKS if local else 1),
        bufsize=bufsize,
    )


def _limited_crf(rung: Rung, crf: float, duration: float) -> RateControl | None:
    """Return a Crf with a limit that keeps the average within the range; None: there is none."""
    assert rung.kbps is not None
    if not _CRF_LOW * rung.low <= rung.kbps <= _CRF_HIGH * rung.high:
        return None
    # a full buffer may be spent on top of Maxrate
    wanted = duration * (rung.high - _GOOD_ROOM * rung.kbps)
    bufsize = int(min(max(wanted, LEAST_BUFFER), LARGEST_BUFFER))
    maxrate = int(rung.high - bufsize / duration)
    if maxrate < _LEAST_ROOM * rung.kbps:
        return None
    return RateControl(crf=crf, maxrate=maxrate, bufsize=bufsize)


def share_cut(sizes: Sequence[int], rate: Fraction, control: RateControl) -> float:
    """Return which share of pictures of these sizes does not keep Maxrate and Bufsize, 0 to 1.

    `sizes` are in bytes, as they are decoded, `rate` in pictures per second. A buffer is filled at
    Maxrate, and each picture is taken out of it at once. An encode without a limit of which nothing
    is cut is one that keeps the limit.
    """
    room, each = control.bufsize * 1000, float(control.maxrate * 1000 / rate)
    held, cut = _FULL * room, 0.0
    for size in sizes:
        held -= size * 8
        cut += max(-held, 0.0)
        held = min(max(held, 0.0) + each, room)
    return cut / max(sum(sizes) * 8, 1)
