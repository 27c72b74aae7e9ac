"""What an activity tells of its measured outputs, read from its result again.

`data["Outputs"]` has an object `Quality` for each of them, written by `transcode/result/told.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from activities.quality.metrics import MOMENT_SUFFIX
from workflow_engine.records import Json, StepResult

#: what is told of the output itself
_TOLD = ("Summary", "Encodes")
#: what a table has of each output
_COLUMNS = ("Metric", "Value", "Minimum", "Mean", "P5", "Min", "Worst")


def measured_outputs(result: StepResult) -> list[dict[str, Json]]:
    """Return what was measured of each output of a Transcode, with its `Summary`.

    `Moment` is the object with the picture of the worst moment, beside that of the source.
    """
    outputs = cast("Sequence[Mapping[str, Any]]", result.data.get("Outputs") or ())
    moments = iter(one for one in result.outputs if one.ref.object.endswith(MOMENT_SUFFIX))
    found: list[dict[str, Json]] = []
    for output in outputs:
        if quality := output.get("Quality"):
            moment = next(moments).to_wire() if quality["Moment"] else None
            told = {key: value for key, value in output.items() if key in _TOLD}
            found.append({**told, **quality, "Moment": moment})
    return found


def quality_rows(result: StepResult) -> list[dict[str, Json]]:
    """Return a row of a table for each measured output; the worst moment is in seconds."""
    return [
        {"Output": one["Summary"], **{name: one[name] for name in _COLUMNS}}
        for one in measured_outputs(result)
    ]
