"""What clients can do to the HTTP server with raw sockets: each test ends within seconds."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.test_api_server import app_with
from tests.support.api_clients import serving
from workflow_engine.api import app, connections
from workflow_engine.api.families import MPS_VERSION as VERSION
from workflow_engine.api.incoming import MOST_BODY

OK = b"HTTP/1.1 200"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SLOW = (
    f"GET /?Action=QueryMediaInfoJobList&Version={VERSION} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
).encode()
#: bytes of an answer that does not fit into the buffers of the system
LARGE = 20_000_000


class Client:
    """A raw connection. Nothing in it waits for more than five seconds."""

    def __init__(self, address: str, sent: bytes = b"") -> None:
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.send(sent)

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        with suppress(ConnectionError):  # the server may have answered and closed
            self.socket.sendall(data)

    def answer(self) -> bytes:
        """One answer, whole; or what has come when the connection ends before."""
        found = b""
        while part := self.socket.recv(1 << 16):
            found += part
            head, end, body = found.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            if end and length and len(body) >= int(length[1]):
                break
        return found

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        found = b""
        with suppress(ConnectionError):
            while part := self.socket.recv(1 << 16):
                found += part
        return found


def sent(address: str, request: bytes) -> bytes:
    """What the server answers to a request, until it closes the connection."""
    with closing(Client(address, request)) as client:
        return client.rest()


def healthy(address: str) -> bool:
    with closing(Client(address, HEALTH)) as client:
        return client.answer().startswith(OK)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(app_with(tmp_path_factory.mktemp("data"), keys=False)) as address:
        yield address


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that takes three connections, and is impatient."""
    monkeypatch.setattr(app, "connection_limit", lambda: 3)
    for name in ("HEAD_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(connections, name, 0.5)
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.2)
    monkeypatch.setattr(connections, "MOST_HELD", 1 << 20)
    served = app_with(tmp_path, keys=False)
    served.router.routes.append(Route("/large", lambda request: Response(b"x" * LARGE)))
    with serving(served) as address:
        yield address


def post(*fields: str, body: str = "hello", line: str = "POST / HTTP/1.1") -> bytes:
    return "\r\n".join((line, "Host: 127.0.0.1", *fields, "", body)).encode()


