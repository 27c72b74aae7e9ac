"""What the Config of a watermark template may hold."""

from typing import Any

import pytest
from pydantic import ValidationError

from activities.transcode import Transcode
from workflow_engine.errors import Code
from workflow_engine.topology import problems_of

MODEL = Transcode.documents["WaterMarkTemplate"]


def faults(config: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        MODEL.model_validate(config)
    return [(problem.code, problem.pointer) for problem in problems_of(caught.value)]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {
            "Width": "10",
            "Height": "30",
            "Dx": "10",
            "Dy": "5",
            "ReferPos": "TopRight",
            "Type": "Image",
            "Timeline": {"Start": "0", "Duration": "10"},
        },
        {"Width": "10px", "Height": "30px", "Dx": "-10px", "Dy": 0},
        {"Width": 0.36, "Height": "0.33333333", "Dx": "0.0001", "Dy": 0.9999},
        {"Width": 4096, "Height": 8, "Dx": -4096, "Dy": "4096"},
        {"Timeline": {"Start": 1.5, "Duration": "ToEND"}, "ReferPos": "BottomLeft"},
    ],
)
def test_numbers_keep_the_form_in_which_they_were_given(config):
    assert MODEL.model_validate(config).model_dump(by_alias=True, exclude_unset=True) == config


def test_a_timeline_may_come_as_a_string():
    kept = MODEL.model_validate({"Timeline": '{"Start":"2"}'})
    assert kept.model_dump(by_alias=True, exclude_unset=True) == {"Timeline": {"Start": "2"}}


@pytest.mark.parametrize("field", ["Width", "Height"])
@pytest.mark.parametrize("value", ["0", "7", "-8", 4097, "1", "1.5", "0.00001", "7px", 1e9])
def test_sides_out_of_range(field, value):
    assert faults({field: value}) == [(Code.OUT_OF_RANGE, f"/{field}")]


@pytest.mark.parametrize("value", ["-4097", 4097, "-0.5", "8.5"])
def test_offsets_out_of_range(value):
    assert faults({"Dy": value}) == [(Code.OUT_OF_RANGE, "/Dy")]


@pytest.mark.parametrize("value", ["wide", "10%", "0.5px", True, ["8"], "px", "10 px px"])
def test_what_is_no_number(value):
    assert faults({"Dx": value}) == [(Code.NUMBER_FORMAT, "/Dx")]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"ReferPos": "Center"}, (Code.INVALID, "/ReferPos")),
        ({"Type": "Film"}, (Code.INVALID, "/Type")),
        ({"Type": "Text"}, (Code.NOT_SUPPORTED, "/Type")),
        ({"RatioRefer": {"Dx": "Width"}}, (Code.NOT_SUPPORTED, "/RatioRefer")),
        ({"Timeline": "["}, (Code.JSON_OBJECT_FORMAT, "/Timeline")),
        ({"Timeline": {"Start": "-1"}}, (Code.OUT_OF_RANGE, "/Timeline/Start")),
        ({"Timeline": {"Duration": "0"}}, (Code.OUT_OF_RANGE, "/Timeline/Duration")),
        ({"Timeline": {"Duration": "forever"}}, (Code.NUMBER_FORMAT, "/Timeline/Duration")),
    ],
)
def test_other_fields(config, fault):
    assert faults(config) == [fault]
