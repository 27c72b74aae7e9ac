"""The parameters of Snapshot as topologies write them (specification, snapshot, 2 and 6).

What this version refuses by name stands in `later`: the WebVTT index, sprites, and the black
filter, which is therefore not forced for a single picture at time 0 either.
"""

from typing import Annotated, ClassVar

from pydantic import model_validator

from activities.objects import ObjectTarget
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    JsonObject,
    Number,
    WireModel,
    wire_error,
)

#: seconds between the pictures of a sequence that does not say
DEFAULT_INTERVAL = 10.0


class SnapshotConfig(WireModel):
    """Which pictures to take. `time` is in milliseconds, `interval` in seconds, sizes in pixels.

    One side given keeps the ratio; none means the source's size, in square pixels.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {"Format", "BlackLevel", "PixelBlackThreshold", "TileOut", "TileOutputFile", "SubOut"}
    )

    output_file: Annotated[ObjectTarget, JsonObject]
    time: Annotated[int, Number(0, unit="milliseconds")]
    interval: Annotated[float, Number(0, unit="seconds")] | None = None
    num: Annotated[int, Number(1, unit="pictures")] | None = None
    width: Annotated[int, Number(8, 4096, unit="pixels")] | None = None
    height: Annotated[int, Number(8, 4096, unit="pixels")] | None = None
    frame_type: Annotated[str, Choice(("normal", "intra"))] = "intra"

    @property
    def sequence(self) -> bool:
        """Whether several pictures may come: one of Interval and Num is given, and Num is not 1."""
        return self.num != 1 and (self.num is not None or self.interval is not None)

    @property
    def seconds_apart(self) -> float:
        """The step of a sequence, in seconds; 0 spreads `num` pictures evenly."""
        return DEFAULT_INTERVAL if self.interval is None else self.interval

    @model_validator(mode="after")
    def _spread_needs_a_number(self) -> "SnapshotConfig":
        if self.interval == 0 and self.num is None:
            raise wire_error(
                Code.INVALID,
                'The Interval "0" spreads Num pictures over the duration, but there is no Num.',
                "Give Num, or an Interval above 0 seconds.",
            )
        return self


class SnapshotParameters(WireModel):
    """Parameters of Snapshot (specification, topology, 4.3)."""

    snapshot_config: Annotated[SnapshotConfig, JsonObject]
    media_cover: Annotated[bool, Boolean()] = False

    @model_validator(mode="after")
    def _cover_is_one_picture(self) -> "SnapshotParameters":
        if self.media_cover and self.snapshot_config.sequence:
            raise wire_error(
                Code.NOT_SUPPORTED,
                "MediaCover needs a single picture, but Interval or Num asks for a sequence.",
                "Set Num to 1, or leave MediaCover out.",
            )
        return self
