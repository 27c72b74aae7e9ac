"""Video streams whose picture has no size that can be used: looked at again, or refused.

ffprobe leaves the size out when the first frame is damaged or has more than `MAX_PIXELS`, when it
comes late in the file, and when a stream is announced that has no frames at all.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from activities import ffmpeg
from activities.probe.streams import VideoStream

#: how ffmpeg opens a file whose first key frame comes late: microseconds and bytes that it reads
#: to find out what the streams are; by itself, it gives up after 5 s and 5 MB
LONGER_LOOK: Mapping[str, str] = {"analyzeduration": "60000000", "probesize": "200000000"}


def require_size(
    path: Path, videos: Sequence[VideoStream], *, heard: bool, cancel: threading.Event | None
) -> None:
    """Refuse a file that has video streams and among them none whose picture can be decoded.

    Streams without any packet do not count where there is sound (`heard`), which players play.

    Raises ActivityError (`InvalidParameter.ResourceContentBad`).
    """
    if not videos or any(stream.sized for stream in videos):
        return
    if any(_has_packets(path, stream, cancel) for stream in videos):
        raise ffmpeg.content_bad(
            f"its picture has no size, or one of more than {ffmpeg.MAX_PIXELS} pixels"
        )
    if not heard:
        raise ffmpeg.content_bad("its video stream has no pictures")


def _has_packets(path: Path, stream: VideoStream, cancel: threading.Event | None) -> bool:
    lines: list[str] = []
    first = ("-read_intervals", "%+#1", "-show_entries", "packet=size", "-of", "csv=p=0")
    ffmpeg.ask(path, ("-select_streams", str(stream.index), *first), lines.append, cancel=cancel)
    return any(line.strip() for line in lines)
