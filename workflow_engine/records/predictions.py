"""What was foretold of an output, and what came out."""

from dataclasses import dataclass
from enum import StrEnum


class Figure(StrEnum):
    """What was foretold."""

    #: average rate of the video, in kbit/s
    BITRATE = "bitrate"
    #: mean VMAF, 0 to 100
    VMAF = "vmaf"

    def error(self, predicted: float, measured: float) -> float:
        """Return how far a prediction lies above what came out: rates in percent, VMAF in points.

        A rate that was measured is above 0.
        """
        if self is Figure.BITRATE:
            return 100 * (predicted / measured - 1)
        return predicted - measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """One figure of one output; `position` counts the outputs of its activity from 0."""

    position: int
    figure: Figure
    predicted: float
    measured: float
