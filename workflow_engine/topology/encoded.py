"""JSON that stands encoded in strings, to any reasonable depth (specification, topology, 3)."""

import json
from typing import Any

#: JSON inside strings inside strings ...: how far it is followed
MAX_DEPTH = 8


class DuplicateKeyError(ValueError):
    """A JSON object holds a key twice, so that one value would be lost."""

    def __init__(self, key: str) -> None:
        super().__init__(f'the key "{key[:80]}" stands twice in one object')
        self.key = key


def decode_json(value: Any) -> Any:
    """Return what a JSON-encoded string holds, however often it was encoded; else the value.

    Raises ValueError for a string that is not JSON (DuplicateKeyError for a repeated key,
    RecursionError when it nests too deep).
    """
    for _ in range(MAX_DEPTH):
        if not isinstance(value, str):
            return value
        value = json.loads(value, object_pairs_hook=_unique, parse_constant=_no_constant)
    raise ValueError("encoded too often")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        raise DuplicateKeyError(next(k for k, _ in pairs if k in seen or seen.add(k)))
    return members


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON value")
