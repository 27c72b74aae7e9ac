"""Text with styles, and how a cue of WebVTT writes it: pure.

Formats other than WebVTT are read into runs: pieces of text that look alike. `cue_text` writes
them. What a cue cannot say (fonts, sizes, backgrounds) is left out; a colour becomes the nearest of
those that WebVTT has classes for (https://www.w3.org/TR/webvtt1/, 5.1).
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from activities.subtitles.document import MAX_TEXT, SubtitleError

#: classes by whether red, green and blue shine. White is the text of every player; black cannot be
#: read on the box that players draw
_COLOURS = {
    (False, True, False): "lime",
    (False, True, True): "cyan",
    (True, False, False): "red",
    (True, True, False): "yellow",
    (True, False, True): "magenta",
    (False, False, True): "blue",
}
#: of a full channel: darker colours are black
_DARK = 64
_CLASS = re.compile(rf"<c\.({'|'.join(_COLOURS.values())})>")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a piece of text looks.

    `styles` are the tags b, i and u, `colour` is a class of WebVTT, empty for the player's own.
    """

    styles: frozenset[str] = frozenset()
    colour: str = ""
    ruby: str = ""  # "base", "text" above a base, or none of both

    def styled(self, tag: str, *, on: bool) -> "Look":
        """Return the look with a style switched on or off."""
        styles = self.styles | {tag} if on else self.styles - {tag}
        return replace(self, styles=styles)


#: a text and its look
Run = tuple[str, Look]


def colour_class(red: int, green: int, blue: int) -> str:
    """Return the class of WebVTT that is nearest to a colour, empty for white, grey and black."""
    most = max(red, green, blue)
    if most < _DARK:
        return ""
    return _COLOURS.get((2 * red > most, 2 * green > most, 2 * blue > most), "")


def cue_text(runs: Iterable[Run]) -> str:
    """Return runs in the notation of WebVTT, lines trimmed and without empty ones.

    Raises SubtitleError for a text that is too long.
    """
    lines = ["".join(_written(_trimmed(line))) for line in _lines(runs)]
    return "\n".join(line for line in lines if line)


def colour_styles(texts: Iterable[str]) -> list[str]:
    """Return the STYLE block of the colours in cue texts; not every player has them by itself."""
    used = {name for text in texts for name in _CLASS.findall(text)}
    rules = [f"::cue(.{name}) {{ color: {name} }}" for name in sorted(used)]
    return ["\n".join(["STYLE", *rules])] if rules else []


def escaped(text: str) -> str:
    """Return a text as a cue may hold it: no tags, no control characters, no line breaks."""
    text = html.escape(_CONTROL.sub(" ", text).replace("\n", " "), quote=False)
    for character, name in (("\u00a0", "nbsp"), ("\u200e", "lrm"), ("\u200f", "rlm")):
        text = text.replace(character, f"&{name};")
    return text


def require_length(text: str) -> None:
    """Refuse a text that is too long to be shown; raises SubtitleError."""
    if len(text) > MAX_TEXT:
        raise SubtitleError(f"a text has more than {MAX_TEXT} characters: {text[:40]}")


def _lines(runs: Iterable[Run]) -> Iterator[list[Run]]:
    pieces = list(runs)
    require_length("".join(text for text, _ in pieces))
    line: list[Run] = []
    for text, look in pieces:
        first, *others = text.split("\n")
        line.append((first, look))
        for other in others:
            yield line
            line = [(other, look)]
    yield line


def _trimmed(line: Sequence[Run]) -> list[Run]:
    runs = [(_CONTROL.sub(" ", text), look) for text, look in line if text]
    while runs and not runs[0][0].strip(" \t"):
        runs.pop(0)
    if runs:
        runs[0] = (runs[0][0].lstrip(" \t"), runs[0][1])
    while runs and not runs[-1][0].strip(" \t"):
        runs.pop()
    if runs:
        runs[-1] = (runs[-1][0].rstrip(" \t"), runs[-1][1])
    return runs


def _joined(runs: Iterable[Run]) -> list[Run]:
    """Return neighbours of one look as one run.

    Blanks go with what is before them: there are players that drop those between two tags.
    """
    joined: list[Run] = []
    for look, alike in itertools.groupby(runs, key=lambda run: run[1]):
        text = "".join(text for text, _ in alike)
        if joined and not text.strip(" \t"):
            joined[-1] = (joined[-1][0] + text, joined[-1][1])
        else:
            joined.append((text, look))
    return joined


def _written(runs: Iterable[Run]) -> Iterator[str]:
    """Yield a line with its tags."""
    for ruby, group in itertools.groupby(_joined(runs), key=lambda run: bool(run[1].ruby)):
        if not ruby:
            yield from (_tagged(text, look) for text, look in group)
            continue
        yield "<ruby>"
        for text, look in group:
            inner = _tagged(text, replace(look, ruby=""))
            yield f"<rt>{inner}</rt>" if look.ruby == "text" else inner
        yield "</ruby>"


def _tagged(text: str, look: Look) -> str:
    written = escaped(text)
    for tag in sorted(look.styles, reverse=True):
        written = f"<{tag}>{written}</{tag}>"
    return f"<c.{look.colour}>{written}</c>" if look.colour else written
