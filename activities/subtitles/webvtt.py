"""WebVTT files, read and written: https://www.w3.org/TR/webvtt1/.

What is read is written again in a form that no player misreads: known tags, closed where they were
left open, known settings within their bounds, references as characters.
"""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from activities.subtitles.cues import Collector, Cue, SubtitleFormat, Subtitles
from activities.subtitles.document import SubtitleError
from activities.subtitles.markup import escaped, require_length

#: a line of these only is blank
_BLANKS = " \t"
#: characters of all STYLE and REGION blocks, which stand in every segment
_MAX_HEAD = 8192

_SIGNATURE = re.compile(r"WEBVTT(?:[ \t].*)?")
_STAMP = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMES = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?:\s+(.*))?")
_PERCENT = r"(?:100(?:\.0+)?|\d{1,2}(?:\.\d{1,9})?)%"
_SETTINGS = {
    "vertical": re.compile(r"rl|lr"),
    "line": re.compile(rf"(?:-?\d{{1,4}}|{_PERCENT})(?:,(?:start|center|end))?"),
    "position": re.compile(rf"{_PERCENT}(?:,(?:line-left|center|line-right))?"),
    "size": re.compile(_PERCENT),
    "align": re.compile(r"start|center|end|left|right"),
}
_REGION_ID = re.compile(r"(?:^|\s)id:(\S+)")
#: in a STYLE block: what would load something
_LOADS = re.compile(r"@|url\s*\(|\\", re.IGNORECASE)

_PART = re.compile(r"<[^<>]*>?|[^<]+")
_TAG = re.compile(r"<(ruby|rt|lang|[cibuv])((?:\.[^\s.<>&]+)*)(?:[ \t\n]+([^>]*))?>")
_ENDS = re.compile(r"</(ruby|rt|lang|[cibuv])?\s*>")
_MOMENT = re.compile(rf"<{_STAMP}>")
#: a "<" that stands for itself
_LESS = re.compile(r"<(?![A-Za-z0-9/])")
_ANNOTATED = ("v", "lang")


def is_webvtt(text: str) -> bool:
    """Whether a text is a WebVTT file."""
    return bool(_SIGNATURE.fullmatch(text.partition("\n")[0]))


def read_webvtt(text: str) -> Subtitles:
    """Return the cues with their settings, styles and regions. Raises SubtitleError."""
    lines = text.split("\n")
    head, warnings, found = list[str](), list[str](), Collector()
    at = _behind(lines, 1)
    if any(line.startswith("X-TIMESTAMP-MAP") for line in lines[1:at]):
        warnings.append("Its X-TIMESTAMP-MAP is not used: times count from the film's beginning.")
    regions: set[str] = set()
    while at < len(lines):
        if not lines[at].strip(_BLANKS):
            at += 1
            continue
        timed = next((n for n in (at, at + 1) if "-->" in _line(lines, n)), None)
        end = _behind(lines, (at if timed is None else timed) + 1)
        if timed is None:
            _head_block(lines[at:end], head, regions, warnings)
        else:
            _cue(lines[timed:end], timed + 1, regions, found)
        at = end
    if sum(map(len, head)) > _MAX_HEAD:
        raise SubtitleError(f"its styles and regions have more than {_MAX_HEAD} characters")
    return found.subtitles(SubtitleFormat.WEBVTT, head, warnings)


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number] if number < len(lines) else ""


def _behind(lines: Sequence[str], at: int) -> int:
    """Return the number of the first line from `at` on that belongs to another block."""
    while at < len(lines) and lines[at].strip(_BLANKS) and "-->" not in lines[at]:
        at += 1
    return at


def _head_block(
    block: Sequence[str], head: list[str], regions: set[str], warnings: list[str]
) -> None:
    kind, body = block[0].strip(_BLANKS), [line.strip(_BLANKS) for line in block[1:]]
    if kind == "REGION" and (named := _REGION_ID.search(" ".join(body))):
        regions.add(named[1])
        head.append("\n".join([kind, *map(escaped, body)]))
    elif kind == "STYLE":
        if _LOADS.search(" ".join(body)):
            warnings.append("A STYLE block that uses @, url( or a backslash is left out.")
        else:
            head.append("\n".join([kind, *body]))


