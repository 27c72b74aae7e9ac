"""srt files: numbered texts under lines of times."""

import re
from collections.abc import Iterator

from activities.fonts import face_of
from activities.subtitles.document import (
    MAX_EVENTS,
    MAX_TEXT,
    STYLE,
    Event,
    SubtitleDocument,
    SubtitleError,
)

_CLOCK = r"(\d{1,3}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
#: what is meant as one, too
_UNREAD = re.compile(r"\s*\d+:\d.*-->.*")
_TAG = re.compile(r"(</?[A-Za-z][^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\})")
_COLOR = re.compile(r"<font\s[^>]*color\s*=\s*[\"']?#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", re.I)
_PLACE = re.compile(r"\{\\an?[1-9]\}")


def read_srt(text: str, font: str) -> SubtitleDocument:
    """Return the subtitles, without styles of their own. Raises SubtitleError."""
    events = tuple(_events(text.split("\n")))
    style = {**STYLE, "Fontname": face_of(font)}
    return SubtitleDocument(width=384, height=288, styles=(style,), events=events, plain=True)


def unread_times(text: str) -> list[int]:
    """Return the numbers of the lines whose times cannot be read; their texts are left out."""
    lines = enumerate(text.split("\n"), 1)
    return [n for n, line in lines if _UNREAD.fullmatch(line) and not _TIMES.fullmatch(line)]


def _events(lines: list[str]) -> Iterator[Event]:
    times = [
        (n, _TIMES.fullmatch(line))
        for n, line in enumerate(lines)
        if _TIMES.fullmatch(line) or _UNREAD.fullmatch(line)
    ]
    if len(times) > MAX_EVENTS:
        raise SubtitleError(f"it has more than {MAX_EVENTS} texts")
    ends = [*(n for n, _ in times), len(lines)][1:]
    for (n, match), end in zip(times, ends, strict=True):
        body = lines[n + 1 : end]
        # the number of the next one
        if end < len(lines) and body and body[-1].strip().isdecimal():
            body.pop()
        if match is None:
            continue
        shown = "\n".join(line.strip() for line in body).strip()
        if len(shown) > MAX_TEXT:
            raise SubtitleError(f"the text in line {n + 2} has more than {MAX_TEXT} characters")
        first, last = _milliseconds(*match.groups()[:4]), _milliseconds(*match.groups()[4:])
        if shown and last > first:
            yield Event(start=first, end=last, text=_notation(shown))


def _milliseconds(hours: str, minutes: str, seconds: str, fraction: str) -> int:
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(fraction.ljust(3, "0"))


def _notation(text: str) -> str:
    """Return a text with its tags in the notation of ASS."""
    return "".join(_tag(p) if _TAG.fullmatch(p) else _literal(p) for p in _TAG.split(text))


def _tag(tag: str) -> str:
    if _PLACE.fullmatch(tag):
        return tag
    name = tag.strip("</>").split()[0].lower()
    if name in ("b", "i", "u", "s"):
        return f"{{\\{name}{0 if tag.startswith('</') else 1}}}"
    if name == "font":
        color = _COLOR.match(tag)
        return f"{{\\c&H{color[3]}{color[2]}{color[1]}&}}" if color else "{\\c}"
    return ""


def _literal(text: str) -> str:
    # a backslash means something before some letters: the word joiner keeps them apart
    text = text.replace("\\", "\\\u2060").replace("{", "\\{").replace("}", "\\}")
    return text.replace("\n", "\\N")
