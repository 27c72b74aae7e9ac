"""The connections of the HTTP server: how many there are, how long they wait, what they hold.

Clients share the files and the memory of the process with the engine, so what they get of both
is limited. Where a limit is reached, the connection that has waited longest for (the rest of) a
request is closed to make room; requests that are complete are always answered.

`LimitedProtocol` also refuses what proxies and servers may read in two ways: a request is only
parsed when its head is complete and its length is given once.
"""

import asyncio
import logging
import re
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from workflow_engine.api.answers import Format, error_body, new_request_id
from workflow_engine.errors import Code, is_out_of_files

log = logging.getLogger("workflow_engine.api")

#: connections at once, where the limit of open files allows it
MOST_CONNECTIONS = 1000
#: bytes of request line and headers; client libraries send whole topologies in the request line
MOST_HEAD = 1 << 20
#: bytes of all requests together that are not answered yet
MOST_HELD = 32 << 20
#: seconds until a request line and headers must be complete; also how long a connection may idle
HEAD_SECONDS = 15.0
#: seconds that a client may take to send a body
BODY_SECONDS = 60.0
#: seconds that a client has to take notice of a refusal before its connection is cut
LINGER_SECONDS = 2.0
#: seconds between two log lines about the same trouble
_LOG_SECONDS = 60.0

#: line ends that are not CR LF, and values that continue on the next line
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\n[ \t]")
#: header fields, in lower case, that say where the body ends
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):([^\r]*)")


def connection_limit() -> int:
    """Return how many connections leave the engine half of the files that it may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)


def raise_file_limit() -> None:
    """Let this process open as many files as the system allows it to."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has another, lower limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def accept_failed_rarely() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return an exception handler for the event loop of a server.

    Without a free file asyncio reports each connection that waits, with a traceback, and again
    after a second.
    """
    full = RarelyLogged()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if is_out_of_files(context.get("exception")):
            full.warn("too many open files: new connections wait (see ulimit -n)")
        else:
            loop.default_exception_handler(context)

    return handle


class RarelyLogged:
    """A warning that may come thousands of times, and is logged once a minute."""

    def __init__(self) -> None:
        self._next = 0.0

    def warn(self, message: str, *values: object) -> None:
        """Log the message, unless one was logged just now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LOG_SECONDS
            log.warning(message, *values)


