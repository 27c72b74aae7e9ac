"""Hold a finished output against its rendition: success needs more than ffmpeg's exit status.

ffmpeg ends with status 0 when its source breaks off, when a stream yields nothing and when a
limit stops it (ffmpeg facts, "Hostile input").
"""

from pathlib import Path

from activities.probe import MediaInfo, VideoStream
from activities.transcode.command.encoder import most_bytes
from activities.transcode.command.rendition import Picture, Rendition, Sound
from activities.transcode.model.containers import IMAGE_CODECS, SEGMENTED
from activities.transcode.result.files import end_of_fragments, files_of, media_of, media_of_segment
from workflow_engine.errors import ActivityError, Code

#: seconds, and share of the whole, that an output may be shorter than its source promised
SHORT_SECONDS = 0.5
SHORT_SHARE = 0.01
#: seconds of sound that a packet of a transport stream may hold behind its one time stamp
PACKED_SECONDS = 0.4


def verify(path: Path, rendition: Rendition) -> MediaInfo:
    """Probe a finished file (of HLS the playlist, of DASH the manifest), return what is in it.

    Raises ActivityError: `InvalidParameter.ResourceContentBad` when the source is cut off or longer
    than its header declares, `InternalError` when the file is not what was planned.
    """
    try:
        media = media_of(path)
    except ActivityError as error:
        raise _wrong(rendition, f"it cannot be read ({error.message})", error.detail) from error
    if rendition.picture:
        _check_picture(rendition, rendition.picture, media)
    if rendition.sound:
        _check_sound(rendition, rendition.sound, media)
    _check_limits(path, rendition, media)
    return media


def _check_picture(rendition: Rendition, picture: Picture, media: MediaInfo) -> None:
    video = media.video
    if video is None:
        raise _broken_off(f"no video came out of it for {rendition.summary}")
    if video.codec != picture.codec:
        raise _wrong(rendition, f"its video is {video.codec}")
    if (video.width, video.height) != picture.size:
        raise _wrong(rendition, f"its picture has {video.width}x{video.height} pixels")
    known = picture.encoding and picture.encoding.codec not in IMAGE_CODECS
    if picture.encoding and known and not _is_format(video, picture.encoding.pix_fmt):
        raise _wrong(rendition, f"its pixel format is {video.pix_fmt}")


def _is_format(video: VideoStream, pix_fmt: str) -> bool:
    """Whether a stream has a pixel format; `yuvj` is `yuv` of full range under an older name."""
    same = video.pix_fmt.replace("yuvj", "yuv") == pix_fmt.replace("yuvj", "yuv")
    return same and (video.colour.full or "yuvj" not in pix_fmt)


def _check_sound(rendition: Rendition, sound: Sound, media: MediaInfo) -> None:
    if not media.audios:
        raise _broken_off(f"no audio came out of it for {rendition.summary}")
    audio = media.audios[0]
    encoding = sound.encoding
    if audio.codec != sound.codec:
        raise _wrong(rendition, f"its audio is {audio.codec}")
    if encoding and (audio.sample_rate, audio.channels) != (
        encoding.samplerate,
        encoding.channels,
    ):
        raise _wrong(
            rendition, f"its audio has {audio.channels} channels of {audio.sample_rate} Hz"
        )


def _check_limits(path: Path, rendition: Rendition, media: MediaInfo) -> None:
    length, expected = _length(path, rendition, media), rendition.duration
    if length is None:
        # pictures that are all alike become a single one
        if expected is None or rendition.container == "webp":
            return
        raise _wrong(rendition, "it has no duration")
    large = rendition.container not in SEGMENTED and path.stat().st_size >= most_bytes(rendition)
    # pictures that repeat themselves stay for as long as MuxConfig says
    film = rendition.container not in ("gif", "webp")
    if large or (length >= rendition.limit - 1 and film):
        declared = f"the {expected:.3f} seconds that its header declares"
        raise _broken_off(f"it is longer than {declared if expected else 'its size allows'}")
    if expected is None or not rendition.exact:
        return
    unseen = PACKED_SECONDS if rendition.container in ("ts", "m3u8") else 0.0
    if rendition.picture and rendition.picture.encoding:
        unseen = max(unseen, float(1 / rendition.picture.encoding.rate))
    spare = _spare(expected) + unseen
    if expected - length > spare:
        raise _broken_off(f"it ends after {length:.3f} of {expected:.3f} seconds")
    if film and not rendition.copy and max(length, media.duration or 0.0) - expected > spare:
        raise _broken_off(
            f"it is {length:.3f} seconds long, and declares {expected:.3f}",
            remedy="Remux the file with a tool that writes its real length, and upload that.",
        )


def wrong_length(rendition: Rendition, media: MediaInfo) -> tuple[float, float] | None:
    """Return the seconds that a copy tells and those of its source, where they differ."""
    expected, told = rendition.duration, media.duration
    if not rendition.copy or not rendition.exact or expected is None or told is None:
        return None
    return (told, expected) if abs(told - expected) > _spare(expected) else None


def _spare(expected: float) -> float:
    return max(SHORT_SECONDS, SHORT_SHARE * expected)


def _length(path: Path, rendition: Rendition, media: MediaInfo) -> float | None:
    """Return the seconds from the first to the last moment of any stream.

    A playlist counts the picture only, so sound that begins before it or outlasts it is
    measured in the first and the last segment.
    """
    both = rendition.picture and rendition.sound
    # an encrypted segment cannot be read without its playlist
    if rendition.container != "m3u8" or not both or rendition.segment_key:
        return media.duration
    segments = files_of(path).content
    if segments[0].suffix == ".mp4":  # their clock begins with the film
        end = end_of_fragments(segments[0], segments[-1])
        return max(media.duration or 0.0, end)
    first, last = (media_of_segment(segments[n]) for n in (0, -1))
    end = last.start_time + (last.duration or 0.0)
    return max(media.duration or 0.0, end - first.start_time)


def _broken_off(reason: str, remedy: str = "Upload the file again, complete.") -> ActivityError:
    return ActivityError(
        Code.RESOURCE_CONTENT_BAD,
        f'The resource operated "InputFile" is bad: {reason}.',
        remedy=remedy,
    )


def _wrong(rendition: Rendition, reason: str, detail: str = "") -> ActivityError:
    return ActivityError(
        Code.INTERNAL,
        f'The output "{rendition.summary}" is not what was planned: {reason}.',
        remedy="Report this with the source's media info.",
        detail=detail,
    )
