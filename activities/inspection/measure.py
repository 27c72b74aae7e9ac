"""What is measured of each picture, and the one ffmpeg command that does it.

The source is decoded once. A few pictures of each second go on, as luma in 8 bits of limited
range (black 16, white 235), in branches at the size that each measure needs; numbers of every
branch are printed to stdout as they come, so nothing grows with the length of the source. What
becomes of the lines: `notes`; what the numbers mean: `detectors`.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from activities.conversion import SDR, conversion, named
from activities.ffmpeg import graph
from activities.fields import single_pictures
from activities.inspection.labels import Label
from activities.probe import VideoStream
from activities.shape import OPENED, followed, steady

#: pictures per second that are looked at: a third of the half second by which times may be off,
#: and fewer than film has, so that a movement is seen from one to the next
RATE = Fraction(8)

#: pixels of the smallest picture, which has a few cells and lines of the grid
LEAST_SIDE = 32
#: pixels: grid and noise are seen at the source's own size only, and in the middle of large ones.
#: Noise is everywhere, damage is not
GRID_WINDOW, NOISE_WINDOW = (1280, 720), (640, 360)
#: pixels of width for brightness; the pixels are picked, not averaged, so none gets a value that
#: the source does not have
TONE_WIDTH = 320
#: pixels of width for movement, whose average of cells outweighs the noise of the encoder
MOTION_WIDTH = 160
#: pixels of a side of a cell
CELL = 8
#: pixels of width for sharpness: what is finer is not missed on a screen
SHARP_WIDTH = 480
#: pixels of a side of the cells, in which noise is averaged
NOISE_CELL = 16
#: standard deviations of the two blurs that sharpness compares, in pixels
FINE, COARSE = 0.8, 1.6

#: differences are multiplied by this: averages are told in steps of a level
GAIN = 8
#: levels at which a step between two pixels is cut off: the outlines of graphics must not count
#: for more than the grid of an encoder does
STEP_MOST = 6
#: the same for the grid, so that STEP_MOST fills 8 bits
STEP_GAIN = 40
#: pixels: the transforms of MPEG-2, MPEG-4 and H.264 share this grid
GRID = 8

#: levels from which on highlights are cut off, and up to which shadows are
CLIPPED, SHADOW = 233, 40
#: average levels of a line up to which it belongs to a black border. It must stay one under the
#: second: a dark picture loses further lines then, and bars do not
DARK_LINES = (24, 56)
#: the same for white, counted downwards from 255
LIGHT_LINES = (28, 60)

#: the key under which a line says which branch it is of
BRANCH = "branch"
#: the branch that all defects need
TONE = "tone"
#: further branches, by the defect that needs them
_NEEDED: Mapping[Label, tuple[str, ...]] = {
    Label.FREEZE: ("motion",),
    Label.NOISE: ("noise",),
    Label.IMAGE_DEFINITION: ("sharpness",),
    Label.BLOCKNESS: ("across-all", "across-grid", "down-all", "down-grid"),
    Label.BORDER: ("black-0", "black-1", "white-0", "white-1"),
}

#: frames by which times may be rounded
_ROUNDED = 0.05


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How densely a stream is looked at: pictures per second, and the stream's own.

    The stream's first picture is at `begins`, in seconds of the file.
    """

    seen: Fraction
    source: Fraction
    begins: float = 0.0

    @classmethod
    def of(cls, video: VideoStream) -> "Rate":
        """Return the rate for a stream; what has fewer pictures is seen whole."""
        return cls(seen=min(RATE, video.fps), source=video.fps, begins=video.begins)

    @property
    def step(self) -> float:
        """Seconds between two pictures that are looked at."""
        return float(1 / self.seen)

    def number(self, seconds: float) -> int:
        """Return the number of the source's frame that is shown at a time, from 0.

        Where pictures come at varying times, it is the number at the average rate.
        """
        return max(0, math.floor((seconds - self.begins) * self.source + _ROUNDED))


def before(video: VideoStream) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the filters that make a stream's pictures upright, whole and SDR, a few a second."""
    for name, options in (*named(video), *steady(video), *single_pictures(video)):
        yield name, dict(options)
    # up: the picture that is shown at each moment; a stream of a single one has it, too
    yield "fps", {"fps": Rate.of(video).seen, "round": "up"}
    for name, options in conversion(video, SDR, "yuv420p"):
        yield name, dict(options)
    yield "format", {"pix_fmts": "yuv420p"}
    yield "extractplanes", {"planes": "y"}


