"""Numbers that people write with a unit, as in "800k", where a field takes the number alone.

>>> plain_number("1.5M", "kbit/s")
1500.0
"""

import re
from typing import NamedTuple

_QUANTITY = re.compile(r"\s*([+-]?\d{1,30}(?:[.,]\d{1,30})?)\s*([A-Za-z%/ ]{1,20}?)\s*", re.ASCII)


_DURATION = re.compile(
    r"(?:(\d{1,9}) ?h)? ?(?:(\d{1,9}) ?m(?:in)?)? ?(?:(\d{1,9}(?:\.\d{1,9})?) ?s(?:ec)?)?",
    re.ASCII | re.IGNORECASE,
)


class _Unit(NamedTuple):
    """What is measured, and how many of its base unit this one is."""

    measure: str
    factor: float


_RATE, _SIZE, _TIME, _FREQUENCY = "bit rate", "bits", "time", "frequency"
_PICTURES, _LENGTH, _SHARE = "frame rate", "pixels", "share"
_LEVEL, _LOUDNESS, _SPREAD = "level", "loudness", "loudness range"

#: the units of fields, as `Number.unit` has them
_FIELDS = {
    "bit/s": _Unit(_RATE, 1),
    "kbit/s": _Unit(_RATE, 1e3),
    "kbit": _Unit(_SIZE, 1e3),
    "Hz": _Unit(_FREQUENCY, 1),
    "frames per second": _Unit(_PICTURES, 1),
    "pixels": _Unit(_LENGTH, 1),
    "s": _Unit(_TIME, 1),
    "seconds": _Unit(_TIME, 1),
    "milliseconds": _Unit(_TIME, 1e-3),
    "centiseconds": _Unit(_TIME, 1e-2),
    "dB": _Unit(_LEVEL, 1),
    "dBTP": _Unit(_LEVEL, 1),
    "LUFS": _Unit(_LOUDNESS, 1),
    "LU": _Unit(_SPREAD, 1),
    "percent": _Unit(_SHARE, 1),
}
#: how people write units, in small letters
_WRITTEN = {
    **dict.fromkeys(("bps", "b/s", "bit/s"), _Unit(_RATE, 1)),
    **dict.fromkeys(("kbps", "kb/s", "kbit/s"), _Unit(_RATE, 1e3)),
    **dict.fromkeys(("mbps", "mb/s", "mbit/s"), _Unit(_RATE, 1e6)),
    **dict.fromkeys(("kb", "kbit"), _Unit(_SIZE, 1e3)),
    **dict.fromkeys(("mb", "mbit"), _Unit(_SIZE, 1e6)),
    "hz": _Unit(_FREQUENCY, 1),
    "khz": _Unit(_FREQUENCY, 1e3),
    **dict.fromkeys(("fps", "frames/s"), _Unit(_PICTURES, 1)),
    **dict.fromkeys(("px", "pixel", "pixels"), _Unit(_LENGTH, 1)),
    "ms": _Unit(_TIME, 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), _Unit(_TIME, 1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), _Unit(_TIME, 60)),
    **dict.fromkeys(("h", "hour", "hours"), _Unit(_TIME, 3600)),
    **dict.fromkeys(("db", "dbtp"), _Unit(_LEVEL, 1)),
    **dict.fromkeys(("lufs", "lkfs"), _Unit(_LOUDNESS, 1)),
    "lu": _Unit(_SPREAD, 1),
    **dict.fromkeys(("%", "percent"), _Unit(_SHARE, 1)),
}
#: prefixes that stand alone where bits or hertz are meant
_PREFIXES = {"k": 1e3, "m": 1e6, "g": 1e9}


def has_unit(text: str) -> bool:
    """Whether a text is a number with letters behind it."""
    return _QUANTITY.fullmatch(text) is not None


def plain_number(text: str, unit: str) -> float | None:
    """Return a quantity such as "5s" in the unit of a field; None when that is not sure."""
    found = _QUANTITY.fullmatch(text)
    field = _FIELDS.get(unit)
    if found is None or field is None:
        return None
    number, written = float(found[1].replace(",", ".")), found[2].replace(" ", "").lower()
    if written in _PREFIXES and field.measure in (_RATE, _SIZE, _FREQUENCY):
        meant = _Unit(field.measure, _PREFIXES[written])
    elif written in _WRITTEN and not _means_bytes(found[2]):
        meant = _WRITTEN[written]
    else:
        return None
    # "5000 kbit" of a rate are those of one second
    measures = {_RATE, _SIZE} if field.measure in (_RATE, _SIZE) else {field.measure}
    return round(number * meant.factor / field.factor, 9) if meant.measure in measures else None


def seconds_of(text: str) -> float | None:
    """Return a duration such as "1m30s" or "5 s" in seconds; None for any other text."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _means_bytes(written: str) -> bool:
    """Whether a unit has the sign of bytes among small letters, as in "kB/s"."""
    return "B" in written and not written.isupper()
