"""The metrics: which filter of ffmpeg computes each, with which options, and what its log says."""

import os
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from activities import ffmpeg

#: width and height in pixels
Size = tuple[int, int]

#: what the name of an output has behind it for the picture of its worst moment
MOMENT_SUFFIX = ".worst.jpg"
#: lines of a picture from which on it is watched as 4K is: at half the distance
_LINES_OF_4K = 1440
#: pixels of width and height below which libvmaf cannot take apart a picture: it crashes at 16
LEAST_VMAF_SIDE = 32
_SSIM = re.compile(r" All:([\d.]+|inf|nan)")
_XPSNR = re.compile(r"^n: *\d+ +XPSNR y: *([\d.]+|inf|nan)")


class Metric(StrEnum):
    """How a picture is compared; the higher the better."""

    #: 0 to 100, what viewers would say (Netflix)
    VMAF = "vmaf"
    #: 0 to 1, structural similarity of luma and chroma
    SSIM = "ssim"
    #: dB, the signal-to-noise ratio of luma, weighted by what the eye sees (Fraunhofer HHI)
    XPSNR = "xpsnr"

    @property
    def best(self) -> float:
        """The value of equal pictures; that of XPSNR would be infinite."""
        return 1.0 if self is Metric.SSIM else 100.0

    @property
    def filter(self) -> str:
        """The filter of ffmpeg."""
        return "libvmaf" if self is Metric.VMAF else str(self)

    def takes(self, size: Size) -> bool:
        """Whether pictures of this size can be measured."""
        return self is not Metric.VMAF or min(size) >= LEAST_VMAF_SIDE

    def options(self, log: str, size: Size, subsample: int) -> Mapping[str, str]:
        """Return the options of the filter that writes its log into the file `log`.

        `size` is that of the pictures; of VMAF, each `subsample`-th is measured.
        """
        # a muxer may have rounded the times of one side
        sync = {"ts_sync_mode": "nearest"}
        if self is not Metric.VMAF:
            return {"stats_file": log, **sync}
        return {
            "model": f"version={model_of(size)}",
            "log_path": log,
            "log_fmt": "csv",
            "n_threads": str(os.cpu_count() or 1),
            "n_subsample": str(subsample),
            **sync,
        }

    def values(self, log: Path) -> Iterator[float]:
        """Yield the value of each picture measured, out of the filter's log, at most `best`."""
        with log.open(encoding="utf-8") as lines:
            for value in _vmaf(lines) if self is Metric.VMAF else _listed(self, lines):
                yield min(value, self.best)


def model_of(size: Size) -> str:
    """Return the VMAF model for pictures of this size: that of a television, or of 4K."""
    return "vmaf_4k_v0.6.1" if min(size) >= _LINES_OF_4K else "vmaf_v0.6.1"


def require_metric(metric: Metric) -> None:
    """Raise InstallationError unless ffmpeg has the metric's filter."""
    ffmpeg.capabilities().require_filter(metric.filter)


def _vmaf(lines: Iterator[str]) -> Iterator[float]:
    column = next(lines, "").strip().split(",").index("vmaf")
    for line in lines:
        yield float(line.split(",")[column])


def _listed(metric: Metric, lines: Iterator[str]) -> Iterator[float]:
    pattern = _SSIM if metric is Metric.SSIM else _XPSNR
    for line in lines:
        if found := pattern.search(line):
            yield float(found[1])
