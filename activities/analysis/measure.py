"""How many kbit/s a source needs at a given size: sample encodes at the real settings.

Five samples of one 2 s group of pictures each, spread evenly, predict x264's rate within a few
percent once their constant error is corrected; fewer samples, faster presets or smaller
pictures do not (spec: ffmpeg facts, "Predicting bit rate"). The cost is that of 10 s of
content, whatever the length, so a short source is encoded whole.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from activities import ffmpeg
from activities.analysis.classes import PRESET, Size
from activities.analysis.config import AnalysisConfig
from activities.conversion import SDR, conversion, named, needs_light
from activities.ffmpeg import graph
from activities.fields import marked_fields, whole_pictures
from activities.probe import MediaInfo, VideoStream
from activities.shape import OPENED, followed, steady
from workflow_engine.activity import ActivityContext

SAMPLES = 5
#: seconds of one sample: a whole group of pictures
SAMPLE = 2.0
#: seconds; a source up to this length is encoded whole
SHORT = 12.0
#: samples come out low by this factor, since each begins with the encoder unwarmed
CORRECTION = 1.06
#: seconds between key frames of the outputs (specification, transcode, 4: Gop)
_GOP = 10

_SAMPLE_FILE = "sample.h264"


@dataclass(frozen=True, kw_only=True)
class SampleWindow:
    """A stretch of the source, in seconds from its start."""

    start: float
    length: float


def windows(media: MediaInfo) -> list[SampleWindow]:
    """Return what is encoded: the middles of five equal parts, or all of a short source.

    Of a source of unknown length, or that cannot be opened later, it is the first SHORT seconds.
    """
    if media.duration is None or media.duration <= SHORT or not media.seekable:
        return [SampleWindow(start=0.0, length=SHORT)]
    part = media.duration / SAMPLES
    return [
        SampleWindow(start=(n + 0.5) * part - SAMPLE / 2, length=SAMPLE) for n in range(SAMPLES)
    ]


def command(
    source: str, video: VideoStream, window: SampleWindow, size: Size, config: AnalysisConfig
) -> tuple[str, ...]:
    """Return the command of one sample encode; `source` is a file name in the work directory."""
    follow = OPENED if followed(video) else {}
    opened = graph.open_input(source, {"ss": f"{window.start:.3f}", **follow})
    picture = opened[f"v:{video.position}"].chain(
        [*named(video), *steady(video, begin=window.start)]
    )
    width, height = size
    interlaced: dict[str, str] = {}
    # light is not converted field by field
    keep = config.keeps_fields(video) and not needs_light(video.colour, SDR)
    if keep:
        # each field has 4:2:0 chroma of its own
        for name, options in marked_fields(video):
            picture = picture.filter(name, options=options)
        picture = picture.filter("scale", width, max(4, height - height % 4), interl=1)
        interlaced = {"flags": "+ilme+ildct"}
    else:
        for name, options in whole_pictures(video):
            picture = picture.filter(name, options=options)
        picture = picture.filter("scale", width, height)
    # as the renditions will be
    picture = picture.chain(conversion(video, SDR, "yuv420p"))
    # square pixels; ffmpeg has turned the picture upright by itself
    picture = picture.filter("setsar", 1)
    options = {
        "t": f"{window.length:.3f}",
        "vcodec": "libx264",
        "crf": config.quality_control.crf,
        "preset": PRESET,
        "pix_fmt": "yuv420p",
        "g": math.ceil(_GOP * video.fps),
        "f": "h264",  # the bare stream: its size is the rate, without a container's share
        **interlaced,
    }
    return graph.argv(graph.output(f"file:{_SAMPLE_FILE}", [picture], options))


class Meter:
    """Measures rates for one run of the activity, each size once."""

    def __init__(
        self,
        media: MediaInfo,
        video: VideoStream,
        config: AnalysisConfig,
        context: ActivityContext,
    ) -> None:
        """Measure nothing yet."""
        there = ffmpeg.capabilities()
        there.require_encoder("libx264")
        for name, _ in (*named(video), *conversion(video, SDR, "yuv420p")):
            there.require_filter(name)
        self._media, self._video, self._config, self._context = media, video, config, context
        self._rates: dict[Size, float] = {}
        self.commands: list[tuple[str, ...]] = []
        self.decode_errors = 0

    def rate(self, size: Size, on_progress: Callable[[float], None]) -> float:
        """Return the kbit/s at a size. `on_progress` runs from 0 to 1.

        Raises ActivityError, as `ffmpeg.run` does, and when no frame can be read.
        """
        if size not in self._rates:
            self._rates[size] = self._measure(size, on_progress)
        return self._rates[size]

    def _measure(self, size: Size, on_progress: Callable[[float], None]) -> float:
        samples = windows(self._media)
        bits, seconds = 0.0, 0.0
        for done, window in enumerate(samples):
            name = self._context.source.name
            line = command(name, self._video, window, size, self._config)
            self.commands.append(line)

            def tell(share: float, done: int = done) -> None:
                on_progress((done + share) / len(samples))

            length = min(window.length, self._media.duration or window.length)
            report = ffmpeg.run(line, context=self._context, duration=length, on_progress=tell)
            self.decode_errors += report.decode_errors
            file = self._context.work / _SAMPLE_FILE
            bits += file.stat().st_size * 8
            seconds += float(report.frames / self._video.fps)
            file.unlink()
        if not seconds:
            raise ffmpeg.content_bad("no frame of its video can be read")
        return bits / 1000 / seconds * (CORRECTION if len(samples) > 1 else 1.0)
