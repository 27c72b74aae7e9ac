"""From one output's settings and one source to a rendition: every number that ffmpeg needs.

Pure. The sound, segments and estimates are here, which streams in `source/streams.py`, the
picture in `picture.py`. Specification: transcode, 3 and 5 to 7.
"""

import math
from dataclasses import replace

from activities.probe import AudioStream, MediaInfo
from activities.templates.sections import Audio, cuts_of
from activities.transcode.command.encoder import SEGMENT_SECONDS
from activities.transcode.command.rendition import (
    PROBE_NAMES,
    AudioEncoding,
    Picture,
    Rendition,
    Sound,
)
from activities.transcode.features.joining import joined_timeline
from activities.transcode.features.registry import sound_filters
from activities.transcode.model.containers import (
    SEGMENTED,
    bit_rates,
)
from activities.transcode.model.settings import OutputSettings
from activities.transcode.resolve.picture import DEFAULT_CRF, bitrate_error, resolve_picture
from activities.transcode.source.scene import OutputRequest, SoundScene, Timeline
from activities.transcode.source.streams import audio_stream, passed_over, video_stream
from workflow_engine.errors import ActivityError, Code, Problem, Severity

#: bits per pixel at the default Crf, for estimates of size
CRF_BITS_PER_PIXEL = 0.08
#: the same of GIF and WebP
IMAGE_BITS_PER_PIXEL = 0.5

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


def resolve(request: OutputRequest) -> tuple[Rendition, list[Problem]]:
    """Return what an output will be for its source, and warnings relative to the output.

    Raises ActivityError: no such stream (`.ResourceNotSupported`, `.NoAudioStream`), a stream
    that the container does not take, an IsCheck...Fail rule, a size or a cut out of range.
    """
    settings, media = request.settings, request.media
    video, audio = video_stream(settings, media), audio_stream(settings, media)
    warnings: list[Problem] = []
    picture = sound = None
    warnings += passed_over(settings, media, video, audio)
    if audio is None and settings.audio and media.audios:
        warnings.append(_silent())
    timeline = joined_timeline(request, video, audio)
    duration = timeline.duration
    # cuts are made in the picture, where there is one
    segment, cuts = _segments(settings, timeline.shown)
    if video:
        picture = resolve_picture(request, timeline, video, segment, cuts, warnings)
    if audio or (timeline.joined and timeline.joined.sounds):
        sound = _sound(request, timeline, audio)
    rendition = Rendition(
        container=settings.container,
        origin=timeline.origin,
        picture=picture,
        sound=sound,
        mode=settings.trans.trans_mode if picture else "onepass",
        segment=segment,
        cuts=cuts,
        mux=_mux_options(settings),
        key=settings.output.encryption.resolved() if settings.output.encryption else None,
        playlist_tags=_playlist_tags(settings),
        duration=duration,
        exact=timeline.exact,
        limit=_limit(media, timeline, picture),
        bytes=media.size if settings.copy else _bytes(picture, sound, duration),
    )
    return rendition, warnings


def _silent() -> Problem:
    return Problem(
        code=Code.OUT_OF_RANGE,
        message='The sound of "InputFile" ends before Clip.TimeSpan.Seek: there is none to take.',
        pointer="/Clip/TimeSpan/Seek",
        remedy="Choose an earlier Seek, if the output should have sound.",
        severity=Severity.WARNING,
    )


def _limit(media: MediaInfo, timeline: Timeline, picture: Picture | None) -> float:
    """Return the seconds at which an output is cut: more than its source can hold."""
    duration, joined = timeline.duration, timeline.joined
    if media.guessed or duration is None:
        return SPARE_SECONDS + media.size / SLOWEST_BYTES + (joined.added if joined else 0.0)
    encoding = picture.encoding if picture else None
    # at one frame in some seconds, the frames that B-frames delay are long
    delay = REORDERED_FRAMES / float(encoding.rate) if encoding else 0.0
    return max(duration, media.duration or 0.0) * 1.1 + 10 + delay


def _segments(
    settings: OutputSettings, duration: float | None
) -> tuple[float | None, tuple[float, ...]]:
    """Return the segment length, or the cut times that replace it (m3u8, mpd)."""
    if settings.container not in SEGMENTED:
        return None, ()
    length, forced = settings.mux.segment.duration, settings.mux.segment.force_seg_time
    if not forced:
        return float(length or SEGMENT_SECONDS), ()
    cuts = set(cuts_of(forced))
    if length:
        if duration is None:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                'The resource operated "InputFile" is not supported: its length is unknown, which '
                "Segment.Duration beside ForceSegTime needs.",
                pointer=settings.pointer("mux_config", "segment"),
                remedy="Take one of the two out, or remux the file first.",
            )
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


