"""Whole pictures out of two fields: the filters that every activity puts before its own.

Specification: transcode, 22.2. What is known of the fields comes from `activities/probe`.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from activities.probe import VideoStream

Step = tuple[str, Mapping[str, object]]


def whole_pictures(stream: VideoStream, rate: Fraction | None = None) -> Iterator[Step]:
    """Yield name and options of the filters that leave one time in each frame of a stream.

    The frame rate stays, and of film becomes the film's; where the output has a `rate` that
    needs them, each field becomes a picture.
    """
    if stream.pulldown:
        yield from marked_fields(stream)
        # telecine is counted in frames, so there must be no holes
        yield "fps", {"fps": stream.coded_fps}
        yield "fieldmatch", {}
        # what has no match, as at a cut
        yield "bwdif", {"mode": "send_frame", "deint": "interlaced"}
        yield "decimate", {}
    elif stream.interlaced and rate is not None and rate > Fraction(3, 2) * stream.fps:
        yield from marked_fields(stream)
        yield "bwdif", {"mode": "send_field"}
    else:
        yield from single_pictures(stream)


def single_pictures(stream: VideoStream) -> Iterator[Step]:
    """Yield the filters that leave one time in each frame, and every frame of the stream."""
    if stream.interlaced:
        yield from marked_fields(stream)
        yield "bwdif", {"mode": "send_frame"}


def marked_fields(stream: VideoStream) -> Iterator[Step]:
    """Yield the filter that tells the order of fields whose frames do not say it rightly."""
    if stream.measured:
        yield "setfield", {"mode": "bff" if stream.field_order in ("bb", "tb") else "tff"}
