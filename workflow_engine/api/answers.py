"""Answers as JSON and XML, and the HTTP status of errors (specification, api, 1; wire)."""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast
from xml.sax.saxutils import escape

import orjson

from workflow_engine.errors import Code


class Format(StrEnum):
    """How an answer is written."""

    JSON = "JSON"
    XML = "XML"

    @property
    def media_type(self) -> str:
        """The Content-Type; client libraries compare it to the letter."""
        return f"application/{self.lower()};charset=utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What goes back to the client."""

    status: int
    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


_STATUS: Mapping[str, int] = {
    Code.THROTTLING: 429,
    Code.RESOURCE_NOT_FOUND: 404,
    Code.TEMPLATE_NOT_FOUND: 404,
    Code.ACCESS_KEY_NOT_FOUND: 403,
    Code.INTERNAL: 500,
    Code.INSTALLATION: 500,
    Code.NO_SPACE: 500,
    Code.TIMEOUT: 500,
}


def status_of(code: str) -> int:
    """Return the HTTP status of an error's code."""
    if code.startswith(("PermissionDenied.", "InvalidIdentity.")):
        return 403
    return _STATUS.get(code, 400)


def new_request_id() -> str:
    """Return a fresh RequestId."""
    return str(uuid.uuid4()).upper()


def error_body(form: Format, request_id: str, host: str, code: str, message: str) -> bytes:
    """Return the document of an error; `host` is the name under which the server was called."""
    content = {"RequestId": request_id, "HostId": host[:255], "Code": code, "Message": message}
    return written(form, "Error", content)


def written(form: Format, root: str, content: Mapping[str, Any]) -> bytes:
    """Return a document in UTF-8; `root` is the name of the root element, in XML."""
    if form is Format.JSON:
        return json_bytes(content)
    parts = ['<?xml version="1.0" encoding="UTF-8"?>']
    _element(parts, root, content)
    return "".join(parts).encode("utf-8", "replace")


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return compact JSON in UTF-8."""
    with suppress(TypeError):
        return orjson.dumps(content)
    # lone surrogates, and numbers of more than 64 bits
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _element(parts: list[str], name: str, value: Any) -> None:
    """Append an element; the items of a list become elements of the same name."""
    if isinstance(value, list | tuple):
        for item in cast("Sequence[Any]", value):
            _element(parts, name, item)
        return
    name = _tag(name)
    if isinstance(value, Mapping):
        parts.append(f"<{name}>")
        for key, member in cast("Mapping[str, Any]", value).items():
            _element(parts, key, member)
        parts.append(f"</{name}>")
    elif value is not None:
        parts.append(f"<{name}>{xml_text(value)}</{name}>")


def xml_text(value: Any) -> str:
    """Return the text of an element."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    # a bare CR would be read as LF
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)).replace("\r", "&#13;")


#: characters outside XML 1.0
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@lru_cache(maxsize=1024)
def _tag(name: str) -> str:
    """Return the name of an element; keys that come from documents may be anything."""
    tag = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return tag if re.match(r"[A-Za-z_]", tag) else f"_{tag}"
