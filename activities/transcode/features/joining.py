"""The time of a whole output: its source's, and that of what is joined with it.

Specification: transcode, 8 (ConfigToClipFirstPart), 10, 14 and 16. The lines of picture
and sound are made in `merging.py`, `mixing.py` and `slates.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from activities.probe import AudioStream, VideoStream
from activities.transcode.features.merging import parts_of
from activities.transcode.features.mixing import mixes_of
from activities.transcode.features.slates import tails_of
from activities.transcode.model.output import TimeSpan
from activities.transcode.source.rates import wanted_rate
from activities.transcode.source.scene import OutputRequest, Timeline
from activities.transcode.source.segments import (
    JoinedInputs,
    MediaSegment,
    MixedSound,
    common_length,
    segment_of,
)
from activities.transcode.source.timeline import length_of, outside, source_span, timeline_of
from workflow_engine.errors import ActivityError, Code


def joined_timeline(
    request: OutputRequest, video: VideoStream | None, audio: AudioStream | None
) -> Timeline:
    """Return the time of an output that has these streams of its source.

    Raises ActivityError: `InvalidParameter.OutOfRange` for a Clip or a part of which nothing is
    left, `.MergeFileNoVideoOrAudio`, `.ResourceNotSupported` for lengths that nobody knows.
    """
    timeline = timeline_of(request, video, audio)
    settings = request.settings
    output = settings.output
    if not (output.merges or output.amix or output.tail_slate_list):
        return timeline
    rate = wanted_rate(settings.video, video) if video and settings.video else None
    parts = parts_of(request, rate, sound=audio is not None)
    span = source_span(output)
    first = segment_of(
        request.media,
        timeline.origin,
        video=video,
        audio=audio,
        rate=rate,
        seek=timeline.start,
        length=timeline.duration if span else None,
    )
    if first is None:
        raise outside(span or TimeSpan(), "Seek", request.media.duration or 0.0)
    seconds = _sum((first, *parts))
    if seconds is None and video:
        raise _unknown_length()
    cut = _cut(request, seconds, rate)
    merged = cut[1] - cut[0] if cut else seconds
    mixes = mixes_of(request, audio, timeline, cut)
    body = _with_mixes(merged, mixes, rate)
    tails = tails_of(request, rate)
    if video and (body is None or any(tail.seconds is None for tail in tails)):
        raise _unknown_length()
    joined = JoinedInputs(
        first=first,
        parts=parts,
        cut=cut,
        merged=merged,
        mixes=mixes,
        body=body,
        tails=tails,
        sounds=bool(audio or mixes or any(segment.audio for segment in (*parts, *tails))),
    )
    duration = joined.estimate
    return replace(
        timeline,
        duration=duration,
        exact=timeline.exact and body is not None,
        shown=duration,
        joined=joined,
    )


def _sum(segments: tuple[MediaSegment, ...]) -> Fraction | None:
    known = [segment.seconds for segment in segments if segment.seconds is not None]
    return sum(known, Fraction(0)) if len(known) == len(segments) else None


def _with_mixes(
    merged: Fraction | None, mixes: Sequence[MixedSound], rate: Fraction | None
) -> Fraction | None:
    """Return how long the output is with the sound that may outlast it."""
    longer = [mix.segment.seconds for mix in mixes if mix.longest]
    if merged is None or any(seconds is None for seconds in longer):
        return None
    longest = max((seconds for seconds in longer if seconds), default=merged)
    if longest <= merged:
        return merged
    return max(merged, common_length(0.0, float(longest), rate))


def _cut(
    request: OutputRequest, seconds: Fraction | None, rate: Fraction | None
) -> tuple[Fraction, Fraction] | None:
    """Return where a Clip of what was merged begins and ends: at frames, where there are some."""
    clip = request.settings.output.clip
    if clip is None or source_span(request.settings.output):
        return None
    if seconds is None:
        raise _unknown_length()
    span, whole = clip.time_span, float(seconds)
    if span.seek >= whole:
        raise outside(span, "Seek", whole)
    length = length_of(span, whole)
    assert length is not None
    if rate is None:
        begin = Fraction(span.seek).limit_denominator(1_000_000)
        return begin, begin + Fraction(length).limit_denominator(1_000_000)
    first = math.ceil(span.seek * rate - 0.001)
    count = max(1, min(round(length * rate), round(seconds * rate) - first))
    return first / rate, (first + count) / rate


def _unknown_length() -> ActivityError:
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        'The resource operated "InputFile" is not supported: it or a part that is joined with it '
        "does not tell its length, so that picture and sound would not stay together.",
        remedy="Remux the file first.",
    )
