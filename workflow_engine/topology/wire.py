"""How values stand in topology JSON, as pydantic annotations.

Everything may arrive as a string: numbers (`"128"`), booleans (`"True"`), whole JSON documents.
The annotations below accept both forms, refuse the rest with the codes of the specification,
and describe both forms in the JSON Schema. Specification: topology, 3.

>>> class Video(WireModel):
...     bitrate: Annotated[float, Number(10, 50000, unit="kbit/s")] | None = None
>>> class Output(WireModel):
...     video: Annotated[Video, JsonObject] | None = None
>>> Output.model_validate({"Video": '{"Bitrate": "800"}'})
Output(video=Video(bitrate=800.0))
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from workflow_engine.errors import Code
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.units import has_unit, plain_number, seconds_of


def wire_error(code: str, message: str, remedy: str = "") -> PydanticCustomError:
    """Return the error that a validator raises: becomes a `Problem` with this code."""
    # pydantic fills {name} fields of the message; the text travels as a value, not as a format
    return PydanticCustomError(code, "{text}", {"text": message, "remedy": remedy})  # pyright: ignore[reportArgumentType]


def shown(value: object) -> str:
    """Return a value as an error sentence quotes it: as JSON, at most 80 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 80 else text[:77] + "..."


def _range_text(low: float | None, high: float | None, low_open: bool, high_open: bool) -> str:
    """Return the limits that there are: `in [0, 1)`, `of at least 1`, `below 5`."""
    if low is not None and high is not None:
        return f"in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
    if low is not None:
        return f"{'above' if low_open else 'of at least'} {low:g}"
    if high is not None:
        return f"{'below' if high_open else 'of at most'} {high:g}"
    return ""


#: a number inside a string, in ASCII
_NUMERAL = r"\s*-?\d+(\.\d+)?\s*"
#: characters of one
_MOST_DIGITS = 63


def _require_content(value: object) -> None:
    if value == "":
        raise wire_error(Code.EMPTY_VALUE, "The value must not be empty.")


