"""The colours of an output, and the filters that give them to a picture of any source.

What a picture means is decided in `activities.probe.colour`, how it is converted in
`activities.conversion`; here is what an output wants. Specification: transcode, 22.1.
"""

from collections.abc import Iterator
from dataclasses import replace

from activities.conversion import JPEG, SDR, conversion, named, told
from activities.probe import VideoStream
from activities.probe.colour import Colour
from activities.templates.sections import Video
from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.model.containers import KEEP
from workflow_engine.errors import Code, Problem, Severity


def keeps_hdr(video: Video, stream: VideoStream) -> bool:
    """Whether the output is HDR: asked for, and there."""
    return video.hdr == KEEP and bool(stream.colour.hdr)


def target_of(video: Video, stream: VideoStream) -> Colour:
    """Return the colours that an output has whose main picture is this stream."""
    if keeps_hdr(video, stream):
        return Colour(
            matrix="bt2020nc",
            transfer=stream.colour.transfer,
            primaries=stream.colour.primaries,
        )
    if video.codec == "GIF":
        return replace(SDR, matrix="gbr", full=True)
    if video.codec == "WEBP":
        # the format knows no other
        return replace(JPEG, full=False)
    return replace(SDR, full=video.pix_fmt.startswith("yuvj"))


def named_colours(stream: VideoStream) -> tuple[Filter, ...]:
    """Return the filters that say what a stream's pictures mean, before all others."""
    return tuple(filter_of(name, **options) for name, options in named(stream))


def colour_filters(video: Video, stream: VideoStream, target: Colour) -> tuple[Filter, ...]:
    """Return the filters that give pictures whose colours are named those of an output.

    Raises ActivityError as `conversion` does.
    """
    pix_fmt = "gbrp" if target.rgb else video.pix_fmt
    steps = conversion(stream, target, pix_fmt)
    return tuple(filter_of(name, **options) for name, options in steps)


def colour_warnings(video: Video, stream: VideoStream) -> Iterator[Problem]:
    """Yield what is converted in a way that shows, and an Hdr that has nothing to keep."""
    target = target_of(video, stream)
    for message, remedy in told(stream, target):
        yield _warning("", message, remedy)
    if video.hdr == KEEP and not target.hdr:
        yield _warning(
            "/Video/Hdr",
            'Hdr "Keep" has no effect: the source is not HDR.',
            "Take Hdr out for sources of standard dynamic range.",
        )


def _warning(pointer: str, message: str, remedy: str) -> Problem:
    return Problem(
        code=Code.NOT_SUPPORTED,
        message=message,
        pointer=pointer,
        remedy=remedy,
        severity=Severity.WARNING,
    )
