"""The bytes of a subtitle file as text."""

from activities.subtitles.document import SubtitleError

#: Python's codecs by CharEnc, in the order in which `auto` prefers them
CODECS = {"UTF-8": "utf-8-sig", "GBK": "gbk", "BIG5": "cp950"}

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
    names = [*CODECS] if encoding == "auto" else [encoding]
    texts = {name: text for name in names if (text := _text(content, name)) is not None}
    if not texts:
        raise SubtitleError(f"it is not {' or '.join(names)}")
    text = texts[max(texts, key=lambda name: _likelihood(texts[name], name))]
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
