"""srt and ass documents as cues of WebVTT: their texts, simple styles and places. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from activities.subtitles.cues import Collector, Cue, SubtitleFormat, Subtitles, settings_of
from activities.subtitles.document import Event, SubtitleDocument
from activities.subtitles.markup import Look, Run, colour_class, cue_text

_PIECE = re.compile(r"\{[^}]*\}|\\[Nnh{}]|\\\u2060?|[^{\\]+|\{")
#: the tags of a block that a cue can follow
_TAGS = re.compile(
    r"\\(?:(?P<name>[biu])(?P<on>\d{1,3})?|1?c(?:&H(?P<colour>[0-9A-Fa-f]{1,8})&?)?"
    r"|an(?P<place>[1-9])|p(?P<drawing>\d{1,2})|(?P<reset>r)[^\\}]*)(?=[\\}\s])"
)
_ESCAPES = {"\\N": "\n", "\\h": "\u00a0", "\\{": "{", "\\}": "}"}
#: by number on the keypad: percent of the picture above the text
_LINES = {"7": 0.0, "8": 0.0, "9": 0.0, "4": 45.0, "5": 45.0, "6": 45.0}
_ALIGNMENTS = {"1": "start", "4": "start", "7": "start", "3": "end", "6": "end", "9": "end"}
#: fields of a style by their tags
_STYLES = {"b": "Bold", "i": "Italic", "u": "Underline"}


def cues_of(
    document: SubtitleDocument, kind: SubtitleFormat, unread: Iterable[int] = ()
) -> Subtitles:
    """Return the texts of a document as cues. Raises SubtitleError when there are none.

    `unread` are the lines whose times the document could not be given.
    """
    styles = {style["Name"]: style for style in document.styles}
    found = Collector()
    for line in unread:
        found.omit("whose times cannot be read", f"line {line}")
    for number, event in enumerate(document.events, 1):
        style = styles[event.style]
        runs, place = _runs(event, style, wrap=document.wrap)
        settings = settings_of(line=_LINES.get(place), align=_ALIGNMENTS.get(place, ""))
        cue = Cue(start=event.start, end=event.end, text=cue_text(runs), settings=settings)
        found.add(cue, f"text {number}")
    return found.subtitles(kind)


def _runs(event: Event, style: Mapping[str, str], *, wrap: int) -> tuple[list[Run], str]:
    """Return the text of an event and its place as a number on the keypad."""
    plain = _look(style)
    look, place, drawing = plain, style["Alignment"], False
    runs: list[Run] = []
    for piece in _PIECE.findall(event.text):
        if piece.startswith("{") and piece.endswith("}"):
            for tag in _TAGS.finditer(piece):
                if tag["place"]:
                    place = tag["place"]
                elif tag["drawing"]:
                    drawing = int(tag["drawing"]) > 0
                else:
                    look = _changed(look, plain, tag)
        elif not drawing:
            runs.append((_text(piece, wrap), look))
    return runs, place


def _text(piece: str, wrap: int) -> str:
    if piece == "\\n":
        return "\n" if wrap == 2 else " "
    # the word joiner keeps a backslash of srt from what follows
    return _ESCAPES.get(piece, piece.removesuffix("\u2060") if piece[0] == "\\" else piece)


def _look(style: Mapping[str, str]) -> Look:
    tags = (tag for tag, field in _STYLES.items() if style[field] not in ("0", ""))
    look = Look(styles=frozenset(tags))
    colour = re.fullmatch(r"&H([0-9A-Fa-f]{1,8})&?", style["PrimaryColour"])
    return replace(look, colour=_colour(colour[1])) if colour else look


def _changed(look: Look, plain: Look, tag: re.Match[str]) -> Look:
    if tag["reset"]:
        return plain
    if not tag["name"]:
        return replace(look, colour=_colour(tag["colour"]) if tag["colour"] else plain.colour)
    # without a number: as the style has it
    on = tag["name"] in plain.styles if tag["on"] is None else int(tag["on"]) > 0
    return look.styled(tag["name"], on=on)


def _colour(digits: str) -> str:
    """Return the class of a colour of ass: blue, green and red, in this order."""
    value = int(digits, 16)
    return colour_class(value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF)
