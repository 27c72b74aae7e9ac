"""The second encode that a measurement asks for: with which settings. Pure.

Its rate comes from the rate that was measured, its Crf from what the quality lacks. Specification:
analysis, 6 (BitrateBnd, after the encode); docs/quality.md.
"""

import math
from dataclasses import replace

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
#: steps of Crf by which a rate doubles
_DOUBLED = 6
#: what a step of Crf takes: of the logarithm of the odds of VMAF and SSIM (their share of the best
#: against what is missing), in which they are straight over Crf; of XPSNR in dB
_SLOPES = {Metric.VMAF: 0.15, Metric.SSIM: 0.1, Metric.XPSNR: 0.7}
#: how many steps of AV1 are one of H.264 and H.265
_FINER = 2.5
#: below it, encoders may turn lossless, in another profile
_LEAST_CRF = 1.0
#: most steps of one correction, and what is added lest it falls just short
_MOST_STEPS, _SPARE_STEPS = 15.0, 0.5


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
    steps = min(_steps(metric, value, minimum, best) + _SPARE_STEPS, _MOST_STEPS)
    if encoding.crf is None:
        assert encoding.bitrate is not None
        bitrate = encoding.bitrate * 2 ** (steps / _DOUBLED)
        most = min(encoding.maxrate or math.inf, bounds[1] * _BELOW_MOST if bounds else math.inf)
        bitrate = min(bitrate, most)
        return _with_bitrate(rendition, bitrate) if bitrate > encoding.bitrate else None
    if encoding.codec == "AV1":  # takes whole numbers
        crf = float(math.floor(encoding.crf - steps * _FINER))
    else:
        crf = math.floor(2 * (encoding.crf - steps)) / 2
    crf = max(crf, _LEAST_CRF)
    return _with(rendition, replace(encoding, crf=crf)) if crf < encoding.crf else None


def _steps(metric: Metric, value: float, minimum: float, best: float) -> float:
    """Return how many steps of Crf the quality lacks."""
    if metric is Metric.XPSNR:
        return (minimum - value) / _SLOPES[metric]
    if not 0 < value < minimum < best:
        return _MOST_STEPS
    odds = (minimum / (best - minimum)) / (value / (best - value))
    return math.log(odds) / _SLOPES[metric]


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
