"""AnalysisConfig: how the intelligent presets are fitted to a source (specification, analysis, 3).

`Ladder` is an extension of ours: fences for the rungs that may be offered (specification,
analysis, 6a).
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, model_validator

from activities.analysis.classes import MAX_RUNGS, MIN_STEP, Fences
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Choice,
    JsonArray,
    JsonObject,
    Number,
    WireModel,
    wire_error,
)

_Side = Annotated[int, Number(8, 4096, unit="pixels")]
_Edge = Annotated[int, Number(0, 4096, unit="pixels")]
#: a short edge; templates name no side below 128 or above 4096
_Lines = Annotated[int, Number(128, 4096, unit="pixels")]
_Rate = Annotated[float, Number(10, 50000, unit="kbit/s")]


class QualityControl(WireModel):
    """How good outputs are to be, and how they are played: over a network, or as files.

    RateQuality is a Crf of x264: lower is better.
    """

    rate_quality: Annotated[int, Number(0, 51, low_open=True, high_open=True)] = 25
    method_streaming: Annotated[str, Choice(("network", "local"))] = "network"


class Crop(WireModel):
    """Which part of the picture outputs show. The box is for the mode Force, else ignored."""

    mode: Annotated[str, Choice(("Auto", "Force", "None"))] = "Auto"
    width: _Side | None = None
    height: _Side | None = None
    top: _Edge | None = None
    left: _Edge | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Crop":
        if self.model_fields_set and "mode" not in self.model_fields_set:
            raise wire_error(
                Code.NULL_VALUE,
                "The Crop has no Mode.",
                "Add Mode (Auto, Force or None), or write {} for Auto.",
            )
        if self.mode == "Force" and (self.width is None or self.height is None):
            raise wire_error(
                Code.NULL_VALUE,
                'The Crop has the Mode "Force" without a Width and a Height.',
                "Add Width and Height, and Top and Left where they are not 0.",
            )
        return self

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """Width, height, left and top of the mode Force, in pixels of the upright picture."""
        if self.mode != "Force" or self.width is None or self.height is None:
            return None
        return self.width, self.height, self.left or 0, self.top or 0


class PropertiesControl(WireModel):
    """What outputs keep of the source: its fields, its black borders."""

    deinterlace: Annotated[str, Choice(("Auto", "Force", "None"))] = "Auto"
    crop: Annotated[Crop, JsonObject] = Field(default_factory=lambda: Crop())


class Ladder(WireModel):
    """Fences for the rungs: rates in kbit/s, sizes as short edges in pixels.

    TargetVmaf takes the place of RateQuality. MinStep is the least ratio of the rates of two rungs
    of one size.
    """

    target_vmaf: Annotated[float, Number(0, 100, low_open=True)] | None = None
    min_bitrate: _Rate | None = None
    max_bitrate: _Rate | None = None
    allowed_sizes: Annotated[tuple[_Lines, ...], JsonArray] = ()
    forced_sizes: Annotated[tuple[_Lines, ...], JsonArray] = ()
    min_top_size: _Lines | None = None
    max_rungs: Annotated[int, Number(1, MAX_RUNGS)] = MAX_RUNGS
    min_step: Annotated[float, Number(1, 10)] = MIN_STEP

    @model_validator(mode="after")
    def _is_possible(self) -> "Ladder":
        low, high = self.min_bitrate, self.max_bitrate
        if low is not None and high is not None and low >= high:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The MinBitrate {low:g} is not below the MaxBitrate {high:g}.",
                "Raise MaxBitrate, or lower MinBitrate.",
            )
        if len(self.forced_sizes) > self.max_rungs:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"There are {len(self.forced_sizes)} ForcedSizes, and MaxRungs is "
                f"{self.max_rungs}.",
                "Raise MaxRungs, or take sizes out.",
            )
        stray = [size for size in self.forced_sizes if size not in self.allowed_sizes]
        if self.allowed_sizes and stray:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The forced size {stray[0]} is not among the AllowedSizes.",
                "Add it there, or take it out of ForcedSizes.",
            )
        return self

    @property
    def fences(self) -> Fences:
        """What the selection rule goes by: sizes are even, as those of outputs are."""
        return Fences(
            min_kbps=self.min_bitrate,
            max_kbps=self.max_bitrate,
            allowed=_even(self.allowed_sizes),
            forced=_even(self.forced_sizes),
            min_top=None if self.min_top_size is None else self.min_top_size // 2 * 2,
            max_rungs=self.max_rungs,
            min_step=self.min_step,
        )


def _even(sizes: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted({size // 2 * 2 for size in sizes}, reverse=True))


class AnalysisConfig(WireModel):
    """The whole document."""

    quality_control: Annotated[QualityControl, JsonObject] = Field(
        default_factory=lambda: QualityControl()
    )
    properties_control: Annotated[PropertiesControl, JsonObject] = Field(
        default_factory=lambda: PropertiesControl()
    )
    ladder: Annotated[Ladder, JsonObject] = Field(default_factory=lambda: Ladder())
