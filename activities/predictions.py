"""What an Analysis foretold of outputs, beside what was measured: read from a Transcode's result.

`data["Outputs"]` has it for each of them, written by `transcode/result/told.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from activities.quality import Metric
from workflow_engine.records import Figure, Json, Prediction, StepResult


def predictions(result: StepResult) -> list[Prediction]:
    """Return what was foretold of the outputs of a finished step, beside what was measured.

    Of an output that was encoded twice, it is the first encode: its settings were those that the
    Analysis had chosen, and the second one has them corrected.
    """
    return [
        Prediction(position=position, figure=figure, predicted=predicted, measured=measured)
        for position, facts in enumerate(cast("Sequence[Any]", result.data.get("Outputs") or ()))
        for figure, measured in _measured(facts)
        if (predicted := facts.get("Predicted", {}).get(str(figure))) is not None
    ]


def _measured(facts: Mapping[str, Any]) -> Iterator[tuple[Figure, float]]:
    if facts.get("Encodes") == 1:
        if rate := facts.get("PictureBitrate"):
            yield Figure.BITRATE, rate
        quality = facts.get("Quality", {})
        if quality.get("Metric") == Metric.VMAF:
            yield Figure.VMAF, quality["Mean"]
        return
    first = cast("Mapping[str, float]", facts.get("First") or {})
    yield from ((figure, first[figure]) for figure in Figure if figure in first)


def prediction_rows(result: StepResult) -> list[dict[str, Json]]:
    """Return a row of a table for each prediction; the error of rates is in percent."""
    outputs = cast("Sequence[Any]", result.data.get("Outputs") or ())
    return [
        {
            "Output": outputs[one.position]["Summary"],
            "Figure": str(one.figure),
            "Predicted": one.predicted,
            "Measured": one.measured,
            "Error": round(one.figure.error(one.predicted, one.measured), 2),
        }
        for one in predictions(result)
    ]
