"""The bytes of a subtitle file as text."""

from activities.subtitles.document import SubtitleError

#: Python's codecs by CharEnc, in the order in which `auto` tries them
CODECS = {"UTF-8": "utf-8-sig", "GBK": "gbk", "BIG5": "cp950"}


def decoded(content: bytes, encoding: str) -> str:
    """Return the text; `auto` takes the first encoding that fits. Raises SubtitleError."""
    names = CODECS if encoding == "auto" else (encoding,)
    for name in names:
        try:
            text = content.decode(CODECS[name])
        except UnicodeDecodeError:
            continue
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    raise SubtitleError(f"it is not {' or '.join(names)}")
