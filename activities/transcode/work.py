"""How much work outputs are: what `plan` and the time that is left are told from.

Amounts are about seconds of a small machine. What matters is how they compare with each other: the
engine measures how long each kind really takes, see `Step.work`.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence

from activities.probe import VideoStream
from activities.quality import Metric
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.measuring import measured_size
from activities.transcode.command.muxing import encoder_of
from activities.transcode.command.rendition import Rendition, RenditionJob
from activities.transcode.model.quality import Quality
from workflow_engine.activity import Work

#: seconds for a million pixels at the preset medium of libx264; everything else against that
_ENCODE = 0.02
_CODECS = {"H.264": 1.0, "H.265": 2.0, "AV1": 1.0, "GIF": 0.5, "WEBP": 5.0}
_PRESETS = {
    "ultrafast": 0.15,
    "superfast": 0.25,
    "veryfast": 0.4,
    "faster": 0.7,
    "fast": 0.9,
    "slow": 1.5,
    "slower": 2.6,
    "veryslow": 5.5,
    "placebo": 12.0,
}
#: both passes, and the share of the first one, which only measures
_TWO_PASSES, _FIRST_PASS = 1.25, 0.25
_DECODE = 0.05 * _ENCODE
#: bits that usual sources have for a pixel, and how the time of an encode grows with them
_USUAL_BITS, _BUSY_POWER, _MOST_BUSY = 0.05, 0.3, 3.0
#: a comparison of every picture
_COMPARE = {Metric.VMAF: 0.95 * _ENCODE, Metric.XPSNR: 0.25 * _ENCODE, Metric.SSIM: 0.13 * _ENCODE}
#: seconds for a second of sound
_SOUND = 0.01
#: seconds to start a process and look at its output, and for a byte that is written
START, _BYTE = 0.1, 1.5e-9
#: filters that take as long as an encoder does
_SLOW_FILTERS = frozenset({"bwdif", "subtitles", "tonemap", "zscale", "libplacebo", "loudnorm"})


def work_of(jobs: Sequence[RenditionJob], video: VideoStream | None) -> Mapping[Hashable, Work]:
    """Return the work of outputs of a source; nothing where the length of one is not known."""
    if not all(job.rendition.duration for job in jobs):
        return {}
    busy = 1.0
    if video and video.bitrate_kbps:
        pixels = math.prod(video.upright_size) * float(video.fps)
        busy = busyness(video.bitrate_kbps * 1000 / pixels)
    return {part: work for job in jobs for part, work in _of_job(job, busy)}


def busyness(bits_per_pixel: float) -> float:
    """Return how much longer the pictures of a source take to be encoded than usual ones.

    Slides take a sixth of the time of grain, and what a source spends on a pixel tells them apart:
    measured with films of six kinds, whose times the power brings within a factor of 2.
    """
    return min(_MOST_BUSY, max(1 / _MOST_BUSY, (bits_per_pixel / _USUAL_BITS) ** _BUSY_POWER))


def _of_job(job: RenditionJob, busy: float) -> Iterator[tuple[Hashable, Work]]:
    rendition, own = job.rendition, (job.ref.bucket, job.ref.object)
    picture, sound = rendition.picture, rendition.sound
    yield (*own, "write"), Work(kind="write", amount=START + (rendition.bytes or 0) * _BYTE)
    if picture and picture.encoding and not job.picture_file:
        shared = None if rendition.alone else encoder_of(rendition)
        amount = encode_amount(rendition) * busy
        yield shared or own, Work(kind=_kind(rendition), amount=amount)
        decode = Work(kind="decode", amount=_decode_amount(rendition))
        yield (*own, "decode") if rendition.alone else "decode", decode
    if sound and sound.encoding and not job.sound_file:
        amount = START + (rendition.duration or 0.0) * _SOUND
        yield (*own, "sound"), Work(kind=sound.encoding.codec, amount=amount)
    if job.quality:
        kind = f"{job.quality.measure} of 1 in {job.quality.every}"
        amount = quality_amount(rendition, job.quality)
        yield (*own, "quality"), Work(kind=kind, amount=amount)


def _kind(rendition: Rendition) -> str:
    """Name what shapes how long a pixel takes to be encoded."""
    encoding = rendition.picture.encoding if rendition.picture else None
    assert encoding is not None
    slow = sorted({one.name for one in rendition.filters} & _SLOW_FILTERS)
    words = [encoding.codec, encoding.preset or "", *slow]
    words += ["two passes"] if rendition.twopass else []
    return " ".join(filter(None, words))


def encode_amount(rendition: Rendition) -> float:
    """Return how much work the encode of a picture is; of sound alone, next to nothing."""
    encoding = rendition.picture.encoding if rendition.picture else None
    if encoding is None:
        return START
    factor = _CODECS[encoding.codec] * _PRESETS.get(encoding.preset or "", 1.0)
    passes = _TWO_PASSES if rendition.twopass else 1.0
    assert rendition.picture is not None
    return START + _megapixels(rendition, rendition.picture.size) * _ENCODE * factor * passes


def quality_amount(rendition: Rendition, quality: Quality) -> float:
    """Return how much work it is to measure an output."""
    pixels = _megapixels(rendition, measured_size(rendition))
    return START + pixels * _COMPARE[quality.measure] / quality.every


def process_amounts(encodes: Sequence[RenditionTarget]) -> list[float]:
    """Return how much work each process is that encodes targets, in the order of `commands`."""
    together = [one.rendition for one in encodes if not one.rendition.alone]
    amounts = [START + sum(map(encode_amount, together))] if together else []
    for rendition in (one.rendition for one in encodes if one.rendition.alone):
        amount = encode_amount(rendition)
        if rendition.twopass:
            amounts += [amount * _FIRST_PASS, amount * (1 - _FIRST_PASS)]
        else:
            amounts.append(amount)
    return amounts


def _decode_amount(rendition: Rendition) -> float:
    assert rendition.picture is not None
    times = 2 if rendition.twopass else 1
    return _megapixels(rendition, rendition.picture.part) * _DECODE * times


def _megapixels(rendition: Rendition, size: tuple[int, int]) -> float:
    """Return how many million pixels all pictures of an output have at a size."""
    encoding = rendition.picture.encoding if rendition.picture else None
    assert encoding is not None
    return math.prod(size) * float(encoding.rate) * (rendition.duration or 0.0) / 1e6
