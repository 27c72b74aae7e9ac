"""Amix: further sound that is mixed into that of the output.

Specification: transcode, 16.
"""

from collections.abc import Iterator
from fractions import Fraction

from activities.objects import object_of
from activities.probe import AudioStream, MediaInfo
from activities.transcode.command.filters import Chain, CommandInput, Filter, filter_of
from activities.transcode.features.media_facts import MEDIA, media_of
from activities.transcode.model.joined import INPUT, Mix, track_number
from activities.transcode.source.scene import OutputRequest, SoundScene, Timeline
from activities.transcode.source.segments import (
    SPARE_SOUND,
    MediaSegment,
    MixedSound,
    samples,
    segment_of,
    sound_format,
)
from workflow_engine.activity import SideInput
from workflow_engine.errors import ActivityError, Code, pointer_to


def mixing_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the files whose sound is mixed in."""
    for mix in request.settings.output.amix or ():
        if mix.amix_url != INPUT:
            yield _media(mix)


def mixes_of(
    request: OutputRequest,
    source: AudioStream | None,
    timeline: Timeline,
    cut: tuple[Fraction, Fraction] | None,
) -> tuple[MixedSound, ...]:
    """Return what is mixed in; `source` is the stream of the input that is heard anyway.

    Raises ActivityError (`InvalidParameter.NoAudioStream`, `.OutOfRange`).
    """
    mixes = request.settings.output.amix or ()
    return tuple(
        MixedSound(
            segment=_segment(request, mix, pointer_to("Amix", n), source, timeline, cut),
            longest=mix.mix_dur_mode == "longest",
        )
        for n, mix in enumerate(mixes)
    )


def mix_sounds(scene: SoundScene) -> Iterator[Filter]:
    """Yield the filters that mix further sound in; levels stay as they are."""
    joined, encoding = scene.timeline.joined, scene.encoding
    if joined is None or not joined.mixes:
        return
    for mix in joined.mixes:
        assert mix.segment.audio is not None
        chain = Chain(
            input=mix.segment.input,
            stream=str(mix.segment.audio.index),
            filters=tuple(sound_format(encoding)),
        )
        length = "longest" if mix.longest else "first"
        yield filter_of("amix", chain, inputs=2, duration=length, normalize=0)
    if joined.body is not None:
        yield filter_of("apad", pad_dur=SPARE_SOUND)
        yield filter_of("atrim", end_sample=samples(joined.body, encoding))


def _media(mix: Mix) -> SideInput:
    return SideInput(ref=object_of(mix.amix_url), kind=MEDIA)


def _segment(
    request: OutputRequest,
    mix: Mix,
    at: str,
    source: AudioStream | None,
    timeline: Timeline,
    cut: tuple[Fraction, Fraction] | None,
) -> MediaSegment:
    own = mix.amix_url == INPUT
    side_input = None if own else request.side_inputs[_media(mix)]
    media = media_of(side_input.facts) if side_input else request.media
    stream = _stream(mix, at, media, source if own else None)
    seek, length, pointer = mix.start or 0.0, mix.duration, f"{at}/Start"
    if own and mix.start is None and length is None:
        # the same stretch as that of the other track
        seek, length = timeline.start, _length_of(timeline)
        if cut:
            seek, length = float(cut[0]), float(cut[1] - cut[0])
            pointer = "/Clip/TimeSpan/Seek"
    options = media.opened
    if seek:
        options += (("ss", f"{seek:.3f}"),)
    if length is not None:
        options += (("t", f"{length:.3f}"),)
    segment = segment_of(
        media,
        CommandInput(file=side_input.name if side_input else "", options=options),
        video=None,
        audio=stream,
        rate=None,
        seek=seek,
        length=length,
    )
    if segment is None:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f'The Start {seek:g} is out of range: nothing is left of "{mix.amix_url}".',
            pointer=pointer,
            remedy="Choose a start inside the sound.",
        )
    return segment


def _length_of(timeline: Timeline) -> float | None:
    limits = dict(timeline.origin.options)
    return float(limits["t"]) if "t" in limits else None


def _stream(mix: Mix, at: str, media: MediaInfo, heard: AudioStream | None) -> AudioStream:
    """Return the track that is mixed in: of the input, one that is not heard yet."""
    if mix.map is not None:
        number = track_number(mix.map)
        stream = media.audios[number] if number < len(media.audios) else None
    elif mix.amix_url == INPUT:
        stream = next((one for one in media.audios if one != heard), None)
    else:
        stream = media.default_audio
    if stream is None:
        which = f" {mix.map}" if mix.map else " to mix in"
        raise ActivityError(
            Code.NO_AUDIO_STREAM,
            f'The resource operated "{mix.amix_url}" has no audio stream{which}; '
            f"it has {len(media.audios)}.",
            pointer=f"{at}/Map" if mix.map else f"{at}/AmixURL",
            remedy="Use a file with sound, and a Map that fits it.",
        )
    return stream
