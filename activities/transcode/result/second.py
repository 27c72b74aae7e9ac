"""The second encode that a measurement asks for: with which settings. Pure.

Its rate comes from the rate that was measured, its Crf from what the quality lacks. Specification:
analysis, 6 (BitrateBnd, after the encode); docs/quality.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from activities.quality import Metric
from activities.transcode.command.rendition import Rendition, VideoEncoding
from activities.transcode.model.containers import TRANS_MODES

#: the least and the most average rate of a picture, in kbit/s
RateBounds = tuple[float, float]

#: shares of the bounds within which an average counts as kept: room for the encoder
_LEAST, _MOST = 0.9, 1.02
#: shares of the bounds that are aimed at
_ABOVE_LEAST, _BELOW_MOST = 1.02, 0.97
#: kbit/s, those of the parameter Bitrate
_BITRATES = (10.0, 50_000.0)
#: below it, encoders may turn lossless, in another profile
_LEAST_CRF = 1.0
#: doublings of the rate that one correction has at most, and what is added lest it falls short
_MOST_DOUBLINGS, _SPARE_DOUBLINGS = 2.5, 1 / 12


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """What the Crf of a codec means, as measured on two films.

    A rate doubles by so many steps. `slopes` are what a step takes: of the logarithm of the odds
    of VMAF and SSIM (their share of the best against what is missing), in which they are nearly
    straight over Crf; of XPSNR in dB. They are careful: a step takes more of most films.
    """

    doubled: float
    slopes: Mapping[Metric, float]


_SCALES = {
    "H.264": _Scale(doubled=6, slopes={Metric.VMAF: 0.13, Metric.SSIM: 0.1, Metric.XPSNR: 0.65}),
    "H.265": _Scale(doubled=6, slopes={Metric.VMAF: 0.115, Metric.SSIM: 0.09, Metric.XPSNR: 0.5}),
    "AV1": _Scale(doubled=12, slopes={Metric.VMAF: 0.042, Metric.SSIM: 0.035, Metric.XPSNR: 0.18}),
}


def outside(rate: float | None, bounds: RateBounds | None) -> float:
    """Return by which share an average rate, in kbit/s, is outside its bounds; 0 within them.

    A least of 10, the lowest that BitrateBnd can have, is none: a still picture takes less.
    """
    if not rate or not bounds:
        return 0.0
    below = 1 - rate / (_LEAST * bounds[0]) if bounds[0] > _BITRATES[0] else 0.0
    return max(below, rate / (_MOST * bounds[1]) - 1, 0.0)


def with_rate(rendition: Rendition, rate: float, bounds: RateBounds) -> Rendition:
    """Return a rendition whose average rate should be inside its bounds; `rate` was outside."""
    encoding = _encoding(rendition)
    wanted = bounds[0] * _ABOVE_LEAST if rate < bounds[0] else bounds[1] * _BELOW_MOST
    # what an encoder made of a Bitrate it will make of the next
    bitrate = wanted if encoding.bitrate is None else encoding.bitrate * wanted / rate
    return _with_bitrate(rendition, bitrate)


def with_quality(
    rendition: Rendition,
    metric: Metric,
    value: float,
    minimum: float,
    *,
    best: float,
    bounds: RateBounds | None,
) -> Rendition | None:
    """Return a rendition whose quality should reach its minimum; None when none can be better.

    `value` is what was measured, below `minimum`; `best` is what no encode of this size exceeds.
    """
    encoding = _encoding(rendition)
    scale = _SCALES[encoding.codec]
    lacking = _lacking(metric, value, minimum, best) / scale.slopes[metric] / scale.doubled
    doublings = min(lacking + _SPARE_DOUBLINGS, _MOST_DOUBLINGS)
    if encoding.crf is None:
        assert encoding.bitrate is not None
        bitrate = encoding.bitrate * 2**doublings
        most = min(encoding.maxrate or math.inf, bounds[1] * _BELOW_MOST if bounds else math.inf)
        bitrate = min(bitrate, most)
        return _with_bitrate(rendition, bitrate) if bitrate > encoding.bitrate else None
    parts = 1 if encoding.codec == "AV1" else 2  # of a step; it takes whole ones
    crf = encoding.crf - doublings * scale.doubled
    crf = max(math.floor(parts * crf) / parts, _LEAST_CRF)
    return _with(rendition, replace(encoding, crf=crf)) if crf < encoding.crf else None


def _lacking(metric: Metric, value: float, minimum: float, best: float) -> float:
    """Return what the quality lacks, in the unit of slopes; infinite where nobody can say."""
    if metric is Metric.XPSNR:
        return minimum - value
    if not 0 < value < minimum < best:
        return math.inf
    return math.log((minimum / (best - minimum)) / (value / (best - value)))


def _with_bitrate(rendition: Rendition, bitrate: float) -> Rendition:
    """Return a rendition of an average rate, in two passes where its codec and mode have them."""
    encoding = _encoding(rendition)
    bitrate = round(min(max(bitrate, _BITRATES[0]), _BITRATES[1]), 3)
    maxrate = encoding.maxrate
    if encoding.codec == "AV1":
        maxrate = None  # with Crf only
    elif maxrate is not None:
        maxrate = max(maxrate, bitrate)
    modes = TRANS_MODES.get(encoding.codec, ("twopass",))
    mode = rendition.mode if rendition.mode == "CBR" or "twopass" not in modes else "twopass"
    changed = replace(encoding, crf=None, bitrate=bitrate, maxrate=maxrate)
    return replace(_with(rendition, changed), mode=mode)


def _with(rendition: Rendition, encoding: VideoEncoding) -> Rendition:
    assert rendition.picture is not None
    return replace(rendition, picture=replace(rendition.picture, encoding=encoding))


def _encoding(rendition: Rendition) -> VideoEncoding:
    assert rendition.picture is not None and rendition.picture.encoding is not None
    return rendition.picture.encoding
