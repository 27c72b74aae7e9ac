"""ass files: styles and events as they are, in bounds, without anything else.

A font of any size, a drawing or an outline of any extent would fill the memory of the renderer,
and embedded fonts would be read by it.
"""

import re
from collections.abc import Iterator, Mapping

from activities.fonts import face_of
from activities.subtitles.document import (
    MAX_EVENTS,
    MAX_TEXT,
    STYLE,
    Event,
    SubtitleDocument,
    SubtitleError,
)

#: of a picture that the file does not give the size of
_DEFAULT_SIZE = (384, 288)
_MAX_SIDE = 8192
#: percent
_MAX_SCALE = 300.0
_MAX_STYLE_SCALE = 200.0
_MAX_MARGIN = 8192

_SECTION = re.compile(r"\[([^\]]+)\]")
_CLOCK = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[.:](\d{1,3})")
_COLOUR = re.compile(r"&H[0-9A-Fa-f]{1,8}&?|-?\d{1,10}")
_BLOCK = re.compile(r"(\{[^}]*\})")
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_DRAWING = re.compile(r"\\p\s*[1-9]")
_SCALE = re.compile(r"\\fsc[xy]\s*(\d+\.?\d*)")
#: a tag behind its backslash, up to the next one
_TAG = re.compile(r"\\([^\\]*)")
_NAME = re.compile(
    r"fn|fscx|fscy|fsp|fs|frx|fry|frz|fr|fax|fay|[xy]?bord|[xy]?shad|blur|be|pos|move|org|"
    r"i?clip|pbo"
)
_COLOURS = ("PrimaryColour", "SecondaryColour", "OutlineColour", "BackColour")

Row = Mapping[str, str]


def is_ass(text: str) -> bool:
    """Whether a text is an ass file."""
    return text.lstrip().lower().startswith("[script info]")


def read_ass(text: str, font: str) -> SubtitleDocument:
    """Return styles and events; `font` replaces all fonts unless it is empty.

    Raises SubtitleError.
    """
    sections = _sections(text)
    info = dict(_pairs(sections.get("script info", [])))
    size = _size(info)
    bounds = _Bounds(size, face_of(font) if font else "")
    styles = [bounds.style(row) for row in _rows(sections.get("v4+ styles", []), "style", 23)]
    if not any(style["Name"] == "Default" for style in styles):
        styles.insert(0, bounds.style({}))
    named = {style["Name"] for style in styles}
    events: list[Event] = []
    for row in _rows(sections.get("events", []), "dialogue", 10):
        event = _event(row, named, bounds)
        if event:
            events.append(event)
        if len(events) > MAX_EVENTS:
            raise SubtitleError(f"it has more than {MAX_EVENTS} texts")
    wrap = info.get("wrapstyle", "0")
    return SubtitleDocument(
        width=size[0],
        height=size[1],
        styles=tuple(styles),
        events=tuple(events),
        wrap=int(wrap) if wrap in ("0", "1", "2", "3") else 0,
    )


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.strip()
        if head := _SECTION.fullmatch(line):
            lines = sections.setdefault(head[1].strip().lower(), [])
        elif line and not line.startswith((";", "!:")):
            lines.append(line)
    return sections


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _rows(lines: list[str], kind: str, columns: int) -> Iterator[Row]:
    """Yield the rows of a section by the names of its Format line."""
    names: list[str] = []
    for key, value in _pairs(lines):
        if key == "format":
            names = [name.strip().lower() for name in value.split(",")][: 2 * columns]
        elif key == kind and names:
            # the last column, the text, may hold commas
            yield dict(zip(names, value.split(",", len(names) - 1), strict=False))


def _size(info: Row) -> tuple[int, int]:
    fields = [info.get(name, "") for name in ("playresx", "playresy")]
    wide, high = (int(g) if re.fullmatch(r"\d{1,4}", g) else 0 for g in fields)
    if not wide and not high:
        return _DEFAULT_SIZE
    # as libass does: 4 to 3
    wide, high = wide or high * 4 // 3, high or wide * 3 // 4
    return min(max(wide, 16), _MAX_SIDE), min(max(high, 16), _MAX_SIDE)


def _event(row: Row, styles: set[str], bounds: "_Bounds") -> Event | None:
    times = [_CLOCK.fullmatch(row.get(name, "").strip()) for name in ("start", "end")]
    text = row.get("text", "")
    if len(text) > MAX_TEXT:
        raise SubtitleError(f"a text has more than {MAX_TEXT} characters: {text[:40]}")
    if not all(times) or not text:
        return None
    start, end = (_milliseconds(time) for time in times if time)
    style = row.get("style", "").strip().lstrip("*")
    left, right, vertical = (_whole(row.get(f"margin{side}", ""), _MAX_MARGIN) for side in "lrv")
    return Event(
        start=start,
        end=end,
        text=bounds.text(text),
        style=style if style in styles else "Default",
        layer=_whole(row.get("layer", ""), 1000),
        margins=(left, right, vertical),
    )