def _mux_options(settings: OutputSettings) -> tuple[tuple[str, str], ...]:
    """Return what MuxConfig says of a GIF or a WebP, as ffmpeg's options."""
    gif, webp = settings.mux.gif, settings.mux.webp
    if settings.container == "gif" and not settings.copy:
        # -1 plays once, 0 for ever
        return (("loop", str(gif.loop or -1)), ("final_delay", str(gif.final_delay or -1)))
    if settings.container == "webp":
        return (("loop", str(webp.loop or 1)),)  # 0 plays for ever
    return ()


def _playlist_tags(settings: OutputSettings) -> tuple[str, ...]:
    """Return the further tags that a playlist has for each segment."""
    support = settings.output.non_standard
    if support is None:
        return ()
    tags = {"md5": support.ts.md5_support, "size": support.ts.size_support}
    return tuple(name for name, on in tags.items() if on)


def _sound(request: OutputRequest, timeline: Timeline, stream: AudioStream | None) -> Sound:
    settings, audio = request.settings, request.settings.audio
    assert audio is not None
    if settings.copy and stream:
        return Sound(stream=stream.index, codec=stream.codec, language=stream.language)
    encoding = AudioEncoding(
        codec=audio.codec,
        bitrate=_audio_rate(settings, audio, stream),
        deep=audio.codec == "FLAC" and stream is not None and _deep(stream),
        samplerate=audio.samplerate,
        channels=audio.channels,
        filters=(),
    )
    scene = SoundScene(request=request, timeline=timeline, stream=stream, encoding=encoding)
    return Sound(
        stream=stream.index if stream else None,
        codec=PROBE_NAMES[audio.codec],
        language=stream.language if stream else "und",
        encoding=replace(encoding, filters=sound_filters(scene)),
    )


def _deep(stream: AudioStream) -> bool:
    """Whether 16 bits would lose some of a stream's samples."""
    return stream.sample_fmt.startswith(("s32", "s64")) or stream.codec.startswith("pcm_f")


def _audio_rate(settings: OutputSettings, audio: Audio, stream: AudioStream | None) -> float | None:
    source, bitrate = stream.bitrate_kbps if stream else None, audio.bitrate
    if audio.codec == "FLAC":
        return None
    limits = bit_rates(audio.codec, audio.samplerate, audio.channels)
    if limits:
        # a template's rate, that is; the encoder would take the nearest without a word, or none
        bitrate = min(max(bitrate, limits[0]), limits[1])
    if not stream or not source or bitrate <= source:
        return bitrate
    if settings.trans.is_check_audio_bitrate_fail:
        raise bitrate_error(settings, "Audio", bitrate, source)
    # only between equal codecs do equal bit rates mean equal quality (specification, 7)
    same = stream.codec == PROBE_NAMES[audio.codec]
    if not settings.trans.is_check_audio_bitrate or not same:
        return bitrate
    return max(source, limits[0]) if limits else source


def _bytes(picture: Picture | None, sound: Sound | None, duration: float | None) -> int | None:
    if duration is None:
        return None
    kbps = 0.0
    if picture and picture.encoding:
        encoding = picture.encoding
        kbps += encoding.bitrate if encoding.bitrate is not None else _crf_rate(picture)
    if sound and sound.encoding:
        kbps += sound.encoding.bitrate or _lossless_rate(sound.encoding)
    return round(kbps * 1000 / 8 * duration)


def _crf_rate(picture: Picture) -> float:
    encoding = picture.encoding
    assert encoding is not None
    width, height = picture.size
    if encoding.crf is None:
        return width * height * float(encoding.rate) * IMAGE_BITS_PER_PIXEL / 1000
    # six steps of Crf halve or double the bit rate
    bits = CRF_BITS_PER_PIXEL * 2 ** ((DEFAULT_CRF[encoding.codec] - encoding.crf) / 6)
    kbps = width * height * float(encoding.rate) * bits / 1000
    return min(kbps, encoding.maxrate or kbps)


def _lossless_rate(encoding: AudioEncoding) -> float:
    bits = 24 if encoding.deep else 16
    # FLAC halves what is neither silence nor noise
    return encoding.samplerate * encoding.channels * bits / 2 / 1000
