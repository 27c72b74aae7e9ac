"""Spruce STL, the subtitle text file of DVD Studio Pro.

    $Italic = FALSE
    00:00:01:00 , 00:00:03:12 , A text|of two lines

The last part of a time counts frames, of a rate that the file does not tell.
"""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

from activities.subtitles.cues import Collector, Cue, SubtitleFormat, Subtitles, settings_of
from activities.subtitles.markup import Look, Run, cue_text

_CLOCK = r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;.](\d{1,2})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*,\s*{_CLOCK}\s*,(.*)")
_COMMAND = re.compile(r"\s*\$(\w+)\s*=\s*(.*?)\s*")
#: what switches a style on and off, and what breaks a line
_TOGGLE = re.compile(r"(\^[IBU]|\|)")
_STYLES = {"i": "italic", "b": "bold", "u": "underline"}
_ALIGNMENTS = {"left": "start", "right": "end"}
_LINES = {"top": 0.0, "center": 45.0}
#: frames/s, and hundredths of a second, which some programs write
_RATES = (25, 30, 100)


def is_spruce(text: str) -> bool:
    """Whether a text is a Spruce STL file."""
    return any(_TIMES.fullmatch(line) for line in text.split("\n"))


def read_spruce(text: str, rate: Fraction | None) -> Subtitles:
    """Return the cues; `rate` is that of the film in frames/s. Raises SubtitleError."""
    lines = text.split("\n")
    frames = _frames(lines, rate)
    state: dict[str, str] = {}
    found = Collector()
    for number, line in enumerate(lines, 1):
        place = f"line {number}"
        if command := _COMMAND.fullmatch(line):
            state[command[1].lower()] = command[2].lower()
        elif times := _TIMES.fullmatch(line):
            start, end = (_milliseconds(times.groups()[n : n + 4], frames) for n in (0, 4))
            runs = _runs(times[9].strip(), _look(state))
            settings = settings_of(
                line=_LINES.get(state.get("vertalign", "")),
                align=_ALIGNMENTS.get(state.get("horzalign", ""), ""),
            )
            found.add(Cue(start=start, end=end, text=cue_text(runs), settings=settings), place)
        elif line.strip() and not line.lstrip().startswith("//"):
            found.omit("whose times cannot be read", place)
    told = () if rate and frames == _nominal(rate) else (f"Its times are read as 1/{frames} s.",)
    return found.subtitles(SubtitleFormat.SPRUCE_STL, warnings=told)


def _frames(lines: list[str], rate: Fraction | None) -> int:
    """Return the frames of a second: the film's, if no time has more."""
    counts = [times for line in lines if (times := _TIMES.fullmatch(line))]
    most = max((max(int(times[4]), int(times[8])) for times in counts), default=0)
    likely = (_nominal(rate), *_RATES) if rate else _RATES
    return next(frames for frames in likely if frames > most)


def _nominal(rate: Fraction) -> int:
    """Return how many frames time codes count in a second of a film: 25 of 50 fields or frames."""
    whole = round(rate)
    return whole // 2 if whole in (48, 50, 60) else min(max(whole, 1), 100)


def _milliseconds(clock: tuple[str, ...], frames: int) -> int:
    hours, minutes, seconds, part = map(int, clock)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + round(part * 1000 / frames)


def _look(state: Mapping[str, str]) -> Look:
    tags = (tag for tag, command in _STYLES.items() if state.get(command) == "true")
    return Look(styles=frozenset(tags))


def _runs(text: str, look: Look) -> Iterator[Run]:
    for part in _TOGGLE.split(text):
        if part == "|":
            yield "\n", look
        elif _TOGGLE.fullmatch(part):
            tag = part[1].lower()
            look = look.styled(tag, on=tag not in look.styles)
        else:
            yield part, look
