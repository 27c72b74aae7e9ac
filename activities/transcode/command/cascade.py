"""Which picture of a shared decode is scaled from which: the small ones from larger ones.

A rung of a ladder costs less to scale from the rung above it than from the source, and the eye
does not see it (specification: ffmpeg facts, "One decode for several outputs").
"""

from collections.abc import Mapping, Sequence

from activities.transcode.command.filters import Filter
from activities.transcode.command.rendition import Size

#: how much larger a picture must be, at least, for another to be scaled from it
STEP = 4 / 3


def follows(filters: Sequence[Filter]) -> bool:
    """Whether the filters take pictures of any size; see `activities.shape`."""
    return any(one.name == "scale" and ("eval", "frame") in one.options for one in filters)


def split_at_scale(filters: Sequence[Filter]) -> tuple[tuple[Filter, ...], Size] | None:
    """Return the filters before a plain `scale` and its size; None where there is none."""
    for index, one in enumerate(filters):
        if one.name == "scale":
            options = dict(one.options)
            if "eval" in options:
                continue  # it keeps the source in its own size
            if options.keys() != {"w", "h"}:
                return None
            return tuple(filters[:index]), (int(str(options["w"])), int(str(options["h"])))
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
