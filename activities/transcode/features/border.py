"""Crop `border`: where the picture lies inside its black edges, found before an output is planned.

Looked for in some places of the source, each by the part that is ever brighter than black there;
what most places say counts. Specification: transcode, 4 (Crop).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from activities import ffmpeg
from activities.ffmpeg import graph
from activities.probe import VideoStream
from activities.transcode.source.geometry import Box
from activities.transcode.source.scene import OutputRequest
from activities.transcode.source.streams import audio_stream, video_stream
from activities.transcode.source.timeline import timeline_of
from workflow_engine.activity import ActivityContext, SideInput
from workflow_engine.records import Json

#: `SideInput.kind` of the measurement
BORDER = "border"
#: places that are looked at, and seconds of each
PLACES = 6
PLACE_SECONDS = 2.0
#: frames per second that are looked at there
PLACE_RATE = 4
#: brightness up to which an edge is black, of 255
BLACK = 24

_FILE = "border.txt"
_EDGE = re.compile(r"^lavfi\.cropdetect\.([whxy])=(-?\d+)$", re.MULTILINE)


def border_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the measurement that Crop `border` needs."""
    video = request.settings.video
    if video and video.crop == "border" and not request.settings.copy:
        stream = video_stream(request.settings, request.media)
        if stream:
            yield _measurement(request, stream)


def border_of(request: OutputRequest, stream: VideoStream) -> Box | None:
    """Return the part inside the black edges, None for a picture that is all black."""
    box = request.side_inputs[_measurement(request, stream)].facts["box"]
    return cast("Box", tuple(box)) if box else None


def _measurement(request: OutputRequest, stream: VideoStream) -> SideInput:
    timeline = timeline_of(request, stream, audio_stream(request.settings, request.media))
    query: dict[str, Json] = {
        "stream": stream.index,
        "start": timeline.start,
        "duration": timeline.duration,
    }
    return SideInput(ref=request.source, kind=BORDER, query=query)


def describe_border(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Look at some places of the source and return the `box` that most of them show."""
    stream = side_input.query["stream"]
    places = _places(side_input.query["start"], side_input.query["duration"])
    boxes = [box for place in places if (box := _look(stream, place, context))]
    if not boxes:
        return {"box": None}
    # of equally frequent ones the largest
    best = max(Counter(boxes).items(), key=lambda item: (item[1], item[0][0] * item[0][1]))
    return {"box": list(best[0])}


def _places(start: float, duration: float | None) -> list[float]:
    """Return where to look, in seconds of the file; one place where the length is unknown."""
    if duration is None or duration <= PLACE_SECONDS * 2:
        return [start]
    part = duration / PLACES
    return [start + max(0.0, (n + 0.5) * part - PLACE_SECONDS / 2) for n in range(PLACES)]


def _look(stream: int, start: float, context: ActivityContext) -> Box | None:
    part = {"ss": f"{start:.3f}", "t": f"{PLACE_SECONDS:g}"}
    source = graph.open_input(context.source, part)
    picture = (
        source[str(stream)]
        .filter("fps", fps=PLACE_RATE)
        # deep pictures have more than 255 steps
        .filter("format", pix_fmts="yuv420p")
        .filter("cropdetect", limit=BLACK, round=2, skip=0)
        .filter("metadata", mode="print", file=_FILE)
    )
    command = graph.argv(graph.output("-", [picture], {"f": "null"}))
    ffmpeg.run(command, context=context, duration=None)
    return _last(context.work / _FILE)


def _last(path: Path) -> Box | None:
    if not path.exists():
        return None
    edges = {name: int(value) for name, value in _EDGE.findall(path.read_text())}
    path.unlink()
    if min(edges.get("w", 0), edges.get("h", 0)) <= 0:
        return None
    return edges["w"], edges["h"], edges["x"], edges["y"]