def branches(labels: Collection[Label]) -> frozenset[str]:
    """Return the branches that the defects need, each of which tells of every picture."""
    return frozenset({TONE, *(name for label in labels for name in _NEEDED.get(label, ()))})


def command(source: str, video: VideoStream, labels: Collection[Label]) -> tuple[str, ...]:
    """Return the command that prints the `branches`; `source` is a file in the work directory."""
    opened = graph.open_input(source, OPENED if followed(video) else {})
    luma = opened[f"v:{video.position}"].chain(before(video))
    measures = [_tone, *(measure for label, measure in _MEASURES.items() if label in labels)]
    parts = zip(measures, luma.split(len(measures)), strict=True)
    printed = [one for measure, part in parts for one in measure(part, video)]
    return graph.argv(*(graph.output("-", [one], {"f": "null"}) for one in printed))


def _grid_begins(video: VideoStream) -> tuple[int, int]:
    """Return the first column and row of an upright picture at which a cell of the grid begins.

    The grid is counted from the left top of the coded picture, and the right and the bottom need
    not be at a line of it.
    """
    width, height = video.upright_size
    return (
        width % GRID if video.rotation in (90, 180) else 0,
        height % GRID if video.rotation in (180, 270) else 0,
    )


def _size(video: VideoStream, most: int) -> tuple[int, int]:
    """Return the size of a picture of at most so many pixels of width, in its shape."""
    width, height = video.upright_size
    if width <= most:
        return width, height
    return most, max(2, round(height * most / width))


def _printed(stream: graph.GraphStream, branch: str) -> graph.GraphStream:
    """Print what the filters before have noted, each line at once: branches share stdout."""
    named_ = stream.filter("metadata", mode="add", key=BRANCH, value=branch)
    return named_.filter("metadata", mode="print", file="-", direct=1)


def _stats(stream: graph.GraphStream, branch: str) -> graph.GraphStream:
    return _printed(stream.filter("signalstats"), branch)


def _difference(one: graph.GraphStream, other: graph.GraphStream) -> graph.GraphStream:
    return one.filter("blend", others=[other], all_mode="difference")


def _window(
    luma: graph.GraphStream, video: VideoStream, window: tuple[int, int]
) -> graph.GraphStream:
    """The middle of a large picture; its left top is that of a cell of the grid."""
    sides = list(zip(video.upright_size, window, _grid_begins(video), strict=True))
    inner = [min(side - first, most) for side, most, first in sides]
    offset = [
        first + (side - first - part) // 2 // GRID * GRID
        for (side, _, first), part in zip(sides, inner, strict=True)
    ]
    return luma.filter("crop", *inner, *offset)


def _tone(luma: graph.GraphStream, video: VideoStream) -> Iterator[graph.GraphStream]:
    """Y: the levels; U and V: 255 for each pixel of clipped highlights and of shadows."""
    picked = luma.filter("scale", *_size(video, TONE_WIDTH), flags="neighbor")
    levels, light, dark = picked.split(3)
    light = light.filter("lut", c0=f"if(gte(val,{CLIPPED}),255,0)")
    dark = dark.filter("lut", c0=f"if(lte(val,{SHADOW}),255,0)")
    yield _stats(_merged(levels, light, dark), TONE)


def _merged(*planes: graph.GraphStream) -> graph.GraphStream:
    first, *others = planes
    return first.filter("mergeplanes", "0x001020", "yuv444p", others=others)


