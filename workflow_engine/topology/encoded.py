"""JSON that stands encoded in strings, to any reasonable depth (specification, topology, 3).

And Base64, as people write it.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

#: JSON inside strings inside strings ...: how far it is followed
MAX_DEPTH = 8


class LoneSurrogateError(ValueError):
    """A JSON text holds half of a surrogate pair: no text that could be stored or printed."""

    def __init__(self) -> None:
        super().__init__("it holds half of a surrogate pair")


class DuplicateKeyError(ValueError):
    """A JSON object holds a key twice, so that one value would be lost."""

    def __init__(self, key: str) -> None:
        super().__init__(f'the key "{key[:80]}" stands twice in one object')
        self.key = key


def decode_json(value: Any) -> Any:
    """Return what a JSON-encoded string holds, however often it was encoded; else the value.

    Raises ValueError for a string that is not JSON (DuplicateKeyError for a repeated key,
    LoneSurrogateError, RecursionError when it nests too deep).
    """
    for _ in range(MAX_DEPTH):
        if not isinstance(value, str):
            return value
        text = value
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\ud" in text.lower() or not text.isascii():
            _require_text(value)
    raise ValueError("encoded too often")


def _require_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LoneSurrogateError from None


def base64_bytes(text: str) -> bytes:
    """Return what a Base64 text holds, also when its padding is missing. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def without(value: Any, places: Iterable[Sequence[str | int]]) -> Any:
    """Return a copy of a JSON value without the members at some places, decoded on the way.

    Members of objects go; items of arrays stay, lest the others move.
    """
    copy = _thawed(value)
    for place in places:
        target = copy
        for part in place[:-1]:
            target = _step(target, part)
        if place and isinstance(target, dict):
            cast("dict[str, Any]", target).pop(str(place[-1]), None)
    return copy


def _step(value: Any, part: str | int) -> Any:
    """Return a member, put in place decoded and copied, so that it may be changed."""
    try:
        value[part] = _thawed(value[part])
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _thawed(value: Any) -> Any:
    try:
        decoded = decode_json(value)
    except (ValueError, RecursionError):
        return value
    if isinstance(decoded, dict):
        return dict(cast("dict[str, Any]", decoded))
    return list(cast("list[Any]", decoded)) if isinstance(decoded, list) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        raise DuplicateKeyError(next(k for k, _ in pairs if k in seen or seen.add(k)))
    return members


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON value")
