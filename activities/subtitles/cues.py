"""Subtitles as WebVTT shows them: cues, their times and places. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from activities.subtitles.document import MAX_EVENTS, SubtitleError
from activities.subtitles.markup import colour_styles

#: milliseconds, 100 hours: no film is as long
MAX_TIME = 360_000_000
#: places that a warning names
_MOST_PLACES = 5


class SubtitleFormat(StrEnum):
    """What a subtitle file is, by its content."""

    #: https://www.w3.org/TR/webvtt1/
    WEBVTT = "WebVTT"
    #: TTML 1 and 2, IMSC 1 Text, EBU-TT-D
    TTML = "TTML"
    #: the binary exchange file of EBU Tech 3264
    EBU_STL = "EBU STL"
    #: the text file of DVD Studio Pro
    SPRUCE_STL = "Spruce STL"
    SRT = "srt"
    ASS = "ass"


@dataclass(frozen=True, kw_only=True)
class Cue:
    """A text and its time in milliseconds.

    `text` is well-formed cue text of WebVTT, `settings` are its cue settings as they are written.
    """

    start: int
    end: int
    text: str
    settings: str = ""


@dataclass(frozen=True, kw_only=True)
class Subtitles:
    """The cues of a file in the order of their starts.

    `head` are STYLE and REGION blocks that the cues refer to; `warnings` are sentences about what
    was left out.
    """

    format: SubtitleFormat
    cues: tuple[Cue, ...]
    head: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """When the last cue ends, in milliseconds."""
        return max(cue.end for cue in self.cues)

    def between(self, begin: float, end: float) -> "Subtitles":
        """Return what is shown from `begin` to `end`, in seconds; `begin` is 0 afterwards.

        Cues that begin behind the end are left out with a warning, those across it are cut.
        """
        first = round(begin * 1000)
        last = MAX_TIME if math.isinf(end) else round(end * 1000)
        shown = [cue for cue in self.cues if cue.end > first and cue.start < last]
        behind = sum(cue.start >= last for cue in self.cues)
        warnings = self.warnings
        if behind:
            warnings += (
                f"Cues behind the end at {last / 1000:g} s are left out ({behind} of "
                f"{len(self.cues)}).",
            )
        cues = tuple(
            replace(cue, start=max(cue.start, first) - first, end=min(cue.end, last) - first)
            for cue in shown
        )
        return replace(self, cues=cues, warnings=warnings)


@dataclass(frozen=True)
class Collector:
    """Takes cues as a file gives them, and remembers what was left out and where."""

    _cues: list[Cue] = field(default_factory=list[Cue])
    _omitted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, cue: Cue, place: str) -> None:
        """Take a cue that stands at a place ("line 7"); raises SubtitleError for too many."""
        if not cue.text:
            return
        if cue.start < 0 or cue.end <= cue.start:
            self.omit("that end before they begin", place)
        elif cue.start >= MAX_TIME:
            self.omit("that begin beyond 100 hours", place)
        else:
            self._cues.append(replace(cue, end=min(cue.end, MAX_TIME)))
        if len(self._cues) > MAX_EVENTS:
            raise SubtitleError(f"it has more than {MAX_EVENTS} texts")

    def omit(self, reason: str, place: str) -> None:
        """Note that a cue was left out, and where; `reason` completes a sentence about cues."""
        self._omitted.setdefault(reason, []).append(place)

    def subtitles(
        self,
        kind: SubtitleFormat,
        head: Sequence[str] | None = None,
        warnings: Sequence[str] = (),
    ) -> Subtitles:
        """Return what was taken; without a `head` its colours get one.

        Raises SubtitleError when nothing was taken.
        """
        told = (*warnings, *self._warnings())
        if not self._cues:
            why = f" ({' '.join(told)})" if told else ""
            raise SubtitleError(f"it holds no {kind} subtitles{why}")
        cues = sorted(dict.fromkeys(self._cues), key=lambda cue: cue.start)
        if head is None:
            head = colour_styles(cue.text for cue in cues)
        return Subtitles(format=kind, cues=tuple(cues), head=tuple(head), warnings=told)

    def _warnings(self) -> Iterator[str]:
        for reason, places in self._omitted.items():
            named = ", ".join(places[:_MOST_PLACES]) + (", ..." if places[_MOST_PLACES:] else "")
            yield f"Cues {reason} are left out ({len(places)}): {named}."


def settings_of(*, line: float | None = None, align: str = "") -> str:
    """Return cue settings: how many percent of the picture lie above the text, and its alignment.

    None leaves the text at the lower edge, where players put it.
    """
    parts: list[str] = []
    if line is not None:
        # the first line, not 0 %: players keep it clear of the edge
        parts.append("line:0" if line < 1 else f"line:{line:.3g}%")
    if align in ("start", "end", "left", "right"):
        parts.append(f"align:{align}")
    return " ".join(parts)


def shown_in(cues: Iterable[Cue], ends: Sequence[int]) -> Iterator[list[Cue]]:
    """Yield the cues that are shown in each of several stretches, which follow each other from 0.

    `cues` are in the order of their starts, `ends` are those of the stretches in milliseconds. A
    cue is in all stretches that it overlaps, with its own times (RFC 8216, 3.5).
    """
    waiting = list(cues)[::-1]
    begin, shown = 0, list[Cue]()
    for end in ends:
        shown = [cue for cue in shown if cue.end > begin]
        while waiting and waiting[-1].start < end:
            shown.append(waiting.pop())
        yield list(shown)
        begin = end
