"""From one output's settings and one source to a rendition: every number that ffmpeg needs.

Pure. Which streams, the sound, segments and estimates are here, the picture in `picture.py`.
Specification: transcode, 3 and 5 to 7.
"""

import math

from activities.probe import AudioStream, MediaInfo, VideoStream
from activities.templates.sections import Audio, cuts_of
from activities.transcode.audio_rules import mp3_bitrates
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

#: bytes per second of the slowest stream; bounds a source that does not tell its duration
SLOWEST_BYTES = 125
#: seconds that such a source may have beyond that
SPARE_SECONDS = 3600
#: frames that an encoder may hold back, and a muxer then count as length
REORDERED_FRAMES = 8
#: seconds; behind a later cut there might be no frame
SHORTEST_SEGMENT = 0.1
#: most cuts of one playlist: ffmpeg has them in one argument, which the system limits
MAX_CUTS = 10_000

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


#: demuxers that know no presentation times, only the order of decoding
WITHOUT_TIMES = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo"})
#: containers that cannot say that a picture is to be shown turned
WITHOUT_ROTATION = frozenset({"flv", "m3u8", "ts"})


def resolve(settings: Settings, media: MediaInfo) -> tuple[Rendition, list[Problem]]:
    """Return what an output will be for this source, and warnings relative to the output.

    Raises ActivityError: no such stream (`.ResourceNotSupported`, `.NoAudioStream`), a stream
    that the container does not take, an IsCheck...Fail rule, a size or a cut out of range.
    """
    video, audio = _video_stream(settings, media), _audio_stream(settings, media)
    warnings: list[Problem] = []
    picture = sound = None
    duration, exact = _duration(media, video, audio)
    # cuts are made in the picture, where there is one
    segment, cuts = _segments(settings, (video and video.duration) or duration)
    if video:
        picture = resolve_picture(settings, video, segment, cuts, warnings)
    if audio:
        sound = _sound(settings, audio)
    rendition = Rendition(
        container=settings.container,
        picture=picture,
        sound=sound,
        mode=settings.trans.trans_mode if picture else "onepass",
        segment=segment,
        cuts=cuts,
        duration=duration,
        exact=exact,
        limit=_limit(media, duration, picture),
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
    if settings.copy:
        _require_copyable(settings, media, media.video)
    return media.video


def _require_copyable(settings: Settings, media: MediaInfo, stream: VideoStream) -> None:
    if stream.codec not in COPY_VIDEO[settings.container]:
        raise _cannot_copy(settings, f"{stream.codec} video")
    if media.format_name in WITHOUT_TIMES and stream.has_b_frames:
        raise _cannot_copy(
            settings,
            f"{stream.codec} video with B-frames, of which {media.format_name} has no times,",
        )
    if stream.rotation and settings.container in WITHOUT_ROTATION:
        raise _cannot_copy(settings, f"video turned by {stream.rotation} degrees")


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
) -> tuple[float | None, bool]:
    """Return the seconds of the chosen streams, and whether they have no less than that."""
    chosen = [stream.duration for stream in (video, audio) if stream]
    own = [duration for duration in chosen if duration]
    if media.guessed:
        return max(own, default=media.duration), False
    if len(own) == len(chosen):
        return max(own), True
    # the container's duration may be that of a stream which is left out
    whole = len(chosen) == len(media.videos) + len(media.audios) + len(media.subtitles)
    return media.duration, whole and media.duration is not None


def _limit(media: MediaInfo, duration: float | None, picture: Picture | None) -> float:
    """Return the seconds at which an output is cut: more than its source can hold."""
    if media.guessed or duration is None:
        return SPARE_SECONDS + media.size / SLOWEST_BYTES
    encoding = picture.encoding if picture else None
    # at one frame in some seconds, the frames that B-frames delay are long
    delay = REORDERED_FRAMES / float(encoding.rate) if encoding else 0.0
    return max(duration, media.duration or 0.0) * 1.1 + 10 + delay


def _segments(settings: Settings, duration: float | None) -> tuple[float | None, tuple[float, ...]]:
    """Return the segment length, or the cut times that replace it (both only for m3u8)."""
    if settings.container != "m3u8":
        return None, ()
    length, forced = settings.segment.duration, settings.segment.force_seg_time
    if not forced:
        return float(length or SEGMENT_SECONDS), ()
    cuts = set(cuts_of(forced))
    if length and duration:
        count = math.ceil((duration - SHORTEST_SEGMENT) / length)
        if count > MAX_CUTS:
            raise ActivityError(
                Code.OUT_OF_RANGE,
                f"The Segment.Duration {length} is out of range: beside ForceSegTime, it would cut "
                f'the {duration:.0f} seconds of "InputFile" into {count} segments.',
                pointer=settings.pointer("mux_config", "segment"),
                remedy=f"Use at least {math.ceil(duration / MAX_CUTS)}, or take ForceSegTime out.",
            )
        cuts |= {float(n * length) for n in range(1, count)}
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
    source, wanted = stream.bitrate_kbps, audio.bitrate
    if audio.codec == "MP3":
        # a template's rate, that is; the encoder would take the nearest without a word
        wanted = min(wanted, mp3_bitrates(audio.samplerate)[1])
    if not source or wanted <= source:
        return wanted
    if settings.trans.is_check_audio_bitrate_fail:
        raise bitrate_error(settings, "Audio", wanted, source)
    # only between equal codecs do equal bit rates mean equal quality (specification, 7)
    same = stream.codec == PROBE_NAMES[audio.codec]
    return source if settings.trans.is_check_audio_bitrate and same else wanted


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
