"""The parameters of a Transcode activity as topologies write them.

Single fields are checked here, combinations in `rules/output.py`. Specification: topology, 4.2
and 5; transcode, 2. What this version refuses by name stands in `later`.
"""

from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from activities.objects import ObjectUrl
from activities.packaging.models import (
    ExtXMedia,
    InputConfig,
    MultiBitrateVideoStream,
    Representation,
    SubtitleTrack,
)
from activities.templates.sections import (
    MAX_SECONDS,
    Audio,
    Container,
    MuxConfig,
    TransConfig,
    Video,
)
from activities.transcode.model.encryption import Encryption, NonStandard
from activities.transcode.model.joined import (
    Amix,
    AudioTrack,
    MergeList,
    OpeningList,
    TailSlateList,
    VideoTrack,
    positive,
)
from activities.transcode.model.quality import Quality
from activities.transcode.model.subtitles import SubtitleConfig
from activities.transcode.model.watermarks import WaterMark, at_most
from workflow_engine.errors import Code, pointer_to
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.wire import (
    Boolean,
    ClockTime,
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


def _count(outputs: "tuple[TranscodeOutput, ...]") -> "tuple[TranscodeOutput, ...]":
    if not 1 <= len(outputs) <= MAX_OUTPUTS:
        raise wire_error(
            Code.OUT_OF_RANGE if outputs else Code.EMPTY_VALUE,
            f"The list has {len(outputs)} outputs.",
            f"Give 1 to {MAX_OUTPUTS} outputs.",
        )
    return outputs


class TimeSpan(WireModel):
    """Which part of the source is taken, in seconds; `end` is cut off at its tail.

    `end` outweighs `duration` (specification, transcode, 8).
    """

    seek: ClockTime = 0.0
    duration: Annotated[ClockTime, AfterValidator(positive)] | None = None
    end: ClockTime | None = None


class Clip(WireModel):
    """A part of the source, before or behind what is merged with it."""

    time_span: Annotated[TimeSpan, JsonObject]
    config_to_clip_first_part: Annotated[bool, Boolean()] = False


class Region(WireModel):
    """A part of the source's picture: pixels above 1, shares of its size up to 1."""

    left: Annotated[float, Number(0, 8192)] = Field(alias="l")
    top: Annotated[float, Number(0, 8192)] = Field(alias="t")
    width: Annotated[float, Number(0, 8192, low_open=True)] = Field(alias="w")
    height: Annotated[float, Number(0, 8192, low_open=True)] = Field(alias="h")


def _moment(value: str) -> str:
    if int(value) > 1000 * MAX_SECONDS:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The value {shown(value)} is out of range.",
            f"Use at most {MAX_SECONDS} seconds.",
        )
    return value


def _distinct(regions: "dict[str, Any]") -> "dict[str, Any]":
    moments = [int(key) for key in regions]
    if len(set(moments)) < len(moments):
        raise wire_error(
            Code.INVALID,
            "Two keys mean the same moment.",
            "Write all regions of a moment under one key.",
        )
    return regions


#: milliseconds of the source, as a string
Moment = Annotated[
    str, Text(pattern=r"[0-9]{1,32}", form="whole milliseconds"), AfterValidator(_moment)
]
Regions = Annotated[tuple[Annotated[Region, JsonObject], ...], JsonArray]


class TranscodeOutput(WireModel):
    """One output: its name, its template, and the fields that it overrides."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "DigiWaterMark",
            "SuperReso",
            "WaterMarkConfigUrl",
        }
    )

    # empty in streams of packages only, which have their names from there
    output_object: Annotated[str, Text(max_bytes=3 * 1023)] = Field(
        default="", alias="OutputObject", validation_alias=AliasChoices("OutputObject", "Object")
    )
    template_id: Annotated[str, Text()]
    container: Annotated[Container, JsonObject] | None = None
    video: Annotated[Video, JsonObject] | None = None
    audio: Annotated[Audio, JsonObject] | None = None
    audio_stream_map: AudioTrack | None = None
    video_stream_map: VideoTrack | None = None
    mux_config: Annotated[MuxConfig, JsonObject] | None = None
    trans_config: Annotated[TransConfig, JsonObject] | None = None
    clip: Annotated[Clip, JsonObject] | None = None
    merge_list: MergeList | None = None
    merge_config_url: ObjectUrl | None = None
    opening_list: OpeningList | None = None
    tail_slate_list: TailSlateList | None = None
    amix: Amix | None = None
    encryption: Annotated[Encryption, JsonObject] | None = None
    non_standard: Annotated[
        Annotated[NonStandard, JsonObject] | None, Field(alias="M3U8NonStandardSupport")
    ] = None
    rotate: Annotated[float, Number(0, 360, high_open=True, unit="degrees clockwise")] | None = None
    de_watermark: Annotated[dict[Moment, Regions], AfterValidator(_distinct), JsonObject] | None = (
        None
    )
    water_marks: (
        Annotated[tuple[Annotated[WaterMark, JsonObject], ...], JsonArray, at_most] | None
    ) = None
    subtitle_config: Annotated[SubtitleConfig, JsonObject] | None = None
    # an extension of ours
    quality: Annotated[Quality, JsonObject] | None = None
    user_data: Annotated[str, Text(max_bytes=1024, empty=True)] = ""
    priority: Annotated[int, Number(1, 10)] = 6
    _name_field: str = PrivateAttr("OutputObject")
    _name_given: bool = PrivateAttr(False)

    @model_validator(mode="wrap")
    @classmethod
    def _remember_the_alias(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        output = handler(data)
        if isinstance(data, dict):
            given = cast("dict[str, Any]", data)
            if given.get("OutputObject") is None and given.get("Object") is not None:
                output._name_field = "Object"
            output._name_given = given.get(output._name_field) is not None
        return output

    @property
    def name_pointer(self) -> str:
        """Where the name stands: OutputObject has an alias (specification, topology, C-2)."""
        return pointer_to(self._name_field)

    @property
    def name_given(self) -> bool:
        """Whether there is a name, be it an empty one."""
        return self._name_given

    @property
    def merges(self) -> bool:
        """Whether parts are appended to the input."""
        return bool(self.merge_list or self.merge_config_url)


class TranscodeParameters(WireModel):
    """Parameters of Transcode; the last six belong to streams of packages.

    `subtitle_stream_map`, an extension of ours, is the text track that a subtitle stream takes.
    Without `append_extension`, which is an extension of ours, outputs are called what
    OutputObject says, as in jobs outside of workflows (specification, topology, 11).
    """

    outputs: Annotated[
        tuple[Annotated[TranscodeOutput, JsonObject], ...], JsonArray, AfterValidator(_count)
    ] = ()
    output_bucket: BucketName | None = None
    output_location: Annotated[str, Text()] | None = None
    append_extension: Annotated[bool, Boolean()] = True
    multi_bitrate_video_stream: Annotated[MultiBitrateVideoStream, JsonObject] | None = None
    ext_x_media: Annotated[ExtXMedia, JsonObject] | None = None
    web_vtt_subtitle_url: Annotated[ObjectUrl | None, Field(alias="WebVTTSubtitleURL")] = None
    subtitle_stream_map: SubtitleTrack | None = None
    representation: Annotated[Representation, JsonObject] | None = None
    input_config: Annotated[InputConfig, JsonObject] | None = None

    @property
    def packaged(self) -> bool:
        """Whether the activity makes a stream of a package."""
        return any(
            (
                self.multi_bitrate_video_stream,
                self.ext_x_media,
                self.web_vtt_subtitle_url,
                self.subtitle_stream_map,
                self.representation,
                self.input_config,
            )
        )
