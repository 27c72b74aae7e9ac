"""Polling, an object store with its queue, and a listener of one's own: each object runs once."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from tests.support.event_service import (
    FACTORIES,
    ODD_KEYS,
    Cloud,
    Make,
    Service,
    folder,
    store_away,
)
from tests.support.sqs_server import REGION
from tests.support.waiting import wait_for
from tests.unit.test_events import s3
from triggers.listener import load_factory


class TestPolling:
    BUCKET = folder(events='"poll"') + "poll_seconds = 0.5\n"

    def test_objects_are_found_without_events(self, make: Make) -> None:
        service = make(self.BUCKET)
        service.put("old.mp4")
        os.utime(service.home / "uploads/old.mp4", (1, 1))
        service.start()
        for number in range(5):
            service.put(f"{number}.mp4")
            time.sleep(0.3)
        assert service.settled(5) == [f"{number}.mp4" for number in range(5)]

    def test_a_bucket_that_cannot_be_listed_for_a_while(self, make: Make) -> None:
        service = make(self.BUCKET).start()
        service.put("a.mp4")
        assert service.settled(1) == ["a.mp4"]
        (service.home / "uploads").rename(service.home / "away")
        wait_for(lambda: "uploads" in service.problem)
        (service.home / "away").rename(service.home / "uploads")
        service.put("b.mp4")
        assert service.settled(2) == ["a.mp4", "b.mp4"]
        wait_for(lambda: service.problem == "")

    def test_what_is_wrong_shows_as_soon_as_the_store_takes_it(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        service = make(self.BUCKET).start()
        with store_away(service, "listeners"):
            (service.home / "uploads").rename(service.home / "away")
            wait_for(lambda: "uploads" in service.problem)
            wait_for(lambda: "the record of a listener was not kept" in caplog.text)
        wait_for(lambda: "cannot be listed" in service.record().problem, 5)


class TestS3EndToEnd:
    """Objects, events and queue in one server; nothing lies in a folder."""

    @pytest.fixture
    def listen(
        self, make: Make, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[str], Service]:
        """Make a service whose bucket lies in the store."""
        monkeypatch.setenv("STORE_KEY", "test-access-key")
        monkeypatch.setenv("STORE_SECRET", "test")
        return lambda events: make(
            f'[buckets.uploads]\nurl = "s3://real-name"\nendpoint_url = "{cloud.endpoint}"\n'
            f'region = "{REGION}"\naddressing_style = "path"\nsettle_seconds = 0.2\n'
            'access_key_id_env = "STORE_KEY"\nsecret_access_key_env = "STORE_SECRET"\n'
            f"poll_seconds = 0.5\nevents = {events}\n"
        )

    def test_every_object_version_runs_once(self, listen: Make, cloud: Cloud) -> None:
        url = cloud.queue()
        cloud.bucket_to_queue("real-name", url)
        service = listen(f'{{sqs = "{url}"}}')
        cloud.s3.put_object(Bucket="real-name", Key="before.mp4", Body=b"x")
        service.start()
        for key in ODD_KEYS:
            cloud.s3.put_object(Bucket="real-name", Key=key, Body=b"content")
        assert "before.mp4" in service.settled(len(ODD_KEYS) + 1)  # its event was in the queue
        assert service.runs() == sorted(["before.mp4", *ODD_KEYS])
        cloud.s3.put_object(Bucket="real-name", Key=ODD_KEYS[0], Body=b"another")
        assert service.settled(len(ODD_KEYS) + 2).count(ODD_KEYS[0]) == 2
        cloud.send(url, {"Records": [s3(quote_plus(ODD_KEYS[0]), bucket="real-name")] * 3})
        wait_for(lambda: not cloud.left(url))
        assert service.settled(0).count(ODD_KEYS[0]) == 2
        assert service.problem == ""

    def test_listed_keys_of_all_kinds(self, listen: Make, cloud: Cloud) -> None:
        cloud.bucket("real-name")
        service = listen('"poll"').start()
        good = ["a b.mp4", "a+b.mp4", "a%2Bb.mp4", "a%2F..%2Fb.mp4", "clip.mp4", "Clip.mp4"]
        good += ["\U0001f3ac.mp4", "x/" * 509 + "x.mp4"]
        assert len(good[-1]) == 1023
        bad = ["../up.mp4", "a/../../up.mp4", "/etc/passwd", "a//b.mp4", "a/./b.mp4", "folder/"]
        bad += ["nul\0.mp4", "tab\t.mp4", "x" * 256, "x" + good[-1], ".hidden.mp4", "a.part"]
        for key in (*bad, *good):
            cloud.s3.put_object(Bucket="real-name", Key=key, Body=b"content")
        there = cloud.s3.list_objects_v2(Bucket="real-name")["Contents"]
        assert {one["Key"] for one in there} == {*bad, *good}
        assert service.settled(len(good)) == sorted(good)
        assert service.problem == ""


def test_the_listener_of_the_documentation(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text()
    package = tmp_path / "site"
    info = package / "spool_listener-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spool-listener\nVersion: 1\n")
    point = text.split('[project.entry-points."mediaflow.triggers"]\n')[1].split("```")[0]
    (info / "entry_points.txt").write_text(f"[mediaflow.triggers]\n{point.replace(chr(34), '')}")
    code = text.split("```python\n")[1].split("```")[0]
    (package / "spool_listener.py").write_text(code)
    monkeypatch.syspath_prepend(package)
    monkeypatch.setitem(FACTORIES, "spool", load_factory("spool"))
    spool = tmp_path / "spool"
    service = make(folder(events=f'{{spool = "{spool}"}}')).start()
    wait_for(lambda: str(spool) in service.problem)
    spool.mkdir()
    wait_for(lambda: service.problem == "")
    for number in range(3):
        service.put(f"{number}.mp4")
        (spool / f"{number}.key").write_text(f"{number}.mp4\n")
    assert service.settled(3) == ["0.mp4", "1.mp4", "2.mp4"]
    wait_for(lambda: not list(spool.iterdir()))
