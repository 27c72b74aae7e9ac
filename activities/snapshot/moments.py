"""When pictures are taken and how large they are: pure.

Specification: snapshot, 2. Moments are whole milliseconds on the container's clock, from where
the first of its streams begins. A video that begins later shows its first frame until then, and
no picture exists from the end of its last frame on, even when sound continues.
"""

import math

from activities.ffmpeg import MAX_PIXELS
from activities.snapshot.config import SnapshotConfig
from activities.snapshot.pictures import PictureKind, Size
from workflow_engine.errors import ActivityError, Code

#: pictures of one activity
MAX_PICTURES = 10_000


def moments(config: SnapshotConfig, video_end: float) -> list[int]:
    """Return the moments, in milliseconds; those at or beyond the end are dropped.

    `video_end` is in seconds. Raises ActivityError (`InvalidParameter.OutOfRange`) when none is
    left, or more than MAX_PICTURES.
    """
    end = video_end * 1000
    if config.time >= end:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The Time {config.time} ms is not before the end of the video, {end:.0f} ms.",
            remedy="Use an earlier Time.",
        )
    if not config.sequence:
        return [config.time]
    step = step_of(config, video_end)
    fitting = math.ceil((end - config.time) / step) if step > 0 else math.inf
    count = min(config.num or math.inf, fitting)
    if count > MAX_PICTURES:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The sequence would have {count:.0f} pictures, more than {MAX_PICTURES}.",
            remedy="Raise Interval or lower Num.",
        )
    candidates = [config.time + round(k * step) for k in range(int(count))]
    return [moment for moment in candidates if moment < end]


def step_of(config: SnapshotConfig, video_end: float) -> float:
    """Return the milliseconds between two pictures of a sequence."""
    if config.seconds_apart > 0:
        return config.seconds_apart * 1000
    return (video_end * 1000 - config.time) / (config.num or 1)


def picture_size(shown: Size, config: SnapshotConfig, kind: PictureKind) -> Size:
    """Return the size of the pictures for a source shown at `shown` (upright, square pixels).

    Raises ActivityError (`InvalidParameter.OutOfRange`) for a size that files of the
    kind cannot have.
    """
    width, height = config.width, config.height
    if width and height:
        size = width, height
    elif width:
        size = width, max(1, round(width * shown[1] / shown[0]))
    elif height:
        size = max(1, round(height * shown[0] / shown[1])), height
    else:
        size = shown
    if max(size) > kind.longest or size[0] * size[1] > MAX_PIXELS:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The pictures would have {size[0]}x{size[1]} pixels.",
            remedy="Set Width and Height.",
        )
    return size
