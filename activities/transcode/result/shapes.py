"""Whether the picture of a copy keeps its shape: an encode fits later parts in, a copy cannot."""

import threading
from contextlib import suppress

from activities import ffmpeg
from activities.probe import MediaInfo
from activities.transcode.result.files import Files
from workflow_engine.errors import ActivityError

#: places that are looked at, over the whole length
_LOOKS = 8


def shapes(files: Files, media: MediaInfo, cancel: threading.Event) -> set[str]:
    """Return the sizes of pictures of an output, as `640x360`, from some places in it.

    Raises InterruptedRunError.
    """
    found: set[str] = set()
    which = ("-select_streams", "v:0", "-skip_frame", "nokey")
    show = (*which, "-show_entries", "frame=width,height", "-of", "csv=p=0:s=x")

    def take(line: str) -> None:
        found.add(line.strip().strip("x"))

    # each part by itself; those of DASH cannot be read so
    every = max(1, len(files.content) // _LOOKS)
    step = (media.duration or 0.0) / _LOOKS
    times = [f"{media.start_time + n * step:.3f}%+1" for n in range(_LOOKS)]
    interval = ",".join(times) if len(files.content) == 1 else "%+1"
    for path in files.content[::every]:
        with suppress(ActivityError):
            ffmpeg.ask(path, (*show, "-read_intervals", interval), take, cancel=cancel)
    return found - {""}
