"""What the sound of an output may be: channels, sample rates and bit rates by codec.

Part of `rules.py`. Specification: transcode, 5.
"""

from collections.abc import Iterator

from activities.templates.sections import Audio
from activities.transcode.settings import Settings, problem
from workflow_engine.errors import Code, Problem

#: channel counts by codec (specification, transcode, 5 and C-6)
CHANNELS = {"AAC": (1, 2, 4, 5, 6, 8), "MP3": (1, 2)}
#: the same for containers that hold AAC as ADTS, whose headers have no number for 7.1
ADTS_CHANNELS = (1, 2, 4, 5, 6)
ADTS_CONTAINERS = ("m3u8", "ts")


def audio_faults(settings: Settings) -> Iterator[Problem]:
    """Yield every problem of the sound, pointers relative to the output."""
    audio, container = settings.audio, settings.container
    if audio is None:
        return
    if audio.channels not in CHANNELS[audio.codec]:
        yield problem(
            Code.OUT_OF_RANGE,
            settings.pointer("audio", "channels"),
            f"{audio.codec} with {audio.channels} channels is not allowed.",
            f"Use one of {', '.join(str(n) for n in CHANNELS[audio.codec])}.",
        )
    elif container in ADTS_CONTAINERS and audio.channels not in ADTS_CHANNELS:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "channels"),
            f'The container "{container}" does not hold AAC with {audio.channels} channels.',
            f"Use one of {', '.join(str(n) for n in ADTS_CHANNELS)}, or the container mp4.",
        )
    if audio.codec == "MP3":
        yield from _mp3_faults(settings, audio, container)


def mp3_bitrates(samplerate: int) -> tuple[int, int]:
    """Return the lowest and the highest bit rate, kbit/s, that MP3 has at a sample rate, Hz."""
    # below 32 kHz it is MPEG-2 layer III, with rates of its own
    return (8, 160) if samplerate < 32000 else (32, 320)


def _mp3_faults(settings: Settings, audio: Audio, container: str) -> Iterator[Problem]:
    if audio.profile:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "profile"),
            f'Profile "{audio.profile}" is for AAC only, and the codec is MP3.',
            "Take the field out, or use AAC.",
        )
    flv = container == "flv"
    if audio.samplerate == 96000 or (flv and audio.samplerate not in (22050, 44100)):
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "samplerate"),
            f"MP3 {'in flv ' if flv else ''}has no sample rate of {audio.samplerate} Hz.",
            f"Use {'22050 or 44100' if flv else '22050, 32000, 44100 or 48000'}.",
        )
    low, high = mp3_bitrates(audio.samplerate)
    pointer = settings.pointer("audio", "bitrate")
    # a template's rate gives way to the sample rate of the output
    if pointer != "/TemplateId" and not low <= audio.bitrate <= high:
        yield problem(
            Code.OUT_OF_RANGE,
            pointer,
            f"MP3 of {audio.samplerate} Hz has no bit rate of {audio.bitrate:g} kbit/s.",
            f"Use {low} to {high}.",
        )
