"""What was foretold of outputs, read from the result of a Transcode."""

import pytest

from activities.predictions import prediction_rows, predictions
from workflow_engine.records import Figure, Json, StepResult


def result(**facts: Json) -> StepResult:
    foretold = {"bitrate": 900.0, "vmaf": 93.0}
    measured = {"Summary": "mp4 640x360", "Encodes": 1, "Predicted": foretold, **facts}
    return StepResult(data={"Outputs": [{"Summary": "of a static preset"}, measured]})


def test_rates_and_mean_vmaf_are_compared() -> None:
    found = predictions(
        result(PictureBitrate=1000.0, Quality={"Metric": "vmaf", "Mean": 94.5, "Value": 80.0})
    )
    assert [(one.position, one.figure, one.predicted, one.measured) for one in found] == [
        (1, Figure.BITRATE, 900.0, 1000.0),
        (1, Figure.VMAF, 93.0, 94.5),
    ]


def test_of_two_encodes_the_first_one_counts() -> None:
    corrected: dict[str, Json] = {"Metric": "vmaf", "Mean": 93.0}
    found = predictions(
        result(
            Encodes=2,
            First={"bitrate": 1200.0, "vmaf": 95.0},
            PictureBitrate=900.0,
            Quality=corrected,
        )
    )
    assert [(one.figure, one.measured) for one in found] == [
        (Figure.BITRATE, 1200.0),
        (Figure.VMAF, 95.0),
    ]
    # its quality was not measured, that of the second one says nothing
    (rate,) = predictions(result(Encodes=2, First={"bitrate": 1200.0}, Quality=corrected))
    assert rate.figure is Figure.BITRATE


@pytest.mark.parametrize(
    "facts",
    [
        {"Predicted": {}, "PictureBitrate": 1000.0},
        {"PictureBitrate": None},
        {"PictureBitrate": 1000.0, "Encodes": 2},
        {"Quality": {"Metric": "ssim", "Mean": 0.98}},
    ],
)
def test_what_was_not_foretold_or_not_measured_is_left_out(facts: dict[str, Json]) -> None:
    assert predictions(result(**facts)) == []


def test_rows_say_the_error_of_rates_in_percent_and_of_vmaf_in_points() -> None:
    rows = prediction_rows(result(PictureBitrate=1000.0, Quality={"Metric": "vmaf", "Mean": 94.5}))
    assert [(row["Output"], row["Error"]) for row in rows] == [
        ("mp4 640x360", -10.0),
        ("mp4 640x360", -1.5),
    ]


def test_results_of_older_versions_have_none() -> None:
    assert prediction_rows(StepResult(data={})) == []
