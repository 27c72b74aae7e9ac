"""EBU STL, the binary subtitle file of broadcasters: EBU Tech 3264.

A block of general information (GSI, 1024 bytes) is followed by blocks of text and timing (TTI, 128
bytes each). A subtitle may have several TTI blocks, and several subtitles may stand on the screen
together as a cumulative set.
"""

import itertools
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from activities.subtitles.cues import Collector, Cue, SubtitleFormat, Subtitles, settings_of
from activities.subtitles.document import SubtitleError
from activities.subtitles.ebu_text import characters
from activities.subtitles.markup import Look, Run, cue_text

_GSI = 1024  # bytes
_TTI = struct.Struct("<BHBB4s4sBBB112s")
_CODE = re.compile(rb"STL(\d\d)\.\d\d")
#: frames/s by the disk format code, where it is not the number itself
_RATES = {23: Fraction(24000, 1001), 29: Fraction(30000, 1001)}
_KNOWN_RATES = (23, 24, 25, 29, 30, 50, 60)
#: extension block numbers: the last block of a subtitle, and one of the user's own data
_LAST, _USER_DATA = 0xFF, 0xFE
#: rows of teletext
_ROWS = 23
#: text that ends in these rows is at the lower edge, where players put it; share of all rows
_LOW = 0.7
_ALIGNMENTS = {1: "start", 3: "end"}
_DOUBLE_HEIGHT = 0x0D
_LINE_BREAK, _UNUSED = 0x8A, 0x8F
#: colours of text by their code
_COLOURS = ("", "red", "lime", "yellow", "blue", "magenta", "cyan", "")
#: codes that switch a style on or off
_STYLES = {
    0x80: ("i", True),
    0x81: ("i", False),
    0x82: ("u", True),
    0x83: ("u", False),
}
_CONTROLS = re.compile(rb"[\x00-\x1f\x80-\x9f]|[^\x00-\x1f\x80-\x9f]+", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class _General:
    """The general information: `rate` in frames/s, `start` of the programme in frames."""

    rate: Fraction
    table: bytes
    rows: int
    start: int

    def frames(self, clock: Sequence[int]) -> int:
        """Return the frame of a time code."""
        hours, minutes, seconds, frame = clock
        nominal = round(self.rate)
        return ((hours * 60 + minutes) * 60 + seconds) * nominal + frame

    def milliseconds(self, frame: int) -> int:
        """Return the time of a frame behind the start of the programme."""
        return round((frame - self.start) * 1000 / self.rate)


@dataclass(frozen=True, kw_only=True)
class _Text:
    """A subtitle: its blocks put together. `cumulative` is 0 for none, then 1, 2 and 3."""

    number: int
    cumulative: int
    start: int  # frames
    end: int
    row: int
    alignment: int
    code: bytes


def is_ebu_stl(content: bytes) -> bool:
    """Whether bytes begin an EBU STL file."""
    return bool(_CODE.fullmatch(content[3:11]))


def read_ebu_stl(content: bytes) -> Subtitles:
    """Return the cues; times count from the start of the programme. Raises SubtitleError."""
    general, warnings = _general(content), list[str]()
    found = Collector()
    texts = list(_texts(content, general, found))
    if texts and min(text.start for text in texts) < general.start:
        warnings.append("Its start of the programme lies behind its first text, and is not used.")
        general = replace(general, start=0)
    for together in _sets(texts):
        end = max(text.end for text in together)
        for text in together:
            found.add(_cue(text, end, general), f"subtitle {text.number}")
    return found.subtitles(SubtitleFormat.EBU_STL, warnings=warnings)


def _general(content: bytes) -> _General:
    if len(content) < _GSI:
        raise SubtitleError(f"it has {len(content)} bytes, less than the header of an EBU STL file")
    code = _CODE.fullmatch(content[3:11])
    number = int(code[1]) if code else 0
    if number not in _KNOWN_RATES:
        raise SubtitleError(f'its frame rate "{content[3:11].decode("ascii", "replace")}" is wrong')
    teletext = content[11:12] in (b"1", b"2")
    rows = content[253:255]
    general = _General(
        rate=_RATES.get(number, Fraction(number)),
        table=content[12:14],
        rows=_ROWS if teletext or not rows.isdigit() else max(int(rows), 1),
        start=0,
    )
    start = content[256:264]
    if not start.isdigit():
        return general
    clock = [int(start[n : n + 2]) for n in range(0, 8, 2)]
    return replace(general, start=general.frames(clock))


def _texts(content: bytes, general: _General, found: Collector) -> Iterator[_Text]:
    """Yield the subtitles; comments and user data are no text."""
    blocks = [
        (at, _TTI.unpack_from(content, at))
        for at in range(_GSI, len(content) - _TTI.size + 1, _TTI.size)
    ]
    if rest := (len(content) - _GSI) % _TTI.size:
        found.omit("that the file ends in", f"the last {rest} bytes")
    gathered: list[bytes] = []
    for at, (_, number, extension, cumulative, first, last, row, align, comment, code) in blocks:
        if comment == 1 or extension == _USER_DATA:
            continue
        gathered.append(code.rstrip(bytes([_UNUSED])))
        if extension != _LAST:
            continue
        whole, gathered = b"".join(gathered), []
        if not (_sound(first, general) and _sound(last, general)):
            found.omit("whose times cannot be read", f"subtitle {number} at byte {at}")
            continue
        yield _Text(
            number=number,
            cumulative=cumulative,
            start=general.frames(first),
            end=general.frames(last),
            row=row,
            alignment=align,
            code=whole,
        )


def _sound(clock: bytes, general: _General) -> bool:
    hours, minutes, seconds, frame = clock
    return hours < 24 and minutes < 60 and seconds < 60 and frame < round(general.rate)


def _sets(texts: Iterable[_Text]) -> Iterator[list[_Text]]:
    """Yield the subtitles that leave the screen together."""
    together: list[_Text] = []
    for text in texts:
        if together and text.cumulative not in (2, 3):
            yield together
            together = []
        together.append(text)
        if text.cumulative in (0, 3):
            yield together
            together = []
    if together:
        yield together


def _cue(text: _Text, end: int, general: _General) -> Cue:
    lines = (
        1
        + len(list(itertools.groupby(one == _LINE_BREAK for one in text.code.strip(b"\x8a")))) // 2
    )
    tall = 2 if _DOUBLE_HEIGHT in text.code else 1
    bottom = text.row + lines * tall - 1
    line = None if bottom >= _LOW * general.rows else 100 * max(text.row - 1, 0) / general.rows
    return Cue(
        start=general.milliseconds(text.start),
        end=general.milliseconds(end),
        text=cue_text(_runs(text.code, general.table)),
        settings=settings_of(line=line, align=_ALIGNMENTS.get(text.alignment, "")),
    )


def _runs(code: bytes, table: bytes) -> Iterator[Run]:
    look, blank = Look(), False
    for part in _CONTROLS.findall(code):
        control = part[0]
        if control >= 0x20 and not 0x80 <= control < 0xA0:
            yield (" " if blank else "") + characters(part, table), look
            blank = False
        elif control == _LINE_BREAK:
            yield "\n", look
            # colours of teletext end with their row
            look, blank = replace(look, colour=""), False
        elif control in _STYLES:
            tag, on = _STYLES[control]
            look = look.styled(tag, on=on)
        elif control < 0x20:
            # a code of teletext takes the place of a character
            blank = True
            if control < len(_COLOURS):
                look = replace(look, colour=_COLOURS[control])
