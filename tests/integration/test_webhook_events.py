"""Events over HTTP: who may send, and that each object runs once."""

import base64
import http.client
import json
import logging
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, ClassVar
from urllib.parse import quote_plus, urlencode

import pytest

from tests.support.api_clients import serving
from tests.support.event_service import ODD_KEYS, Make, Service, folder, store_away
from tests.unit.test_events import eventbridge, minio, oss, s3, sns
from workflow_engine.api.app import create_app, server_options

TOKEN = "a-long-random-text"
SERVICE = f'[service]\nevent_token = "{TOKEN}"\n'


class Door:
    """A served webhook."""

    def __init__(self, service: Service) -> None:
        self.service = service
        assert service.triggers
        app = create_app(service.engine, status=lambda: (True, {}), gauges=list)
        app.router.routes.extend(service.triggers.routes)
        self._serving = serving(app)

    def __enter__(self) -> "Door":
        self.address = self._serving.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)

    def post(
        self,
        body: Any,
        path: str = "/events/auto",
        *,
        token: str = TOKEN,
        method: str = "POST",
        **headers: str,
    ) -> tuple[int, Any]:
        """Send a body; return the status and what was answered."""
        sent = body if isinstance(body, bytes | str) else json.dumps(body)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(self.address, timeout=20)
        with closing(connection):
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def sends(self, body: Any, path: str = "/events/auto", **more: Any) -> int:
        return self.post(body, path, **more)[0]


@pytest.fixture
def door(make: Make) -> Iterator[Door]:
    """A served webhook of the bucket `uploads`, with a token."""
    with Door(make(SERVICE + folder(events='"webhook"')).start()) as door:
        yield door


def real(message: Any) -> Any:
    """The same message for the bucket of these tests."""
    return json.loads(json.dumps(message).replace("real", "uploads"))


class TestWebhook:
    @pytest.mark.parametrize(
        ("provider", "write"),
        [
            ("s3", lambda key: {"Records": [s3(quote_plus(key))]}),
            ("minio", minio),
            ("oss", oss),
            ("eventbridge", eventbridge),
            ("sns", lambda key: sns({"Records": [s3(quote_plus(key))]})),
            ("auto", oss),
        ],
    )
    def test_every_sender(self, door: Door, provider: str, write: Any) -> None:
        for key in ODD_KEYS:
            door.service.put(key)
            status, told = door.post(real(write(key)), f"/events/{provider}")
            assert status == 200
            assert told["Notices"] >= 1
        assert door.service.settled(len(ODD_KEYS)) == sorted(ODD_KEYS)

    def test_oss_in_base64(self, door: Door) -> None:
        door.service.put("a.mp4")
        body = base64.b64encode(json.dumps(real(oss("a.mp4"))).encode())
        assert door.sends(body, "/events/oss") == 200
        assert door.service.settled(1) == ["a.mp4"]

    def test_the_notices_are_in_the_store_when_the_answer_comes(self, make: Make) -> None:
        service = make(SERVICE + folder(events='"webhook"', settle=60)).start()
        with Door(service) as door:
            for number in range(20):
                assert door.post(real(eventbridge(f"{number}.mp4"))) == (200, {"Notices": 1})
                with closing(sqlite3.connect(service.home / "mediaflow.db")) as other:
                    (kept,) = other.execute("SELECT count(*) FROM arrivals").fetchone()
                assert kept == number + 1

    def test_replays_at_the_same_time(self, door: Door) -> None:
        door.service.put("a.mp4")
        body = real(minio("a.mp4"))
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: door.sends(body), range(100))) == {200}
        assert door.service.settled(1) == ["a.mp4"]
        assert door.sends(body) == 200
        assert door.service.settled(1) == ["a.mp4"]

    def test_many_senders_at_the_same_time(self, door: Door) -> None:
        keys = [f"{number:04}.mp4" for number in range(300)]
        for key in keys:
            door.service.put(key)
        with ThreadPoolExecutor(32) as pool:
            sent = pool.map(lambda key: door.sends(real(eventbridge(key))), keys)
            assert set(sent) == {200}
        assert door.service.settled(len(keys)) == keys

    def test_while_the_store_fails_the_sender_must_repeat(self, door: Door) -> None:
        door.service.put("a.mp4")
        body = real(minio("a.mp4"))
        with store_away(door.service):
            status, told = door.post(body)
            assert status == 503
            assert "Send them again" in told["Message"]
        assert door.sends(body) == 200
        assert door.service.settled(1) == ["a.mp4"]

    def test_lost_events_are_found_by_a_listing(self, door: Door) -> None:
        door.service.put("a.mp4")
        door.service.stop()
        door.service.start()
        assert door.service.settled(1) == ["a.mp4"]

    def test_other_buckets_and_keys_that_cannot_be_are_left_out(self, door: Door) -> None:
        assert door.post({"Records": [s3("a.mp4", bucket="other")]}) == (200, {"Notices": 0})
        for key in ("a\0b", "../../etc/passwd", "/abs", "a//b", "folder/", "\ud800", "x" * 1024):
            assert door.sends(real(eventbridge(key))) == 200
        assert door.sends(real({"Records": [s3("%ff.mp4")]})) == 200
        assert door.service.engine.store.arrivals.count() == 0

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"hello", 400),
            (b"[" * 500_000, 400),
            (b'{"hello": 1}', 400),
            (b"\xff\xfe", 400),
            (b"x" * ((1 << 20) + 1), 413),
        ],
        ids=["empty", "no-json", "deep", "another-shape", "no-text", "long"],
    )
    def test_what_cannot_be_understood(self, door: Door, body: bytes, status: int) -> None:
        answered, told = door.post(body)
        assert answered == status
        assert told["Message"].endswith(".")
        assert door.sends(real(minio())) == 200

    def test_the_longest_body(self, door: Door) -> None:
        body = json.dumps({"Records": []}).encode()
        assert door.sends(body + b" " * ((1 << 20) - len(body))) == 200

    def test_what_is_not_served(self, door: Door) -> None:
        status, told = door.post(minio(), "/events/azure")
        assert status == 404
        assert "minio" in told["Message"]
        assert door.sends(minio(), "/events/auto", method="GET") == 405
        for path in ("", "/", "/..", "/..%2f", "/%2e%2e%2f", "/minio%2f", "/minio/"):
            assert door.sends(minio(), f"/events{path}") == 404, path

    def test_sns_asks_for_a_confirmation(
        self, door: Door, caplog: pytest.LogCaptureFixture
    ) -> None:
        visited: list[Any] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.5)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/?Token=x"
            body = {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "Message": "You"}
            assert door.post(body, "/events/sns") == (200, {"Notices": 0})
            with pytest.raises(TimeoutError):
                visited.append(listener.accept())
        assert url in caplog.text
        assert not visited