def _milliseconds(time: re.Match[str]) -> int:
    hours, minutes, seconds, fraction = time.groups()
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(fraction.ljust(3, "0"))


def _whole(value: str, most: int) -> int:
    return min(int(value), most) if re.fullmatch(r"\s*\d{1,6}\s*", value) else 0


class _Bounds:
    """What a style and a tag may ask for, on a picture of a size."""

    def __init__(self, size: tuple[int, int], face: str) -> None:
        self._face = face
        wide, high = float(size[0]), float(size[1])
        # times the scale of a style, a drawing is some pictures wide
        most = 2 * max(size)
        self._style: Mapping[str, tuple[float, float]] = {
            "Fontsize": (1, high),
            "Bold": (-1, 1000),
            **dict.fromkeys(("Italic", "Underline", "StrikeOut"), (-1, 1)),
            **dict.fromkeys(("ScaleX", "ScaleY"), (1, _MAX_STYLE_SCALE)),
            "Spacing": (-wide, wide),
            "Angle": (-360, 360),
            "BorderStyle": (1, 4),
            **dict.fromkeys(("Outline", "Shadow"), (0, high / 4)),
            "Alignment": (1, 9),
            **dict.fromkeys(("MarginL", "MarginR", "MarginV"), (0, _MAX_MARGIN)),
        }
        self._tags: Mapping[str, float] = {
            "fs": high,
            **dict.fromkeys(("fscx", "fscy"), _MAX_SCALE),
            "fsp": wide,
            **dict.fromkeys(("frx", "fry", "frz", "fr"), 3600),
            **dict.fromkeys(("fax", "fay"), 2),
            **dict.fromkeys(("bord", "xbord", "ybord", "shad", "xshad", "yshad"), high / 4),
            **dict.fromkeys(("blur", "be"), 10),
            # milliseconds too
            **dict.fromkeys(("pos", "move", "org"), 100_000),
            **dict.fromkeys(("clip", "iclip", "pbo"), most),
        }
        self._drawing = most

    def style(self, row: Row) -> dict[str, str]:
        """Return all fields of a style."""
        style = dict(STYLE)
        for name in STYLE:
            text = row.get(name.lower(), "").strip()
            if name in self._style:
                style[name] = self._number(name, text)
            elif name in _COLOURS and _COLOUR.fullmatch(text):
                style[name] = text
        style["Name"] = row.get("name", "").strip().lstrip("*") or "Default"
        style["Fontname"] = self._face or face_of(row.get("fontname", "").strip())
        return style

    def _number(self, name: str, text: str) -> str:
        low, high = self._style[name]
        if not re.fullmatch(r"[+-]?(?:\d{1,9}\.?\d{0,9}|\.\d{1,9})", text):
            return STYLE[name]
        value = min(max(float(text), low), high)
        return str(int(value)) if value == int(value) or "Margin" in name else f"{value:.3f}"

    def text(self, text: str) -> str:
        """Return the text of an event with its tags in bounds."""
        parts = _BLOCK.split(_TAG.sub(self._tag, text))
        if _DRAWING.search(text):
            scales = [min(float(scale), _MAX_SCALE) for scale in _SCALE.findall("".join(parts))]
            most = self._drawing * 100 / max(100.0, *scales, 0.0)
            parts = [p if p.startswith("{") else _limited(p, most) for p in parts]
        return "".join(parts)

    def _tag(self, tag: re.Match[str]) -> str:
        name = _NAME.match(tag[1].lstrip())
        if name is None:
            return tag[0]
        rest = tag[1].lstrip()[name.end() :]
        if name[0] == "fn":
            font, brace, behind = rest.partition("}")
            return f"\\fn{self._face or face_of(font.strip())}{brace}{behind}"
        value, brace, behind = rest.partition("}")
        return f"\\{name[0]}{_limited(value, self._tags[name[0]])}{brace}{behind}"


def _limited(text: str, most: float) -> str:
    """Return a text without numbers above `most`."""

    def limit(number: re.Match[str]) -> str:
        try:
            inside = float(number[0]) <= most
        except (ValueError, OverflowError):
            inside = False
        return number[0] if inside else f"{most:g}"

    return _NUMBER.sub(limit, text)
