"""What the pages send piece by piece: objects of every kind of bucket, and events."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.integration.test_api_connections import Client
from tests.support.api_clients import serving
from tests.support.s3 import ENVIRONMENT, S3Server
from tests.support.site import CONFIGURATION, Pages, opened
from tests.support.stores import queue
from workflow_engine.api import connections
from workflow_engine.buckets import LocalBucket
from workflow_engine.records import ObjectRef
from workflow_engine.store.glances import GlanceTable
from workflow_engine.web import objects

#: bytes of an object that does not fit into the buffers of the system
LARGE = 20_000_000


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_servers: Callable[[str], S3Server]
) -> Iterator[Pages]:
    """Pages whose outputs are in an object store."""
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = s3_servers("moto").settings("test-vod").model_dump(exclude_defaults=True)
    lines = [f'{name} = "{value}"' for name, value in settings.items()]
    with opened(tmp_path, CONFIGURATION.replace('path = "out"', "\n".join(lines))) as made:
        yield made


def test_objects_of_an_object_store(stored: Pages, monkeypatch: pytest.MonkeyPatch):
    record = stored.ended("d/0123456789.mp4", "cover.jpg")
    media = stored.engine.media.add(ObjectRef(bucket="out", object="d/0123456789.mp4"))
    stored.engine.media.set_cover(media.id, "http://out.local.aliyuncs.com/cover.jpg")
    for path in (
        f"/executions/{record.run_id}/objects/out/d/0123456789.mp4",
        f"/media/{media.id}/file",
    ):
        whole = stored.get(path)
        assert (whole.status_code, whole.text) == (200, "d/0123456789.mp4")
        assert whole.headers["last-modified"].endswith(" GMT")
        part = stored.get(path, headers={"range": "bytes=2-5"})
        assert (part.status_code, part.text) == (206, "0123")
    cover = f"/media/{media.id}/cover"
    assert stored.get(cover).text == "cover.jpg"
    assert "max-age" in stored.get(cover).headers["cache-control"]
    monkeypatch.setattr(objects, "MOST_SENT", 0)
    refused = stored.get(cover)
    assert refused.status_code == 503
    assert "max-age" not in refused.headers.get("cache-control", "")


def test_nothing_is_read_for_the_head_of_an_answer(pages: Pages, monkeypatch: pytest.MonkeyPatch):
    record = pages.ended("a.mp4")
    path = f"/executions/{record.run_id}/objects/out/a.mp4"
    whole = pages.get(path).headers

    def read(*_: object, **__: object) -> None:
        raise AssertionError("it is read")

    monkeypatch.setattr(LocalBucket, "read", read)
    answer = pages.browser.head(path, {"range": "bytes=0-1"})
    assert (answer.status_code, answer.headers) == (200, whole)
    live = pages.browser.head("/live?run=new")
    assert live.headers["content-type"].startswith("text/event-stream")


def test_an_output_that_became_a_link_out_of_its_bucket_is_not_served(pages: Pages):
    record = pages.ended("a.txt")
    (pages.home / "secret").write_text("the secret")
    (pages.home / "out" / "a.txt").unlink()
    (pages.home / "out" / "a.txt").symlink_to(pages.home / "secret")
    answer = pages.get(f"/executions/{record.run_id}/objects/out/a.txt")
    assert answer.status_code == 400
    assert "symbolic link" in answer.text


def test_clients_that_read_nothing_do_not_keep_others_out(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(objects, "MOST_SENT", 1)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.5)
    record = pages.ended("a.mp4")
    with (pages.home / "out" / "a.mp4").open("r+b") as file:
        file.truncate(LARGE)
    path = f"/executions/{record.run_id}/objects/out/a.mp4"
    with serving(pages.app) as address:
        request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
        with closing(Client(address, request)) as deaf:
            assert deaf.socket.recv(20).startswith(b"HTTP/1.1 200")
            url = f"http://{address}{path}"
            refused = httpx.get(url)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert httpx.head(url).status_code == 200
            deadline = time.monotonic() + 20
            while (answer := httpx.get(url)).status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert len(answer.content) == LARGE
            assert len(deaf.rest()) < LARGE


def test_pages_stay_live_whatever_a_look_ends_with(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    look, looks = GlanceTable.newest, list[int]()

    def broken_once(self: GlanceTable) -> str:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("broken")
        return look(self)

    monkeypatch.setattr(GlanceTable, "newest", broken_once)
    with (
        serving(pages.app) as address,
        httpx.stream("GET", f"http://{address}/live?run=new&seen=x", timeout=10) as stream,
    ):
        queue(pages.engine.store)
        assert any(line == "event: changed" for line in stream.iter_lines())
        pages.site.close()
    assert "live pages are not told anything" in caplog.text
