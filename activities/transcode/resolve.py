"""From one output's settings and one source to a rendition: every number that ffmpeg needs.

Pure. Which streams, the sound, segments and estimates are here, the picture in `picture.py`.
Specification: transcode, 3 and 5 to 7.
"""

import math

from activities.probe import AudioStream, MediaInfo, VideoStream
from activities.templates.sections import Audio, cuts_of
from activities.transcode.picture import DEFAULT_CRF, bitrate_error, resolve_picture
from activities.transcode.rendition import (
    PROBE_NAMES,
    AudioEncoding,
    Picture,
    Rendition,
    Sound,
)
from activities.transcode.settings import Settings
from workflow_engine.errors import ActivityError, Code, Problem

#: seconds of an HLS segment unless MuxConfig says otherwise
SEGMENT_SECONDS = 10
#: bits per pixel at the default Crf, for estimates of size
CRF_BITS_PER_PIXEL = 0.08

#: demuxers that guess the duration from the bit rate, or have none
GUESSED_DURATION = frozenset(
    {"aac", "ac3", "amr", "eac3", "h264", "hevc", "m4v", "mjpeg", "mp3", "mpegvideo"}
)

#: what each container takes without encoding, as ffprobe names codecs
COPY_VIDEO = {
    "mp4": {"av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp9"},
    "flv": {"flv1", "h264", "vp6f"},
    "ts": {"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"},
    "m3u8": {"h264", "hevc"},
    "mp3": set[str](),
    "m4a": set[str](),
}
COPY_AUDIO = {
    "mp4": {"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"},
    "flv": {"aac", "mp3"},
    "ts": {"aac", "ac3", "eac3", "mp2", "mp3"},
    "m3u8": {"aac", "ac3", "eac3", "mp3"},
    "mp3": {"mp3"},
    "m4a": {"aac", "alac"},
}
#: sample rates of MP3 in flv, Hz
FLV_MP3_RATES = (11025, 22050, 44100)


def resolve(settings: Settings, media: MediaInfo) -> tuple[Rendition, list[Problem]]:
    """Return what an output will be for this source, and warnings relative to the output.

    Raises ActivityError: no such stream (`.ResourceNotSupported`, `.NoAudioStream`), a codec
    that the container does not take, an IsCheck...Fail rule or a size out of range.
    """
    video, audio = _video_stream(settings, media), _audio_stream(settings, media)
    warnings: list[Problem] = []
    picture = sound = None
    segment, cuts = _segments(settings, _duration(media, video, audio))
    if video:
        picture = resolve_picture(settings, video, segment, cuts, warnings)
    if audio:
        sound = _sound(settings, audio)
    duration = _duration(media, video, audio)
    rendition = Rendition(
        container=settings.container,
        picture=picture,
        sound=sound,
        mode=settings.trans.trans_mode if picture else "onepass",
        segment=segment,
        cuts=cuts,
        duration=duration,
        exact=media.format_name not in GUESSED_DURATION,
        bytes=media.size if settings.copy else _bytes(picture, sound, duration),
    )
    return rendition, warnings


def _video_stream(settings: Settings, media: MediaInfo) -> VideoStream | None:
    if settings.video is None:
        return None
    if media.video is None:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            'The resource operated "InputFile" is not supported: it has no video stream, and the '
            f'template "{settings.template.id}" makes video.',
            remedy="Use an audio template, or remove the video from the output.",
        )
    if settings.copy and media.video.codec not in COPY_VIDEO[settings.container]:
        raise _cannot_copy(settings, f"{media.video.codec} video")
    return media.video


def _audio_stream(settings: Settings, media: MediaInfo) -> AudioStream | None:
    if settings.audio is None:
        return None
    wanted = settings.output.audio_stream_map
    if wanted is None:
        stream = media.default_audio
    else:
        number = int(wanted.rpartition(":")[2])
        stream = media.audios[number] if number < len(media.audios) else None
    if stream is None:
        if wanted is None and settings.video is not None:
            return None
        raise ActivityError(
            Code.NO_AUDIO_STREAM,
            f'The resource operated "InputFile" has no audio stream{f" {wanted}" if wanted else ""}'
            f"; it has {len(media.audios)}.",
            remedy="Use a source with sound, or a template and an AudioStreamMap that fit it.",
        )
    if settings.copy:
        fits = stream.codec in COPY_AUDIO[settings.container]
        flv_mp3 = settings.container == "flv" and stream.codec == "mp3"
        if not fits or (flv_mp3 and stream.sample_rate not in FLV_MP3_RATES):
            raise _cannot_copy(settings, f"{stream.codec} audio of {stream.sample_rate} Hz")
    return stream


def _cannot_copy(settings: Settings, what: str) -> ActivityError:
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The resource operated "InputFile" is not supported: its {what} cannot be copied into '
        f'the container "{settings.container}".',
        remedy="Use a template that encodes, or another container.",
    )


def _duration(
    media: MediaInfo, video: VideoStream | None, audio: AudioStream | None
) -> float | None:
    found = [stream.duration or media.duration for stream in (video, audio) if stream]
    return max((value for value in found if value), default=None)


def _segments(settings: Settings, duration: float | None) -> tuple[float | None, tuple[float, ...]]:
    """Return the segment length, or the cut times that replace it (both only for m3u8)."""
    if settings.container != "m3u8":
        return None, ()
    length, forced = settings.segment.duration, settings.segment.force_seg_time
    if not forced:
        return float(length or SEGMENT_SECONDS), ()
    cuts = set(cuts_of(forced))
    if length and duration:
        cuts |= {float(time) for time in range(length, math.ceil(duration), length)}
    return None, tuple(sorted(cuts))


def _sound(settings: Settings, stream: AudioStream) -> Sound:
    audio = settings.audio
    assert audio is not None
    if settings.copy:
        return Sound(stream=stream.index, codec=stream.codec, language=stream.language)
    encoding = AudioEncoding(
        codec=audio.codec,
        bitrate=_audio_rate(settings, audio, stream),
        samplerate=audio.samplerate,
        channels=audio.channels,
    )
    return Sound(
        stream=stream.index,
        codec=PROBE_NAMES[audio.codec],
        language=stream.language,
        encoding=encoding,
    )


def _audio_rate(settings: Settings, audio: Audio, stream: AudioStream) -> float:
    source = stream.bitrate_kbps
    if not source or audio.bitrate <= source:
        return audio.bitrate
    if settings.trans.is_check_audio_bitrate_fail:
        raise bitrate_error(settings, "Audio", audio.bitrate, source)
    # only between equal codecs do equal bit rates mean equal quality (specification, 7)
    same = stream.codec == PROBE_NAMES[audio.codec]
    return source if settings.trans.is_check_audio_bitrate and same else audio.bitrate


def _bytes(picture: Picture | None, sound: Sound | None, duration: float | None) -> int | None:
    if duration is None:
        return None
    kbps = 0.0
    if picture and picture.encoding:
        encoding = picture.encoding
        kbps += encoding.bitrate if encoding.bitrate is not None else _crf_rate(picture)
    if sound and sound.encoding:
        kbps += sound.encoding.bitrate
    return round(kbps * 1000 / 8 * duration)


def _crf_rate(picture: Picture) -> float:
    encoding = picture.encoding
    assert encoding is not None and encoding.crf is not None
    width, height = picture.size
    # six steps of Crf halve or double the bit rate
    bits = CRF_BITS_PER_PIXEL * 2 ** ((DEFAULT_CRF[encoding.codec] - encoding.crf) / 6)
    kbps = width * height * float(encoding.rate) * bits / 1000
    return min(kbps, encoding.maxrate or kbps)
