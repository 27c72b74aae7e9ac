"""What the end of an ffmpeg means, by its words: damage of the source, a full disk, or unexplained.

ffmpeg names the part that speaks in brackets: `[in#0/mov]`, `[vist#0:0/h264]`, `[dec:h264]` read
the source; `[out#0/hls]`, `[aost#0:1/copy]`, `[enc:aac]` write the output. Muxers and encoders
speak under their own names too, and `Invalid data found` is also how they refuse an option. So
words explain a failure only where they leave no doubt; `blame.py` looks into the others.
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
#: an encoder that could be opened takes all sound but what holds infinite values or no numbers
_UNFIT = re.compile(r"error submitting audio frame to the encoder", re.IGNORECASE)
_HEADLESS = re.compile(r"^\[mp3\w*\] Header missing", re.IGNORECASE)
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
        #: how often an mp3 decoder got what is no sound; each is a decoding error, too
        self.headless = 0
        self._cut = self._too_bad = self._unfit = self._full = False
        self._first = ""

    def see(self, line: str) -> None:
        """Take one line."""
        self._cut = self._cut or bool(_CUT.search(line))
        self._too_bad = self._too_bad or bool(_TOO_BAD.search(line))
        self._unfit = self._unfit or bool(_UNFIT.search(line))
        self._full = self._full or bool(_FULL.search(line))
        if _NOISE.search(line):
            return
        if _HEADLESS.search(line):
            self.headless += 1
            return
        if _DAMAGE.search(line) and not _WRITING.search(line):
            self.decode_errors += 1
            return
        self._first = self._first or line[:200]

    def doomed(self, lines: Sequence[str]) -> ActivityError | None:
        """Return the error with which a running process will end, None when that is open.

        A decoder that gave up may leave the threads behind it waiting for ever.
        """
        return self._damaged("\n".join(lines)) if self._too_bad else None

    def error(self, status: int, tool: str, lines: Sequence[str]) -> ActivityError | None:
        """Return the error of a process that ended with `status`, None when all is well.

        What the words do not explain is an `InternalError`.
        """
        detail = "\n".join(lines)
        if self._full and status:
            return ActivityError(
                Code.NO_SPACE,
                "The disk is full: an output could not be written.",
                remedy="Free space where the work directory lies, then resume the execution.",
                detail=detail,
                transient=Transient.SPACE,
            )
        if self._cut or (status and (self._too_bad or self._unfit)):
            return self._damaged(detail)
        if status:
            reason = f": {self._first.rstrip('.')}" if self._first else ""
            return ActivityError(
                Code.INTERNAL, f"{tool} ended with status {status}{reason}.", detail=detail
            )
        return None

    def _damaged(self, detail: str) -> ActivityError:
        reason = "its sound has values that cannot be encoded"
        if self._cut:
            reason = "the file is cut off"
        elif self._too_bad:
            reason = "too much of it cannot be decoded"
        return ActivityError(
            Code.RESOURCE_CONTENT_BAD,
            f'The resource operated "InputFile" is bad: {reason}.',
            remedy="Upload the file again.",
            detail=detail,
        )
