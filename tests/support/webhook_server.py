"""A real HTTP server that takes webhooks and answers as it is told."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """`seconds` pass before it; `raw` is written in place of everything else, slowly."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    raw: bytes = b""


class WebhookServer:
    """Answers with `answer(number of the request)`, counted from 0; keeps all requests."""

    def __init__(self, answer: Callable[[int], Answer] = lambda number: Answer()) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> "WebhookServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 20) -> list[Request]:
        deadline = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.01)
        return self.requests

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                number = len(outer.requests)
                outer.requests.append(Request(self.path, headers, body))
                answer = outer.answer(number)
                if outer._stopped.wait(answer.seconds):
                    return
                if answer.raw:
                    self._drip(answer.raw)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def _drip(self, raw: bytes) -> None:
                for byte in raw:
                    if outer._stopped.wait(0.1):
                        return
                    self.wfile.write(bytes([byte]))

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # the sender hung up
                    super().handle()

            def finish(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().finish()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
