"""How much an encode has lost: its pictures are compared with those of a reference, one by one.

`compare` runs ffmpeg on both sides, each behind filters of its own, in a process of its own
(libvmaf inside an encode queues frames without bound), and returns what the metric said. `metrics`
knows the filters and their logs, `scores` the statistics. Specification: ffmpeg facts, "Quality
metrics".
"""

from activities.quality.compare import compare, comparison
from activities.quality.metrics import LEAST_VMAF_SIDE, MOMENT_SUFFIX, Metric, require_metric
from activities.quality.scores import Comparison, Statistic

__all__ = [
    "LEAST_VMAF_SIDE",
    "MOMENT_SUFFIX",
    "Comparison",
    "Metric",
    "Statistic",
    "compare",
    "comparison",
    "require_metric",
]
