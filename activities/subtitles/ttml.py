"""TTML, IMSC 1 Text and EBU-TT-D as cues of WebVTT (https://www.w3.org/TR/ttml2/).

Each paragraph becomes one cue, or several where parts of it have times of their own. What is read
by name is taken from all namespaces of TTML and its drafts, whatever their prefixes.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from activities.languages import primary
from activities.subtitles.cues import MAX_TIME, Collector, Cue, SubtitleFormat, Subtitles
from activities.subtitles.document import SubtitleError
from activities.subtitles.markup import Look, Run, cue_text
from activities.subtitles.ttml_styles import (
    Attributes,
    Styles,
    attributes_of,
    changed,
    hidden,
    is_ttml_namespace,
    look_of,
)
from activities.subtitles.ttml_times import TtmlClock, clock_of
from activities.subtitles.xml_tree import Element, read_xml

_FOREVER = Fraction(MAX_TIME, 1000)
#: texts of a paragraph times the moments at which they change
_MOST_CHANGES = 5_000
_BLANKS = re.compile(r"[ \t\n\r]+")


@dataclass(frozen=True, kw_only=True)
class _Span:
    """When something is shown, in seconds."""

    begin: Fraction
    end: Fraction


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What an element has from those around it."""

    span: _Span
    chain: tuple[Attributes, ...] = ()
    region: str = ""
    language: str = ""
    preserve: bool = False


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A text, and when it is shown."""

    span: _Span
    text: str
    look: Look
    preserve: bool


def read_ttml(content: bytes, language: str) -> Subtitles:
    """Return the cues of a document.

    Of one in several languages, those in `language` (RFC 5646) are taken, if there are any.
    Raises SubtitleError.
    """
    root = read_xml(content)
    if root.name != "tt" or not is_ttml_namespace(root.namespace):
        raise SubtitleError(f'its root element is "{root.name[:40]}", not "tt" of TTML')
    return _Reader(root).subtitles(language)


class _Reader:
    def __init__(self, root: Element) -> None:
        self._root = root
        self._styles = Styles(root)
        self._clock: TtmlClock = clock_of(attributes_of(root).get)
        self._found = Collector()

    def subtitles(self, language: str) -> Subtitles:
        whole = _Span(begin=Fraction(0), end=_FOREVER)
        outside = _entered(_Place(span=whole), self._root, {})
        paragraphs = [
            paragraph
            for body in self._root.elements("body")
            for paragraph in self._paragraphs(body, outside)
        ]
        paragraphs, warnings = _in_language(paragraphs, language)
        for element, place in paragraphs:
            self._cues(element, place)
        return self._found.subtitles(SubtitleFormat.TTML, warnings=warnings)

    def _paragraphs(self, element: Element, outside: _Place) -> Iterator[tuple[Element, _Place]]:
        """Yield the paragraphs of body, div or p, with what each has from those around it."""
        place = self._placed(element, outside, outside.span.begin)
        if place is None:
            return
        if element.name == "p":
            yield element, place
            return
        at = place.span.begin
        for child in element.children:
            if isinstance(child, Element) and child.name in ("div", "p"):
                inside = replace(place, span=replace(place.span, begin=at))
                yield from self._paragraphs(child, inside)
                if _sequential(element) and (own := self._placed(child, inside, at)):
                    at = own.span.end

    def _placed(self, element: Element, outside: _Place, at: Fraction) -> _Place | None:
        """Return the place inside an element whose times count from `at`; None if it shows nothing.

        An element with times that cannot be read is left out with a warning.
        """
        if not is_ttml_namespace(element.namespace):
            return None
        attributes = self._styles.of(element)
        if hidden(attributes):
            return None
        times = {name: attributes[name] for name in ("begin", "end", "dur") if name in attributes}
        read = {name: self._clock.seconds(text) for name, text in times.items()}
        if None in read.values():
            self._found.omit("whose times cannot be read", f"line {element.line}")
            return None
        seconds = {name: value for name, value in read.items() if value is not None}
        begin = at + seconds.get("begin", 0)
        ends = [outside.span.end]
        if "end" in seconds:
            ends.append(at + seconds["end"])
        if "dur" in seconds:
            ends.append(begin + seconds["dur"])
        span = _Span(begin=begin, end=min(ends))
        return replace(_entered(outside, element, attributes), span=span)

    def _cues(self, paragraph: Element, place: _Place) -> None:
        region = self._styles.named(place.region)
        if hidden(region):
            return
        if place.span.begin >= place.span.end:
            self._found.omit("that end before they begin", f"line {paragraph.line}")
        look = look_of([region, *place.chain])
        pieces = list(self._pieces(paragraph, place, look))
        if len(pieces) * len({one.span for one in pieces}) > _MOST_CHANGES:
            raise SubtitleError(f"the paragraph in line {paragraph.line} has too many timed parts")
        for span, text in _states(pieces):
            lines = text.count("\n") + 1
            cue = Cue(
                start=round(span.begin * 1000),
                end=round(span.end * 1000),
                text=text,
                settings=self._styles.settings(region, place.chain, lines),
            )
            self._found.add(cue, f"line {paragraph.line}")

    def _pieces(self, element: Element, place: _Place, look: Look) -> Iterator[_Piece]:
        at = place.span.begin
        for child in element.children:
            if isinstance(child, str):
                text = child if place.preserve else _BLANKS.sub(" ", child)
                yield _Piece(span=place.span, text=text, look=look, preserve=place.preserve)
            elif child.name == "br" and is_ttml_namespace(child.namespace):
                yield _Piece(span=place.span, text="\n", look=look, preserve=True)
            elif child.name == "span" and (inside := self._placed(child, place, at)):
                yield from self._pieces(child, inside, changed(look, inside.chain[-1]))
                if _sequential(element):
                    at = inside.span.end


def _entered(outside: _Place, element: Element, attributes: Attributes) -> _Place:
    space = element.xml("space")
    return replace(
        outside,
        chain=(*outside.chain, attributes),
        region=attributes.get("region", outside.region),
        language=outside.language if (own := element.xml("lang")) is None else own,
        preserve=outside.preserve if space is None else space == "preserve",
    )


def _sequential(element: Element) -> bool:
    return attributes_of(element).get("timeContainer") == "seq"


def _states(pieces: Sequence[_Piece]) -> Iterator[tuple[_Span, str]]:
    """Yield what a paragraph shows, from one change to the next."""
    shown = [one for one in pieces if one.span.begin < one.span.end]
    moments = sorted({m for one in shown for m in (one.span.begin, one.span.end)})
    last: tuple[_Span, str] | None = None
    for begin, end in itertools.pairwise(moments):
        text = cue_text(_runs(p for p in shown if p.span.begin <= begin < p.span.end))
        if last and last[1] == text:
            last = (replace(last[0], end=end), text)
            continue
        if last:
            yield last
        last = (_Span(begin=begin, end=end), text)
    if last:
        yield last


def _runs(pieces: Iterable[_Piece]) -> Iterator[Run]:
    """Yield the texts of pieces; blanks beside each other are one, those around a break none."""
    blank = True
    for piece in pieces:
        text = piece.text
        if blank and not piece.preserve:
            text = text.removeprefix(" ")
        if text:
            blank = text[-1] in " \n" and not (piece.preserve and text[-1] == " ")
            yield text, piece.look


def _in_language(
    paragraphs: list[tuple[Element, _Place]], language: str
) -> tuple[list[tuple[Element, _Place]], list[str]]:
    """Return the paragraphs in a language, and what there is to say about the choice."""
    found = {primary(place.language) for _, place in paragraphs}
    if len(found) < 2:
        return paragraphs, []
    there = ", ".join(sorted(one or "none" for one in found))
    if primary(language) not in found:
        return paragraphs, [f"It has texts in several languages ({there}); all are shown."]
    chosen = [one for one in paragraphs if primary(one[1].language) == primary(language)]
    return chosen, []
