"""Bucket events as stores and queues send them, read into which object landed where.

Known are the notifications of S3 (and of servers that speak its protocol, such as MinIO), those
of OSS, and S3's events by EventBridge; each may be wrapped by SNS or MNS. The body itself says
which it is. Every source tells events more than once and in any order, and what the object is
like now is its store's to say, so nothing is read but the names of bucket and object.

>>> body = '{"Records": [{"eventName": "ObjectCreated:Put", "s3": '
>>> body += '{"bucket": {"name": "real-name"}, "object": {"key": "vod/my+clip.mp4"}}}]}'
>>> parse(body).landed
(Landed(bucket='real-name', keys=('vod/my clip.mp4',)),)
"""

import base64
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote, unquote_plus

from workflow_engine.listening import BucketSettings, Code, InvalidInputError, Notice

log = logging.getLogger(__name__)

#: bytes of a message
MOST_BYTES = 1 << 20
#: messages that are wrapped in messages: EventBridge by SNS is two
_MOST_ENVELOPES = 4
#: characters of a message that an error quotes
_SHOWN = 80

#: they stand below ObjectCreated, but nothing has landed yet
_OSS_UNFINISHED = frozenset({"InitiateMultipartUpload", "UploadPart", "UploadPartCopy"})
_OSS_REPLICATED = frozenset({"ObjectReplication:ObjectCreated", "ObjectReplication:ObjectModified"})


class EventError(InvalidInputError):
    """A message that is not a bucket event."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            Code.FORMAT,
            f"The message {reason}.",
            remedy="Send the bucket events of S3, MinIO, OSS or EventBridge as they are.",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Landed:
    """An object that landed; `bucket` is its name in the store.

    `keys` has several where the source does not say how it encodes keys: one of them is right.
    """

    bucket: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Events:
    """What a message told. `confirm` is the URL at which SNS wants its subscription confirmed."""

    landed: tuple[Landed, ...] = ()
    confirm: str = ""


def parse(body: str | bytes) -> Events:
    """Return what a message tells; nothing for events that land no object.

    Raises EventError for a message that is not a bucket event.
    """
    if len(body) > MOST_BYTES:
        raise EventError(f"is longer than {MOST_BYTES} bytes")
    if isinstance(body, bytes):
        try:
            body = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise EventError("is not UTF-8") from None
    for _ in range(_MOST_ENVELOPES):
        message = _document(body)
        events = _events(message)
        if events is not None:
            return events
        body = _text(message, "Message")
    raise EventError(f"wraps more than {_MOST_ENVELOPES} others")


def names_in_stores(buckets: Mapping[str, BucketSettings]) -> Mapping[str, tuple[str, ...]]:
    """Return the buckets by the name that events call them: the real one, of folders their own.

    Stores at several endpoints may have buckets of one name; which of them has the object is
    for them to say.
    """
    names: dict[str, tuple[str, ...]] = {}
    for name, settings in buckets.items():
        real = settings.url.partition("://")[2].rstrip("/") if settings.url else name
        names[real] = (*names.get(real, ()), name)
    return names


def notices_of(
    landed: Iterable[Landed], names: Mapping[str, Sequence[str]], source: str
) -> list[Notice]:
    """Return the notices of what landed, each once.

    Buckets that are not among `names` are left out.
    """
    notices: dict[Notice, None] = {}
    for one in landed:
        if one.bucket not in names:
            log.debug("an event of the bucket %r is left out: it is not configured", one.bucket)
        for name in names.get(one.bucket, ()):
            for key in one.keys:
                notices[Notice(bucket=name, key=key, source=source)] = None
    return list(notices)


def log_confirmation(url: str) -> None:
    """Log the URL that confirms a subscription; to open it is for whoever runs this service."""
    log.warning("a topic of SNS asks for a confirmation of its subscription: open %r", url[:2048])


def _document(text: str) -> Mapping[str, Any]:
    """Return the JSON object of a text, plain or in base64."""
    if not text.lstrip().startswith(("{", "[")):
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        except ValueError:
            raise EventError(f"is neither JSON nor the base64 of it: {_quoted(text)}") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise EventError(f"is not valid JSON: {_quoted(text)}") from None
    if not isinstance(value, dict):
        raise EventError(f"is not a JSON object: {_quoted(text)}")
    return cast(dict[str, Any], value)


def _events(message: Mapping[str, Any]) -> Events | None:
    """Return what a message tells, None when it is a wrapper of another one."""
    if "Records" in message:
        return Events(landed=tuple(map(_of_s3, filter(_landed_s3, _tables(message, "Records")))))
    if "events" in message:
        return Events(landed=tuple(map(_of_oss, filter(_landed_oss, _tables(message, "events")))))
    if "detail-type" in message:
        created = message["detail-type"] == "Object Created"
        return Events(landed=(_of_eventbridge(message),) if created else ())
    if message.get("Event") == "s3:TestEvent" or message.get("Type") == "UnsubscribeConfirmation":
        return Events()
    if message.get("Type") == "SubscriptionConfirmation":
        return Events(confirm=_text(message, "SubscribeURL"))
    if "Message" in message:
        return None
    raise EventError(
        'has none of "Records", "events", "detail-type" and "Message", which bucket events have; '
        f"it has {_quoted(', '.join(message))}"
    )


def _landed_s3(record: Mapping[str, Any]) -> bool:
    # MinIO writes "s3:" before it
    return _text(record, "eventName").removeprefix("s3:").startswith("ObjectCreated:")


def _of_s3(record: Mapping[str, Any]) -> Landed:
    bucket, key = _names(_table(record, "s3"))
    # keys are encoded as in forms; what is not UTF-8 then is not a key
    return Landed(bucket=bucket, keys=(unquote_plus(key, errors="surrogateescape"),))


def _landed_oss(event: Mapping[str, Any]) -> bool:
    name = _text(event, "eventName").removeprefix("oss:")
    kind, _, what = name.partition(":")
    return name in _OSS_REPLICATED or (kind == "ObjectCreated" and what not in _OSS_UNFINISHED)


def _of_oss(event: Mapping[str, Any]) -> Landed:
    bucket, key = _names(_table(event, "oss"))
    # it is not documented whether keys are encoded, and how
    ways = (
        key,
        unquote(key, errors="surrogateescape"),
        unquote_plus(key, errors="surrogateescape"),
    )
    return Landed(bucket=bucket, keys=tuple(dict.fromkeys(ways)))


def _of_eventbridge(message: Mapping[str, Any]) -> Landed:
    bucket, key = _names(_table(message, "detail"))
    return Landed(bucket=bucket, keys=(key,))  # these keys are never encoded


def _names(record: Mapping[str, Any]) -> tuple[str, str]:
    return _text(_table(record, "bucket"), "name"), _text(_table(record, "object"), "key")


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    if not isinstance(value, dict):
        raise EventError(f'has no object "{key}" where a bucket event has one')
    return cast(dict[str, Any], value)


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    values = table[key]
    if not isinstance(values, list) or not all(
        isinstance(value, dict) for value in cast(list[Any], values)
    ):
        raise EventError(f'has no list of objects as "{key}"')
    return cast(list[Mapping[str, Any]], values)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise EventError(f'has no text "{key}" where a bucket event has one')
    return value


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return '"' + shown.encode("unicode_escape", "backslashreplace").decode() + '"'