CHUNKED = "Transfer-Encoding: chunked"
AMBIGUOUS = {
    "both lengths": post("Content-Length: 5", CHUNKED, body="0\r\n\r\n"),
    "both lengths, the other way": post(CHUNKED, "content-length:5", body="0\r\n\r\n"),
    "a length twice": post("Content-Length: 5", "Content-Length: 5"),
    "two lengths": post("Content-Length: 5", "Content-Length: 6"),
    "a list of lengths": post("Content-Length: 5, 5"),
    "a negative length": post("Content-Length: -5"),
    "a signed length": post("Content-Length: +5"),
    "a hexadecimal length": post("Content-Length: 0x5"),
    "an empty length": post("Content-Length:"),
    "a space before the colon": post("Content-Length : 5"),
    "a folded field": post("Transfer-Encoding:", " chunked", body="0\r\n\r\n"),
    "a fold after the request line": b"POST / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
    "a bare LF": b"POST / HTTP/1.1\nHost: 127.0.0.1\n\n",
    "one bare LF": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\nContent-Length: 5\r\n\r\nhello",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\rContent-Length: 5\r\n\r\nhello",
    "a NUL": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
    "another encoding": post("Transfer-Encoding: gzip, chunked"),
    "an unknown encoding": post("Transfer-Encoding: xchunked"),
    "two encodings": post(CHUNKED, "Transfer-Encoding: identity"),
    "chunks in HTTP/1.0": post(CHUNKED, body="0\r\n\r\n", line="POST / HTTP/1.0"),
    "no size of a chunk": post(CHUNKED, body="\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk": post(CHUNKED, body="-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk in C": post(CHUNKED, body="0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk of 100 bits": post(CHUNKED, body="F" * 25 + "\r\nhello"),
    "a chunk that is longer": post(CHUNKED, body="5\r\nhello world\r\n0\r\n\r\n"),
    "a size without an end": post(CHUNKED, body="5;" + "x" * 100_000),
    "no version": b"GET /\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a line before": b"\r\n\r\n" + HEALTH,
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(server: str, request_: bytes):
    answer = sent(server, request_ + HEALTH)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"Code":"InvalidParameter.Format"' in answer
    assert answer.count(b"HTTP/1.1") == 1, "what follows is no request"


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_request_may_come_in_pieces(server: str, size: int):
    with closing(Client(server)) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for start in range(0, len(HEALTH), size):
                client.send(HEALTH[start : start + size])
            answer = b""
            while not answer.endswith(b"ok"):
                answer += client.answer()
            assert answer.startswith(OK)


def test_of_two_requests_at_once_the_first_is_answered(server: str):
    """The second is not looked at, so that nothing can be hidden in the first."""
    answer = sent(server, HEALTH + HEALTH)
    assert answer.startswith(OK)
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (b"414", b"GET /?a=" + b"x" * 4_000_000),
        (b"431", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 4_000_000),
        (b"431", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500_000 + b"\r\n"),
        (b"413", post("Content-Length: 100000000", body="x" * (MOST_BODY + 1000))),
        (b"413", post(CHUNKED, body=("1000\r\n" + "x" * 4096 + "\r\n") * 2100)),
    ],
    ids=["line", "field", "fields", "body", "chunks"],
)
def test_what_is_too_long_is_refused_at_its_limit(server: str, status: bytes, request_: bytes):
    answer = sent(server, request_)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert healthy(server)


def test_a_slow_head_and_a_slow_body_are_closed(small: str):
    started = time.monotonic()
    for request in (b"GET / HTTP/1.1\r\nX: ", post("Content-Length: 100")):
        with closing(Client(small, request)) as client:
            client.socket.settimeout(0.1)
            answer = b""
            while not answer:
                client.send(b"y")
                with suppress(TimeoutError):
                    answer = client.answer()
            assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 5


def test_a_body_that_nobody_reads_ends_with_its_answer(small: str):
    """A response that is there before the body must not keep the connection for the body."""
    with closing(Client(small, post("Content-Length: 100", line="GET /healthz HTTP/1.1"))) as one:
        assert one.rest().startswith(OK)


@pytest.mark.parametrize("before", [b"", HEALTH], ids=["never used", "kept alive"])
def test_an_idle_connection_is_closed(small: str, before: bytes):
    with closing(Client(small, before)) as client:
        assert client.rest().count(b"HTTP/1.1") == bool(before)


def test_a_client_that_reads_nothing_is_cut(small: str):
    """One that reads slowly is not."""
    request = HEALTH.replace(b"/healthz", b"/large")
    with closing(Client(small, request)) as deaf, closing(Client(small, request)) as slow:
        read = 0
        while read < LARGE:
            part = slow.socket.recv(1 << 16)
            assert part
            read += len(part)
            time.sleep(0.01)
        assert len(deaf.rest()) < LARGE


def test_the_oldest_that_waits_makes_room(small: str):
    with closing(Client(small)) as first, closing(Client(small)) as second:
        with closing(Client(small, HEALTH)) as third:
            assert third.answer().startswith(OK)
            assert healthy(small)
            assert first.rest() == b""
        assert second.rest() == b""


def test_a_request_in_work_is_never_cut(small: str):
    answers: list[bytes] = []
    clients = [Client(small, SLOW) for _ in range(3)]
    threads = [threading.Thread(target=lambda c=c: answers.append(c.answer())) for c in clients]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert sent(small, HEALTH).startswith(b"HTTP/1.1 503 ")
    for thread in threads:
        thread.join(5)
    assert [answer[:12] for answer in answers] == [OK] * 3
    for client in clients:
        client.close()
    assert healthy(small)


def test_unfinished_requests_share_their_memory(small: str):
    half = b"GET /?a=" + b"x" * (600 << 10)
    with closing(Client(small, half)) as first, closing(Client(small, half)) as second:
        assert first.rest() == b""
        second.send(b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert second.answer().startswith(b"HTTP/1.1 400 ")


def test_an_idle_connection_is_not_cut_for_the_memory_of_others(small: str):
    half = b"GET /?a=" + b"x" * (600 << 10)
    with closing(Client(small, HEALTH)) as idle:
        assert idle.answer().startswith(OK)
        with closing(Client(small, half)) as first, closing(Client(small, half)):
            assert first.rest() == b""
            idle.send(HEALTH)
            assert idle.answer().startswith(OK)
