"""Lists in columns, as wide as the terminal."""

import shutil
import sys
from collections.abc import Sequence

#: between two columns
_GAP = "  "
#: the least that a cut column keeps
_LEAST = 12


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines, the header first; on a terminal the last column is cut to fit."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    before = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    room = max(terminal_width() - before, _LEAST) if sys.stdout.isatty() else None
    lines: list[str] = []
    for row in table:
        *cells, last = row
        padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]
        lines.append(_GAP.join([*padded, _cut(last, room)]).rstrip())
    return lines


def terminal_width() -> int:
    """Return how many characters a line of the terminal takes."""
    return shutil.get_terminal_size().columns


def _cut(text: str, room: int | None) -> str:
    """Cut out the middle of a text: names differ at their ends."""
    if room is None or len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"
