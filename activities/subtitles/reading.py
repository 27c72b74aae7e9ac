"""Which format a subtitle file has, by its content, and its cues."""

from dataclasses import replace
from fractions import Fraction

from activities.subtitles.ass import is_ass, read_ass
from activities.subtitles.cues import SubtitleFormat, Subtitles
from activities.subtitles.decode import detected
from activities.subtitles.document import SubtitleError
from activities.subtitles.ebu_stl import is_ebu_stl, read_ebu_stl
from activities.subtitles.plain import cues_of
from activities.subtitles.spruce import is_spruce, read_spruce
from activities.subtitles.srt import read_srt, unread_times
from activities.subtitles.ttml import read_ttml
from activities.subtitles.webvtt import is_webvtt, read_webvtt

#: what may stand before the "<" of an XML file: blanks, the mark of UTF-8 or UTF-16, and its zeros
_BEFORE_XML = b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"


def cues_in(content: bytes, *, language: str = "", rate: Fraction | None = None) -> Subtitles:
    """Return the cues of a subtitle file in any format of `SubtitleFormat`.

    `language` chooses among those of one file, `rate` is that of the film in frames/s, for files
    that count frames and do not tell how long these are. Raises SubtitleError.
    """
    if not content.strip():
        raise SubtitleError("it is empty")
    if is_ebu_stl(content):
        return read_ebu_stl(content)
    if content.lstrip(_BEFORE_XML).startswith(b"<"):
        return read_ttml(content, language)
    text, encoding = detected(content)
    subtitles = _of_text(text, encoding, rate)
    if encoding.startswith("UTF"):
        return subtitles
    told = f"It is not UTF-8 and is read as {encoding}."
    return replace(subtitles, warnings=(told, *subtitles.warnings))


def _of_text(text: str, encoding: str, rate: Fraction | None) -> Subtitles:
    if is_webvtt(text):
        if not encoding.startswith("UTF"):
            raise SubtitleError("it is not UTF-8, which WebVTT always is")
        return read_webvtt(text)
    if is_ass(text):
        return cues_of(read_ass(text, ""), SubtitleFormat.ASS)
    if is_spruce(text):
        return read_spruce(text, rate)
    if "-->" not in text:
        formats = ", ".join(SubtitleFormat)
        raise SubtitleError(f"its format is not known; known are {formats}")
    return cues_of(read_srt(text, ""), SubtitleFormat.SRT, unread_times(text))
