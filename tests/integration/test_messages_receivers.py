"""Messages reach real receivers: an HTTP server, a queue, a file with many writers."""

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.sqs_server import create_queue, received, sqs_client, sqs_server
from tests.support.webhook_server import Answer, WebhookServer
from workflow_engine.messages import webhook
from workflow_engine.messages.jsonlines import JsonLines
from workflow_engine.messages.receivers import DeliveryError, MessageTooLongError
from workflow_engine.messages.sqs import SqsQueue
from workflow_engine.messages.webhook import Webhook
from workflow_engine.records import utc_now
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.settings import MessageSettings

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def message(body: str = '{"RunId":"1"}', **changes: Any) -> MessageRecord:
    record = MessageRecord(
        id="4" * 32, run_id="1" * 32, activity="a", receiver="queue:q", body=body, created=utc_now()
    )
    return replace(record, **changes)


def verified(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """What a receiver does, written after the Standard Webhooks specification."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [s.split(",", 1) for s in headers["webhook-signature"].split(" ")]
    return any(v == "v1" and hmac.compare_digest(s, wanted) for v, s in given)


class TestWebhook:
    def test_body_and_headers(self) -> None:
        with WebhookServer() as server:
            Webhook(server.url + "/\u00e4 b?to%2Fken=1&x=\u00fc", None).send(message())
        (request,) = server.requests
        assert request.path == "/hook/%C3%A4%20b?to%2Fken=1&x=%C3%BC"
        assert request.body == b'{"RunId":"1"}'
        assert request.headers["content-type"] == "application/json"
        assert request.headers["webhook-id"] == "4" * 32
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 5
        assert "webhook-signature" not in request.headers

    def test_the_signature_can_be_verified(self) -> None:
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        with WebhookServer() as server:
            Webhook(server.url, key).send(message())
        (request,) = server.requests
        assert verified(request.headers, request.body, SECRET)
        assert not verified(request.headers, request.body + b" ", SECRET)
        other = "whsec_" + base64.b64encode(b"another").decode()
        assert not verified(request.headers, request.body, other)

    def test_the_example_of_the_documentation_verifies_it(self) -> None:
        text = (Path(__file__).parents[2] / "docs" / "messages.md").read_text()
        names: dict[str, Any] = {}
        exec(text.split("```python\n")[1].split("```")[0], names)
        verify = names["verify"]
        told = MessageSettings.model_validate({"webhook": "http://h", "secret": SECRET})
        with WebhookServer() as server:
            Webhook(server.url, told.signing_key).send(message())
        (request,) = server.requests
        verify(request.headers, request.body, SECRET)
        for headers, body in (
            (request.headers, request.body + b" "),
            (request.headers | {"webhook-timestamp": "1"}, request.body),
            (request.headers | {"webhook-id": "5" * 32}, request.body),
        ):
            with pytest.raises(ValueError, match="signature"):
                verify(headers, body, SECRET)

    @pytest.mark.parametrize("status", [204, 299])
    def test_every_2xx_is_success(self, status: int) -> None:
        with WebhookServer(lambda number: Answer(status, body=b"")) as server:
            Webhook(server.url, None).send(message())

    @pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 500, 503])
    def test_every_other_status_is_failure(self, status: int) -> None:
        def answer(number: int) -> Answer:
            return Answer(status, body=b"no\n  way", headers={"Location": "/elsewhere"})

        with WebhookServer(answer) as server, pytest.raises(DeliveryError) as caught:
            Webhook(server.url + "?token=hunter2", None).send(message())
        assert f"HTTP {status}: no way" in caught.value.message
        assert "hunter2" not in str(caught.value)
        assert len(server.requests) == 1

    def test_a_dead_port(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
            with pytest.raises(DeliveryError, match="refused"):
                Webhook(url, None).send(message())

    def test_a_host_that_cannot_be(self) -> None:
        with pytest.raises(DeliveryError):
            Webhook("http://a..b/", None).send(message())

    def test_tls_is_verified(self) -> None:
        with WebhookServer() as server, pytest.raises(DeliveryError, match="SSL"):
            Webhook(server.url.replace("http:", "https:"), None).send(message())

    @pytest.mark.parametrize(
        "answer",
        [Answer(seconds=60), Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 50)],
        ids=["silent", "byte by byte"],
    )
    def test_one_that_hangs_is_left_after_the_timeout(
        self, answer: Answer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.5)
        with WebhookServer(lambda number: answer) as server:
            begun = time.monotonic()
            with pytest.raises(DeliveryError, match=r"no answer within 0\.5 seconds"):
                Webhook(server.url, None).send(message())
            assert time.monotonic() - begun < 3

    def test_an_endless_answer_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 2)
        with WebhookServer(lambda number: Answer(body=b"x" * 10_000_000)) as server:
            Webhook(server.url, None).send(message())

    def test_what_is_no_http(self) -> None:
        with (
            WebhookServer(lambda number: Answer(raw=b"SSH\r\n\r\n")) as server,
            pytest.raises(DeliveryError),
        ):
            Webhook(server.url, None).send(message())

    def test_proxies_of_the_environment_are_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        with WebhookServer() as server:
            Webhook(server.url, None).send(message())


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with sqs_server() as endpoint:
        yield endpoint


class TestSqs:
    @pytest.fixture
    def client(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
        return sqs_client(endpoint, monkeypatch)

    def test_a_queue(self, client: Any) -> None:
        url = create_queue(client, "jobs")
        queue = SqsQueue(url)
        queue.send(message('{"a":1}'))
        queue.send(message('{"a":2}'))
        assert sorted(received(client, url)) == ['{"a":1}', '{"a":2}']

    def test_a_fifo_queue_drops_what_comes_twice(self, client: Any) -> None:
        url = create_queue(client, "jobs.fifo", FifoQueue="true")
        queue = SqsQueue(url)
        queue.send(message('{"a":1}', id="5" * 32))
        queue.send(message('{"a":1}', id="5" * 32))
        queue.send(message('{"a":2}', id="6" * 32))
        assert received(client, url) == ['{"a":1}', '{"a":2}']

    def test_a_queue_that_does_not_exist(self, client: Any, endpoint: str) -> None:
        with pytest.raises(DeliveryError, match="does not exist"):
            SqsQueue(f"{endpoint}/123456789012/none").send(message())

    def test_a_message_that_is_too_long_for_the_queue(self, client: Any) -> None:
        url = create_queue(client, "short", MaximumMessageSize="1024")
        with pytest.raises(MessageTooLongError):
            SqsQueue(url).send(message('"' + "x" * 2000 + '"'))

    def test_a_server_that_is_not_there(self, client: Any) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{bound.getsockname()[1]}/1/q"
            with pytest.raises(DeliveryError, match="Could not connect"):
                SqsQueue(url).send(message())

    def test_without_credentials(
        self, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(DeliveryError, match="credentials"):
            SqsQueue("http://127.0.0.1:9/1/q").send(message())


class TestJsonLines:
    def test_folder_and_file_are_created_and_lines_appended(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "messages.jsonl"
        lines = JsonLines(path)
        lines.send(message('{"a":1}'))
        lines.send(message('{"a":2}'))
        assert path.read_text() == '{"a":1}\n{"a":2}\n'

    def test_the_file_may_be_moved_away(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        lines = JsonLines(path)
        lines.send(message('{"a":1}'))
        path.rename(tmp_path / "old.jsonl")
        lines.send(message('{"a":2}'))
        assert path.read_text() == '{"a":2}\n'

    def test_a_line_that_was_cut_off_is_ended_first(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        path.write_text('{"a":1}\n{"a":')
        JsonLines(path).send(message('{"a":2}'))
        assert path.read_text() == '{"a":1}\n{"a":\n{"a":2}\n'

    def test_a_full_disk(self) -> None:
        with pytest.raises(DeliveryError, match="No space left on device"):
            JsonLines(Path("/dev/full")).send(message())

    def test_what_cannot_be_written(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "file" / "x.jsonl"):
            (tmp_path / "file").touch()
            with pytest.raises(DeliveryError, match=str(path)):
                JsonLines(path).send(message())

    def test_many_processes_write_whole_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        script = """
            import sys
            from pathlib import Path
            from tests.integration.test_messages_receivers import JsonLines, json, message
            lines = JsonLines(Path(sys.argv[1]))
            for number in range(50):
                body = {"writer": sys.argv[2], "number": number, "text": "x" * 9000}
                lines.send(message(json.dumps(body)))
        """
        writers = [
            subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(path), str(n)])
            for n in range(4)
        ]
        assert [writer.wait(60) for writer in writers] == [0] * 4
        found = [json.loads(line) for line in path.read_text().splitlines()]
        for n in range(4):
            assert [f["number"] for f in found if f["writer"] == str(n)] == list(range(50))

    def test_a_writer_that_is_killed_leaves_at_most_one_cut_off_line(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        script = """
            import sys
            from pathlib import Path
            from tests.integration.test_messages_receivers import JsonLines, message
            lines = JsonLines(Path(sys.argv[1]))
            while True:
                lines.send(message('"' + "x" * 200_000 + '"'))
        """
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(path)])
        while not path.exists() or os.path.getsize(path) < 2_000_000:
            time.sleep(0.005)
        writer.kill()
        writer.wait()
        JsonLines(path).send(message('"after"'))
        *before, last = path.read_text().splitlines()
        assert json.loads(last) == "after"
        whole = [line for line in before if len(line) == 200_002]
        assert len(whole) >= len(before) - 1 >= 8
