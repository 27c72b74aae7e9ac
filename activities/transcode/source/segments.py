"""Stretches of media files that follow each other in an output, and how each gets its length.

Picture and sound are lines of their own, so each piece is brought to a whole number of frames in
both: they end together, however many pieces are joined. Look next at `features/joining.py`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from activities.probe import AudioStream, MediaInfo, VideoStream
from activities.transcode.command.filters import Chain, CommandInput, Filter, filter_of
from activities.transcode.command.rendition import AudioEncoding

#: seconds of sound that a file may lack beside what it tells: encoders delay it
SPARE_SOUND = 0.1
#: options of aresample: holes become silence from 10 ms on, which keeps lips and voices together;
#: by itself it waits for 100 ms
IN_STEP = {"async": 1, "min_hard_comp": 0.01}


@dataclass(frozen=True, kw_only=True)
class MediaSegment:
    """A stretch of a file: `input` opens it, `seconds` is how long it becomes.

    Where there is a picture, that is a whole number of frames of `rate`; None: nobody knows, and
    nothing is cut. `shown` and `heard` are the seconds of picture and sound that the file has.
    Without `audio` its sound is silence.
    """

    input: CommandInput
    video: VideoStream | None
    audio: AudioStream | None
    rate: Fraction | None
    seconds: Fraction | None
    shown: float
    heard: float

    @property
    def length(self) -> float:
        """Its seconds, or what the file seems to have."""
        return float(self.seconds) if self.seconds is not None else max(self.shown, self.heard)

    @property
    def frames(self) -> int:
        """The number of its frames in the output."""
        assert self.rate is not None and self.seconds is not None
        return round(self.seconds * self.rate)


@dataclass(frozen=True, kw_only=True)
class MixedSound:
    """Sound that is mixed in; `longest` lets it outlast the rest."""

    segment: MediaSegment
    longest: bool


@dataclass(frozen=True, kw_only=True)
class JoinedInputs:
    """What an output is joined of: `first` is the source's segment, and `parts` follow it.

    `cut` is what is taken of them together, in seconds, and `merged` how long that is. With
    what is mixed in they are `body` seconds long; None: nobody knows. Then come the `tails`.
    `sounds` tells whether there is sound, in whichever of them.
    """

    first: MediaSegment
    parts: tuple[MediaSegment, ...]
    cut: tuple[Fraction, Fraction] | None
    merged: Fraction | None
    mixes: tuple[MixedSound, ...]
    body: Fraction | None
    tails: tuple[MediaSegment, ...]
    sounds: bool

    @property
    def added(self) -> float:
        """How long all that is added is, as far as is known."""
        mixed = max((mix.segment.length for mix in self.mixes), default=0.0)
        return mixed + sum(segment.length for segment in (*self.parts, *self.tails))

    @property
    def estimate(self) -> float:
        """How long all is."""
        if self.body is not None:
            return float(self.body) + sum(tail.length for tail in self.tails)
        lengths = [mix.segment.length for mix in self.mixes if mix.longest]
        return max([sum(segment.length for segment in (self.first, *self.parts)), *lengths])


def segment_of(
    media: MediaInfo,
    opened: CommandInput,
    *,
    video: VideoStream | None,
    audio: AudioStream | None,
    rate: Fraction | None,
    seek: float = 0.0,
    length: float | None = None,
) -> MediaSegment | None:
    """Return the segment from `seek` on, of `length` seconds at most; None when it is empty.

    `rate` is the output's frame rate, None where it has no picture.
    """
    shown, heard = (_left(s, media, seek, length) if s else 0.0 for s in (video, audio))
    if (shown if video else heard) == 0:
        return None
    guessed = media.guessed or shown is None or heard is None
    shown, heard = shown or 0.0, heard or 0.0
    return MediaSegment(
        input=opened,
        video=video,
        audio=audio,
        rate=rate,
        seconds=None if guessed else common_length(shown, heard, rate),
        shown=shown,
        heard=heard,
    )


def _left(
    stream: VideoStream | AudioStream, media: MediaInfo, seek: float, length: float | None
) -> float | None:
    whole = stream.end or media.duration
    if whole is None:
        return None
    left = max(0.0, whole - seek)
    return left if length is None else min(left, length)


def common_length(shown: float, heard: float, rate: Fraction | None) -> Fraction:
    """Return how long picture and sound are together: whole frames, where there is a rate.

    Sound that is longer by less than a frame ends with the picture.
    """
    if rate is None:
        return Fraction(heard).limit_denominator(1_000_000)
    frames = max(round(shown * rate), math.floor(heard * rate + Fraction(1, 1000)), 1)
    return frames / rate


def picture_steps(segment: MediaSegment) -> Iterator[Filter]:
    """Yield the filters that give a picture its rate and its length.

    What is added is bounded: a file that breaks off must stay too short, so that it is noticed.
    """
    assert segment.rate is not None
    yield filter_of("fps", fps=segment.rate, start_time=0)
    missing = segment.frames - math.floor(segment.shown * segment.rate) + 1
    yield filter_of("tpad", stop_mode="clone", stop=max(1, missing))
    yield filter_of("trim", end_frame=segment.frames)


def sound_steps(segment: MediaSegment, encoding: AudioEncoding) -> Iterator[Filter]:
    """Yield the filters that give a sound its form and its length."""
    if segment.audio is None:
        assert segment.seconds is not None
        rate = encoding.samplerate
        yield filter_of("anullsrc", channel_layout=encoding.layout, sample_rate=rate)
        yield filter_of("atrim", end_sample=samples(segment.seconds, encoding))
        return
    yield from sound_format(encoding)
    if segment.seconds is not None:
        missing = max(0.0, float(segment.seconds) - segment.heard) + SPARE_SOUND
        yield filter_of("apad", pad_dur=f"{missing:.6f}")
        yield filter_of("atrim", end_sample=samples(segment.seconds, encoding))


def sound_format(encoding: AudioEncoding) -> Iterator[Filter]:
    """Yield the filters that let a sound begin at 0, in the form of the output."""
    yield filter_of("aresample", **IN_STEP, first_pts=0)
    yield filter_of("aformat", sample_rates=encoding.samplerate, channel_layouts=encoding.layout)


def samples(seconds: Fraction, encoding: AudioEncoding) -> int:
    """Return seconds as samples of the output."""
    return round(seconds * encoding.samplerate)


def sound_chain(segment: MediaSegment, encoding: AudioEncoding) -> Chain:
    """Return the sound of a piece in the form and length of the output, or silence."""
    steps = tuple(sound_steps(segment, encoding))
    if segment.audio is None:
        return Chain(filters=steps)
    return Chain(input=segment.input, stream=str(segment.audio.index), filters=steps)


def concatenation(chains: Sequence[Chain], *, picture: bool) -> Filter:
    """Return the filter that appends chains to a line."""
    return filter_of("concat", *chains, n=len(chains) + 1, v=int(picture), a=int(not picture))