class Connections:
    """The open connections of one server, in its event loop."""

    def __init__(self, most: int) -> None:
        """`most` is the number of connections at once."""
        self._most = most
        self._open: set[LimitedProtocol] = set()
        # the one that has waited longest for a complete request is the first
        self._waiting: dict[LimitedProtocol, None] = {}
        self._held = 0
        self._full = RarelyLogged()

    def enter(self, connection: "LimitedProtocol") -> bool:
        """Count a new connection; false when there is no room for it."""
        self._open.add(connection)
        if len(self._open) > self._most:
            self._full.warn(
                "all %d connections are taken; those that wait for a request are closed",
                self._most,
            )
            return self._cut(next(iter(self._waiting), None))
        return True

    def leave(self, connection: "LimitedProtocol") -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self.release(connection)

    def wait(self, connection: "LimitedProtocol") -> None:
        """Note that a connection waits for a complete request from now on."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def serve(self, connection: "LimitedProtocol") -> None:
        """Note that the request of a connection is complete."""
        self._waiting.pop(connection, None)

    def hold(self, connection: "LimitedProtocol", size: int) -> None:
        """Count bytes of a request; may cut connections, also this one."""
        connection.held += size
        self._held += size
        while self._held > MOST_HELD and self._cut(
            next((one for one in self._waiting if one.held), None)
        ):
            self._full.warn("unfinished requests hold %d bytes; the oldest are cut", MOST_HELD)

    def release(self, connection: "LimitedProtocol") -> None:
        """Take the bytes of a connection as answered."""
        self._held -= connection.held
        connection.held = 0

    def _cut(self, connection: "LimitedProtocol | None") -> bool:
        if connection is None:
            return False
        connection.transport.abort()
        self.leave(connection)
        return True


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol within the limits of this module."""

    def __init__(self, *, connections: Connections, **options: Any) -> None:
        """`connections` are those of the server, the other options uvicorn's own."""
        super().__init__(**options)
        #: bytes of the request that is not answered yet
        self.held = 0
        self._limits = connections
        # request line and headers so far; None once they are complete
        self._head: bytearray | None = bytearray()
        self._discards = False
        # whether a request is complete and its answer is not
        self._answers = False
        # bytes of answers that waited for the client at the last look, 0 when it has read since
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or answer 503 when requests that are complete take all the room."""
        super().connection_made(transport)
        if self._limits.enter(self):
            self._wait(HEAD_SECONDS)
        else:
            self._refuse(503, Code.THROTTLING, "The server has no room for another connection.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self._limits.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Collect the head of a request; pass it on when it is complete, and what follows it."""
        if self._discards:
            return
        self._limits.hold(self, len(data))
        if self.transport.is_closing():
            return
        if self._head is not None:
            self._head += data
            if not self._head_is_complete(len(self._head) - len(data)):
                return
            data, self._head = bytes(self._head), None
            self._arm(BODY_SECONDS)
        super().data_received(data)
        done = not self._discards and self.conn.their_state is not h11.SEND_BODY
        if done and not self._answers:
            self._answers = True
            self._arm(BODY_SECONDS)
            self._limits.serve(self)

    def resume_writing(self) -> None:
        """Note that the client has read what waited for it."""
        self._unsent = 0
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Wait for the next request; close when something of this one, or a next one, is left."""
        self._limits.release(self)
        self._answers = False
        trailing, _ = self.conn.trailing_data
        if self._discards or trailing or self.conn.their_state is h11.SEND_BODY:
            self._linger()
            return
        self._head = bytearray()
        self._wait(HEAD_SECONDS)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or whose body is framed in a way that is not."""
        self._refuse(400, Code.FORMAT, "The request is not valid HTTP.")

    def _head_is_complete(self, before: int) -> bool:
        """Whether the head has ended within what came after `before` bytes; refuse bad ones."""
        head = self._head
        assert head is not None
        end = head.find(b"\r\n\r\n", max(0, before - 3))
        size = len(head) if end < 0 else end
        if size > MOST_HEAD:
            if head.find(b"\r\n", 0, MOST_HEAD) < 0:
                self._refuse(414, Code.OUT_OF_RANGE, f"The URL has more than {MOST_HEAD} bytes.")
            else:
                self._refuse(431, Code.OUT_OF_RANGE, f"The headers exceed {MOST_HEAD} bytes.")
        elif head[0] <= 0x20 or _AMBIGUOUS.search(head, max(0, before - 1), size + 2):
            self.send_400_response("")
        elif end >= 0 and _is_framed_twice(bytes(head[:end])):
            self._refuse(400, Code.FORMAT, "The headers give the length of the body in two ways.")
        return end >= 0 and not self._discards

    def _wait(self, seconds: float) -> None:
        self._limits.wait(self)
        self._arm(seconds)

    def _arm(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._overdue, seconds)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self, seconds: float) -> None:
        """End a connection whose request does not come, or whose client reads nothing."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        if 0 < before <= self._unsent:
            self.transport.abort()
        elif self._unsent or self._answers:
            self._arm(seconds)
        elif self.held and not self._discards:
            self._refuse(408, Code.INVALID, "The request did not come in time. Send it at once.")
        else:
            self.transport.abort()

    def _refuse(self, status: int, code: Code, message: str) -> None:
        """Answer without the application, and close; only close in the middle of its answer."""
        if self.conn.our_state is h11.SEND_BODY:
            self.transport.abort()
            return
        body = error_body(Format.JSON, new_request_id(), "", code, message)
        lines = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"content-type: {Format.JSON.media_type}",
            f"content-length: {len(body)}",
            "connection: close",
        )
        self.transport.write("\r\n".join((*lines, "\r\n")).encode() + body)
        self._linger()

    def _linger(self) -> None:
        """Close, but let the client read its answer first, also while it still sends."""
        self._discards = True
        self._head = None
        self._limits.release(self)
        self.transport.write_eof()
        self._wait(LINGER_SECONDS)


def _is_framed_twice(head: bytes) -> bool:
    """Whether a proxy may find another end of the body than we do (RFC 9112, 6.3 and 6.1)."""
    line, _, fields = head.lower().partition(b"\r\n")
    found = _FRAMING.findall(b"\r\n" + fields)
    if len(found) != 1:
        return len(found) > 1
    name, value = found[0]
    return b"," in value or (name == b"transfer-encoding" and line.endswith(b"http/1.0"))
