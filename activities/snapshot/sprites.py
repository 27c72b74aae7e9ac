"""Sprites: where each picture lies, how large they are, and the command that puts them together.

Pure. Specification: snapshot, 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from activities.ffmpeg import graph
from activities.snapshot.config import RANDOM, TileOut
from activities.snapshot.pictures import PictureKind, Size
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Json

#: pixels of one sprite, what ffmpeg holds in one picture
_MOST_PIXELS = 1 << 28
#: files of sprites in the work directory
SPRITES = "sprite-%05d"


@dataclass(frozen=True, kw_only=True)
class SpriteSheet:
    """The layout of the sprites of one job. Sizes are in pixels; every `step`-th picture is a cell.

    `color` is `0xrrggbb` or a name of ffmpeg.
    """

    lines: int
    columns: int
    cell: Size
    margin: int
    padding: int
    color: str
    step: int
    kind: PictureKind

    @property
    def cells(self) -> int:
        """How many pictures one sprite has room for."""
        return self.lines * self.columns

    @property
    def size(self) -> Size:
        """Width and height of every sprite; the last one is filled with the colour."""
        width, height = self.cell
        return (
            self.columns * width + (self.columns - 1) * self.padding + 2 * self.margin,
            self.lines * height + (self.lines - 1) * self.padding + 2 * self.margin,
        )

    def selected(self, pictures: int) -> int:
        """Return how many of so many pictures are cells."""
        return -(-pictures // self.step)

    def count(self, pictures: int) -> int:
        """Return how many sprites so many pictures make."""
        return -(-self.selected(pictures) // self.cells)

    def place(self, cell: int) -> tuple[int, tuple[int, int, int, int]]:
        """Return which sprite a cell is in, from 0, and its left, top, width and height there."""
        sprite, place = divmod(cell, self.cells)
        line, column = divmod(place, self.columns)
        width, height = self.cell
        left = self.margin + column * (width + self.padding)
        top = self.margin + line * (height + self.padding)
        return sprite, (left, top, width, height)

    def identity(self) -> Mapping[str, Json]:
        """What shapes the bytes of the sprites."""
        return {
            "Layout": [self.lines, self.columns, *self.cell, self.margin, self.padding, self.step],
            "Color": self.color,
            "Kind": self.kind.name,
        }

    def command(self, pictures: str) -> tuple[str, ...]:
        """Return the command that makes sprites of the picture files of a pattern."""
        kind, options = self.kind, {"layout": f"{self.columns}x{self.lines}"}
        colours = {"out_color_matrix": kind.colour.matrix} if not kind.colour.rgb else {}
        picture = graph.open_pictures(pictures)["v:0"]
        if self.step > 1:
            picture = picture.filter("select", f"not(mod(n,{self.step}))")
        picture = (
            picture.filter(
                "scale",
                *self.cell,
                options={
                    **colours,
                    "out_range": "full" if kind.colour.full else "limited",
                    "flags": "bicubic+accurate_rnd",
                },
            )
            .filter("setsar", 1)
            .filter("format", kind.cells)
            .filter(
                "tile",
                options={
                    **options,
                    "margin": self.margin,
                    "padding": self.padding,
                    "color": self.color,
                },
            )
            .filter("format", kind.pix_fmt)
        )
        return graph.argv(graph.output(f"file:{SPRITES}{kind.suffix}", [picture], kind.output))


def sprite_sheet(tiles: TileOut, picture: Size, kind: PictureKind, seed: str) -> SpriteSheet:
    """Return the layout for pictures of a size.

    A random colour is drawn by the `seed`, so that it stays when a run continues.

    Raises ActivityError (`InvalidParameter.OutOfRange`) for sprites that no file can hold.
    """
    sheet = SpriteSheet(
        lines=tiles.lines,
        columns=tiles.columns,
        cell=_cell(tiles, picture),
        margin=tiles.margin,
        padding=tiles.padding,
        color=_color(tiles.color, seed),
        step=tiles.cell_sel_step,
        kind=kind,
    )
    width, height = sheet.size
    if max(width, height) > kind.longest or (width + 128) * (height + 128) >= _MOST_PIXELS:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The sprites would have {width}x{height} pixels; {kind.name} holds {kind.longest} on "
            f"a side, and {_MOST_PIXELS:,} in all.",
            remedy="Lower CellWidth and CellHeight, or Lines and Columns.",
        )
    return sheet


def _cell(tiles: TileOut, picture: Size) -> Size:
    width, height = tiles.cell_width, tiles.cell_height
    if width and height:
        return width, height
    if width:
        return width, max(1, round(width * picture[1] / picture[0]))
    if height:
        return max(1, round(height * picture[0] / picture[1])), height
    return picture


def _color(color: str, seed: str) -> str:
    if color == RANDOM:
        return f"0x{sha256(seed.encode()).hexdigest()[:6]}"
    return color.replace("#", "0x")
