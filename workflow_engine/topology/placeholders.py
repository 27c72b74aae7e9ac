"""Object names: URL-decoding, placeholders and the rules that every key must obey.

Specification: topology, 3 (names are URL-encoded once) and 11 (placeholders); bucket facts,
"URLs and keys". An object name in a topology is decoded first and filled second, so a `%` in
the input's own name is never decoded.

>>> names = Names.of("vod/my clip.flv", run_id="0" * 32)
>>> names.fill("out%2F{ObjectPrefix}{FileName}")
'out/vod/my clip'
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote

from workflow_engine.errors import Code, InvalidInputError

#: known only after the output exists; the activity replaces them before it publishes
AFTER_ENCODING = frozenset({"DestMd5", "DestAvgBitrate"})

#: bytes of UTF-8, S3 and OSS alike
MAX_KEY_BYTES = 1023
#: what common file systems take for one path component
MAX_COMPONENT_BYTES = 255

_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9]*)\}")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The values of the placeholders for one run on one input."""

    object_prefix: str  # up to and with the last slash, empty at the root
    file_name: str  # without extension
    ext_name: str  # without the dot
    run_id: str = ""
    media_id: str = ""

    @classmethod
    def of(cls, key: str, *, run_id: str = "", media_id: str = "") -> "Names":
        """Return the values for the object `key` (not URL-encoded)."""
        slash = key.rfind("/") + 1
        stem, dot, extension = key[slash:].rpartition(".")
        if not dot:
            stem, extension = extension, ""
        return cls(
            object_prefix=key[:slash],
            file_name=stem,
            ext_name=extension,
            run_id=run_id,
            media_id=media_id,
        )

    @property
    def source_name(self) -> str:
        """Name of the input in a work directory: `source`, and the extension if harmless."""
        extension = self.ext_name.lower()
        return f"source.{extension}" if _EXTENSION.fullmatch(extension) else "source"

    def fill(self, template: str) -> str:
        """Decode a template and fill every placeholder that is known before the work.

        Those of `AFTER_ENCODING`, counters and times of pictures, and unknown ones stay.
        Repeated slashes collapse (specification, topology, 11).
        """
        values = {
            "ObjectPrefix": self.object_prefix,
            "FileName": self.file_name,
            "ExtName": self.ext_name,
            "RunId": self.run_id,
            "MediaId": self.media_id,
        }
        known = {name: value for name, value in values.items() if value or name != "RunId"}
        text = _PLACEHOLDER.sub(lambda m: known.get(m[1], m[0]), decode_object(template))
        return _SLASHES.sub("/", text).removeprefix("/")


def decode_object(name: str) -> str:
    """URL-decode an object name once, as UTF-8; `+` stays a plus.

    Raises InvalidInputError (`InvalidParameter.ObjectKeyInvalid`) for bytes that are not UTF-8.
    A `%` that starts no escape is kept.
    """
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInputError(
            Code.OBJECT_KEY,
            f'The object name "{name}" is not URL-encoded UTF-8.',
            remedy="Encode the name as UTF-8 and percent-encode its bytes.",
        ) from None


def placeholders_in(template: str) -> list[str]:
    """Return the names of the placeholders of a decoded or encoded template, in order."""
    return _PLACEHOLDER.findall(decode_object(template))


def unknown_placeholders(template: str, allowed: Collection[str]) -> list[str]:
    """Return the placeholders of a template that are not among `allowed`."""
    return [name for name in placeholders_in(template) if name not in allowed]


def check_key(key: str) -> None:
    """Refuse a key that cannot be an object or that would leave its bucket's folder.

    Raises InvalidInputError (`InvalidParameter.ObjectKeyInvalid`).
    """
    reason = _key_fault(key)
    if reason:
        raise InvalidInputError(
            Code.OBJECT_KEY,
            f"The object key {_quoted(key)} {reason}.",
            remedy="Use a relative key of 1 to 1023 bytes without '.', '..' or empty parts.",
        )


def is_key(key: str) -> bool:
    """Tell whether `check_key` takes a key."""
    return not _key_fault(key)


def _key_fault(key: str) -> str:
    if not key:
        return "is empty"
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if len(encoded) > MAX_KEY_BYTES:
        return f"has {len(encoded)} bytes, more than {MAX_KEY_BYTES}"
    if _CONTROL.search(key):
        return "holds a control character"
    for part in key.split("/"):
        if part in ("", ".", ".."):
            return f'has the part "{part}", which cannot be stored'
        if len(part.encode()) > MAX_COMPONENT_BYTES:
            return f"has a part of more than {MAX_COMPONENT_BYTES} bytes"
    return ""


def _quoted(key: str) -> str:
    shown = key if len(key) <= 120 else key[:117] + "..."
    return '"' + shown.encode("unicode_escape", "backslashreplace").decode() + '"'
