"""The parameters of Snapshot as topologies write them (specification, snapshot, 2 to 6).

`Best` and `Preview` are extensions of ours. What contradicts itself is refused here; `check.py`
looks at the object names.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from activities.colors import NAMES
from activities.objects import ObjectTarget
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    JsonObject,
    Number,
    WireModel,
    shown,
    wire_error,
)

#: seconds between the pictures of a sequence that does not say
DEFAULT_INTERVAL = 10.0
#: seconds; moments are whole milliseconds
SHORTEST_INTERVAL = 0.001
#: the share of black pixels, in percent, of a frame that counts as black where that is forced
WHOLLY_BLACK = 100
#: the value below which a pixel is black, as ffmpeg has it
PIXEL_BLACK = 32
#: the Color that is drawn, once for each source
RANDOM = "random"

#: pixels that the `tile` filter takes at most around and between cells
_MOST_BETWEEN = 1024
#: seconds of all parts of a preview together
_LONGEST_PREVIEW = 60.0

_HEX = re.compile(r"#[0-9a-f]{6}")
_NAMES = frozenset(name.lower() for name in NAMES.split())


def _color(value: Any) -> str:
    text = value.lower() if isinstance(value, str) else ""
    # British spellings are colours of ffmpeg, too
    if text in _NAMES or text.replace("grey", "gray") in _NAMES or _HEX.fullmatch(text):
        return text
    if text == RANDOM:
        return text
    raise wire_error(
        Code.INVALID,
        f"The value {shown(value)} is not a colour.",
        "Use the name of a colour such as Black, #rrggbb, or random.",
    )


class TileOut(WireModel):
    """How the cells of a sprite lie (specification, snapshot, 4). Sizes are in pixels.

    Of a cell, one side given keeps the ratio; none means the size of the pictures. `cell_sel_step`
    takes every n-th picture.
    """

    lines: Annotated[int, Number(1, 10_000)] = 10
    columns: Annotated[int, Number(1, 10_000)] = 10
    cell_width: Annotated[int, Number(1, 65_500, unit="pixels")] | None = None
    cell_height: Annotated[int, Number(1, 65_500, unit="pixels")] | None = None
    margin: Annotated[int, Number(0, _MOST_BETWEEN, unit="pixels")] = 0
    padding: Annotated[int, Number(0, _MOST_BETWEEN, unit="pixels")] = 0
    color: Annotated[str, BeforeValidator(_color)] = "black"
    is_keep_cell_pic: Annotated[bool, Boolean()] = True
    cell_sel_step: Annotated[int, Number(1)] = 1


class SubOut(WireModel):
    """Whether cues of a WebVTT name pictures or parts of sprites (specification, snapshot, 5)."""

    is_spt_frag: Annotated[bool, Boolean()] = False


class Preview(WireModel):
    """A short film of parts of the source: how many, and how long each is, in seconds."""

    parts: Annotated[int, Number(1, 20)] = 6
    seconds: Annotated[float, Number(0, 10, low_open=True, unit="seconds")] = 1.5
    fps: Annotated[int, Number(1, 30, unit="frames per second")] = 12

    @model_validator(mode="after")
    def _is_short(self) -> "Preview":
        if self.parts * self.seconds > _LONGEST_PREVIEW:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The preview would take {self.parts * self.seconds:g} s, more than "
                f"{_LONGEST_PREVIEW:g} s.",
                "Lower Parts or Seconds.",
            )
        return self


#: what each extension decides by itself, and so leaves no room for
_OF_BEST = (
    *("interval", "frame_type", "black_level", "pixel_black_threshold", "format", "sub_out"),
    *("tile_out", "tile_output_file"),
)
_OF_PREVIEW = (*_OF_BEST, "num", "best")


class SnapshotConfig(WireModel):
    """Which pictures to take. `time` is in milliseconds, `interval` in seconds, sizes in pixels.

    One side given keeps the ratio; none means the source's size, in square pixels. `black_level`
    is the share of black pixels, in percent, at which a frame counts as black.
    """

    format: Annotated[str, Choice(("vtt",))] | None = None
    output_file: Annotated[ObjectTarget, JsonObject]
    tile_output_file: Annotated[ObjectTarget, JsonObject] | None = None
    time: Annotated[int, Number(0, unit="milliseconds")]
    interval: Annotated[float, Number(0, unit="seconds")] | None = None
    num: Annotated[int, Number(1, unit="pictures")] | None = None
    width: Annotated[int, Number(8, 4096, unit="pixels")] | None = None
    height: Annotated[int, Number(8, 4096, unit="pixels")] | None = None
    frame_type: Annotated[str, Choice(("normal", "intra"))] = "intra"
    black_level: Annotated[int, Number(30, 100, unit="percent")] | None = None
    pixel_black_threshold: Annotated[int, Number(0, 255)] = PIXEL_BLACK
    tile_out: Annotated[TileOut, JsonObject] | None = None
    sub_out: Annotated[SubOut, JsonObject] | None = None
    best: Annotated[bool, Boolean()] = False
    preview: Annotated[Preview, JsonObject] | None = None

    @property
    def sequence(self) -> bool:
        """Whether several pictures may come: one of Interval and Num is given, and Num is not 1."""
        return self.num != 1 and (self.num is not None or self.interval is not None)

    @property
    def seconds_apart(self) -> float:
        """The step of a sequence, in seconds; 0 spreads `num` pictures evenly."""
        return DEFAULT_INTERVAL if self.interval is None else self.interval

    @property
    def fragments(self) -> bool:
        """Whether the cues of a WebVTT point into sprites."""
        return self.sub_out is not None and self.sub_out.is_spt_frag

    @property
    def tiles(self) -> TileOut | None:
        """The layout of the sprites, None without them; cues that need sprites have the usual."""
        return self.tile_out or (TileOut() if self.fragments else None)

    @property
    def keeps_pictures(self) -> bool:
        """Whether single pictures are published."""
        return self.tiles is None or self.tiles.is_keep_cell_pic

    def black(self, *, cover: bool) -> int | None:
        """Return the BlackLevel that the first picture must be below, None when any frame will do.

        Specification: snapshot, 3. One picture at the beginning, and a `cover`, is never wholly
        black if that can be helped.
        """
        if self.time > 0 or self.best or self.preview:
            return None
        if self.num == 1 or (cover and not self.sequence):
            return WHOLLY_BLACK
        return self.black_level

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> "SnapshotConfig":
        if self.best:
            self._alone("Best", _OF_BEST)
            if self.sequence:
                raise wire_error(
                    Code.NOT_SUPPORTED,
                    "Best is one picture, but Num asks for several.",
                    "Set Num to 1.",
                )
        if self.preview:
            self._alone("Preview", _OF_PREVIEW)
        if self.interval == 0 and self.num is None:
            raise wire_error(
                Code.INVALID,
                'The Interval "0" spreads Num pictures over the duration, but there is no Num.',
                "Give Num, or an Interval above 0 seconds.",
            )
        if self.interval and self.interval < SHORTEST_INTERVAL:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The Interval {self.interval:g} s is shorter than {SHORTEST_INTERVAL:g} s.",
                "Raise it, or give 0 and Num to spread pictures evenly.",
            )
        self._check_sprites()
        self._check_index()
        return self

    def _alone(self, name: str, others: tuple[str, ...]) -> None:
        """Refuse fields that would contradict an extension, which decides these things itself."""
        for field in others:
            if field in self.model_fields_set and getattr(self, field) is not False:
                alias = type(self).model_fields[field].alias
                raise wire_error(
                    Code.NOT_SUPPORTED,
                    f"{name} and {alias} exclude each other.",
                    f"Leave {alias} out.",
                )

    def _check_sprites(self) -> None:
        if self.tiles is not None and self.tile_output_file is None:
            needs = "TileOut" if self.tile_out is not None else 'SubOut with IsSptFrag "true"'
            raise wire_error(
                Code.NULL_VALUE, f"{needs} needs a TileOutputFile.", "Say where the sprites go."
            )
        if self.tiles is None and self.tile_output_file is not None:
            raise wire_error(
                Code.INVALID,
                "TileOutputFile names sprites, but there is no TileOut.",
                "Give a TileOut; {} has ten lines of ten pictures.",
            )

    def _check_index(self) -> None:
        if self.format is None:
            if self.sub_out is not None:
                raise wire_error(
                    Code.INVALID, 'SubOut is for the Format "vtt".', 'Set Format to "vtt".'
                )
            return
        if not self.fragments and not self.keeps_pictures:
            raise wire_error(
                Code.INVALID,
                'The WebVTT names single pictures, but IsKeepCellPic is "false".',
                'Set IsSptFrag to "true", or keep the pictures.',
            )
        sprites = self.tile_output_file
        if self.fragments and sprites and sprites.bucket != self.output_file.bucket:
            raise wire_error(
                Code.NOT_SUPPORTED,
                f'The WebVTT lies in the bucket "{self.output_file.bucket}", and no relative name '
                f'leads from there to sprites in "{sprites.bucket}".',
                "Use one bucket for OutputFile and TileOutputFile.",
            )


class SnapshotParameters(WireModel):
    """Parameters of Snapshot (specification, topology, 4.3)."""

    snapshot_config: Annotated[SnapshotConfig, JsonObject]
    media_cover: Annotated[bool, Boolean()] = False

    @model_validator(mode="after")
    def _cover_is_one_picture(self) -> "SnapshotParameters":
        config = self.snapshot_config
        if not self.media_cover:
            return self
        if config.sequence:
            raise wire_error(
                Code.NOT_SUPPORTED,
                "MediaCover needs a single picture, but Interval or Num asks for a sequence.",
                "Set Num to 1, or leave MediaCover out.",
            )
        if config.preview or not config.keeps_pictures:
            made = "a Preview" if config.preview else "sprites only"
            raise wire_error(
                Code.NOT_SUPPORTED,
                f"MediaCover needs a picture, but there is {made}.",
                "Leave MediaCover out.",
            )
        return self
