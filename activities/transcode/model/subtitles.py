"""SubtitleConfig as an output writes it. Specification: transcode, 13."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from activities.objects import ObjectTarget
from workflow_engine.errors import Code
from workflow_engine.topology.wire import (
    Choice,
    JsonArray,
    JsonObject,
    Text,
    WireModel,
    wire_error,
)

#: most files of one output
MAX_FILES = 4


class ExtSubtitle(WireModel):
    """An srt or ass file; `font_name` replaces the fonts of an ass file."""

    input: Annotated[ObjectTarget, JsonObject]
    char_enc: Annotated[str, Choice(("UTF-8", "GBK", "BIG5", "auto"), any_case=True)] = "auto"
    font_name: Annotated[str, Text(max_bytes=128)] | None = None


def _count(files: tuple[ExtSubtitle, ...]) -> tuple[ExtSubtitle, ...]:
    if len(files) > MAX_FILES:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The list has {len(files)} subtitle files.",
            f"Give at most {MAX_FILES}.",
        )
    return files


class SubtitleConfig(WireModel):
    """What is burnt into the picture."""

    # which streams of the source
    echoed: ClassVar[frozenset[str]] = frozenset({"SubtitleList"})

    ext_subtitle_list: Annotated[
        tuple[Annotated[ExtSubtitle, JsonObject], ...], JsonArray, AfterValidator(_count)
    ] = ()