@dataclass(frozen=True)
class Number:
    """Annotation of `int` and `float`: a JSON number or a string that holds one, in a range."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    allowed: tuple[float, ...] = ()
    unit: str = ""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with `check`, as whole number where the annotated type is int."""
        whole = source is int
        return core_schema.no_info_plain_validator_function(lambda value: self.check(value, whole))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Describe the number and its string form."""
        number: dict[str, Any] = {"type": "number"}
        if self.allowed:
            number = {"enum": list(self.allowed)}
        if self.low is not None:
            number["exclusiveMinimum" if self.low_open else "minimum"] = self.low
        if self.high is not None:
            number["exclusiveMaximum" if self.high_open else "maximum"] = self.high
        text = {"type": "string", "pattern": f"^{_NUMERAL}$"}
        unit = {"description": f"unit: {self.unit}"} if self.unit else {}
        return {"anyOf": [number, text], **unit}

    def check(self, value: Any, whole: bool) -> float | int:
        """Return the number. Raises PydanticCustomError."""
        number = self._parse(value, whole)
        if whole and number != int(number):
            raise wire_error(Code.NUMBER_FORMAT, f"The value {shown(value)} is not a whole number.")
        if self.allowed and number not in self.allowed:
            listed = ", ".join(f"{n:g}" for n in self.allowed)
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The value {shown(value)} is not allowed here.",
                f"Use one of {listed}{self._unit()}.",
            )
        if self._outside(number):
            limits = _range_text(self.low, self.high, self.low_open, self.high_open)
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The value {shown(value)} is out of range.",
                f"Use a number {limits}{self._unit()}.{self._in_thousands(number)}",
            )
        return int(number) if whole else number

    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _without_unit(self, text: str, whole: bool) -> str:
        """Say which unit is meant, and what to write where that is sure."""
        sentence = f"The unit here is {self.unit}" if self.unit else "Numbers have no unit here"
        number = plain_number(text, self.unit)
        if number is None or self._outside(number) or (whole and number != int(number)):
            limits = _range_text(self.low, self.high, self.low_open, self.high_open)
            return f"{sentence}; write the number alone{f', {limits}' if limits else ''}."
        return f"{sentence}; write {number:.15g}."

    def _in_thousands(self, number: float) -> str:
        """Say what a rate is that was given in bit/s."""
        fits = self.unit == "kbit/s" and not self._outside(number / 1000)
        return f" {number:.15g} bit/s are {number / 1000:.15g}." if fits else ""

    def _outside(self, number: float) -> bool:
        below = self.low is not None and (
            number < self.low or (self.low_open and number == self.low)
        )
        above = self.high is not None and (
            number > self.high or (self.high_open and number == self.high)
        )
        return below or above

    def _parse(self, value: Any, whole: bool) -> float:
        _require_content(value)
        if isinstance(value, str):
            if re.fullmatch(_NUMERAL, value, re.ASCII):
                if len(value) > _MOST_DIGITS:
                    message = f"The value {shown(value)} has too many digits."
                    remedy = f"Use at most {_MOST_DIGITS}."
                    raise wire_error(Code.NUMBER_FORMAT, message, remedy)
                value = float(value)
            elif has_unit(value):
                message = f"The value {shown(value)} is a number with a unit."
                raise wire_error(Code.NUMBER_FORMAT, message, self._without_unit(value, whole))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wire_error(Code.NUMBER_FORMAT, f"The value {shown(value)} is not a number.")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise wire_error(Code.NUMBER_FORMAT, f"The value {shown(value)} is not a number.")
        return number


@dataclass(frozen=True)
class Text:
    """Annotation of `str`: limits in bytes of UTF-8, a pattern, the form in words."""

    max_bytes: int | None = None
    pattern: str = ""
    form: str = ""
    empty: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with `check`."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Describe the string; JSON Schema counts characters, so the byte limit is an upper one."""
        text: dict[str, Any] = {"type": "string"}
        if not self.empty:
            text["minLength"] = 1
        if self.max_bytes:
            text["maxLength"] = self.max_bytes
        if self.pattern:
            text["pattern"] = f"^(?:{self.pattern})$"
        return text

    def check(self, value: Any) -> str:
        """Return the string. Raises PydanticCustomError."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise wire_error(Code.FORMAT, f"The value {shown(value)} is not a string.")
        text = str(value)
        if not self.empty:
            _require_content(text)
        size = len(text.encode("utf-8", "surrogatepass"))
        if self.max_bytes is not None and size > self.max_bytes:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The value {shown(text)} has {size} bytes.",
                f"Use at most {self.max_bytes} bytes.",
            )
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise wire_error(
                Code.FORMAT,
                f"The value {shown(text)} does not have the right form.",
                f"Use {self.form or self.pattern}.",
            )
        return text


@dataclass(frozen=True)
class Choice:
    """Annotation of `str`: one of some words; `any_case` accepts other capitals.

    `later` lists words of the specification that this version refuses by name. `other` is the code
    of any other word.
    """

    words: tuple[str, ...]
    any_case: bool = False
    aliases: tuple[tuple[str, str], ...] = ()
    later: tuple[str, ...] = ()
    other: str = Code.INVALID

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with `check`."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """List the words."""
        return {"type": "string", "enum": [*self.words, *(a for a, _ in self.aliases)]}

    def check(self, value: Any) -> str:
        """Return the word in its own spelling. Raises PydanticCustomError."""
        _require_content(value)
        # of other letters some become Latin ones, such as the sign of kelvin
        if isinstance(value, str) and value.isascii():
            text = value.lower() if self.any_case else value
            for word in self.words:
                if text == (word.lower() if self.any_case else word):
                    return word
            for alias, word in self.aliases:
                if text == (alias.lower() if self.any_case else alias):
                    return word
            for word in self.later:
                if text.lower() == word.lower():
                    raise wire_error(
                        Code.NOT_SUPPORTED,
                        f"The value {shown(value)} is not supported by this version.",
                        f"Use one of {', '.join(self.words)}.",
                    )
        raise wire_error(
            self.other,
            f"The value {shown(value)} is not one of the allowed words.",
            f"Use one of {', '.join(self.words)}.",
        )


class Boolean:
    """Annotation of `bool`: a JSON boolean or the words true and false in any case."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with `check`."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Describe both forms."""
        words = ["true", "false", "True", "False"]
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": words}]}

    def check(self, value: Any) -> bool:
        """Return the boolean. Raises PydanticCustomError."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise wire_error(
            Code.FORMAT, f"The value {shown(value)} is not a boolean.", "Use true or false."
        )


