"""The Config of a watermark template (specification, transcode, 9 and its C-11 and C-12).

Numbers keep the form in which they were given: what is stored and answered is what was written;
`pixels` reads them.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ValidationError

from activities.templates.document import TemplateDocument
from workflow_engine.activity import TemplateLookup
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import Json
from workflow_engine.topology.wire import Choice, JsonObject, Number, WireModel, shown, wire_error

#: pixels; the largest side and offset
MAX_PIXELS = 4096
#: decimals count to this place, the rest is dropped
SMALLEST_SHARE = Decimal("0.0001")
#: the corners that offsets count from
CORNERS = ("TopRight", "TopLeft", "BottomRight", "BottomLeft")

_PIXELS = re.compile(r"\s*(-?\d+)\s*px\s*", re.ASCII)
_SECONDS = Number(0, unit="seconds")
_LENGTH = Number(0, low_open=True, unit="seconds")


def _extent(low: int) -> BeforeValidator:
    """Validate whole pixels in [low, MAX_PIXELS], or a share of the output's size."""

    def check(value: Any) -> Any:
        pixels = _PIXELS.fullmatch(value) if isinstance(value, str) else None
        Number().check(pixels[1] if pixels else value, whole=pixels is not None)
        number = _decimal(value)
        inside = low <= number <= MAX_PIXELS
        if not (inside if number == number.to_integral_value() else SMALLEST_SHARE <= number < 1):
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The value {shown(value)} is out of range.",
                f"Use whole pixels in [{low}, {MAX_PIXELS}], or a share of the output's size in "
                "(0, 1), of which 4 decimals count.",
            )
        return value

    return BeforeValidator(check)


def _start(value: Any) -> Any:
    _SECONDS.check(value, whole=False)
    return value


def _duration(value: Any) -> Any:
    if value != "ToEND":
        _LENGTH.check(value, whole=False)
    return value


#: a number or a string that holds one
Given = str | int | float
Side = Annotated[Given, _extent(8)]
Offset = Annotated[Given, _extent(-MAX_PIXELS)]


class WatermarkTimeline(WireModel):
    """When the watermark is seen: `start` in seconds, `duration` in seconds or `ToEND`."""

    start: Annotated[Given, BeforeValidator(_start)] = "0"
    duration: Annotated[Given, BeforeValidator(_duration)] = "ToEND"


class WatermarkPlacement(WireModel):
    """Size, place and time of a watermark; offsets count inwards from the corner `refer_pos`.

    No side means a width of 0.12 of the output's, one side keeps the picture's ratio.
    """

    # the specification has it in answers only
    later: ClassVar[frozenset[str]] = frozenset({"RatioRefer"})

    width: Side | None = None
    height: Side | None = None
    dx: Offset = "0"
    dy: Offset = "0"
    refer_pos: Annotated[str, Choice(CORNERS)] = "TopRight"
    timeline: Annotated[WatermarkTimeline, JsonObject] | None = None


class WaterMarkConfig(WatermarkPlacement, TemplateDocument):
    """A watermark template."""

    # a text belongs to an output, not to a template
    type: Annotated[str, Choice(("Image",), later=("Text",))] = "Image"


def pixels(value: Given, whole: int) -> int:
    """Return a side or an offset in pixels; a share is one of `whole`, cut to 4 decimals."""
    number = _decimal(value)
    if number == number.to_integral_value():
        return int(number)
    return round(number.quantize(SMALLEST_SHARE, rounding=ROUND_DOWN) * whole)


def _decimal(value: Given) -> Decimal:
    return Decimal(str(value).strip().removesuffix("px").strip())


def find_watermark(template_id: str, custom: TemplateLookup) -> WaterMarkConfig:
    """Return the Config of a custom watermark template.

    Raises InvalidInputError, its pointer relative to a watermark:
    `InvalidParameter.TemplateNotFound`, or what is wrong with the Config.
    """
    config: Mapping[str, Json] | None = (custom(template_id) or {}).get("Config")
    if config is None:
        raise InvalidInputError(
            Code.TEMPLATE_NOT_FOUND,
            f'There is no watermark template with the id "{template_id}".',
            pointer="/WaterMarkTemplateId",
            remedy="Use the id of a watermark template that is not deleted, or leave it out.",
        )
    try:
        return WaterMarkConfig.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInputError(
            Code.INVALID,
            f'The watermark template "{template_id}" cannot be used: '
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            pointer="/WaterMarkTemplateId",
            remedy="Update the template, or use another one.",
        ) from error
