"""Styles and regions of TTML as a cue of WebVTT can show them (https://www.w3.org/TR/ttml2/, 8, 9).

A cue knows italics, bold, underline and eight colours, and where its first line stands. A region
becomes that: its box, `displayAlign`, `textAlign` and `writingMode`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from activities.subtitles.cues import settings_of
from activities.subtitles.markup import Look, colour_class
from activities.subtitles.xml_tree import Element

Attributes = Mapping[str, str]

_NAMESPACES = ("http://www.w3.org/ns/ttml", "http://www.w3.org/2006/")
#: attributes that are read; a hostile style may have any number of others
_READ = {
    *("begin", "end", "dur", "timeContainer", "region", "style", "id", "display", "visibility"),
    *("fontStyle", "fontWeight", "textDecoration", "color", "ruby", "textAlign", "writingMode"),
    *("displayAlign", "origin", "extent", "cellResolution", "timeBase", "frameRate", "dropMode"),
    *("frameRateMultiplier", "subFrameRate", "tickRate"),
}
_NAMED = {
    "black": (0, 0, 0),
    "silver": (192, 192, 192),
    "gray": (128, 128, 128),
    "white": (255, 255, 255),
    "maroon": (128, 0, 0),
    "red": (255, 0, 0),
    "purple": (128, 0, 128),
    "fuchsia": (255, 0, 255),
    "magenta": (255, 0, 255),
    "green": (0, 128, 0),
    "lime": (0, 255, 0),
    "olive": (128, 128, 0),
    "yellow": (255, 255, 0),
    "navy": (0, 0, 128),
    "blue": (0, 0, 255),
    "teal": (0, 128, 128),
    "aqua": (0, 255, 255),
    "cyan": (0, 255, 255),
}
_HEX = re.compile(r"#([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})(?:[0-9A-Fa-f]{2})?")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?:,\s*\d{1,3}\s*)?\)")
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)(%|px|c|rw|rh)")
_RUBY = {"base": "base", "text": "text", "baseContainer": "base", "textContainer": "text"}
_VERTICAL = {"tbrl": "rl", "tb": "rl", "tblr": "lr"}
#: percent of the height that a line takes
_LINE = 6.0
#: percent; what ends below is at the lower edge, where players put it
_LOW = 70.0
#: percent; regions that are narrower, or as far from the middle, say where their text is
_WIDE, _ASIDE = 60.0, 5.0


def is_ttml_namespace(namespace: str) -> bool:
    """Whether a namespace is one of TTML, its drafts or its profiles; none is taken for it."""
    return not namespace or namespace.startswith(_NAMESPACES)


def attributes_of(element: Element) -> Attributes:
    """Return the attributes of an element that are TTML's and read here, by their names."""
    return {
        name: value
        for (namespace, name), value in element.attributes.items()
        if name in _READ and is_ttml_namespace(namespace)
    }


