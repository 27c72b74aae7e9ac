"""Hold a finished output against its rendition: success needs more than ffmpeg's exit status.

ffmpeg ends with status 0 when its source breaks off, when a stream yields nothing and when a
limit stops it (ffmpeg facts, "Hostile input").
"""

from pathlib import Path

from activities.probe import MediaInfo
from activities.transcode.encoder import longest
from activities.transcode.rendition import Picture, Rendition, Sound
from workflow_engine.errors import ActivityError, Code

#: seconds, and share of the whole, that an output may be shorter than its source promised
SHORT_SECONDS = 0.5
SHORT_SHARE = 0.01


def verify(path: Path, rendition: Rendition) -> MediaInfo:
    """Probe a finished file (of an HLS output, the playlist) and return what is in it.

    Raises ActivityError: `InvalidParameter.ResourceContentBad` when the source broke off or ran
    on beyond its promise, `InternalError` when the file is not what was planned.
    """
    try:
        media = MediaInfo.of(path, playlists=rendition.container == "m3u8")
    except ActivityError as error:
        raise _wrong(rendition, f"it cannot be read ({error.message})", error.detail) from error
    if rendition.picture:
        _check_picture(rendition, rendition.picture, media)
    if rendition.sound:
        _check_sound(rendition, rendition.sound, media)
    if rendition.duration is not None:
        _check_duration(rendition, rendition.duration, media)
    return media


def _check_picture(rendition: Rendition, picture: Picture, media: MediaInfo) -> None:
    video = media.video
    if video is None:
        raise _broken_off(f"no video came out of it for {rendition.summary}")
    if video.codec != picture.codec:
        raise _wrong(rendition, f"its video is {video.codec}")
    if (video.width, video.height) != picture.size:
        raise _wrong(rendition, f"its picture has {video.width}x{video.height} pixels")


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


def _check_duration(rendition: Rendition, expected: float, media: MediaInfo) -> None:
    found = media.duration
    if found is None:
        raise _wrong(rendition, "it has no duration")
    if found >= longest(rendition, expected) - 1:
        raise _broken_off(f"it runs on beyond the {expected:.3f} seconds of its header")
    frame = 0.0
    if rendition.picture and rendition.picture.encoding:
        frame = float(1 / rendition.picture.encoding.rate)
    missing = expected - found
    if rendition.exact and missing > max(SHORT_SECONDS, SHORT_SHARE * expected) + frame:
        raise _broken_off(f"it ends after {found:.3f} of {expected:.3f} seconds")


def _broken_off(reason: str) -> ActivityError:
    return ActivityError(
        Code.RESOURCE_CONTENT_BAD,
        f'The resource operated "InputFile" is bad: {reason}.',
        remedy="Upload the file again, complete.",
    )


def _wrong(rendition: Rendition, reason: str, detail: str = "") -> ActivityError:
    return ActivityError(
        Code.INTERNAL,
        f'The output "{rendition.summary}" is not what was planned: {reason}.',
        remedy="Report this with the source's media info.",
        detail=detail,
    )
