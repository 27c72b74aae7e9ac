"""What the sound of an output may be: channels, sample rates and bit rates by codec.

Part of `output.py`; the numbers stand in `model/containers.py`. Specification: transcode, 5.
"""

from collections.abc import Iterator

from activities.templates.sections import Audio
from activities.transcode.model.containers import (
    AAC_DENSITY,
    ADTS_CHANNELS,
    ADTS_CONTAINERS,
    CHANNELS,
    FLV_MP3_RATES,
    SAMPLE_RATES,
    bit_rates,
)
from activities.transcode.model.settings import OutputSettings, problem
from workflow_engine.errors import Code, Problem, Severity


def audio_faults(settings: OutputSettings) -> Iterator[Problem]:
    """Yield every problem of the sound, pointers relative to the output."""
    audio = settings.audio
    if audio is None:
        return
    yield from _channel_faults(settings, audio)
    if audio.profile and audio.codec != "AAC":
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "profile"),
            f'Profile "{audio.profile}" is for AAC only, and the codec is {audio.codec}.',
            "Take the field out, or use AAC.",
        )
    yield from _sample_rate_faults(settings, audio)
    yield from _bit_rate_faults(settings, audio)


def _channel_faults(settings: OutputSettings, audio: Audio) -> Iterator[Problem]:
    if audio.channels not in CHANNELS[audio.codec]:
        yield problem(
            Code.OUT_OF_RANGE,
            settings.pointer("audio", "channels"),
            f"{audio.codec} with {audio.channels} channels is not allowed.",
            f"Use one of {_listed(CHANNELS[audio.codec])}.",
        )
    elif settings.container in ADTS_CONTAINERS and audio.channels not in ADTS_CHANNELS:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "channels"),
            f'The container "{settings.container}" does not hold AAC with {audio.channels} '
            "channels.",
            f"Use one of {_listed(ADTS_CHANNELS)}, or the container mp4.",
        )


def _sample_rate_faults(settings: OutputSettings, audio: Audio) -> Iterator[Problem]:
    flv = settings.container == "flv" and audio.codec == "MP3"
    allowed = SAMPLE_RATES.get(audio.codec)
    if flv and allowed:
        allowed = tuple(rate for rate in allowed if rate in FLV_MP3_RATES)
    if allowed and audio.samplerate not in allowed:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "samplerate"),
            f"{audio.codec} {'in flv ' if flv else ''}has no sample rate of {audio.samplerate} Hz.",
            f"Use {_listed(allowed)}.",
        )


def _bit_rate_faults(settings: OutputSettings, audio: Audio) -> Iterator[Problem]:
    # a template's rate gives way to the codec and the sample rate of the output
    if not settings.given("audio", "bitrate"):
        return
    if audio.codec == "FLAC":
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "bitrate"),
            f"FLAC keeps every bit, so the bit rate {audio.bitrate:g} has no effect.",
            "Take the field out.",
            Severity.WARNING,
        )
    most = AAC_DENSITY * audio.channels * audio.samplerate / 1000
    if audio.codec == "AAC" and audio.bitrate > most:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "bitrate"),
            f"AAC of {audio.samplerate} Hz with {audio.channels} channels holds no more than "
            f"{most:.0f} kbit/s.",
            "Lower Bitrate.",
            Severity.WARNING,
        )
    limits = bit_rates(audio.codec, audio.samplerate, audio.channels)
    if limits and not limits[0] <= audio.bitrate <= limits[1]:
        yield problem(
            Code.OUT_OF_RANGE,
            settings.pointer("audio", "bitrate"),
            f"{audio.codec} of {audio.samplerate} Hz has no bit rate of {audio.bitrate:g} kbit/s"
            f"{f' with {audio.channels} channels' if audio.codec == 'VORBIS' else ''}.",
            f"Use {limits[0]} to {limits[1]}.",
        )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in numbers)
