"""Subtitles as a value: styles and events, and how they are written as ASS."""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from workflow_engine.records import Json

#: events of one file
MAX_EVENTS = 20_000
#: characters of one event
MAX_TEXT = 2_000
#: the fields of a style with their defaults, in the order in which they are written
STYLE = {
    "Name": "Default",
    "Fontname": "",
    "Fontsize": "20",
    "PrimaryColour": "&H00FFFFFF",
    "SecondaryColour": "&H000000FF",
    "OutlineColour": "&H00000000",
    "BackColour": "&H80000000",
    "Bold": "0",
    "Italic": "0",
    "Underline": "0",
    "StrikeOut": "0",
    "ScaleX": "100",
    "ScaleY": "100",
    "Spacing": "0",
    "Angle": "0",
    "BorderStyle": "1",
    "Outline": "1",
    "Shadow": "0",
    "Alignment": "2",
    "MarginL": "16",
    "MarginR": "16",
    "MarginV": "10",
    "Encoding": "1",
}
#: alignments at the lower edge
_BELOW = ("1", "2", "3")
#: the share of the height that the lines of one file take at most from those above it
_MOST_TALL = 0.25
#: the share of the size of a line that a Chinese character is wide
_EM = 0.69

_TAGS = re.compile(r"\{[^}]*\}")
#: tags, escapes and single characters
_PARTS = re.compile(r"\{[^}]*\}|\\.|.", re.DOTALL)


class SubtitleError(ValueError):
    """A subtitle file that cannot be used; a clause that says why."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A text and its time, in milliseconds; `text` is in the notation of ASS."""

    start: int
    end: int
    text: str
    style: str = "Default"
    layer: int = 0
    margins: tuple[int, int, int] = (0, 0, 0)  # left, right, vertical; 0 takes the style's


@dataclass(frozen=True, kw_only=True)
class SubtitleDocument:
    """A subtitle file; sizes and places are in units of a picture of `width` x `height`.

    `plain` means that it had neither: it may be given those of any picture.
    """

    width: int
    height: int
    styles: tuple[Mapping[str, str], ...]
    events: tuple[Event, ...]
    wrap: int = 0
    plain: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return the facts that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SubtitleDocument":
        """Read what `to_json` wrote."""
        return cls(
            width=data["width"],
            height=data["height"],
            styles=tuple(data["styles"]),
            events=tuple(map(_event, data["events"])),
            wrap=data["wrap"],
            plain=data["plain"],
        )

    def between(self, begin: float, end: float) -> "SubtitleDocument":
        """Return what is left of the seconds from `begin` to `end`, which is 0 afterwards."""
        first = round(begin * 1000)
        last = math.inf if math.isinf(end) else round(end * 1000)
        events = tuple(
            replace(
                event,
                start=max(event.start, first) - first,
                end=int(min(event.end, last)) - first,
            )
            for event in self.events
            if event.end > first and event.start < last
        )
        return replace(self, events=events)

    @property
    def tall(self) -> float:
        """The share of the height that the longest event at the lower edge takes."""
        sizes = {style["Name"]: float(style["Fontsize"]) for style in self._below}
        most = max(
            (self._lines(e.text) * sizes[e.style] for e in self.events if e.style in sizes),
            default=0.0,
        )
        return min(most / self.height, _MOST_TALL)

    def raised(self, share: float) -> "SubtitleDocument":
        """Return the document with a share of the height left free at the lower edge."""
        lift = round(share * self.height)
        below = {style["Name"] for style in self._below}
        styles = tuple(
            {**style, "MarginV": str(int(style["MarginV"]) + lift)}
            if style["Name"] in below
            else style
            for style in self.styles
        )
        events = tuple(
            replace(event, margins=(*event.margins[:2], event.margins[2] + lift))
            if event.margins[2] and event.style in below
            else event
            for event in self.events
        )
        return replace(self, styles=styles, events=events)

    def fitted(self, width: int, height: int) -> "SubtitleDocument":
        """Return a plain document for the shape of a picture, its long lines broken.

        libass breaks lines at blanks only, and Chinese has none.
        """
        if not self.plain:
            return self
        shaped = replace(self, width=round(self.height * width / height))
        events = tuple(
            replace(event, text=_broken(event.text, shaped._most)) for event in self.events
        )
        return replace(shaped, events=events)

    @property
    def _below(self) -> list[Mapping[str, str]]:
        return [style for style in self.styles if style["Alignment"] in _BELOW]

    @property
    def _most(self) -> float:
        """How many wide characters a line of a plain document takes."""
        style = self.styles[0]
        room = self.width - int(style["MarginL"]) - int(style["MarginR"])
        return max(1.0, room / (float(style["Fontsize"]) * _EM))

    def _lines(self, text: str) -> int:
        lines = _TAGS.sub("", text).split("\\N")
        if not self.plain:
            return len(lines)
        return sum(max(1, math.ceil(sum(map(_wide, line)) / self._most)) for line in lines)

    def __str__(self) -> str:
        """The ASS file."""
        lines = [
            "[Script Info]",
            "ScriptType: v4.00+",
            f"PlayResX: {self.width}",
            f"PlayResY: {self.height}",
            f"WrapStyle: {self.wrap}",
            "ScaledBorderAndShadow: yes",
            "[V4+ Styles]",
            f"Format: {', '.join(STYLE)}",
            *(f"Style: {','.join(style[name] for name in STYLE)}" for style in self.styles),
            "[Events]",
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
            *map(_line, self.events),
        ]
        return "\n".join(lines) + "\n"


def _event(data: Mapping[str, Any]) -> Event:
    left, right, vertical = data["margins"]
    return Event(
        start=data["start"],
        end=data["end"],
        text=data["text"],
        style=data["style"],
        layer=data["layer"],
        margins=(left, right, vertical),
    )


def _line(event: Event) -> str:
    margins = ",".join(map(str, event.margins))
    times = f"{_clock(event.start)},{_clock(event.end)}"
    return f"Dialogue: {event.layer},{times},{event.style},,{margins},,{event.text}"


def _clock(milliseconds: int) -> str:
    # upwards: a frame at a whole hundredth is inside exactly when it was inside before
    hundredths = -(-milliseconds // 10)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 100:02}.{rest % 100:02}"


def _wide(character: str) -> float:
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else 0.5


def _broken(text: str, most: float) -> str:
    """Break lines of wide characters that are longer than `most` of them."""
    broken: list[str] = []
    length = 0.0
    for part in _PARTS.findall(text):
        if part == "\\N":
            length = 0.0
        elif not part.startswith("{"):
            length += _wide(part[-1])
            if length > most and _wide(part[-1]) == 1.0:
                broken.append("\\N")
                length = 1.0
        broken.append(part)
    return "".join(broken)
