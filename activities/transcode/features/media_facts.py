"""What is found out about side inputs for planning: handlers of `SideInput.kind`."""

from collections.abc import Mapping

from activities.ffmpeg import content_bad
from activities.probe import MediaInfo, missing_bytes
from workflow_engine.activity import ActivityContext, SideInput
from workflow_engine.errors import ActivityError
from workflow_engine.records import Json

#: `SideInput.kind` of a clip or a song; `media_of` reads the facts
MEDIA = "media"


def describe_media(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Probe a media file.

    Raises ActivityError as `MediaInfo.of` does, and for a file that was cut off.
    """
    try:
        with context.slot():  # some seconds of it are decoded
            media = MediaInfo.of(context.source, ends=True, cancel=context.cancel)
        if missing := missing_bytes(context.source):
            raise content_bad(f"the file is cut off, {missing} bytes are missing")
        return media.to_json()
    except ActivityError as error:
        reason = error.message.partition('"InputFile" ')[2] or error.message
        raise ActivityError(error.code, reason, remedy=error.remedy, detail=error.detail) from error


def media_of(facts: Mapping[str, Json]) -> MediaInfo:
    """Return the media info that `describe_media` found."""
    return MediaInfo.from_json(facts)
