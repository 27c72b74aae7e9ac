"""What a Snapshot has to show, read from its result: pictures, and sprites by their moments."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from workflow_engine.activity import Cells, Exhibit, Picture, Pictures, StepResult

#: pictures of a sequence that are shown, evenly out of all
_SHOWN = 12


def exhibits(result: StepResult) -> Iterator[Exhibit]:
    """Yield the pictures of a finished Snapshot: some of a long sequence, all of its sprites."""
    times = cast("Sequence[float]", result.data.get("Times") or ())
    sheets = int(result.data.get("TileCount") or 0)
    # without the pictures only sprites and perhaps an index were published
    taken = len(times) if len(result.outputs) >= len(times) + sheets else 0
    if shown := [taken * n // min(taken, _SHOWN) for n in range(min(taken, _SHOWN))]:
        title = "Pictures" if len(shown) == taken else f"{len(shown)} of {taken} pictures"
        pictures = (Picture(output=n, caption=_moment(times[n])) for n in shown)
        yield Pictures(title=title, pictures=tuple(pictures))
    if sheets:
        tiles = cast("Mapping[str, Any]", result.data["Tiles"])
        yield Pictures(title="Sprites", pictures=tuple(_sprites(tiles, times, taken, sheets)))


def _sprites(
    tiles: Mapping[str, Any], times: Sequence[float], first: int, count: int
) -> Iterator[Picture]:
    selected = [time / 1000 for time in times[:: tiles["Step"]]]
    cells = tiles["Columns"] * tiles["Lines"]
    for number in range(count):
        moments = tuple(selected[number * cells : (number + 1) * cells])
        grid = Cells(columns=tiles["Columns"], lines=tiles["Lines"], moments=moments)
        caption = f"{len(moments)} pictures, {_moment(1000 * moments[0])} and later"
        # gaps between the cells would shift them
        shown = None if tiles["Gaps"] else grid
        yield Picture(output=first + number, caption=caption, large=True, cells=shown)


def _moment(milliseconds: float) -> str:
    return f"at {milliseconds / 1000:.3f} s"
