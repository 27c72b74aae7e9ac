"""The parameters of a Transcode activity as topologies write them.

Single fields are checked here, combinations in `rules.py`. Specification: topology, 4.2 and 5;
transcode, 2. What this version refuses by name stands in `later`.
"""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, AliasChoices, Field

from activities.objects import BucketName
from activities.packaging.models import (
    ExtXMedia,
    InputConfig,
    MultiBitrateVideoStream,
    Representation,
)
from activities.templates.sections import Audio, Container, MuxConfig, TransConfig, Video
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    JsonArray,
    JsonObject,
    Number,
    Text,
    WireModel,
    shown,
    wire_error,
)

#: most outputs of one activity (specification, transcode, 2)
MAX_OUTPUTS = 30


def _count(outputs: "tuple[Output, ...]") -> "tuple[Output, ...]":
    if not 1 <= len(outputs) <= MAX_OUTPUTS:
        raise wire_error(
            Code.OUT_OF_RANGE if outputs else Code.EMPTY_VALUE,
            f"The list has {len(outputs)} outputs.",
            f"Give 1 to {MAX_OUTPUTS} outputs.",
        )
    return outputs


def _stream(value: str) -> str:
    if int(value.rpartition(":")[2]) > 255:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The value {shown(value)} is out of range.",
            "Use 0:a:0 to 0:a:255.",
        )
    return value


class Output(WireModel):
    """One output: its name, its template, and the fields that it overrides."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "Amix",
            "Clip",
            "DeWatermark",
            "DigiWaterMark",
            "Encryption",
            "M3U8NonStandardSupport",
            "MergeConfigUrl",
            "MergeList",
            "OpeningList",
            "Rotate",
            "SubtitleConfig",
            "SuperReso",
            "TailSlateList",
            "VideoStreamMap",
            "WaterMarkConfigUrl",
            "WaterMarks",
        }
    )

    output_object: Annotated[str, Text(max_bytes=3 * 1023)] = Field(
        alias="OutputObject", validation_alias=AliasChoices("OutputObject", "Object")
    )
    template_id: Annotated[str, Text()]
    container: Annotated[Container, JsonObject] | None = None
    video: Annotated[Video, JsonObject] | None = None
    audio: Annotated[Audio, JsonObject] | None = None
    audio_stream_map: (
        Annotated[
            str,
            Text(pattern=r"0:a:\d{1,3}", form="0:a:n, n counted from 0 among the audio streams"),
            AfterValidator(_stream),
        ]
        | None
    ) = None
    mux_config: Annotated[MuxConfig, JsonObject] | None = None
    trans_config: Annotated[TransConfig, JsonObject] | None = None
    user_data: Annotated[str, Text(max_bytes=1024, empty=True)] = ""
    priority: Annotated[int, Number(1, 10)] = 6


class TranscodeParameters(WireModel):
    """Parameters of Transcode; the last five belong to packages."""

    outputs: Annotated[tuple[Output, ...], JsonArray, AfterValidator(_count)] = ()
    output_bucket: BucketName | None = None
    output_location: Annotated[str, Text()] | None = None
    multi_bitrate_video_stream: Annotated[MultiBitrateVideoStream, JsonObject] | None = None
    ext_x_media: Annotated[ExtXMedia, JsonObject] | None = None
    web_vtt_subtitle_url: Annotated[
        Annotated[str, Text(max_bytes=3200)] | None, Field(alias="WebVTTSubtitleURL")
    ] = None
    representation: Annotated[Representation, JsonObject] | None = None
    input_config: Annotated[InputConfig, JsonObject] | None = None

    @property
    def extracts_subtitles(self) -> bool:
        """Whether the activity makes subtitles only, and so needs no Outputs."""
        return bool(self.web_vtt_subtitle_url or self.input_config)

    @property
    def packaged(self) -> bool:
        """Whether the activity makes a stream of a package."""
        return bool(
            self.extracts_subtitles
            or self.multi_bitrate_video_stream
            or self.ext_x_media
            or self.representation
        )
