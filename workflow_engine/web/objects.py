"""Objects for browsers: what executions published and what the library holds, and nothing else.

Whatever an object claims to be, a browser gets it as one of a few media types, never as a page
that runs something: those that are none of them are downloads.
"""

import re
from collections.abc import Generator, Iterable, Mapping
from datetime import UTC
from email.utils import format_datetime
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from workflow_engine.buckets import Place, object_url
from workflow_engine.buckets.interface import Block
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef, Output
from workflow_engine.records.catalog import MediaRecord
from workflow_engine.web.requests import PageRequest
from workflow_engine.web.serving import Visit

#: what is shown or played, by the end of the key
_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "m4s": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "ts": "video/mp2t",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "vtt": "text/vtt",
    "json": "application/json",
    "txt": "text/plain",
}
_PICTURES = frozenset({"jpg", "jpeg", "png", "gif", "webp"})
_DOWNLOAD = "application/octet-stream"
#: bytes of a picture in a list
MOST_COVER = 4 << 20
#: seconds that a browser keeps a cover
_COVER_SECONDS = 3600
#: objects that are sent at once; each keeps a connection, and a client may read as slowly as it
#: likes
MOST_SENT = 100
#: seconds after which to ask again when so many are
_RETRY_SECONDS = 10
#: bytes that are handed to a connection at once, and wait there while the client does not read
_BLOCK = 64 << 10
#: nothing in an object runs, loads or leads anywhere
_POLICY = "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
#: a range with positions that fit into 64 bits; others are not taken as ranges
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def output_path(run_id: str, ref: ObjectRef) -> str:
    """Return where an output of an execution is served; lists in it name their parts relatively."""
    return f"/executions/{run_id}/objects/{ref.bucket}/{quote(ref.object)}"


