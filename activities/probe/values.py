"""Values out of ffprobe's JSON: whatever a file claims, each reader gives a value or None.

They may be missing, malformed or absurd; nothing here raises.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

from workflow_engine.records import Json

#: seconds, about 11 days; a header that claims more is taken for a lie
MAX_DURATION = 1_000_000.0
#: exclusive; ffprobe counts in 64 bits, and NaN is below nothing
MAX_NUMBER = float(1 << 64)


def section(value: Json) -> Mapping[str, Json]:
    """Return a JSON object, empty when it is none."""
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def sections(value: Json) -> list[Mapping[str, Json]]:
    """Return the objects of a JSON array, none for anything else."""
    items = cast("list[Json]", value) if isinstance(value, list) else []
    return [section(item) for item in items]


def number(value: Json) -> float | None:
    """Return a number from ffprobe's strings, None for `N/A` and what ffprobe cannot count."""
    try:
        parsed = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return parsed if abs(parsed) < MAX_NUMBER else None


def whole(value: Json) -> int:
    """Return a whole number, 0 when there is none."""
    return int(number(value) or 0)


def ratio(value: Json) -> Fraction | None:
    """Return a positive fraction from `num/den` or `num:den`, else None."""
    parts = re.fullmatch(r"(\d{1,12})[/:](\d{1,12})", value) if isinstance(value, str) else None
    if parts is None or int(parts[1]) == 0 or int(parts[2]) == 0:
        return None
    return Fraction(int(parts[1]), int(parts[2]))


def duration(value: Json) -> float | None:
    """Return seconds, None when missing, negative or absurdly long."""
    seconds = number(value)
    return seconds if seconds is not None and 0 <= seconds <= MAX_DURATION else None
