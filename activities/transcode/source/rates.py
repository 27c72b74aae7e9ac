"""Frame rates: what a decimal one means, and which constant one an output has.

Specification: transcode, 22.3.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from activities.probe import VideoStream
from activities.shape import followed
from activities.templates.sections import Video
from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.model.containers import IMAGE_CODECS
from activities.transcode.source.scene import Scene
from activities.transcode.source.streams import WITHOUT_TIMES

#: frames per second: a source above it is brought down to it (specification, transcode, 4)
MAX_RATE = Fraction(60)
#: frames per second that a film has at least: with seconds between two, segments have no picture
#: and muxers wait in vain
MIN_RATE = Fraction(10)

_NTSC = {Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)}


def frame_rate(value: float) -> Fraction:
    """Return a decimal frame rate exactly: 29.97 means 30000/1001."""
    for rate in _NTSC:
        if abs(float(rate) - value) < 0.006:
            return rate
    return Fraction(str(value))


def wanted_rate(video: Video, stream: VideoStream) -> Fraction:
    """Return the frame rate that is asked for, else the source's within `MIN_RATE` and `MAX_RATE`.

    A slower source has each picture repeated so often that it reaches the least.
    """
    if video.fps is not None:
        return frame_rate(video.fps)
    if stream.fps < MIN_RATE and video.codec not in IMAGE_CODECS:
        return stream.fps * math.ceil(MIN_RATE / stream.fps)
    return min(stream.fps, MAX_RATE)


def constant_rate(scene: Scene, stream: VideoStream) -> Iterator[Filter]:
    """Yield the filters that show the picture at the output's rate, from its first moment on.

    The first picture is there from the beginning, the last one until the sound has ended, too.
    What is held is bounded by what the streams themselves declare: a source that breaks off must
    stay too short, so that it is noticed.
    """
    timeline = scene.timeline
    if timeline.joined:
        return  # each part is brought to it by itself
    if scene.request.media.format_name in WITHOUT_TIMES and stream.has_b_frames:
        # put in order, the first picture seems late
        yield filter_of("setpts", expr="PTS-STARTPTS")
    # where a change of the picture begins a new graph, that must not begin at 0; pictures of
    # packages have to, and phones begin to record them a little after the sound
    late = scene.request.packaged and stream.begins > 0
    begin = {"start_time": 0} if followed(stream) or late else {}
    yield filter_of("fps", fps=scene.rate, **begin)
    if not timeline.exact or not timeline.duration or timeline.shown is None:
        return
    missing = round((timeline.duration - timeline.shown) * scene.rate)
    if missing > 0:
        yield filter_of("tpad", stop_mode="clone", stop=missing)
    if missing > 0 or timeline.start or stream.reordered_lengths:
        # ends are told roughly, and a Clip may begin within a picture, which then counts twice
        yield filter_of("trim", end_frame=max(1, round(timeline.duration * scene.rate)))
