"""The bytes of a subtitle file as text."""

import codecs

from activities.subtitles.document import SubtitleError

#: Python's codecs by CharEnc, in the order in which `auto` prefers them
CODECS = {"UTF-8": "utf-8-sig", "GBK": "gbk", "BIG5": "cp950"}
#: what a file in UTF-16 begins with
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

#: first and second bytes of the characters in daily use, which have a level of their own in both
#: standards; of texts in the other encoding, many lie outside of it
_DAILY = {
    "GBK": (range(0xB0, 0xD8), range(0xA1, 0xFF)),
    "BIG5": (range(0xA4, 0xC7), range(0x40, 0xFF)),
}
#: first bytes up to this one are those of punctuation
_LAST_OF_SIGNS = 0xA3
#: characters that are enough to tell
_SAMPLE = 20_000


def decoded(content: bytes, encoding: str) -> str:
    """Return the text; `auto` takes the likeliest encoding that fits. Raises SubtitleError."""
    if encoding == "auto":
        return detected(content)[0]
    text = _text(content, encoding)
    if text is None:
        raise SubtitleError(f"it is not {encoding}")
    return _with_plain_lines(text)


def detected(content: bytes) -> tuple[str, str]:
    """Return the text and the name of the likeliest encoding. Raises SubtitleError.

    UTF-16 is taken where its mark stands at the beginning.
    """
    if content.startswith(_UTF16):
        try:
            return _with_plain_lines(content.decode("utf-16")), "UTF-16"
        except UnicodeDecodeError:
            raise SubtitleError("it begins as UTF-16 and is not") from None
    texts = {name: text for name in CODECS if (text := _text(content, name)) is not None}
    if not texts:
        raise SubtitleError(f"it is not {' or '.join(CODECS)}")
    name = max(texts, key=lambda name: _likelihood(texts[name], name))
    return _with_plain_lines(texts[name]), name


def _with_plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _text(content: bytes, name: str) -> str | None:
    try:
        return content.decode(CODECS[name])
    except UnicodeDecodeError:
        return None


def _likelihood(text: str, name: str) -> float:
    """Return the share of its Chinese characters that are in daily use; all of UTF-8's count."""
    if name not in _DAILY:
        return 1.0
    first, second = _DAILY[name]
    signs = "".join(one for one in text if not one.isascii())[:_SAMPLE]
    code = signs.encode(CODECS[name], "ignore")
    pairs = [pair for pair in zip(code[::2], code[1::2], strict=False) if pair[0] > _LAST_OF_SIGNS]
    daily = sum(one in first and two in second for one, two in pairs)
    return daily / len(pairs) if pairs else 0.0
