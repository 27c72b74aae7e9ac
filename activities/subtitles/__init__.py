"""Subtitle files as documents that are safe to draw: srt and ass, in any of the usual encodings.

A file is never given to ffmpeg as it is. `read` decodes it, takes out what it knows (times, texts,
styles, in bounds) and leaves the rest: embedded fonts, pictures, unknown sections.
`SubtitleDocument` writes what was taken as ASS. Specification: transcode, 13.
"""

from pathlib import Path

from activities.subtitles.ass import is_ass, read_ass
from activities.subtitles.decode import decoded
from activities.subtitles.document import SubtitleDocument, SubtitleError
from activities.subtitles.srt import read_srt

__all__ = ["SubtitleDocument", "SubtitleError", "read"]

#: bytes; a film of three hours has some hundred thousand
MAX_FILE = 1 << 22


def read(path: Path, encoding: str, font: str) -> SubtitleDocument:
    """Return what an srt or ass file holds; `encoding` is a CharEnc of the specification.

    `font` replaces those that an ass file names, unless it is empty. Raises SubtitleError.
    """
    if path.stat().st_size > MAX_FILE:
        raise SubtitleError(f"it has more than {MAX_FILE} bytes")
    text = decoded(path.read_bytes(), encoding)
    document = read_ass(text, font) if is_ass(text) else read_srt(text, font)
    if not document.events:
        raise SubtitleError("it holds no srt or ass subtitles")
    return document
