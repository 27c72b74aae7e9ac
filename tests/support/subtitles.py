"""Subtitle files written for tests, and WebVTT read by somebody else's parser."""

import struct
from pathlib import Path

from activities.subtitles.reading import cues_in


def gsi(
    code: bytes = b"STL25.01",
    table: bytes = b"00",
    standard: bytes = b"1",
    start: bytes = b"00000000",
    rows: bytes = b"23",
) -> bytes:
    """The general information of an EBU STL file, as EBU Tech 3264 lays it out."""
    block = bytearray(b" " * 1024)
    block[0:3], block[3:11], block[11:12], block[12:14] = b"850", code, standard, table
    block[253:255], block[255:256], block[256:264] = rows, b"1", start
    return bytes(block)


def tti(
    number: int,
    start: tuple[int, int, int, int],
    end: tuple[int, int, int, int],
    text: bytes,
    *,
    extension: int = 0xFF,
    cumulative: int = 0,
    row: int = 20,
    align: int = 2,
    comment: int = 0,
) -> bytes:
    """A block of text and timing of an EBU STL file; times are hours to frames."""
    head = struct.pack("<BHBB", 0, number, extension, cumulative) + bytes(start) + bytes(end)
    return head + bytes((row, align, comment)) + text.ljust(112, b"\x8f")


def ttml(body: str, *, root: str = "", head: str = "") -> bytes:
    """A TTML document with a body."""
    names = "".join(
        f' xmlns{colon}="http://www.w3.org/ns/ttml{part}"'
        for colon, part in (("", ""), (":tts", "#styling"), (":ttp", "#parameter"))
    )
    return f"<tt{names} {root}><head>{head}</head><body>{body}</body></tt>".encode()


def rows(content: bytes | str, **options) -> list[tuple[int, int, str]]:
    """Start and end in milliseconds, and the text, of each cue of a subtitle file."""
    found = cues_in(content.encode() if isinstance(content, str) else content, **options)
    return [(cue.start, cue.end, cue.text) for cue in found.cues]


def texts(content: bytes | str, **options) -> list[str]:
    """The texts of a subtitle file."""
    return [text for _, _, text in rows(content, **options)]


def settings(content: bytes | str) -> list[str]:
    """The settings of the cues of a subtitle file."""
    found = cues_in(content.encode() if isinstance(content, str) else content)
    return [cue.settings for cue in found.cues]


def peer_rows(path: Path) -> list[tuple[str, str, str]]:
    """Start, end and text (without tags) of each cue of a WebVTT file, as webvtt-py reads it."""
    import webvtt

    return [(one.start, one.end, one.text) for one in webvtt.read(str(path))]
