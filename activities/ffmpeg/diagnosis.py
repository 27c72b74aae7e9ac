"""What the end of an ffmpeg means, by its words: damage of the source, a full disk, or our fault.

ffmpeg names the part that speaks in brackets: `[in#0/mov]`, `[vist#0:0/h264]`, `[dec:h264]` read
the source; `[out#0/hls]`, `[aost#0:1/copy]`, `[enc:aac]` write the output. Muxers and encoders
speak under their own names too, and `Invalid data found` is also how they refuse an option.
"""

import re
from collections.abc import Sequence

from workflow_engine.errors import ActivityError, Code, Transient

_DAMAGE = re.compile(
    r"error while decoding|decoding error|error submitting packet|invalid nal|corrupt|"
    r"concealing|error splitting|missing picture|packet mismatch|invalid data found",
    re.IGNORECASE,
)
#: parts that write an output
_WRITING = re.compile(
    r"^\[(?:out#|[vas]ost#|enc:|fc#|[va]f#)|could not write header", re.IGNORECASE
)
_CUT = re.compile(r"partial file|file ended prematurely|moov atom not found", re.IGNORECASE)
_TOO_BAD = re.compile(r"error rate [\d.]+ exceeds|not on whitelist", re.IGNORECASE)
#: the words of a part that reads the source; the last two forms are those of ffmpeg 5
_BAD_INPUT = re.compile(
    r"^(?:\[(?:in#|[vas]ist#|dec:).*|error opening input: |error while decoding stream.*|\S+: )"
    r"invalid data found",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left|disk quota exceeded|file too large", re.IGNORECASE)
#: what follows from something that was said before
_NOISE = re.compile(
    r"terminating thread|task finished with error|conversion failed|error opening (in|out)put "
    r"files|nothing was written into output|error (number|code) |last message repeated|"
    r"error sending frames to consumers|could not open encoder before eof|"
    # subtitles have their fonts from a folder
    r"failed to load fontconfig fonts",
    re.IGNORECASE,
)


class Diagnosis:
    """Reads stderr as it comes, since only its end is kept."""

    def __init__(self) -> None:
        """Start with a healthy process."""
        self.decode_errors = 0
        self._cut = self._too_bad = self._bad_input = self._full = self._ours = False
        self._first = ""

    def see(self, line: str) -> None:
        """Take one line."""
        self._cut = self._cut or bool(_CUT.search(line))
        self._too_bad = self._too_bad or bool(_TOO_BAD.search(line))
        self._full = self._full or bool(_FULL.search(line))
        if _NOISE.search(line):
            return
        if _WRITING.search(line):
            self._ours = True
        elif _DAMAGE.search(line):
            self.decode_errors += 1
            self._bad_input = self._bad_input or bool(_BAD_INPUT.search(line))
            return
        self._first = self._first or line[:200]

    def error(self, status: int, tool: str, lines: Sequence[str]) -> ActivityError | None:
        """Return the error of a process that ended with `status`, None when all is well."""
        detail = "\n".join(lines)
        if self._full and status:
            return ActivityError(
                Code.NO_SPACE,
                "The disk is full: an output could not be written.",
                remedy="Free space where the work directory lies, then resume the execution.",
                detail=detail,
                transient=Transient.SPACE,
            )
        bad_input = self._bad_input and not self._ours
        if self._cut or (status and (self._too_bad or bad_input)):
            reason = "the file is cut off" if self._cut else "too much of it cannot be decoded"
            return ActivityError(
                Code.RESOURCE_CONTENT_BAD,
                f'The resource operated "InputFile" is bad: {reason}.',
                remedy="Upload the file again.",
                detail=detail,
            )
        if status:
            said = f": {self._first.rstrip('.')}" if self._first else ""
            return ActivityError(
                Code.INTERNAL, f"{tool} ended with status {status}{said}.", detail=detail
            )
        return None
