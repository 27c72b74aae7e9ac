"""AnalysisConfig: how the intelligent presets are fitted to a source (specification, analysis, 3).

What would need a picture that a Transcode cannot make is refused by name: a crop or a
deinterlacing that is forced.
"""

from typing import Annotated

from pydantic import Field, model_validator

from activities.probe import VideoStream
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Choice,
    JsonObject,
    Number,
    WireModel,
    wire_error,
)

#: the highest Crf (specification, transcode, 4)
_MAX_CRF = 51

_Side = Annotated[int, Number(8, 4096, unit="pixels")]
_Edge = Annotated[int, Number(0, 4096, unit="pixels")]


class QualityControl(WireModel):
    """How good outputs are to be, and how they are played: over a network, or as files."""

    rate_quality: Annotated[int, Number(0, 51, low_open=True)] = 25
    method_streaming: Annotated[str, Choice(("network", "local"))] = "network"

    @property
    def crf(self) -> int:
        """The Crf of the outputs: x264 at 26 is what the default 25 means."""
        return min(self.rate_quality + 1, _MAX_CRF)


class Crop(WireModel):
    """Which part of the picture outputs show. The box is for the mode Force, else ignored."""

    mode: Annotated[str, Choice(("Auto", "None"), later=("Force",))] = "Auto"
    width: _Side | None = None
    height: _Side | None = None
    top: _Edge | None = None
    left: _Edge | None = None

    @model_validator(mode="after")
    def _needs_a_mode(self) -> "Crop":
        if self.model_fields_set and "mode" not in self.model_fields_set:
            raise wire_error(
                Code.NULL_VALUE,
                "The Crop has no Mode.",
                "Add Mode (Auto or None), or write {} for Auto.",
            )
        return self


class PropertiesControl(WireModel):
    """What outputs keep of the source. Nothing is cropped: Auto finds no black borders yet."""

    deinterlace: Annotated[str, Choice(("Auto", "None"), later=("Force",))] = "Auto"
    crop: Annotated[Crop, JsonObject] = Field(default_factory=lambda: Crop())


class AnalysisConfig(WireModel):
    """The whole document."""

    quality_control: Annotated[QualityControl, JsonObject] = Field(
        default_factory=lambda: QualityControl()
    )
    properties_control: Annotated[PropertiesControl, JsonObject] = Field(
        default_factory=lambda: PropertiesControl()
    )

    def keeps_fields(self, video: VideoStream) -> bool:
        """Whether outputs of an interlaced source stay interlaced."""
        return video.interlaced and self.properties_control.deinterlace == "None"
