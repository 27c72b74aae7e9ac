"""Which streams of the source an output takes, and whether they can be copied.

Specification: transcode, 2 (AudioStreamMap, VideoStreamMap) and 19 (remux).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from activities.ffmpeg import content_bad
from activities.probe import AudioStream, MediaInfo, VideoStream
from activities.probe.choice import preferred_audio
from activities.transcode.model.containers import CONTAINERS, FLV_MP3_RATES, WITHOUT_ROTATION
from activities.transcode.model.joined import track_number
from activities.transcode.model.settings import OutputSettings
from activities.transcode.source.timeline import source_span
from workflow_engine.errors import ActivityError, Code, Problem, Severity

S = TypeVar("S", AudioStream, VideoStream)

#: what a codec is called that ffprobe has no name for
UNKNOWN = "unknown"
#: demuxers that know no presentation times, only the order of decoding
WITHOUT_TIMES = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo"})


def video_stream(settings: OutputSettings, media: MediaInfo) -> VideoStream | None:
    """Return the stream that an output takes its picture from, None when it has none.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`) when the source has no
    picture, or when it cannot be copied.
    """
    if settings.video is None:
        return None
    track = settings.output.video_stream_map
    stream = _numbered(media.videos, track) if track else media.video
    if stream is None or not (stream.decodable or settings.copy):
        lack = _lack("video", media.videos, track)
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The resource operated "InputFile" is not supported: {lack}, '
            f'and the template "{settings.template.id}" makes video.',
            pointer="/VideoStreamMap" if track else "",
            remedy="Take VideoStreamMap out, or name a stream that is there."
            if track
            else "Use an audio template, or remove the video from the output.",
        )
    if not stream.sized:
        raise content_bad(f"the picture of its video stream {track} has no usable size")
    if settings.copy:
        _require_copyable(settings, media, stream)
        return stream
    return _in_fields(stream, settings.video.field_order)


def _in_fields(stream: VideoStream, order: str) -> VideoStream:
    """Return a stream whose frames hold two fields in the given order, by a user's word."""
    if order == "Auto":
        return stream
    return replace(stream, field_order="tt" if order == "tff" else "bb", measured=True)


def _lack(kind: str, streams: Sequence[S], track: str | None) -> str:
    """Say why there is no stream of a kind to take."""
    unknown = ", ".join(one.codec or UNKNOWN for one in streams if not one.decodable)
    if unknown:
        return f"it has no {kind} stream that can be decoded; {unknown} cannot"
    return f"it has no {kind} stream" + (f" {track}; it has {len(streams)}" if track else "")


def passed_over(
    settings: OutputSettings,
    media: MediaInfo,
    video: VideoStream | None,
    audio: AudioStream | None,
) -> Iterator[Problem]:
    """Yield warnings of streams that come before the chosen ones, and cannot be decoded."""
    films = [one for one in media.videos if not one.single]
    first_film = films[0] if films and not settings.output.video_stream_map else None
    first_sound = None
    if not settings.output.audio_stream_map:
        first_sound = preferred_audio(media.audios, media.video)
    for kind, first, chosen in (("video", first_film, video), ("audio", first_sound, audio)):
        if first and chosen and first != chosen and not first.decodable:
            yield Problem(
                code=Code.RESOURCE_NOT_SUPPORTED,
                message=f'The {kind} stream {first.index} of "InputFile" cannot be decoded '
                f"({first.codec or UNKNOWN}); stream {chosen.index} is taken instead.",
                severity=Severity.WARNING,
            )


def _numbered(streams: Sequence[S], track: str) -> S | None:
    number = track_number(track)
    return streams[number] if number < len(streams) else None


def _require_copyable(settings: OutputSettings, media: MediaInfo, stream: VideoStream) -> None:
    if stream.codec not in CONTAINERS[settings.container].copy_video:
        raise _cannot_copy(settings, f"{stream.codec or UNKNOWN} video")
    if media.format_name in WITHOUT_TIMES and stream.has_b_frames:
        raise _cannot_copy(
            settings,
            f"{stream.codec} video with B-frames, of which {media.format_name} has no times,",
        )
    if stream.tags.hidden and settings.container != "mp4":
        # there is no place for what tells players that it is Dolby Vision
        raise _cannot_copy(settings, "Dolby Vision without a base layer that other players show")
    if stream.rotation and settings.container in WITHOUT_ROTATION:
        raise _cannot_copy(settings, f"video turned by {stream.rotation} degrees")


def audio_stream(settings: OutputSettings, media: MediaInfo) -> AudioStream | None:
    """Return the stream that an output takes its sound from, None when it has none.

    A stream that ends before a Clip begins counts as none beside a picture. Raises ActivityError
    (`InvalidParameter.NoAudioStream`) when the source has no such stream,
    `.ResourceNotSupported` when it cannot be copied.
    """
    if settings.audio is None:
        return None
    track = settings.output.audio_stream_map
    stream = _numbered(media.audios, track) if track else media.default_audio
    if stream is None or not (stream.decodable or settings.copy):
        if not media.audios and track is None and settings.video is not None:
            return None
        raise ActivityError(
            Code.NO_AUDIO_STREAM,
            f'The resource operated "InputFile" is not supported: '
            f"{_lack('audio', media.audios, track)}.",
            pointer="/AudioStreamMap" if track else "",
            remedy="Use a source with sound, or a template and an AudioStreamMap that fit it. "
            "With Audio.Remove the output is silent.",
        )
    if settings.video and ends_before(settings, stream):
        return None
    if settings.copy:
        fits = stream.codec in CONTAINERS[settings.container].copy_audio
        flv_mp3 = settings.container == "flv" and stream.codec == "mp3"
        if not fits or (flv_mp3 and stream.sample_rate not in FLV_MP3_RATES):
            raise _cannot_copy(
                settings, f"{stream.codec or UNKNOWN} audio of {stream.sample_rate} Hz"
            )
    return stream


def ends_before(settings: OutputSettings, stream: AudioStream) -> bool:
    """Whether a Clip of the source begins where a stream has ended."""
    span = source_span(settings.output)
    return span is not None and stream.end is not None and span.seek >= stream.end


def _cannot_copy(settings: OutputSettings, what: str) -> ActivityError:
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The resource operated "InputFile" is not supported: its {what} cannot be copied into '
        f'the container "{settings.container}".',
        remedy="Use a template that encodes, or another container.",
    )
