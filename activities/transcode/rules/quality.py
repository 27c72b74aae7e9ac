"""What may not stand beside Quality. Part of `output.py`."""

from collections.abc import Iterator

from activities.quality import Metric
from activities.transcode.model.containers import IMAGE_CODECS, KEEP
from activities.transcode.model.quality import Quality
from activities.transcode.model.settings import OutputSettings, problem
from workflow_engine.errors import Code, Problem


def quality_faults(settings: OutputSettings) -> Iterator[Problem]:
    """Yield every problem of Quality, pointers relative to the output."""
    quality, video = settings.output.quality, settings.video
    if quality is None:
        return
    yield from _value_faults(quality)
    if video is None:
        yield _refused("Quality is of the picture, and the output has none.")
    elif settings.copy:
        yield _refused(
            f'The template "{settings.template.id}" copies the streams, so that nothing is lost '
            "that Quality could measure."
        )
    elif video.codec in IMAGE_CODECS:
        yield _refused(
            f"Quality cannot be measured of {video.codec}: its pictures have other colours and "
            "times than those of a film."
        )
    elif video.hdr == KEEP and quality.measure is Metric.VMAF:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Quality/Metric",
            f'VMAF has no model for HDR, which Hdr "{KEEP}" keeps.',
            'Use the Metric "xpsnr" or "ssim", or take Hdr out to get SDR.',
        )


def _value_faults(quality: Quality) -> Iterator[Problem]:
    metric = quality.measure
    if quality.minimum is not None and quality.minimum > metric.best:
        yield problem(
            Code.OUT_OF_RANGE,
            "/Quality/Minimum",
            f'The Minimum {quality.minimum:g} is out of range: the best "{metric}" is '
            f"{metric.best:g}.",
            f"Use a number in (0, {metric.best:g}].",
        )
    if quality.subsample is not None and metric is not Metric.VMAF:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Quality/Subsample",
            f'Subsample is for "{Metric.VMAF}" only, and the Metric is "{metric}", which is '
            "measured of every picture.",
            "Take Subsample out.",
        )
    if quality.on_low != "warn" and quality.minimum is None:
        yield problem(
            Code.NULL_VALUE,
            "/Quality/Minimum",
            f'OnLow "{quality.on_low}" needs a Minimum, and there is none.',
            "Add Minimum, or take OnLow out to measure only.",
        )


def _refused(message: str) -> Problem:
    return problem(Code.NOT_SUPPORTED, "/Quality", message, "Take Quality out.")
