"""Which commands take the pictures of given moments with the least decoding: pure.

A seek costs the opening of the source, and decoding from a key frame to the moment; a scan costs
decoding from the first moment to the last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from activities.snapshot.commands import Camera, Shot
from activities.snapshot.keyframes import WINDOW

#: pictures of one process of seeks: each has a decoder of its own, so this bounds the memory
BATCH = 4
#: key frames that are decoded for one that is taken, up to which reading a row is no slower
_KEYS_FOR_ONE = 3
#: pictures of one row of key frames: ffmpeg's expressions hold fewer than a hundred terms
ROW = 64


def seeks(
    camera: Camera, shots: Sequence[Shot], *, keys_only: bool = False, typical: bool = False
) -> list[tuple[str, ...]]:
    """Return the commands that take each picture by a seek."""
    batches = [shots[start : start + BATCH] for start in range(0, len(shots), BATCH)]
    return [camera.seek(batch, keys_only=keys_only, typical=typical) for batch in batches]


def evenly(
    camera: Camera, shots: Sequence[Shot], step: Fraction, pattern: str, *, opening: float
) -> list[tuple[str, ...]]:
    """Return the commands for pictures `step` milliseconds apart; 0 is too little for a scan.

    `opening` is how many seconds of decoding the opening of the source takes as long as.
    """
    first, last = shots[0], shots[-1]
    seeking = sum(s.moment - s.key for s in shots) + len(shots) * 1000 * opening
    if len(shots) > 1 and step > 0 and last.moment - first.key <= seeking:
        return [camera.scan(replace(first, file=pattern), step, len(shots))]
    return seeks(camera, shots)


def rows(
    camera: Camera, shots: Sequence[Shot], keys: Sequence[float], pattern: str
) -> Iterator[tuple[Sequence[Shot], tuple[str, ...]]]:
    """Yield rows of key frames that are read in one go, each with its command.

    `keys` are the key frames that there are, in milliseconds. Nothing is yielded when few of them
    are taken.
    """
    span = shots[-1].moment - shots[0].moment
    between = sum(shots[0].moment <= key <= shots[-1].moment for key in keys)
    # farther apart, not all key frames between them are known
    sparse = between > _KEYS_FOR_ONE * len(shots) or span > len(shots) * 1000 * WINDOW
    if len(shots) == 1 or sparse or camera.video.interlaced:
        return
    for start in range(0, len(shots), ROW):
        row = shots[start : start + ROW]
        yield row, camera.keys(row, pattern, number=start + 1)
