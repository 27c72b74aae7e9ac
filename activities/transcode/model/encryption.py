"""Encryption of HLS segments and further tags of a playlist, as an output writes them.

The key stands in the topology and in files of the work directory, nowhere else: plans and
content keys know its digest. Specification: transcode, 11 and 12.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from workflow_engine.errors import Code
from workflow_engine.topology.encoded import base64_bytes
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    JsonObject,
    Text,
    WireModel,
    wire_error,
)

#: bytes of a key
KEY_BYTES = 16


def _decoded(value: str, word: str) -> bytes:
    try:
        return base64_bytes(value)
    except ValueError:
        raise wire_error(Code.FORMAT, f"The {word} is not Base64.", "Encode it again.") from None


def _key(value: str) -> str:
    size = len(_decoded(value, "key"))
    if size != KEY_BYTES:
        raise wire_error(
            Code.OUT_OF_RANGE, f"The key has {size} bytes.", f"Use a key of {KEY_BYTES} bytes."
        )
    return value


def _uri(value: str) -> str:
    try:
        uri = _decoded(value, "KeyUri").decode("ascii")
    except UnicodeDecodeError:
        uri = ""
    if not uri or not uri.isprintable() or '"' in uri:
        raise wire_error(
            Code.FORMAT,
            "The KeyUri does not hold an address.",
            "Encode the address that players fetch the key from, in ASCII.",
        )
    return value


class Encryption(WireModel):
    """How the segments of an HLS output are encrypted: key and address of the key, Base64."""

    echoed: ClassVar[frozenset[str]] = frozenset({"Id", "SkipCnt"})

    type: Annotated[str, Choice(("hls-aes-128",))]
    # there is no key management service that could unwrap the key
    key_type: Annotated[str, Choice(("Base64",), later=("KMS",))]
    key: Annotated[str, Text(max_bytes=64), AfterValidator(_key)]
    key_uri: Annotated[str, Text(max_bytes=3200), AfterValidator(_uri)]

    def resolved(self) -> "Key":
        """Return the key and its address as they are."""
        key = base64_bytes(self.key)
        uri = base64_bytes(self.key_uri).decode("ascii")
        return Key(uri=uri, digest=hashlib.sha256(key).hexdigest(), secret=key)


class SegmentTags(WireModel):
    """Which tags the playlist has for each segment."""

    md5_support: Annotated[bool, Boolean()] = False
    size_support: Annotated[bool, Boolean()] = False


class NonStandard(WireModel):
    """Tags that no standard knows, for players that do."""

    ts: Annotated[SegmentTags, JsonObject] = Field(alias="TS")


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """The key of an output, and where players fetch it."""

    uri: str
    digest: str
    secret: bytes = field(repr=False)
