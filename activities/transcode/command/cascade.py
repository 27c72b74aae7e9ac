"""Which picture of a shared decode is scaled from which: the small ones from larger ones.

A rung of a ladder costs less to scale from the rung above it than from the source, and the eye
does not see it (specification: ffmpeg facts, "One decode for several outputs").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from activities.transcode.command.filters import Filter
from activities.transcode.command.rendition import Size

#: how much larger a picture must be, at least, for another to be scaled from it
STEP = 4 / 3


def follows(filters: Sequence[Filter]) -> bool:
    """Whether the filters take pictures of any size; see `activities.shape`."""
    return any(one.name == "scale" and ("eval", "frame") in one.options for one in filters)


#: filters that convert colours, which stand behind the scale
COLOURS = frozenset(
    {"colorspace", "format", "premultiply", "scale", "setparams", "sidedata"}
    | {"tonemap", "zscale"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """One size of a ladder: the filters before the scale, its size, and those of the colours.

    What is scaled from another rung has its colours already.
    """

    before: tuple[Filter, ...]
    size: Size
    colours: tuple[Filter, ...]

    @property
    def length(self) -> int:
        """How many filters of the line it stands for."""
        return len(self.before) + 1 + len(self.colours)


def rung_of(filters: Sequence[Filter]) -> Rung | None:
    """Return what stands up to a plain `scale`, and the colours behind it; None without one."""
    for index, one in enumerate(filters):
        if one.name == "scale":
            options = dict(one.options)
            if "eval" in options:
                continue  # it keeps the source in its own size
            if options.keys() != {"w", "h"}:
                return None
            return Rung(
                before=tuple(filters[:index]),
                size=(int(str(options["w"])), int(str(options["h"]))),
                colours=tuple(takewhile(lambda one: one.name in COLOURS, filters[index + 1 :])),
            )
    return None


def parents(sizes: Sequence[Size], part: Size) -> Mapping[Size, Size | None]:
    """Return for each size, largest first, the one that it is scaled from; None: the source.

    `part` is the source's: what is larger was enlarged, and nothing is scaled from that.
    """
    ordered = sorted(set(sizes), key=lambda size: (-size[0] * size[1], size))
    parent_of: dict[Size, Size | None] = {}
    for size in ordered:
        fit = [one for one in parent_of if _contains(part, one, 1) and _contains(one, size, STEP)]
        parent_of[size] = fit[-1] if fit else None
    return parent_of


def _contains(large: Size, small: Size, step: float) -> bool:
    return all(a >= step * b for a, b in zip(large, small, strict=True))
