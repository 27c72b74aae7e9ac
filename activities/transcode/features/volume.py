"""Volume: the loudness of the sound, by one gain or over time.

`linear` brings the mean level to Level by one gain, as far as the peaks allow. `dynamic` follows
the three targets of EBU R 128 over time. `auto` takes one gain for its target loudness where the
peaks allow that, and follows it over time where they do not. Specification: transcode, 5 and C-7.
"""

from collections.abc import Iterator

from activities.templates.sections import Volume
from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.command.rendition import layout_of
from activities.transcode.features.loudness import Loudness, LoudnessQuery
from activities.transcode.model.settings import OutputSettings, problem
from activities.transcode.source.scene import OutputRequest, SoundScene
from activities.transcode.source.streams import audio_stream, video_stream
from activities.transcode.source.timeline import timeline_of
from workflow_engine.activity import SideInput
from workflow_engine.errors import Code, Problem

#: dB of the mean when Level is not given, for `linear` (specification, transcode, 5)
LEVEL = -20.0
#: LUFS, dBTP and LU of `auto`: what `loudnorm` takes by itself
AUTO_LOUDNESS = -24.0
AUTO_PEAK = -2.0
AUTO_RANGE = 7.0

_TARGETS = ("integrated_loudness_target", "true_peak", "loudness_range_target")


def volume_faults(settings: OutputSettings) -> Iterator[Problem]:
    """Yield the fields of Volume that its Method does not know."""
    own_audio = settings.template.audio if settings.document else settings.output.audio
    volume = settings.audio.volume if settings.audio else None
    if volume is None or own_audio is None or own_audio.volume is None:
        return
    unknown = ("level",) if volume.method == "dynamic" else _TARGETS
    for name in unknown:
        if name in own_audio.volume.model_fields_set:
            alias = type(volume).model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/Audio/Volume/{alias}",
                f'{alias} has no meaning with the Method "{volume.method}".',
                f"Take it out, or use {'linear or auto' if name == 'level' else 'dynamic'}.",
            )


def volume_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the measurement of the source that one gain is computed from."""
    volume = _volume(request.settings)
    if volume and volume.method != "dynamic":
        video = video_stream(request.settings, request.media)
        stream = audio_stream(request.settings, request.media)
        if stream:
            part = timeline_of(request, video, stream).origin.options
            yield _measurement(request, stream.index, part)


def change_volume(scene: SoundScene) -> Iterator[Filter]:
    """Return the filters of Volume."""
    volume = _volume(scene.request.settings)
    if volume is None or scene.stream is None:
        return
    # downmixing behind the gain would change the level again
    yield filter_of("aformat", channel_layouts=scene.encoding.layout)
    if volume.method == "dynamic":
        yield _follow(
            volume.integrated_loudness_target, volume.true_peak, volume.loudness_range_target
        )
        return
    measurement = _measurement(scene.request, scene.stream.index, scene.timeline.origin.options)
    loudness = Loudness.of(scene.request.side_inputs[measurement].facts)
    if volume.method == "linear":
        level = LEVEL if volume.level is None else volume.level
        yield from _gain(min(level - loudness.mean, -loudness.true_peak))
        return
    target = AUTO_LOUDNESS if volume.level is None else volume.level
    gain = target - loudness.integrated
    if loudness.true_peak + gain <= AUTO_PEAK:
        yield from _gain(gain)
    else:
        yield _follow(target, AUTO_PEAK, AUTO_RANGE)


def _volume(settings: OutputSettings) -> Volume | None:
    return settings.audio.volume if settings.audio else None


def _measurement(
    request: OutputRequest, stream: int, part: tuple[tuple[str, str], ...]
) -> SideInput:
    audio = request.settings.audio
    assert audio is not None
    layout = layout_of(audio.codec, audio.channels)
    heard = LoudnessQuery(stream=stream, samplerate=audio.samplerate, layout=layout, part=part)
    return heard.of(request.source)


def _gain(decibels: float) -> Iterator[Filter]:
    # silence stays silence
    if abs(decibels) != float("inf"):
        yield filter_of("volume", volume=f"{decibels:.2f}dB")


def _follow(loudness: float, peak: float, span: float) -> Filter:
    return filter_of("loudnorm", I=f"{loudness:g}", TP=f"{peak:g}", LRA=f"{span:g}")
