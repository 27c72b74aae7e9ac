"""Which part of its source an output shows, and how long that is.

Specification: transcode, 8 (Clip). What is joined with it comes in `features/joining.py`.
"""

from activities.probe import AudioStream, MediaInfo, VideoStream
from activities.transcode.command.filters import CommandInput
from activities.transcode.model.output import TimeSpan, TranscodeOutput
from activities.transcode.source.scene import OutputRequest, Timeline
from workflow_engine.errors import ActivityError, Code


def timeline_of(
    request: OutputRequest, video: VideoStream | None, audio: AudioStream | None
) -> Timeline:
    """Return the time of what an output takes of these streams of its source.

    A Clip that comes behind merging is not in it.

    Raises ActivityError (`InvalidParameter.OutOfRange`) for a Clip outside of the source.
    """
    duration, exact = _whole(request.media, video, audio)
    span = source_span(request.settings.output)
    shown = video.end if video and video.end is not None else duration
    options = request.media.opened
    if span is None:
        origin = CommandInput(options=options)
        return Timeline(origin=origin, start=0.0, duration=duration, exact=exact, shown=shown)
    if span.seek and not request.media.seekable:
        raise not_seekable("/Clip/TimeSpan/Seek")
    if video and video.end and span.seek >= video.end and not request.media.guessed:
        raise outside(span, "Seek", video.end)
    if duration is not None and span.seek >= duration and not request.media.guessed:
        raise outside(span, "Seek", duration)
    length = length_of(span, duration)
    if span.seek:
        options += (("ss", f"{span.seek:.3f}"),)
    if span.end is not None or span.duration is not None:
        options += (("t", f"{length:.3f}"),)
    return Timeline(
        origin=CommandInput(options=options),
        start=span.seek,
        duration=length,
        exact=exact,
        shown=min(shown - span.seek, length) if shown and length else length,
    )


def source_span(output: TranscodeOutput) -> TimeSpan | None:
    """Return what a Clip takes of the source itself, None for all of it."""
    clip = output.clip
    if clip is None or (output.merges and not clip.config_to_clip_first_part):
        return None
    return clip.time_span


def length_of(span: TimeSpan, whole: float | None) -> float | None:
    """Return the seconds that are taken of `whole` seconds.

    Raises ActivityError (`InvalidParameter.OutOfRange`) when nothing is left.
    """
    left = None if whole is None else whole - span.seek
    if span.end is not None:
        if left is None:
            raise ActivityError(
                Code.OUT_OF_RANGE,
                f"The Clip.TimeSpan.End {span.end:g} cannot be counted: "
                'the length of "InputFile" is unknown.',
                pointer="/Clip/TimeSpan/End",
                remedy="Give Duration instead.",
            )
        if span.end >= left:
            assert whole is not None
            raise outside(span, "End", whole)
        return left - span.end
    if span.duration is None:
        return left
    return span.duration if left is None else min(span.duration, left)


def not_seekable(pointer: str) -> ActivityError:
    """Return the error of an animated WebP that is to be shown from a later time on."""
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        "An animated WebP is read from its beginning only, and a later start is asked for.",
        pointer=pointer,
        remedy="Take the start out, or use an animated GIF or PNG, or a film.",
    )


def outside(span: TimeSpan, field: str, whole: float) -> ActivityError:
    """Return the error of a Clip of which nothing is left."""
    value = span.seek if field == "Seek" else span.end
    return ActivityError(
        Code.OUT_OF_RANGE,
        f"The Clip.TimeSpan.{field} {value:g} is out of range: nothing is left of the "
        f"{whole:.3f} seconds.",
        pointer=f"/Clip/TimeSpan/{field}",
        remedy="Choose a part inside the source.",
    )


def _whole(
    media: MediaInfo, video: VideoStream | None, audio: AudioStream | None
) -> tuple[float | None, bool]:
    """Return the seconds of the chosen streams, and whether they have no less than that."""
    chosen = [stream.end for stream in (video, audio) if stream]
    own = [end for end in chosen if end]
    if media.guessed:
        return max(own, default=media.duration), False
    if len(own) == len(chosen):
        return max(own), True
    # the container's duration may be that of a stream which is left out
    whole = len(chosen) == len(media.videos) + len(media.audios) + len(media.subtitles)
    return media.duration, whole and media.duration is not None
