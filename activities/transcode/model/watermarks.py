"""Watermarks as an output writes them. Specification: transcode, 9 and its C-11.

What they look like on the picture stands in `features/watermarks.py`.
"""

from typing import Annotated

from pydantic import AfterValidator

from activities.colors import ColorName
from activities.fonts import DEFAULT_FONT
from activities.objects import ObjectTarget
from activities.templates.watermark import WatermarkPlacement
from workflow_engine.errors import Code
from workflow_engine.topology.encoded import base64_bytes
from workflow_engine.topology.wire import (
    Choice,
    JsonObject,
    Number,
    Text,
    WireModel,
    shown,
    wire_error,
)

#: most watermarks of one output
MAX_WATERMARKS = 4
#: bytes of UTF-8; longer texts fit on no picture
MAX_TEXT = 1024


def _decoded(content: str) -> str:
    """Return the text inside a Content."""
    try:
        # line breaks and blanks inside are what encoders put there
        text = base64_bytes("".join(content.split())).decode("utf-8")
    except ValueError:
        raise wire_error(
            Code.FORMAT,
            f"The value {shown(content)} is not the Base64 of a UTF-8 text.",
            "Encode the text as UTF-8, then as Base64.",
        ) from None
    text = text.replace("\r\n", "\n")
    if not text.strip():
        raise wire_error(Code.EMPTY_VALUE, "The text is empty.", "Give a text, Base64 encoded.")
    if len(text.encode()) > MAX_TEXT:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The text has {len(text.encode())} bytes.",
            f"Use at most {MAX_TEXT} bytes of UTF-8.",
        )
    if any(character < " " and character not in "\n\t" for character in text):
        raise wire_error(
            Code.FORMAT, "The text has a control character.", "Use line feeds and tabs only."
        )
    return text


class TextWaterMark(WireModel):
    """A text on the picture; sizes and places in pixels of the output. `content` is decoded."""

    content: Annotated[str, Text(), AfterValidator(_decoded)]
    font_name: Annotated[str, Text(max_bytes=128)] = DEFAULT_FONT
    font_size: Annotated[int, Number(4, 120, low_open=True, high_open=True)] = 16
    font_color: ColorName = "Black"
    font_alpha: Annotated[float, Number(0, 1, low_open=True)] = 1.0
    top: Annotated[int, Number(0, 4096)] = 0
    left: Annotated[int, Number(0, 4096)] = 0
    border_width: Annotated[int, Number(0, 4096)] = 0
    border_color: ColorName = "Black"


class WaterMark(WatermarkPlacement):
    """A picture, a moving picture or a text over the video; what it gives replaces its template."""

    water_mark_template_id: Annotated[str, Text()] | None = None
    type: Annotated[str, Choice(("Image", "Text"))] = "Image"
    input_file: Annotated[ObjectTarget, JsonObject] | None = None
    text_water_mark: Annotated[TextWaterMark, JsonObject] | None = None


def _count(watermarks: tuple[WaterMark, ...]) -> tuple[WaterMark, ...]:
    if len(watermarks) > MAX_WATERMARKS:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The list has {len(watermarks)} watermarks.",
            f"Give at most {MAX_WATERMARKS}.",
        )
    return watermarks


#: checks the length of a list of watermarks
at_most = AfterValidator(_count)
