import json
from typing import Annotated

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from workflow_engine.topology import key_problems, problems_of
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    ClockTime,
    JsonArray,
    JsonObject,
    Number,
    Text,
    WireModel,
)


class Inner(WireModel):
    rate: Annotated[float, Number(10, 100, unit="kbit/s")] | None = None
    count: Annotated[int, Number(1)] | None = None
    codec: Annotated[str, Choice(("H.264", "H.265"), any_case=True, later=("AV1",))] = "H.264"


class Model(WireModel):
    later = frozenset({"WaterMarks"})
    name: Annotated[str, Text(max_bytes=8)]
    flag: Annotated[bool, Boolean()] = False
    inner: Annotated[Inner, JsonObject] | None = None
    items: Annotated[tuple[Inner, ...], JsonArray] = ()
    when: ClockTime | None = None


INVALID = "InvalidParameter"


def problem(**values: object) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"Name": "n", **values})
    (found,) = problems_of(caught.value, "/P")
    return str(found.code), found.pointer


@pytest.mark.parametrize("rate", ["64.5", 64.5, " 64.5 "])
def test_numbers_come_as_numbers_or_strings(rate: object):
    model = Model.model_validate({"Name": "n", "Inner": {"Rate": rate}})
    assert model.inner and model.inner.rate == 64.5


@pytest.mark.parametrize("flag", [True, "true", "True", "TRUE"])
def test_booleans_come_in_any_case(flag: object):
    assert Model.model_validate({"Name": "n", "Flag": flag}).flag is True


def test_objects_come_encoded_at_any_depth():
    items = json.dumps([{"Rate": "20"}, {"Rate": 30, "Codec": "h.265"}])
    model = Model.model_validate({"Name": "n", "Items": items, "Inner": json.dumps(json.dumps({}))})
    assert [item.rate for item in model.items] == [20, 30]
    assert model.items[1].codec == "H.265"
    assert model.inner == Inner()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"Inner": {"Rate": "9"}}, ("InvalidParameter.OutOfRange", "/P/Inner/Rate")),
        ({"Inner": {"Rate": 1e999}}, ("InvalidParameter.NumberFormatInvalid", "/P/Inner/Rate")),
        ({"Inner": {"Rate": True}}, ("InvalidParameter.NumberFormatInvalid", "/P/Inner/Rate")),
        ({"Inner": {"Rate": "1k"}}, ("InvalidParameter.NumberFormatInvalid", "/P/Inner/Rate")),
        ({"Inner": {"Count": "1.5"}}, ("InvalidParameter.NumberFormatInvalid", "/P/Inner/Count")),
        ({"Inner": {"Codec": "AV1"}}, ("InvalidParameter.NotSupported", "/P/Inner/Codec")),
        ({"Inner": {"Codec": "H264"}}, ("InvalidParameter", "/P/Inner/Codec")),
        ({"Inner": "{"}, ("InvalidParameter.JsonObjectFormatInvalid", "/P/Inner")),
        (
            {"Inner": '{"Rate": 20, "Rate": 30}'},
            ("InvalidParameter.JsonObjectFormatInvalid", "/P/Inner"),
        ),
        ({"Inner": "[]"}, ("InvalidParameter.JsonObjectFormatInvalid", "/P/Inner")),
        ({"Items": "{}"}, ("InvalidParameter.JsonArrayFormatInvalid", "/P/Items")),
        ({"Items": '[{"Rate": 1}]'}, ("InvalidParameter.OutOfRange", "/P/Items/0/Rate")),
        ({"Inner": "[" * 100_000}, ("InvalidParameter.JsonObjectFormatInvalid", "/P/Inner")),
        ({"Flag": "yes"}, ("InvalidParameter.Format", "/P/Flag")),
        ({"Name": "äääää"}, ("InvalidParameter.OutOfRange", "/P/Name")),
        ({"Name": ""}, ("InvalidParameter.EmptyValue", "/P/Name")),
        ({"Inner": '{"Codec": "\\ud800"}'}, (INVALID + ".JsonObjectFormatInvalid", "/P/Inner")),
        ({"When": "1:2:3:4"}, ("InvalidParameter.Format", "/P/When")),
        ({"When": "24:00:00"}, ("InvalidParameter.OutOfRange", "/P/When")),
    ],
)
def test_codes_and_pointers(values: dict[str, object], expected: tuple[str, str]):
    assert problem(**values) == expected


def test_limits_and_long_numerals_are_told_in_words():
    said: list[str] = []
    for number, value in (
        (Number(1, unit="pictures"), "0"),
        (Number(0, low_open=True), "0"),
        (Number(high=5), "6"),
        (Number(1), "9" * 70),
    ):
        with pytest.raises(PydanticCustomError) as caught:
            number.check(value, whole=True)
        said.append(str(caught.value.context))
    assert "Use a number of at least 1 pictures." in said[0]
    assert "Use a number above 0." in said[1] and "Use a number of at most 5." in said[2]
    assert "999" in said[3] and "too many digits" in said[3] and "nan" not in said[3].lower()


def test_a_missing_parameter_is_named():
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({})
    (found,) = problems_of(caught.value)
    assert (found.code, found.pointer) == ("InvalidParameter.NullValue", "/Name")


@pytest.mark.parametrize(
    ("text", "seconds"), [("1:25:36.240", 5136.24), ("1:14", 74), ("32.5", 32.5)]
)
def test_clock_times(text: str, seconds: float):
    assert Model.model_validate({"Name": "n", "When": text}).when == pytest.approx(seconds)


def test_empty_and_null_mean_absent():
    model = Model.model_validate({"Name": "n", "Inner": "", "When": None, "Flag": ""})
    assert model.inner is None and model.when is None and model.flag is False


def test_unknown_keys_are_kept_and_reported_with_a_suggestion():
    model = Model.model_validate({"Name": "n", "Inner": {"Rat": 5}, "WaterMarks": []})
    found = {p.pointer: p for p in key_problems(model, "/P")}
    assert found["/P/Inner/Rat"].severity == "warning"
    assert found["/P/Inner/Rat"].remedy == 'Did you mean "Rate"?'
    assert found["/P/WaterMarks"].severity == "error"
    assert found["/P/WaterMarks"].code == "InvalidParameter.NotSupported"
    assert model.inner and model.inner.model_extra == {"Rat": 5}