class Styles:
    """The styles and regions of a document, by their ids."""

    def __init__(self, root: Element) -> None:
        heads = root.elements("head")
        self._root = attributes_of(root)
        self._elements: dict[str, Element] = {}
        self._resolved: dict[str, Attributes] = {}
        for group, name in (("styling", "style"), ("layout", "region")):
            parents = [one for head in heads for one in head.elements(group)]
            for element in (one for parent in parents for one in parent.elements(name)):
                if identity := element.xml("id") or attributes_of(element).get("id"):
                    self._elements.setdefault(identity, element)

    def of(self, element: Element) -> Attributes:
        """Return the attributes of an element, those of the styles that it refers to included."""
        own = attributes_of(element)
        merged: Attributes = {}
        for identity in own.get("style", "").split():
            merged = {**merged, **self.named(identity)}
        if element.name == "region":
            for style in element.elements("style"):
                merged = {**merged, **self.of(style)}
        return {**merged, **own}

    def named(self, identity: str) -> Attributes:
        """Return the attributes of a style or region, empty when there is none of this id."""
        if identity not in self._resolved:
            # what refers to itself finds nothing there
            self._resolved[identity] = {}
            if element := self._elements.get(identity):
                self._resolved[identity] = self.of(element)
        return self._resolved[identity]

    def settings(self, region: Attributes, chain: Iterable[Attributes], lines: int) -> str:
        """Return the cue settings of a text of so many lines in a region.

        `chain` are the attributes of the elements around the text, from outside to inside.
        """
        align = region.get("textAlign", "start" if region else "")
        for attributes in chain:
            align = attributes.get("textAlign", align)
        if vertical := _VERTICAL.get(region.get("writingMode", "")):
            return f"vertical:{vertical}"
        box = self._box(region)
        if box is None:
            return settings_of(align=align)
        left, top, width, height = box
        line = _line(region.get("displayAlign", "before"), top, height, lines)
        settings = settings_of(line=line, align=align)
        middle = left + width / 2
        if align == "center" and width >= _WIDE and abs(middle - 50) <= _ASIDE:
            return settings
        at = {"center": middle, "end": left + width, "right": left + width}.get(align, left)
        return f"{settings} position:{at:.4g}% size:{width:.4g}%".lstrip()

    def _box(self, region: Attributes) -> tuple[float, float, float, float] | None:
        """Return left, top, width and height in percent of the picture, None when not given."""
        lengths = f"{region.get('origin', '')} {region.get('extent', '')}".split()
        percents = [self._percent(text, across=n % 2 == 0) for n, text in enumerate(lengths)]
        known = [min(one, 100.0) for one in percents if one is not None]
        if len(known) != 4:
            return None
        left, top, width, height = known
        return left, top, min(width, 100 - left), min(height, 100 - top)

    def _percent(self, text: str, *, across: bool) -> float | None:
        length = _LENGTH.fullmatch(text)
        if length is None:
            return None
        number, unit = float(length[1]), length[2]
        if unit == "px":
            whole = _pair(self._root.get("extent", ""), "px")
        elif unit == "c":
            whole = _pair(self._root.get("cellResolution", "32 15"), "")
        else:
            return number
        return 100 * number / whole[not across] if whole else None


def _pair(text: str, unit: str) -> tuple[float, float] | None:
    numbers = re.fullmatch(rf"\s*([1-9]\d{{0,5}}){unit}\s+([1-9]\d{{0,5}}){unit}\s*", text)
    return (float(numbers[1]), float(numbers[2])) if numbers else None


def _line(display: str, top: float, height: float, lines: int) -> float | None:
    """Return how many percent lie above the first of so many lines, None at the lower edge."""
    tall = lines * _LINE
    share = {"after": 1.0, "center": 0.5}.get(display, 0.0)
    line = max(top + (height - tall) * share, 0.0)
    return None if line + tall >= _LOW else line


def changed(look: Look, attributes: Attributes) -> Look:
    """Return the look inside an element with these attributes."""
    if style := attributes.get("fontStyle"):
        look = look.styled("i", on=style in ("italic", "oblique"))
    if weight := attributes.get("fontWeight"):
        look = look.styled("b", on=weight == "bold")
    decoration = attributes.get("textDecoration", "").split()
    if {"underline", "noUnderline", "none"} & {*decoration}:
        look = look.styled("u", on="underline" in decoration)
    if colour := attributes.get("color"):
        look = replace(look, colour=_colour(colour))
    return replace(look, ruby=_RUBY.get(attributes.get("ruby", ""), look.ruby))


def look_of(chain: Sequence[Attributes]) -> Look:
    """Return the look inside elements with these attributes, from outside to inside."""
    look = Look()
    for attributes in chain:
        look = changed(look, attributes)
    return look


def hidden(attributes: Attributes) -> bool:
    """Whether an element shows nothing."""
    return (
        attributes.get("display") == "none"
        or attributes.get("visibility") == "hidden"
        or attributes.get("ruby") == "delimiter"
    )


def _colour(text: str) -> str:
    text = text.strip().lower()
    if number := _HEX.fullmatch(text):
        return colour_class(*(int(digits, 16) for digits in number.groups()))
    if number := _RGB.fullmatch(text):
        return colour_class(*(min(int(digits), 255) for digits in number.groups()))
    return colour_class(*_NAMED.get(text, (255, 255, 255)))
