"""What is told of a measured output: in the data of the activity, and in a sentence for people."""

from collections.abc import Iterator

from activities.quality import Comparison, Metric
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.result.finished import FinishedOutput
from workflow_engine.records import Json

#: decimals that a value is told with: noise is smaller
_DECIMALS = {Metric.VMAF: 2, Metric.SSIM: 4, Metric.XPSNR: 2}


def rounded(metric: Metric, value: float) -> float:
    """Return a value of a metric as it is told."""
    return round(value, _DECIMALS[metric])


def measured_facts(job: RenditionJob, made: FinishedOutput) -> dict[str, Json]:
    """Return what was measured of an output, and how often it was encoded, where anything was."""
    facts: dict[str, Json] = {}
    if job.rate_bounds or job.quality:
        facts["Encodes"] = made.encodes
    if job.rate_bounds:
        rate = made.picture_kbps
        facts["PictureBitrate"] = None if rate is None else round(rate, 3)
        facts["BitrateBnd"] = {"Min": job.rate_bounds[0], "Max": job.rate_bounds[1]}
    if made.first:
        facts["First"] = {str(figure): value for figure, value in made.first.items()}
    if job.foretold:
        facts["Predicted"] = {str(figure): value for figure, value in job.foretold.items()}
    if job.quality and made.compared:
        facts["Quality"] = {
            **job.quality.identity(),
            "Value": rounded(made.compared.metric, made.compared.value(job.quality.pooled)),
            **_statistics(made.compared),
            "Moment": made.moment is not None,
        }
    return facts


def _statistics(found: Comparison) -> dict[str, Json]:
    metric, (width, height) = found.metric, found.size
    return {
        "Mean": rounded(metric, found.mean),
        "P5": rounded(metric, found.p5),
        "Min": rounded(metric, found.lowest),
        "Worst": round(found.worst, 3),
        "Pictures": found.pictures,
        "Size": f"{width}x{height}",
    }


def measured_note(job: RenditionJob, made: FinishedOutput) -> Iterator[str]:
    """Yield the sentence that says how good a measured output is."""
    found, quality = made.compared, job.quality
    if found is None or quality is None:
        return
    metric = found.metric
    mean, p5, lowest = (rounded(metric, one) for one in (found.mean, found.p5, found.lowest))
    again = " encoded twice," if made.encodes > 1 else ""
    yield (
        f"{made.rendition.summary}:{again} {metric} {mean:g} on average, {p5:g} at the 5th "
        f"percentile, worst {lowest:g} at {found.worst:.2f} s"
    )