def _motion(luma: graph.GraphStream, video: VideoStream) -> Iterator[graph.GraphStream]:
    """The difference from the picture before, in cells: one that moves is enough."""
    size = _size(video, MOTION_WIDTH)
    small = luma.filter("scale", *size, flags="area")
    # the first picture is compared with itself, so that a single one has a difference, too; times
    # count pictures here
    small = small.filter("tpad", start=1, start_mode="clone").filter("setpts", "PTS-1")
    moved = small.filter("tblend", all_mode="difference").filter("lut", c0=f"min(255,val*{GAIN})")
    cells = [max(1, side // CELL) for side in size]
    yield _stats(moved.filter("scale", *cells, flags="area"), "motion")


def _blocks(luma: graph.GraphStream, video: VideoStream) -> Iterator[graph.GraphStream]:
    across, down = _window(luma, video, GRID_WINDOW).split(2)
    yield from _grid(across, across=True)
    yield from _grid(down, across=False)


def _grid(luma: graph.GraphStream, *, across: bool) -> Iterator[graph.GraphStream]:
    """Steps from pixel to pixel in one direction: all of them, and those on lines of the grid."""
    side = "across" if across else "down"
    w, h, x, y = ("iw-1", "ih", 1, 0) if across else ("iw", "ih-1", 0, 1)
    one, other = luma.split(2)
    steps = _difference(one.filter("crop", w, h, 0, 0), other.filter("crop", w, h, x, y))
    steps = steps.filter("lut", c0=f"{STEP_GAIN}*min({STEP_MOST},val)")
    every, lines = steps.split(2)
    # averages of cells, which are fewer to count
    yield _stats(every.filter("scale", "iw/4", "ih/4", flags="area"), f"{side}-all")
    # the step over a line of the grid stands at GRID - 1; scaling picks the middle of GRID pixels
    first = GRID - 1 - GRID // 2
    if across:
        lines = lines.filter("crop", f"{GRID}*trunc((iw-{first})/{GRID})", "ih", first, 0)
        picked = lines.filter("scale", f"iw/{GRID}", "ih", flags="neighbor")
        cells = picked.filter("scale", "iw", "ih/4", flags="area")
    else:
        lines = lines.filter("crop", "iw", f"{GRID}*trunc((ih-{first})/{GRID})", 0, first)
        picked = lines.filter("scale", "iw", f"ih/{GRID}", flags="neighbor")
        cells = picked.filter("scale", "iw/4", "ih", flags="area")
    yield _stats(cells, f"{side}-grid")


def _noise(luma: graph.GraphStream, video: VideoStream) -> Iterator[graph.GraphStream]:
    """What a median takes out, in cells: noise is in the flattest of them, too, detail is not."""
    one, other = _window(luma, video, NOISE_WINDOW).split(2)
    rest = _difference(one, other.filter("median", radius=1))
    cells = f"max(2,iw/{NOISE_CELL})", f"max(2,ih/{NOISE_CELL})"
    strong = rest.filter("lut", c0=f"min(255,val*{GAIN})")
    yield _stats(strong.filter("scale", *cells, flags="area"), "noise")


def _sharpness(luma: graph.GraphStream, video: VideoStream) -> Iterator[graph.GraphStream]:
    """Y: how much a fine blur takes away; U: how much a coarser one takes away of the rest.

    In whole levels: what is less than half of one is the rounding of an encoder, not detail.
    """
    small = luma.filter("scale", *_size(video, SHARP_WIDTH), flags="area")
    sharp, blurred = small.split(2)
    once, again, rest = blurred.filter("gblur", sigma=FINE).split(3)
    fine = _difference(sharp, once).filter("lut", c0=f"min(255,val*{GAIN})")
    coarse = _difference(again, rest.filter("gblur", sigma=COARSE))
    first, third = fine.split(2)
    yield _stats(
        _merged(first, coarse.filter("lut", c0=f"min(255,val*{GAIN})"), third), "sharpness"
    )


def _borders(luma: graph.GraphStream, _: VideoStream) -> Iterator[graph.GraphStream]:
    black, white = luma.split(2)
    yield _border(black, "black", DARK_LINES)
    yield _border(white.filter("negate"), "white", LIGHT_LINES)


def _border(luma: graph.GraphStream, colour: str, lines: tuple[int, int]) -> graph.GraphStream:
    """The rectangle without the lines at its edges that are of one colour, by two thresholds."""
    for place, limit in enumerate(lines):
        luma = luma.filter("metadata", mode="delete", key=BRANCH)
        luma = luma.filter("cropdetect", limit=limit, round=2, reset=1, skip=0)
        luma = _printed(luma, f"{colour}-{place}")
    return luma


#: what is measured besides the tone, by the defect that needs it
_MEASURES: Mapping[
    Label, Callable[[graph.GraphStream, VideoStream], Iterator[graph.GraphStream]]
] = {
    Label.FREEZE: _motion,
    Label.NOISE: _noise,
    Label.IMAGE_DEFINITION: _sharpness,
    Label.BLOCKNESS: _blocks,
    Label.BORDER: _borders,
}
