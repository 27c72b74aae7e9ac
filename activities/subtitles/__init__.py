"""Subtitle files, to be burnt into pictures or to be shown by players.

A file is never given to ffmpeg, or to a player, as it is: what is known of it is taken out, in
bounds (times, texts, styles, places), and the rest is left: embedded fonts, pictures, unknown
sections.

To be burnt in: `read` makes a `SubtitleDocument` of srt and ass files, which is written as ASS
(specification: transcode, 13). For players: `read_cues` makes `Subtitles` of these and of WebVTT,
TTML, EBU STL and Spruce STL (`reading` tells which), which are written as WebVTT (specification:
topology, 5).
"""

from fractions import Fraction
from pathlib import Path

from activities.subtitles.ass import is_ass, read_ass
from activities.subtitles.cues import Cue, SubtitleFormat, Subtitles, shown_in
from activities.subtitles.decode import decoded
from activities.subtitles.document import SubtitleDocument, SubtitleError
from activities.subtitles.reading import cues_in
from activities.subtitles.srt import read_srt
from activities.subtitles.webvtt import webvtt

__all__ = [
    "MAX_FILE",
    "Cue",
    "SubtitleDocument",
    "SubtitleError",
    "SubtitleFormat",
    "Subtitles",
    "read",
    "read_cues",
    "shown_in",
    "webvtt",
]

#: bytes; a film of three hours has some hundred thousand
MAX_FILE = 1 << 22


def read(path: Path, encoding: str, font: str) -> SubtitleDocument:
    """Return what an srt or ass file holds; `encoding` is a CharEnc of the specification.

    `font` replaces those that an ass file names, unless it is empty. Raises SubtitleError.
    """
    text = decoded(_content(path), encoding)
    document = read_ass(text, font) if is_ass(text) else read_srt(text, font)
    if not document.events:
        raise SubtitleError("it holds no srt or ass subtitles")
    return document


def read_cues(path: Path, *, language: str = "", rate: Fraction | None = None) -> Subtitles:
    """Return the cues of a subtitle file; see `cues_in`. Raises SubtitleError."""
    return cues_in(_content(path), language=language, rate=rate)


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE:
        raise SubtitleError(f"it has more than {MAX_FILE} bytes")
    return path.read_bytes()