def _cue(block: Sequence[str], number: int, regions: set[str], found: Collector) -> None:
    """Take the cue whose line of times has this number."""
    place = f"line {number}"
    times = _TIMES.fullmatch(block[0])
    if times is None:
        found.omit("whose times cannot be read", place)
        return
    start, end = _milliseconds(*times.groups()[:4]), _milliseconds(*times.groups()[4:8])
    cue = Cue(
        start=start,
        end=end,
        text=_cue_text("\n".join(block[1:]), start, end),
        settings=" ".join(_cue_settings(times[9] or "", regions)),
    )
    found.add(cue, place)


def _milliseconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> int:
    # of more digits no film can have a use
    whole = (int((hours or "0")[-9:]) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(fraction)


def _cue_settings(text: str, regions: set[str]) -> Iterator[str]:
    written: dict[str, str] = {}
    for word in text.split():
        name, _, value = word.partition(":")
        # the word of an older draft
        value = "center" if word == "align:middle" else value
        known = _SETTINGS.get(name)
        if (known and known.fullmatch(value)) or (name == "region" and value in regions):
            written[name] = f"{name}:{value}"
    yield from written.values()


def _cue_text(text: str, start: int, end: int) -> str:
    """Return cue text without what WebVTT does not know, all tags closed."""
    require_length(text)
    written: list[str] = []
    open_tags: list[str] = []
    for part in _PART.findall(text.strip(_BLANKS)):
        if not part.startswith("<") or _LESS.match(part):
            lines = html.unescape(part).split("\n")
            written.append("\n".join(escaped(line) for line in lines))
        elif moment := _MOMENT.fullmatch(part):
            if start < _milliseconds(*moment.groups()) < end:
                written.append(part)
        elif tag := _TAG.fullmatch(part):
            name, classes, annotation = tag.groups()
            if name != "rt" or "ruby" in open_tags:
                open_tags.append(name)
                words = " ".join(escaped(html.unescape(annotation or "")).split())
                said = f" {words}" if words and name in _ANNOTATED else ""
                written.append(f"<{name}{classes}{said}>")
        elif ends := _ENDS.fullmatch(part):
            written += _closed(open_tags, ends[1])
    written += (f"</{name}>" for name in reversed(open_tags))
    return "\n".join(
        line.strip(_BLANKS) for line in "".join(written).split("\n") if line.strip(_BLANKS)
    )


def _closed(open_tags: list[str], name: str | None) -> list[str]:
    """Return the end tags that one means: of the last tag, or of a ruby with its open rt."""
    if open_tags[-1:] == [name]:
        open_tags.pop()
        return [f"</{name}>"]
    if name == "ruby" and open_tags[-2:] == ["ruby", "rt"]:
        del open_tags[-2:]
        return ["</rt>", "</ruby>"]
    return []


def stamp(milliseconds: int) -> str:
    """Return a time as WebVTT writes it."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{thousandths:03d}"


def webvtt(cues: Iterable[Cue], head: Sequence[str] = (), *, mpegts: int | None = None) -> str:
    """Return a WebVTT file.

    `mpegts` is for segments of HLS: the time stamp (90 kHz) of the media at which the cues' time
    is 0 (RFC 8216, 3.5).
    """
    mapped = "" if mpegts is None else f"\nX-TIMESTAMP-MAP=MPEGTS:{mpegts},LOCAL:00:00:00.000"
    blocks = (f"WEBVTT{mapped}", *head, *map(_written, cues))
    # a blank line behind the last one as well: without cues it ends the header
    return "".join(f"{block}\n\n" for block in blocks)


def _written(cue: Cue) -> str:
    times = f"{stamp(cue.start)} --> {stamp(cue.end)}"
    return f"{f'{times} {cue.settings}'.rstrip()}\n{cue.text}"
