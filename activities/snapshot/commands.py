"""The ffmpeg commands that take pictures: pure, nothing runs.

`seek` opens the source once per picture, a few in one process, and decodes from the key frame
before it; `scan` decodes once from the first picture to the last, `keys` nothing but the key frames
between them. `look` finds a frame that is not black. Which way is shorter, `ways.py` knows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from activities.conversion import conversion, named
from activities.ffmpeg import graph
from activities.fields import single_pictures
from activities.probe import VideoStream
from activities.shape import steady
from activities.snapshot.pictures import PictureKind, Size

#: seconds that are searched for a frame that is not black (specification, snapshot, 3)
OPENING = 5
#: the file in the work directory that tells when it comes
FOUND = "found.txt"
#: the share of black pixels, in percent, as ffmpeg notes it
_BLACK = "lavfi.blackframe.pblack"

#: the file in the work directory that tells when the pictures of a row came
TIMES = "times.txt"
#: seconds on each side of a key frame's moment in which it is looked for
NEAR = 0.002
#: of the pictures within a second behind a moment, so many are compared to find the typical one
_COMPARED = 5


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture: its file in the work directory and the moment, in milliseconds.

    The source is opened at `start`, and decoded from about `key` on, in milliseconds, too.
    """

    file: str
    moment: float
    start: float
    key: float


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What all pictures of one activity share. `video` is the stream that they are taken of.

    `start_time` (seconds) is where the container's clock begins, which moments count from.
    """

    source: str
    start_time: float
    video: VideoStream
    size: Size
    kind: PictureKind

    def seek(
        self, shots: Sequence[Shot], *, keys_only: bool = False, typical: bool = False
    ) -> tuple[str, ...]:
        """Return the command that takes a few pictures, each by its own seek.

        `keys_only` decodes nothing but key frames where they are whole by themselves: what fields
        lack is in the frames beside them, and a key frame of H.264 may be one from which a picture
        builds up. `typical` takes of what is shown in the second behind each moment the frame that
        is most like the others.
        """
        keys = keys_only and not self.video.interlaced and self.video.codec != "h264"
        uses = Counter(shot.start for shot in shots)
        clocks = {start: self._opened(start, count, keys) for start, count in uses.items()}
        outputs: list[graph.GraphOutput] = []
        for shot in shots:
            clock = self._from(clocks[shot.start].pop(), shot.moment)
            if typical:
                second = _shown(clock, str(_COMPARED)).filter("trim", end=1)
                chosen = self._whole(second, shot.moment).filter("thumbnail", n=_COMPARED)
            elif keys:
                chosen = self._whole(clock.filter("select", f"gte(t,-{NEAR})"), shot.moment)
            else:
                chosen = self._whole(_shown(clock, "1"), shot.moment)
            single = {**self.kind.output, "update": 1, "frames:v": 1}
            outputs.append(graph.output(f"file:{shot.file}", [self._finished(chosen)], single))
        return graph.argv(*outputs)

    def scan(self, first: Shot, step: Fraction, count: int, *, number: int = 1) -> tuple[str, ...]:
        """Return the command that takes `count` pictures, `step` milliseconds apart.

        The file of the `first` is a pattern with a `%05d` that counts from `number`.
        """
        rate = 1000 / step
        (clock,) = self._opened(first.start, 1, keys_only=False)
        frames = _shown(self._from(clock, first.moment), f"{rate.numerator}/{rate.denominator}")
        pictures = self._finished(self._whole(frames, first.moment))
        sequence = {**self.kind.output, "start_number": number, "frames:v": count}
        return graph.argv(graph.output(f"file:{first.file}", [pictures], sequence))

    def keys(self, shots: Sequence[Shot], pattern: str, *, number: int) -> tuple[str, ...]:
        """Return the command that takes a row of key frames, decoding no other frames.

        `pattern` is a file name with a `%05d` that counts from `number`. Writes into TIMES when
        each came, from the moment of the first: a decoder that misses the frames between may put
        key frames into a wrong order, or lose some.
        """
        first = shots[0]
        (clock,) = self._opened(first.start, 1, keys_only=True)
        # their times are counted from the first one, so that they stay short
        near = (f"lt(abs(t-{(s.moment - first.moment) / 1000:.3f}),{NEAR})" for s in shots)
        frames = (
            self._from(clock, first.moment)
            .filter("select", "+".join(near))
            # frames without any note are not printed
            .filter("metadata", mode="add", key="row", value=number)
            .filter("metadata", mode="print", key="row", file=TIMES)
        )
        # encoders refuse times that go back
        whole = self._whole(frames, first.moment).filter("setpts", "N/TB")
        pictures = self._finished(whole)
        sequence = {**self.kind.output, "start_number": number, "frames:v": len(shots)}
        return graph.argv(graph.output(f"file:{pattern}", [pictures], sequence))

    def look(self, level: int, threshold: int) -> tuple[str, ...]:
        """Return the command that writes into FOUND when the first frame comes that is not black.

        Black are frames of which `level` percent of the pixels are below `threshold`, or more.
        """
        (clock,) = self._opened(0.0, 1, keys_only=False)
        opening = self._from(clock, 0.0).filter("trim", duration=OPENING)
        frames = (
            self._whole(opening, 0.0)
            .filter("blackframe", amount=0, threshold=threshold)
            # what is noted are whole numbers, and `less` means less or equal
            .filter("metadata", mode="select", key=_BLACK, value=level - 1, function="less")
            .filter("metadata", mode="print", key=_BLACK, file=FOUND)
        )
        return graph.argv(graph.output("-", [frames], {"f": "null", "frames:v": 1}))

    def _opened(self, start: float, uses: int, keys_only: bool) -> list[graph.GraphStream]:
        """The source from the key frame before `start` (milliseconds), for so many uses."""
        options: dict[str, object] = {}
        if start > 0:  # a seek to 0 would skip a key frame that is decoded before 0
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
        if self.video.interlaced:
            # the fields of a frame are completed by the frames beside it, whichever is chosen
            picture = picture.chain(self._source_filters(-self.start_time))
        # count in microseconds: the source's own unit may be as long as a frame
        return picture.filter("settb", "AVTB").split(uses)

    def _from(self, clock: graph.GraphStream, moment: float) -> graph.GraphStream:
        """The same frames, counted from `moment`."""
        shift = round(self.start_time * 1_000_000 + moment * 1000)
        return clock.filter("setpts", f"PTS-({shift})")

    def _whole(self, chosen: graph.GraphStream, moment: float) -> graph.GraphStream:
        """The chosen frames, counted from `moment`, as whole pictures of one size.

        Only they go through the filters, unless there are fields.
        """
        if self.video.interlaced:
            return chosen
        return chosen.chain(self._source_filters(moment / 1000))

    def _source_filters(self, begin: float) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Yield what every picture goes through first; `begin` is as in `steady`."""
        yield from named(self.video)
        yield from steady(self.video, begin=begin)
        yield from single_pictures(self.video)

    def _finished(self, frames: graph.GraphStream) -> graph.GraphStream:
        """The frames in size and colours of the pictures."""
        finished = (
            # ffmpeg has turned the picture upright by itself
            frames.filter("scale", *self.size)
            .filter("setsar", 1)
            .chain(conversion(self.video, self.kind.colour, self.kind.pix_fmt))
        )
        # of RGB, encoders take one form only
        return finished.filter("format", self.kind.pix_fmt) if self.kind.colour.rgb else finished


def _shown(clock: graph.GraphStream, rate: str) -> graph.GraphStream:
    """The frame shown at 0 and, at `rate`, those after it.

    Of all frames up to each tick the last one, which is the frame shown at that time; before the
    first frame that one.
    """
    return clock.filter("fps", fps=rate, start_time=0, round="up")
