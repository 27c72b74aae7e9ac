"""The times of TTML (https://www.w3.org/TR/ttml2/, 10.3.1): clock times, offsets, frames, ticks."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from activities.subtitles.document import SubtitleError

_DIGITS = r"\d{1,9}"
_CLOCK = re.compile(rf"({_DIGITS}):(\d\d):(\d\d)(?:(\.\d{{1,20}})|:(\d{{1,4}})(?:\.(\d{{1,4}}))?)?")
_OFFSET = re.compile(r"(\d{1,15}(?:\.\d{1,20})?)(h|m|s|ms|f|t)")
_RATIO = re.compile(r"(\d{1,6})[ :](\d{1,6})")
#: seconds by the metric of an offset
_METRICS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
#: frames that drop-frame time codes leave out in a minute: of every minute, or every second one
_DROPPED = {"dropNTSC": 2, "dropPAL": 4}


@dataclass(frozen=True, kw_only=True)
class TtmlClock:
    """What the numbers of a document mean. Rates are in 1/s; `rate` is `nominal` as it runs.

    `counted` says that clock times are time codes: seconds of `nominal` frames, however long these
    are. `dropped` time codes are left out at the beginning of a minute.
    """

    nominal: int
    rate: Fraction
    subframes: int
    ticks: int
    counted: bool
    dropped: int

    def seconds(self, text: str) -> Fraction | None:
        """Return the seconds of a time expression, None for one that cannot be read."""
        text = text.strip()
        if offset := _OFFSET.fullmatch(text):
            metric = offset[2]
            number = Fraction(offset[1])
            if metric in _METRICS:
                return number * _METRICS[metric]
            return number / (self.rate if metric == "f" else self.ticks)
        clock = _CLOCK.fullmatch(text)
        return self._clock_time(clock) if clock else None

    def _clock_time(self, clock: re.Match[str]) -> Fraction | None:
        hours, minutes, seconds = (int(clock[n]) for n in (1, 2, 3))
        if minutes > 59 or seconds > 60:
            return None
        whole = (hours * 60 + minutes) * 60 + seconds
        frames = int(clock[5] or 0) + Fraction(int(clock[6] or 0), self.subframes)
        if frames >= self.nominal and frames:
            return None
        if self.counted:
            count = whole * self.nominal + frames - self._left_out(whole // 60)
            return (count + Fraction(clock[4] or 0) * self.nominal) / self.rate
        return whole + Fraction(clock[4] or 0) + frames / self.rate

    def _left_out(self, minutes: int) -> int:
        """Return the time codes left out in so many minutes."""
        if self.dropped == _DROPPED["dropPAL"]:
            # of every second minute but those of whole 20
            return self.dropped * (minutes // 2 - minutes // 20)
        return self.dropped * (minutes - minutes // 10)


def clock_of(parameter: Callable[[str], str | None]) -> TtmlClock:
    """Return the clock that the parameters of a document describe.

    Raises SubtitleError for parameters that are no numbers, and for a wall clock.
    """
    base = parameter("timeBase") or "media"
    if base == "clock":
        raise SubtitleError("its times are those of a clock on the wall (ttp:timeBase)")
    given = parameter("frameRate")
    nominal = _number("frameRate", given) if given else 30
    multiplier = Fraction(1)
    if text := parameter("frameRateMultiplier"):
        ratio = _RATIO.fullmatch(text.strip())
        if ratio is None or not int(ratio[1]) or not int(ratio[2]):
            raise SubtitleError(f'its ttp:frameRateMultiplier "{text[:40]}" is no ratio')
        multiplier = Fraction(int(ratio[1]), int(ratio[2]))
    subframes = _number("subFrameRate", parameter("subFrameRate") or "1")
    ticks = parameter("tickRate")
    counted = base == "smpte"
    return TtmlClock(
        nominal=nominal,
        rate=nominal * multiplier,
        subframes=subframes,
        ticks=_number("tickRate", ticks) if ticks else nominal * subframes if given else 1,
        counted=counted,
        dropped=_DROPPED.get(parameter("dropMode") or "", 0) if counted else 0,
    )


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"\s*0{0,9}[1-9]\d{0,8}\s*", text):
        raise SubtitleError(f'its ttp:{name} "{text[:40]}" is no whole number above 0')
    return int(text)
