"""Frame rates: what a decimal one means, and which one an output has."""

from fractions import Fraction

from activities.probe import VideoStream
from activities.templates.sections import Video

#: frames per second: a source above it is brought down to it (specification, transcode, 4)
MAX_RATE = Fraction(60)

_NTSC = {Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)}


def frame_rate(value: float) -> Fraction:
    """Return a decimal frame rate exactly: 29.97 means 30000/1001."""
    for rate in _NTSC:
        if abs(float(rate) - value) < 0.006:
            return rate
    return Fraction(str(value))


def wanted_rate(video: Video, stream: VideoStream) -> Fraction:
    """Return the frame rate that is asked for, else the source's up to `MAX_RATE`."""
    return frame_rate(video.fps) if video.fps is not None else min(stream.fps, MAX_RATE)