def _decode(value: Any, wanted: type, code: Code, word: str) -> Any:
    if isinstance(value, BaseModel):
        return value
    try:
        decoded = decode_json(value)
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError):
            why = f": {error.msg} at character {error.pos + 1}"
        else:
            why = ": it nests too deep" if isinstance(error, RecursionError) else f": {error}"
        raise wire_error(
            code,
            f"The string {shown(value)} does not hold a JSON {word}{why}.",
            f"Write a JSON {word}, or a string that holds one.",
        ) from None
    if not isinstance(decoded, wanted):
        raise wire_error(
            code, f"The value {shown(value)} is not a JSON {word}.", f"Write a JSON {word}."
        )
    return decoded


def _string_or(name: str) -> dict[str, Any]:
    return {
        "type": "string",
        "contentMediaType": "application/json",
        "description": f"the {name}, encoded as a string",
    }


class _Json:
    """Decode, then continue with the annotated type; the schema allows the string form too."""

    def __init__(self, wanted: type, code: Code, word: str) -> None:
        self._wanted, self._code, self._word = wanted, code, word

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: _decode(value, self._wanted, self._code, self._word), handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"anyOf": [handler(schema), _string_or(self._word)]}


#: a JSON object, or a string that holds one
JsonObject = _Json(dict, Code.JSON_OBJECT_FORMAT, "object")
#: a JSON array, or a string that holds one
JsonArray = _Json(list, Code.JSON_ARRAY_FORMAT, "array")


#: hours and minutes may be missing
_CLOCK = r"\s*(\d{1,32}:){0,2}\d{1,32}(\.\d+)?\s*"


def _clock_seconds(value: Any) -> float:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(_CLOCK, text, re.ASCII):
        meant = seconds_of(text)
        raise wire_error(
            Code.FORMAT,
            f"The value {shown(value)} is not a time.",
            "Use hh:mm:ss[.SSS] or seconds[.SSS]" + (f": {meant:g}." if meant else "."),
        )
    first, *others = (float(part) for part in text.split(":"))
    seconds = first
    for part in others:
        seconds = seconds * 60 + part
    if seconds > 86399.999 or any(part >= 60 for part in others):
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The time {shown(value)} is out of range.",
            "Use at most 23:59:59.999, with less than 60 minutes and seconds.",
        )
    return seconds


#: seconds, from `hh:mm:ss[.SSS]`, `mm:ss` or plain seconds (specification, transcode, 8)
ClockTime = Annotated[float, BeforeValidator(_clock_seconds)]


class WireModel(BaseModel):
    """Base of every parameters model: Pascal-case wire names, unknown keys kept.

    Optional fields may come as `null` or `""`, which mean absent. Fields named in `later` belong
    to the specification but not yet to this version: using one is an error, never ignored. Those
    named in `echoed` are fields of answers, which come back in what was copied out of one.
    """

    model_config = ConfigDict(
        alias_generator=to_pascal, extra="allow", frozen=True, arbitrary_types_allowed=False
    )

    #: wire names of the specification that this version refuses
    later: ClassVar[frozenset[str]] = frozenset()
    #: wire names of answers, which have no effect in a request, with a warning
    echoed: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _drop_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        values = cast("dict[str, Any]", data)
        required = _required_names(cls)
        return {k: v for k, v in values.items() if v is not None and (v != "" or k in required)}


@cache
def _required_names(model: type[WireModel]) -> frozenset[str]:
    fields = [field for field in model.model_fields.values() if field.is_required()]
    return frozenset(name for field in fields for name in wire_names(field))


def wire_names(field: FieldInfo) -> Iterable[str]:
    """Return the names under which a field may be given."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(name) for name in field.validation_alias.choices]
    return [field.alias or ""]


def models_inside(model: WireModel) -> Sequence[tuple[tuple[str | int, ...], WireModel]]:
    """Return a model and all models inside it, each with its path in wire names."""
    found: list[tuple[tuple[str | int, ...], WireModel]] = []
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), model)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, WireModel):
            found.append((path, value))
            for name, field in type(value).model_fields.items():
                waiting.append(((*path, field.alias or name), getattr(value, name)))
        elif isinstance(value, tuple | list):
            items = cast("Sequence[object]", value)
            waiting.extend(((*path, index), item) for index, item in enumerate(items))
        elif isinstance(value, dict):
            members = cast("dict[str, object]", value)
            waiting.extend(((*path, key), item) for key, item in members.items())
    return found
