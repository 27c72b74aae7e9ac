"""The characters of EBU STL: ISO 6937 and four parts of ISO 8859 (EBU Tech 3264, annex 1).

Codes below 0x20 and from 0x80 to 0x9F control the text, and are not characters.
"""

import unicodedata

from activities.subtitles.document import SubtitleError

#: ISO 8859 by the code of the character table
_TABLES = {b"01": "iso8859_5", b"02": "iso8859_6", b"03": "iso8859_7", b"04": "iso8859_8"}
_LATIN = b"00"
#: of ISO 6937, from 0xA0 on; a space stands where there is no character
_HIGH = (
    "\u00a0¡¢£$¥#§¤\u2018“«←↑→↓"
    "°±²³\u00d7µ¶·÷\u2019”»¼½¾¿"
    "                "
    "—¹®©™♪¬¦    ⅛⅜⅝⅞"
    "ΩÆĐªĦ ĲĿŁØŒºÞŦŊŉ"
    "ĸæđðħıĳŀłøœßþŧŋ\u00ad"
)
#: diacritical marks, which come before their letters
_MARKS = {
    0xC1: "\u0300",
    0xC2: "\u0301",
    0xC3: "\u0302",
    0xC4: "\u0303",
    0xC5: "\u0304",
    0xC6: "\u0306",
    0xC7: "\u0307",
    0xC8: "\u0308",
    0xCA: "\u030a",
    0xCB: "\u0327",
    0xCD: "\u030b",
    0xCE: "\u0328",
    0xCF: "\u030c",
}


def characters(code: bytes, table: bytes) -> str:
    """Return the text of codes without controls; `table` is the CCT of the file.

    Raises SubtitleError for a table that is not known.
    """
    if table == _LATIN:
        return _latin(code)
    if table not in _TABLES:
        raise SubtitleError(f"its table of characters {table!r} is not known")
    return code.decode(_TABLES[table], "replace").replace("\ufffd", " ")


def _latin(code: bytes) -> str:
    text, mark = "", ""
    for one in code:
        if one in _MARKS:
            mark = _MARKS[one]
            continue
        text += (chr(one) if one < 0x80 else _HIGH[one - 0xA0]) + mark
        mark = ""
    return unicodedata.normalize("NFC", text)
