"""Check finished pictures without decoding them."""

from pathlib import Path

_STANDALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a complete JPEG file, None for anything else. Raises OSError."""
    content = path.read_bytes()
    if not content.startswith(b"\xff\xd8") or not content.endswith(b"\xff\xd9"):
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _START_OF_FRAME:
            height = int.from_bytes(content[at + 5 : at + 7], "big")
            return int.from_bytes(content[at + 7 : at + 9], "big"), height
        length = 0 if marker in _STANDALONE else int.from_bytes(content[at + 2 : at + 4], "big")
        at += 2 + length
    return None
