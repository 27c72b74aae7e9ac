"""The ffmpeg commands that take pictures: pure, nothing runs.

Two ways. `seek` opens the source once per picture, a few in one process, and decodes from the
key frame before it; `scan` decodes once from the first picture to the last. Seeking costs about
half a key-frame distance of decoding per picture, scanning the step between two.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from activities.conversion import JPEG, conversion, named
from activities.ffmpeg import graph
from activities.fields import single_pictures
from activities.probe import VideoStream
from activities.shape import steady
from activities.snapshot.moments import Size

#: pictures of one process: each has a decoder of its own, so this bounds the memory
BATCH = 4
#: seconds between two pictures up to which scanning costs no more than seeking
DENSE = 3.0
#: seconds by which an input is opened early: an index counts in decoding order, in which a key
#: frame may stand well before frames that are shown before it
EARLY = 2.0
#: the same where the container has no index: a seek lands between two key frames, and what comes
#: before the next one cannot be decoded
EARLY_WITHOUT_INDEX = 12.0

#: demuxers of containers that have one
INDEXED = frozenset({"mov", "matroska", "webm", "avi"})


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture: its file in the work directory and the moment, in milliseconds."""

    file: str
    moment: float


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What all pictures of one activity share. `video` is the stream that they are taken of.

    `start_time` (seconds) is where the container's clock begins, which moments count from, and
    `early` by how many seconds the source is opened before the moment itself.
    """

    source: str
    early: float
    start_time: float
    video: VideoStream
    size: Size

    def dense(self, step: float) -> bool:
        """Whether pictures `step` seconds apart are better taken by one scan."""
        return step <= DENSE + self.early

    def seek(self, shots: Sequence[Shot], *, keys_only: bool) -> tuple[str, ...]:
        """Return the command that takes a few pictures, each by its own seek.

        `keys_only` decodes nothing but key frames, unless they hold fields: what these lack is in
        the frames beside them.
        """
        keys = keys_only and not self.video.interlaced
        starts = [self._start(shot.moment) for shot in shots]
        clocks = {start: self._opened(start, uses, keys) for start, uses in Counter(starts).items()}
        outputs: list[graph.GraphOutput] = []
        for shot, start in zip(shots, starts, strict=True):
            picture = self._pictures(clocks[start].pop(), shot.moment, "1")
            single = {"update": 1, "frames:v": 1, **_JPEG}
            outputs.append(graph.output(f"file:{shot.file}", [picture], single))
        return graph.argv(*outputs)

    def scan(self, first: float, step: Fraction, count: int, pattern: str) -> tuple[str, ...]:
        """Return the command that takes `count` pictures, `step` milliseconds apart.

        `pattern` is a file name with a `%05d` that counts from 1.
        """
        rate = 1000 / step
        (clock,) = self._opened(self._start(first), 1, keys_only=False)
        pictures = self._pictures(clock, first, f"{rate.numerator}/{rate.denominator}")
        sequence = {"start_number": 1, "frames:v": count, **_JPEG}
        return graph.argv(graph.output(f"file:{pattern}", [pictures], sequence))

    def _start(self, moment: float) -> float:
        return max(0.0, moment - 1000 * self.early)

    def _opened(self, start: float, uses: int, keys_only: bool) -> list[graph.GraphStream]:
        """The source from the key frame before `start` (milliseconds), for so many uses."""
        options: dict[str, object] = {}
        if start:  # a seek to 0 would skip a key frame that is decoded before 0
            options["ss"] = f"{start / 1000:.6f}"
        if keys_only:
            options["skip_frame"] = "nokey"
        # an accurate seek would drop the frame shown at the moment unless it begins right then;
        # without it frames come from the key frame before
        options["noaccurate_seek"] = None
        # keep the container's clock: in a transport stream ffmpeg would count from the start of
        # the video alone, which is not where sound that comes first begins
        options["copyts"] = None
        # when the size changes, scale follows; a new graph would count from 0 again
        options["reinit_filter"] = 0
        opened = graph.open_input(self.source, options)
        picture = opened[f"v:{self.video.position}"]
        for name, values in (
            *named(self.video),
            *steady(self.video, begin=-self.start_time),
            *single_pictures(self.video),
        ):
            picture = picture.filter(name, options=values)
        # count in microseconds: the source's own unit may be as long as a frame
        return picture.filter("settb", "AVTB").split(uses)

    def _pictures(self, clock: graph.GraphStream, moment: float, rate: str) -> graph.GraphStream:
        """The frame shown at `moment` and, at `rate`, those after it, as pictures."""
        shift = round(self.start_time * 1_000_000 + moment * 1000)
        return (
            clock.filter("setpts", f"PTS-({shift})")
            # of all frames up to each tick the last one, which is the frame shown at that time;
            # before the first frame that one
            .filter("fps", fps=rate, start_time=0, round="up")
            # ffmpeg has turned the picture upright by itself
            .filter("scale", *self.size)
            .filter("setsar", 1)
            .chain(conversion(self.video, JPEG, "yuvj420p"))
        )


_JPEG: dict[str, object] = {
    "f": "image2",
    "vcodec": "mjpeg",
    "q:v": 2,
    "fps_mode": "passthrough",  # or the first picture is repeated for the time before it
}
