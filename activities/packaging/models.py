"""The parameters of the packaging activities, and the stream fields that Transcode shares.

Specification: topology, 5. Which field HLS needs and which DASH needs depends on the protocol of
PackageConfig, so neighbours in the graph decide it (`rules/`), not these models.
"""

from typing import Annotated, Any, Self, cast

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from activities.objects import ObjectUrl
from workflow_engine.errors import Code
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.wire import (
    Choice,
    JsonArray,
    JsonObject,
    Number,
    Text,
    WireModel,
    shown,
    wire_error,
)

_URI_FORM = "a lower-case letter, then at least one of a-z 0-9 . / -"


def _playlist(value: str) -> str:
    if not value.endswith(".m3u8"):
        raise wire_error(
            Code.FORMAT,
            f"The value {shown(value)} does not have the right form.",
            'End the URI with ".m3u8".',
        )
    return value


def _inside(value: str) -> str:
    if ".." in value.split("/"):
        raise wire_error(
            Code.FORMAT,
            f'The URI {shown(value)} has the part "..".',
            "Use a path below the master playlist.",
        )
    return value


Uri = Annotated[str, Text(pattern=r"[a-z]{1}[a-z0-9./-]+", form=_URI_FORM), AfterValidator(_inside)]
GroupId = Annotated[str, Text(max_bytes=32)]
#: a subtitle track of the input, an extension of ours
SubtitleTrack = Annotated[
    str, Text(pattern=r"0:s:[0-9]{1,3}", form="0:s:n, n counted from 0 among the subtitle streams")
]
Word = Annotated[str, Text()]


class MultiBitrateVideoStream(WireModel):
    """Where a video rendition of an HLS package goes.

    The other two belong to the master list, and are refused here (specification, C-5).
    """

    uri: Annotated[Uri, AfterValidator(_playlist)] = Field(alias="URI")
    ref_activity_name: Any = None
    ext_x_stream_info: Any = None


class ExtXMedia(WireModel):
    """An audio or subtitle rendition of an HLS package."""

    name: Annotated[str, Text(max_bytes=64)]
    # RFC 5646: subtags of 1 to 8 letters or digits
    language: (
        Annotated[
            str,
            Text(pattern=r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", form='a language tag ("en-US")'),
        ]
        | None
    ) = None
    uri: Uri = Field(alias="URI")


class Representation(WireModel):
    """One stream of a DASH package."""

    id: Word
    # capitals too: the specification's own sample has them ("videoSD/xx.mpd")
    uri: Annotated[
        str, Text(pattern=r"[A-Za-z][A-Za-z0-9./-]+", form=_URI_FORM), AfterValidator(_inside)
    ] = Field(alias="URI")


class SubtitleFile(WireModel):
    """A subtitle file: an object, or the URL of one."""

    bucket: BucketName | None = None
    location: Word | None = None
    object: Annotated[str, Text(max_bytes=3200)] | None = None
    url: Annotated[ObjectUrl | None, Field(alias="URL")] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.url is None) == (self.bucket is None or self.object is None):
            raise wire_error(
                Code.NULL_VALUE if self.url is None else Code.INVALID,
                "A subtitle file has a Bucket and an Object, or a URL.",
                "Give either Bucket, Location and Object, or URL.",
            )
        return self


class InputConfig(WireModel):
    """The subtitles of a DASH package."""

    format: Annotated[str, Choice(("stl", "ttml", "vtt"))]
    input_file: Annotated[SubtitleFile, JsonObject]


class AdaptationSet(WireModel):
    """A group of interchangeable DASH streams."""

    group: Word
    lang: Word | None = None


class ExtXStreamInfo(WireModel):
    """The EXT-X-STREAM-INF of a video rendition; `band_width` in bit/s."""

    band_width: Annotated[int, Number(1, unit="bit/s")]
    audio: GroupId | None = None
    subtitles: GroupId | None = None


class MasterStream(WireModel):
    """A video rendition in the master playlist, by the name of its Transcode activity.

    `uri` belongs to the stream, and is refused here (specification, C-5).
    """

    ref_activity_name: Word
    ext_x_stream_info: Annotated[ExtXStreamInfo, JsonObject] = Field(
        alias="ExtXStreamInfo",
        validation_alias=AliasChoices("ExtXStreamInfo", "ExtXStreamInf"),
    )
    uri: Annotated[Any, Field(alias="URI")] = None


def _one_spelling(item: object) -> object:
    names = ("ExtXStreamInfo", "ExtXStreamInf")
    if isinstance(item, dict) and all(cast("dict[str, Any]", item).get(n) for n in names):
        raise wire_error(
            Code.INVALID,
            "The item has both ExtXStreamInfo and ExtXStreamInf, which are two spellings of one.",
            "Keep ExtXStreamInfo.",
        )
    return cast("object", item)


class MasterPlayList(WireModel):
    """The renditions of an HLS package."""

    multi_bitrate_video_streams: Annotated[
        tuple[Annotated[MasterStream, BeforeValidator(_one_spelling), JsonObject], ...], JsonArray
    ]


class PackageOutput(WireModel):
    """Where a package goes; the names take placeholders.

    `manifest_name`, an extension of ours, is an MPD over the segments of an HLS package (CMAF).
    """

    bucket: BucketName
    location: Word
    master_play_list_name: Annotated[str, Text(max_bytes=1023)]
    manifest_name: Annotated[str, Text(max_bytes=1023)] | None = None


class PackageConfigParameters(WireModel):
    """Parameters of PackageConfig.

    `segment_format` and `segment_seconds` are extensions of ours: what the segments of all streams
    are, and how long.
    """

    output: Annotated[PackageOutput, JsonObject]
    protocol: Annotated[str, Choice(("hls", "dash"), other=Code.NOT_SUPPORTED)]
    segment_format: Annotated[str, Choice(("ts", "fmp4"))] | None = None
    segment_seconds: Annotated[int, Number(1, 60, unit="s")] | None = None


class GroupParameters(WireModel):
    """Parameters of a group: `group_id` for HLS, the other for DASH."""

    group_id: GroupId | None = None
    adaptation_set: Annotated[AdaptationSet, JsonObject] | None = None


class MasterPlayListParameters(WireModel):
    """Parameters of GenerateMasterPlayList; HLS needs the list, DASH has none."""

    master_play_list: Annotated[MasterPlayList, JsonObject] | None = None
