"""What an output joins with its input: parts, openings, tails and further sound.

Specification: transcode, 10, 14 and 16.
"""

from collections.abc import Callable
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, AliasChoices, Field

from activities.colors import ColorName
from activities.objects import ObjectUrl, check_object_url
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    ClockTime,
    JsonArray,
    JsonObject,
    Text,
    WireModel,
    shown,
    wire_error,
)

#: most parts of MergeList, and of a file that MergeConfigUrl names
MAX_PARTS = 4
MAX_LISTED_PARTS = 50
#: most items of the other lists: each is opened by one ffmpeg; the specification has no limit
MAX_JOINED = 50
#: the AmixURL that means the input itself
INPUT = "input"

T = TypeVar("T")


def positive(seconds: float) -> float:
    """Refuse a length of nothing; for validation."""
    if seconds <= 0:
        raise wire_error(
            Code.OUT_OF_RANGE, "A length of 0 seconds is out of range.", "Use more than 0 seconds."
        )
    return seconds


def _at_most(limit: int) -> Callable[[tuple[T, ...]], tuple[T, ...]]:
    def check(items: tuple[T, ...]) -> tuple[T, ...]:
        if not 1 <= len(items) <= limit:
            raise wire_error(
                Code.OUT_OF_RANGE if items else Code.EMPTY_VALUE,
                f"The list has {len(items)} items.",
                f"Give 1 to {limit}.",
            )
        return items

    return check


def track_number(value: str) -> int:
    """Return the number of a stream, counted from 0 among those of its kind."""
    return int(value.rpartition(":")[2])


def _track(value: str) -> str:
    if track_number(value) > 255:
        raise wire_error(
            Code.OUT_OF_RANGE, f"The value {shown(value)} is out of range.", "Use at most 255."
        )
    return value


#: an audio stream of a file
AudioTrack = Annotated[
    str,
    Text(pattern=r"0:a:[0-9]{1,32}", form="0:a:n, n counted from 0 among the audio streams"),
    AfterValidator(_track),
]
#: a video stream; tables of the documents write it in three ways (specification, transcode, C-1)
VideoTrack = Annotated[
    str,
    Text(pattern=r"(0:[av]:)?[0-9]{1,32}", form="0:v:n, n counted from 0 among the video streams"),
    AfterValidator(_track),
]


class MergePart(WireModel):
    """A clip that is appended: seconds `start` to `start + duration` of it."""

    merge_url: Annotated[ObjectUrl, Field(alias="MergeURL")]
    start: ClockTime = 0.0
    duration: Annotated[ClockTime, AfterValidator(positive)] | None = None


_Part = Annotated[MergePart, JsonObject]
MergeList = Annotated[tuple[_Part, ...], JsonArray, AfterValidator(_at_most(MAX_PARTS))]


class MergeConfig(WireModel):
    """The file that MergeConfigUrl names."""

    merge_list: Annotated[tuple[_Part, ...], JsonArray, AfterValidator(_at_most(MAX_LISTED_PARTS))]


def _mixed(url: str) -> str:
    return url if url == INPUT else check_object_url(url)


class Mix(WireModel):
    """Sound that is mixed in: seconds `start` to `start + duration` of a track."""

    amix_url: Annotated[str, Text(max_bytes=3200), AfterValidator(_mixed), Field(alias="AmixURL")]
    map: AudioTrack | None = None
    mix_dur_mode: Annotated[str, Choice(("first", "longest"), aliases=(("long", "longest"),))] = (
        "longest"
    )
    start: ClockTime | None = None
    duration: Annotated[ClockTime, AfterValidator(positive)] | None = None


Amix = Annotated[
    tuple[Annotated[Mix, JsonObject], ...], JsonArray, AfterValidator(_at_most(MAX_JOINED))
]


#: the Width or Height that fills the picture, and the one that is the clip's own
FULL, OWN = "full", "-1"


def _side(value: str) -> str:
    if value in (FULL, OWN) or 0 < int(value) < 4096:
        return value
    raise wire_error(
        Code.OUT_OF_RANGE,
        f"The value {shown(value)} is out of range.",
        "Use 1 to 4095 pixels, -1 or full.",
    )


_Side = Annotated[
    str, Text(pattern=r"full|-?[0-9]{1,32}", form="pixels, -1 or full"), AfterValidator(_side)
]


class Slate(WireModel):
    """A clip inside the picture: sides in pixels, `FULL` or `OWN`."""

    width: _Side = OWN
    height: _Side = OWN


class Opening(Slate):
    """A clip over the picture, from `start` seconds on."""

    open_url: Annotated[
        ObjectUrl,
        Field(alias="OpenUrl", validation_alias=AliasChoices("OpenUrl", "openUrl")),
    ]
    start: ClockTime = 0.0


class TailSlate(Slate):
    """A clip behind the end, which is faded over to in `blend_duration` seconds."""

    echoed: ClassVar[frozenset[str]] = frozenset({"Start"})

    tail_url: ObjectUrl
    blend_duration: ClockTime = 0.0
    is_merge_audio: Annotated[bool, Boolean()] = True
    bg_color: ColorName = "White"


OpeningList = Annotated[
    tuple[Annotated[Opening, JsonObject], ...], JsonArray, AfterValidator(_at_most(MAX_JOINED))
]
TailSlateList = Annotated[
    tuple[Annotated[TailSlate, JsonObject], ...], JsonArray, AfterValidator(_at_most(MAX_JOINED))
]
