"""Encryption of segments and further tags of a playlist, as an output writes them.

The key stands in the topology and in files of the work directory, nowhere else: plans and
content keys know its digest. Specification: transcode, 11 and 12.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

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


class Scheme(StrEnum):
    """What of the segments is encrypted."""

    #: whole segments of MPEG-TS
    AES_128 = "hls-aes-128"
    #: blocks of the samples in fragments of an mp4 (ISO/IEC 23001-7), which HLS calls SAMPLE-AES
    CBCS = "cbcs"


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
    """How the segments of an output are encrypted: key and address of the key, Base64.

    The type `cbcs`, for streams of packages, and `key_id`, 32 hexadecimal digits, are extensions of
    ours.
    """

    echoed: ClassVar[frozenset[str]] = frozenset({"Id", "SkipCnt"})

    type: Annotated[str, Choice(tuple(Scheme))]
    # there is no key management service that could unwrap the key
    key_type: Annotated[str, Choice(("Base64",), later=("KMS",))]
    key: Annotated[str, Text(max_bytes=64), AfterValidator(_key)]
    key_uri: Annotated[str, Text(max_bytes=3200), AfterValidator(_uri)]
    key_id: (
        Annotated[str, Text(pattern=r"[0-9A-Fa-f]{32}", form="32 hexadecimal digits")] | None
    ) = None

    @model_validator(mode="after")
    def _names_a_key_that_has_an_id(self) -> Self:
        if self.key_id is not None and self.scheme is not Scheme.CBCS:
            raise wire_error(
                Code.NOT_SUPPORTED,
                f'A key of the Type "{self.type}" has no KeyId.',
                f'Take KeyId out, or use the Type "{Scheme.CBCS}".',
            )
        return self

    @property
    def scheme(self) -> Scheme:
        """The type."""
        return Scheme(self.type)

    def resolved(self) -> "Key":
        """Return the key and its address as they are.

        A key without an id has one made of its address.
        """
        key = base64_bytes(self.key)
        uri = base64_bytes(self.key_uri).decode("ascii")
        made = hashlib.sha256(uri.encode()).hexdigest()[: 2 * KEY_BYTES]
        return Key(
            uri=uri,
            id=(self.key_id or made).lower(),
            digest=hashlib.sha256(key).hexdigest(),
            secret=key,
        )


class SegmentTags(WireModel):
    """Which tags the playlist has for each segment."""

    md5_support: Annotated[bool, Boolean()] = False
    size_support: Annotated[bool, Boolean()] = False


class NonStandard(WireModel):
    """Tags that no standard knows, for players that do."""

    ts: Annotated[SegmentTags, JsonObject] = Field(alias="TS")


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """The key of an output, where players fetch it, and its id, of 32 hexadecimal digits."""

    uri: str
    id: str
    digest: str
    secret: bytes = field(repr=False)
