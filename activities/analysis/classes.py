"""The four classes of intelligent presets, the sizes that outputs may have, and fences for both.

Pure. Sizes are known by their short edge in pixels, of the upright and cropped picture.
Specification: analysis, 5, 6 and 6a.

>>> candidates((1280, 720), at_least=576)
[720, 648, 576]
>>> size_of((1280, 720), 648)
(1152, 648)
"""

from dataclasses import dataclass
from fractions import Fraction

Size = tuple[int, int]

#: the short edges that screens and services have, in pixels
STANDARD_EDGES = (2160, 1800, 1440, 1260, 1080, 900, 720, 648, 576, 540, 480, 432, 360, 270)
#: pixels; templates cannot name less or more (specification, transcode, 4)
MIN_SIDE, MAX_SIDE = 128, 4096
#: how many classes there are
MAX_RUNGS = 4
#: two rungs of one size are alike when their rates are no further apart than this ratio
MIN_STEP = 1.15


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A class of presets: short edges in pixels, average rates in kbit/s.

    `max_edge` None: any size. `low` 0: no lower bound.
    """

    name: str
    serial: str
    min_edge: int
    max_edge: int | None = None
    low: float
    high: float
    audio_kbps: int


#: the highest first; the range of one ends where that of the next begins
DEFINITIONS = (
    Definition(
        name="FHD",
        serial="00050",
        min_edge=720,
        max_edge=1080,
        low=2000,
        high=4000,
        audio_kbps=160,
    ),
    Definition(name="HD", serial="00040", min_edge=576, low=1000, high=2000, audio_kbps=128),
    Definition(name="SD", serial="00030", min_edge=480, low=500, high=1000, audio_kbps=80),
    Definition(name="LD", serial="00020", min_edge=270, low=0, high=500, audio_kbps=64),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fences:
    """What a user allows (specification, analysis, 6a): rates in kbit/s, short edges in pixels.

    `allowed` empty: all sizes. `forced` are sizes that must be among the rungs, the largest first.
    """

    min_kbps: float | None = None
    max_kbps: float | None = None
    allowed: tuple[int, ...] = ()
    forced: tuple[int, ...] = ()
    min_top: int | None = None
    max_rungs: int = MAX_RUNGS
    min_step: float = MIN_STEP


def largest_edge(source: Size) -> int:
    """Return the short edge of the largest output: even, and no side above what templates name."""
    share = min(Fraction(1), Fraction(MAX_SIDE, max(source)))
    return max(2, 2 * int(min(source) * share / 2))


def candidates(
    source: Size, *, at_least: int, at_most: int | None = None, fences: Fences | None = None
) -> list[int]:
    """Return the short edges that outputs of a source may have, the largest first."""
    top = largest_edge(source)
    named = (fences.allowed or fences.forced + STANDARD_EDGES) if fences else STANDARD_EDGES
    own = () if fences and fences.allowed else (top,)
    highest = top if at_most is None else min(top, at_most)
    fitting = {edge - edge % 2 for edge in (*own, *named) if at_least <= edge <= highest}
    return sorted(fitting, reverse=True)


def size_of(source: Size, edge: int) -> Size:
    """Return width and height of the output with a short edge: the ratio kept, both even."""
    share = Fraction(edge, min(source))
    long = min(MAX_SIDE, max(edge, 2 * round(max(source) * share / 2)))
    return (long, edge) if source[0] >= source[1] else (edge, long)
