"""Which stretches of a source stand for all of it: chosen by the sizes of its own packets.

The packets of a source tell where it is busy and where it is still, without decoding it. Its
stretches are put into groups that hold equal shares of its bytes; of each group the stretch that is
nearest to the group's average is encoded, and counts for as much time as the group has. So busy
stretches, which make most of the rate, are seen more often, and the sum stays unbiased.

Pure, but for `complexity`. Specification: analysis, 6; ffmpeg facts, "Predicting bit rate".

>>> [round(sample.weight, 1) for sample in samples([1.0] * 600, 300.0)]
[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from activities.probe import MediaInfo, VideoStream
from activities.probe.curve import BIN, Curve, bytes_over_time

#: seconds; a source up to this length is encoded whole
SHORT = 20.0
#: seconds that are counted of one sample, a little more where they do not divide the source
COUNTED = 3.0
#: seconds before them, in which the encoder finds its way, and behind them, which it looks ahead at
WARM_UP, LOOK_AHEAD = 1.0, 1.0
#: pictures per second; of fewer, a sample would hold hardly any
_RARE = 1.0
#: seconds; behind that no Clip can begin
_LAST = 86_000.0
#: how many samples a source has, and for how many seconds of it there is one more
_FEWEST, _MOST, _SECONDS_EACH = 4, 8, 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A stretch of the source that is encoded, in seconds from its start.

    What is counted begins `skip` seconds after `start` and has a length of `counted`; it stands
    for the share `weight` of the source's time. `busy` is how many bytes a second the source has in
    it, beside those of all of it on an average; those of key frames are left out.
    """

    start: float
    length: float
    skip: float
    counted: float
    weight: float
    busy: float = 1.0


def complexity(
    path: Path, media: MediaInfo, video: VideoStream, cancel: threading.Event | None = None
) -> Curve:
    """Return how the bytes of a stream are spread; nothing where its packets cannot be listed.

    Raises InterruptedRunError.
    """
    if not media.seekable or media.duration is None or media.duration <= longest(video):
        return Curve()
    return bytes_over_time(media.probe, path, video.index, cancel=cancel)


def longest(video: VideoStream) -> float:
    """Return up to how many seconds a source is encoded whole: always, where pictures are rare."""
    return math.inf if video.fps < _RARE else SHORT


def samples(
    curve: Sequence[float], duration: float | None, *, whole: float = SHORT, seekable: bool = True
) -> list[Sample]:
    """Return the samples of a source of so many seconds, in their order.

    Those up to `whole` seconds are taken whole; of one of unknown length, or in which nothing later
    can be opened, the beginning.
    """
    if duration is not None and duration <= whole and seekable:
        return [Sample(start=0.0, length=duration, skip=0.0, counted=duration, weight=1.0)]
    if duration is None or not seekable:
        length = min(duration or SHORT, SHORT)
        return [Sample(start=0.0, length=length, skip=0.0, counted=length, weight=1.0)]
    duration = min(duration, _LAST)
    each = duration / int(duration / COUNTED)
    tiles = _tiles(curve, each, round(duration / each))
    count = min(max(round(duration / _SECONDS_EACH), _FEWEST), _MOST)
    order = sorted(range(len(tiles)), key=lambda n: (tiles[n], _scattered(n)))
    chosen = [
        (_typical(group, tiles), len(group) / len(tiles)) for group in _groups(order, tiles, count)
    ]
    average = sum(tiles) / len(tiles)
    return [
        _sample(tile, each, duration, weight=weight, busy=tiles[tile] / average)
        for tile, weight in sorted(chosen)
    ]


def _tiles(curve: Sequence[float], each: float, count: int) -> list[float]:
    """Return the bytes per `BIN` of so many stretches of `each` seconds, which are the source."""
    edges = [round(n * each / BIN) for n in range(count + 1)]
    tiles = [sum(curve[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    # a stretch without bytes still takes time
    least = max(sum(tiles) / len(tiles) / 1000, 1.0)
    return [max(tile, least) for tile in tiles]


def _groups(order: Sequence[int], tiles: Sequence[float], count: int) -> list[list[int]]:
    """Cut tiles, the smallest first, into `count` groups of about equal sums, none empty."""
    groups: list[list[int]] = [[]]
    left, taken = sum(tiles), 0.0
    for place, tile in enumerate(order):
        rest, missing = len(order) - place, count - len(groups)
        share = left / (missing + 1)
        # a tile goes to the group that its middle lies in
        full = taken + tiles[tile] / 2 > share or rest <= missing
        if groups[-1] and missing and full:
            left -= taken
            taken = 0.0
            groups.append([])
        groups[-1].append(tile)
        taken += tiles[tile]
    return groups


def _typical(group: Sequence[int], tiles: Sequence[float]) -> int:
    average = sum(tiles[n] for n in group) / len(group)
    return min(group, key=lambda n: (round(abs(tiles[n] / average - 1), 2), _scattered(n)))


def _scattered(n: int) -> float:
    """Return a number from 0 to 1 that orders equal stretches by chance, always alike."""
    return (n * 0.6180339887498949) % 1


def _sample(tile: int, counted: float, duration: float, *, weight: float, busy: float) -> Sample:
    begin = tile * counted
    start = max(0.0, begin - WARM_UP)
    end = min(duration, begin + counted + LOOK_AHEAD)
    return Sample(
        start=start,
        length=end - start,
        skip=begin - start,
        counted=counted,
        weight=weight,
        busy=busy,
    )
