"""The component that looks after a Prefect server, beside one that answers nonsense."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workflow_engine.service import prefect
from workflow_engine.settings import Settings


class _Nonsense(BaseHTTPRequestHandler):
    """Is healthy, and gives runs without any of their fields."""

    asked = 0

    def do_GET(self) -> None:
        self._answer(True)

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        self._answer([{"name": "x"}])

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()


def test_answers_that_nobody_expects_do_not_end_it(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prefect, "PERIOD", 0.02)
    monkeypatch.setattr(prefect, "SWEEP_PERIOD", 0.05)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path))
    settings = Settings.model_validate({"prefect": {"api_url": url}})
    component = prefect.PrefectComponent(settings, lambda run_ids: [])
    component.start()
    deadline = time.monotonic() + 20
    while _Nonsense.asked < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert component.status() == ""
    component.stop()