class ObjectPages:
    """`/executions/RUNID/objects/BUCKET/KEY`, `/media/ID/file` and `/media/ID/cover`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sender = Sender()

    def output(self, visit: Visit) -> Response:
        """Send what an execution published."""
        parts = visit.request.parts
        ref = ObjectRef(bucket=parts["bucket"], object=parts["key"])
        return self._published(visit, ref, parts["run_id"])

    def file(self, visit: Visit) -> Response:
        """Send the file of a media."""
        ref = self._media(visit).file
        place = Place(bucket=self._engine.buckets.get(ref.bucket), key=ref.object)
        return self._sender.sent(place, ref.object, visit.request)

    def cover(self, visit: Visit) -> Response:
        """Send the cover of a media: a picture that an execution made."""
        media = self._media(visit)
        ref = self._engine.buckets.parse(media.cover_url) if media.cover_url else None
        if ref is None or not is_picture(ref.object):
            raise _missing(f'The media "{media.id}" has no cover here.')
        response = self._published(visit, ref, most=MOST_COVER)
        if response.status_code < 400:
            response.headers["cache-control"] = f"private, max-age={_COVER_SECONDS}"
        return response

    def _media(self, visit: Visit) -> MediaRecord:
        media = self._engine.media.get(visit.request.parts["media_id"])
        if media.deleted:
            raise _missing(f'The media "{media.id}" has been deleted.')
        return media

    def _published(
        self, visit: Visit, ref: ObjectRef, run_id: str = "", *, most: int | None = None
    ) -> Response:
        output = self._engine.store.glances.published(ref, run_id)
        if output is None:
            raise _missing(f'No execution has published "{object_url(ref)}".')
        return self._sender.sent(self._place(output), ref.object, visit.request, most=most)

    def _place(self, output: Output) -> Place:
        """Return where an output lies; a configured bucket refuses links that lead out of it."""
        ref, buckets = output.ref, self._engine.buckets
        if ref.bucket in buckets.locations:
            bucket = buckets.get(ref.bucket)
            if bucket.place(ref.object) == output.place:
                return Place(bucket=bucket, key=ref.object)
        return buckets.at(output.place)


class Sender:
    """Sends objects, `MOST_SENT` at once."""

    def __init__(self) -> None:
        #: how many are being sent; changed in the event loop only
        self.sending = 0

    def sent(
        self, place: Place, key: str, request: PageRequest, *, most: int | None = None
    ) -> Response:
        """Return an object, or the range of it that a browser asks for.

        Raises InvalidInputError when nothing lies there any more, or more than `most` bytes.
        """
        info = place.head()
        if info is None:
            raise _missing(f'The object "{key}" is not there any more.')
        if most is not None and info.size > most:
            raise _missing(f'The picture "{key}" is too large for a list.')
        etag = f'"{quote(info.version)}"'
        kind = _TYPES.get(_end(key), _DOWNLOAD)
        told = {
            "etag": etag,
            "last-modified": format_datetime(info.modified.astimezone(UTC), usegmt=True),
            "accept-ranges": "bytes",
            "cache-control": "private, no-cache",
            "content-security-policy": _POLICY,
            "content-disposition": _disposition(key, kind),
        }
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=told)
        if request.method == "HEAD":
            told["content-length"] = str(info.size)
            return Response(headers=told, media_type=kind)
        span = _span(request.headers, info.size, etag)
        if span is None:
            told["content-range"] = f"bytes */{info.size}"
            return Response(status_code=416, headers=told)
        if self.sending >= MOST_SENT:
            return Response(
                f"Too many objects are being sent. Try again in {_RETRY_SECONDS} seconds.",
                503,
                {"retry-after": str(_RETRY_SECONDS)},
                "text/plain",
            )
        whole = len(span) == info.size
        told["content-length"] = str(len(span))
        if not whole:
            told["content-range"] = f"bytes {span.start}-{span.stop - 1}/{info.size}"
        blocks = _cut(place.bucket.read(place.key, version=info.version, span=span))
        return _Sending(self, blocks, 200 if whole else 206, told, kind)


class _Sending(StreamingResponse):
    """An object that is being sent; its sender counts it, until the client has it or is gone."""

    def __init__(
        self,
        sender: Sender,
        blocks: Generator[bytes],
        status: int,
        headers: Mapping[str, str],
        kind: str,
    ) -> None:
        super().__init__(blocks, status, headers, kind)
        self._sender = sender
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._sender.sending += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._sender.sending -= 1
            self._blocks.close()


def _cut(found: Iterable[Block]) -> Generator[bytes]:
    """Return what a bucket reads in blocks that a connection can hold."""
    for block in found:
        for start in range(0, len(block), _BLOCK):
            yield bytes(block[start : start + _BLOCK])


def _disposition(key: str, kind: str) -> str:
    """Return whether a browser shows an object, or saves it and as what."""
    name = quote(key.rpartition("/")[2], safe="")
    return "inline" if kind != _DOWNLOAD else f"attachment; filename*=UTF-8''{name}"


def is_picture(key: str) -> bool:
    """Whether an object, or a URL, is a picture by its name."""
    return _end(key) in _PICTURES


def plays_as(key: str) -> str:
    """Return the media type of what a browser may be able to play, "" for anything else."""
    kind = _TYPES.get(_end(key), "")
    return kind if kind.startswith(("video/", "audio/")) else ""


def _span(headers: Mapping[str, str], size: int, etag: str) -> range | None:
    """Return the bytes that are asked for, None where there are no such bytes.

    Several ranges, and those of another version, are answered with everything.
    """
    asked = _RANGE.fullmatch(headers.get("range", "").strip())
    if asked is None or asked[0] == "bytes=-" or headers.get("if-range", etag) != etag:
        return range(size)
    first, last = asked.groups()
    if not first:
        length = min(int(last), size)
        return range(size - length, size) if length else None
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    return range(start, stop) if start < stop else None


def _end(key: str) -> str:
    return key.rpartition(".")[2].lower()


def _missing(message: str) -> InvalidInputError:
    return InvalidInputError(Code.RESOURCE_NOT_FOUND, message)
