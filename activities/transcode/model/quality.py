"""Quality as an output writes it, an extension of ours: how good its picture must be.

See docs/quality.md.
"""

from typing import Annotated

from activities.quality import Metric, Statistic
from workflow_engine.records import Json
from workflow_engine.topology.wire import Choice, Number, WireModel

#: of VMAF, every so many pictures are measured: a third of the time, and the mean 0.2 off
SUBSAMPLE = 5
#: the best value of any metric
_BEST = 100


class Quality(WireModel):
    """What is measured of a finished output, and what becomes of one that is below `minimum`.

    `minimum` is in the unit of the metric; without it, the picture is measured and never too bad.
    """

    metric: Annotated[str, Choice(tuple(Metric), any_case=True)] = Metric.VMAF
    minimum: Annotated[float, Number(0, _BEST, low_open=True)] | None = None
    statistic: Annotated[str, Choice(tuple(Statistic), any_case=True)] = Statistic.MEAN
    subsample: Annotated[int, Number(1, 60, unit="pictures")] | None = None
    on_low: Annotated[str, Choice(("fail", "warn", "retry"), any_case=True)] = "warn"

    @property
    def measure(self) -> Metric:
        """The metric."""
        return Metric(self.metric)

    @property
    def pooled(self) -> Statistic:
        """The statistic."""
        return Statistic(self.statistic)

    @property
    def every(self) -> int:
        """Every so many pictures are measured."""
        return (self.subsample or SUBSAMPLE) if self.measure is Metric.VMAF else 1

    def identity(self) -> dict[str, Json]:
        """Return what shapes the result of a measured output, and the output if it is retried."""
        return {
            "Metric": str(self.metric),
            "Minimum": self.minimum,
            "Statistic": str(self.statistic),
            "Subsample": self.every,
            "OnLow": self.on_low,
        }