class TestToken:
    BODY: ClassVar[Any] = {"Records": []}

    def test_every_way_to_show_it(self, door: Door) -> None:
        assert door.sends(self.BODY) == 200
        assert door.sends(self.BODY, token="", Authorization=f"bearer  {TOKEN}") == 200
        assert door.sends(self.BODY, token="", **{"X-Token": TOKEN}) == 200
        query = urlencode({"token": TOKEN})
        assert door.sends(self.BODY, f"/events/auto?{query}", token="") == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": TOKEN},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": "Bearer "},
            {"X-Token": ""},
            {"X-Token": "\u00e9" * 18},
        ],
    )
    def test_without_it_nobody_may_send(self, door: Door, headers: dict[str, str]) -> None:
        status, told = door.post(self.BODY, token="", **headers)
        assert status == 401
        assert TOKEN not in told["Message"]
        assert door.sends(self.BODY, "/events/auto?token=", token="", **headers) == 401

    def test_it_is_in_no_log(self, door: Door, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        door.sends(b"hello", f"/events/auto?token={TOKEN}", token="")
        door.sends(self.BODY, token="wrong-but-secret")
        door.sends(b"hello", **{"X-Token": TOKEN})
        assert server_options()["access_log"] is False  # pytest brings it back
        logged = [one for one in caplog.records if one.name != "uvicorn.access"]
        text = "\n".join(one.getMessage() for one in logged)
        assert "401" in text
        assert TOKEN not in text
        assert "wrong-but-secret" not in text

    def test_without_a_configured_one_only_this_machine_may_send(self, make: Make) -> None:
        with Door(make(folder(events='"webhook"')).start()) as door:
            assert door.sends(self.BODY, token="") == 200
            for headers in (
                {"Host": "mediaflow.example.com"},
                {"X-Forwarded-For": "10.0.0.1"},
                {"Origin": "https://example.com"},
            ):
                status, told = door.post(self.BODY, token="", **headers)
                assert status == 403
                assert "event_token" in told["Message"] or "Pages" in told["Message"]

    def test_no_bucket_wants_events_by_http(self, make: Make) -> None:
        service = make(SERVICE + folder(events='"poll"')).start()
        assert service.triggers and service.triggers.routes == []
