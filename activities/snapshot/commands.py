"""The ffmpeg commands that take pictures, as graphs of ffmpeg-python: pure, nothing runs.

Two ways. `seek` opens the source once per picture, a few in one process, and decodes from the
key frame before it; `scan` decodes once from the first picture to the last. Seeking costs about
half a key-frame distance of decoding per picture, scanning the step between two.
"""

# ffmpeg-python has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ffmpeg as graph

from activities import ffmpeg
from activities.snapshot.moments import Size

#: pictures of one process: each has a decoder of its own, so this bounds the memory
BATCH = 6
#: seconds between two pictures up to which scanning costs no more than seeking
DENSE = 3.0
#: seconds by which an input is opened early where the container has no index of key frames: a
#: seek lands between two, and what comes before the next one cannot be decoded
EARLY = 12.0

_INDEXED = frozenset({"mov", "matroska", "webm", "avi"})


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture: its file in the work directory and the moment, in milliseconds."""

    file: str
    moment: float


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What all pictures of one activity share. `position` is that of `0:v:position`."""

    source: str
    format_name: str
    position: int
    size: Size
    keys_only: bool

    @property
    def early(self) -> float:
        """Seconds by which the source is opened before the moment itself."""
        return 0.0 if _INDEXED.intersection(self.format_name.split(",")) else EARLY

    def dense(self, step: float) -> bool:
        """Whether pictures `step` seconds apart are better taken by one scan."""
        return step <= DENSE + self.early

    def seek(self, shots: Sequence[Shot]) -> tuple[str, ...]:
        """Return the command that takes a few pictures, each by its own seek."""
        outputs = [
            graph.output(
                self._frames(shot.moment, "1"),
                f"file:{shot.file}",
                update=1,
                **{"frames:v": 1},
                **_JPEG,
            )
            for shot in shots
        ]
        return ffmpeg.argv(graph.merge_outputs(*outputs))

    def scan(self, first: float, step: Fraction, count: int, pattern: str) -> tuple[str, ...]:
        """Return the command that takes `count` pictures, `step` milliseconds apart.

        `pattern` is a file name with a `%05d` that counts from 1.
        """
        rate = 1000 / step
        return ffmpeg.argv(
            graph.output(
                self._frames(first, f"{rate.numerator}/{rate.denominator}"),
                f"file:{pattern}",
                start_number=1,
                **{"frames:v": count},
                **_JPEG,
            )
        )

    def _frames(self, moment: float, rate: str) -> Any:
        """The frames shown at `moment` (milliseconds) and, at `rate`, after it, as pictures."""
        start = max(0.0, moment / 1000 - self.early)
        options: dict[str, Any] = {"ss": f"{start:.6f}", **ffmpeg.input_options()}
        if self.keys_only:
            options["skip_frame"] = "nokey"
        # an accurate seek would drop the frame shown at the moment unless it begins right then;
        # without it frames come from the key frame before, with times below 0
        opened = graph.input(f"file:{self.source}", noaccurate_seek=None, **options)
        return (
            opened[f"v:{self.position}"]
            # of all frames up to each tick the last one, which is the frame shown at that time
            .filter("fps", fps=rate, start_time=f"{moment / 1000 - start:.6f}", round="up")
            # JPEG is BT.601 in full range; ffmpeg has turned the picture upright by itself
            .filter("scale", *self.size, out_range="full", out_color_matrix="bt601")
            .filter("setsar", 1)
            .filter("format", "yuvj420p")
        )


_JPEG: dict[str, Any] = {"f": "image2", "vcodec": "mjpeg", "q:v": 2}
