"""Playlists that land: one run when all of it is there, and none for their segments."""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.ingest_home import SETTLE, Home, flow
from tests.support.s3 import ENVIRONMENT, S3Server
from workflow_engine.buckets import LocalBucket
from workflow_engine.engine import Engine
from workflow_engine.ingest.explanation import ExplanationKind
from workflow_engine.records.ingest import Notice
from workflow_engine.settings import Settings, load_settings

END = "#EXT-X-ENDLIST\n"


def listing(*names: str, end: str = END) -> str:
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
    return head + "".join(f"#EXTINF:4.0,\n{name}\n" for name in names) + end


@pytest.fixture
def home(home: Home) -> Home:
    home.engine.workflows.add("w", flow())
    return home


def land(home: Home, key: str, content: str = "x") -> None:
    """Write an object into the watched bucket and notice it; nothing is taken in yet."""
    home.watch()
    home.put(key, content)
    home.note(key)


class TestWaiting:
    def test_a_list_waits_for_its_segments(self, home: Home):
        land(home, "a/film.m3u8", listing("s-1.ts", "s-2.ts"))
        home.settle_for(4 * SETTLE)
        assert home.keys() == [] and home.waiting() == ["a/film.m3u8"]
        land(home, "a/s-1.ts")
        home.settle_for(4 * SETTLE)
        assert home.keys() == [] and home.waiting() == ["a/film.m3u8"]
        land(home, "a/s-2.ts")
        home.settle()
        assert home.keys() == ["a/film.m3u8"]

    def test_segments_that_land_first_start_nothing(self, home: Home):
        for number in range(3):
            land(home, f"s-{number}.ts")
        land(home, "film.m3u8", listing(*(f"s-{number}.ts" for number in range(3))))
        home.settle()
        assert home.keys() == ["film.m3u8"]

    def test_it_waits_for_its_end(self, home: Home):
        land(home, "s-1.ts")
        land(home, "film.m3u8", listing("s-1.ts", end=""))
        home.settle_for(4 * SETTLE)
        assert home.keys() == []
        land(home, "s-2.ts")
        land(home, "film.m3u8", listing("s-1.ts", "s-2.ts"))
        home.settle()
        assert home.keys() == ["film.m3u8"]

    def test_a_segment_that_is_being_written(self, home: Home):
        path = home.put("s-1.ts", "half")
        with path.open("a") as file:
            land(home, "film.m3u8", listing("s-1.ts"))
            home.settle_for(4 * SETTLE)
            assert home.keys() == []
            file.write("whole")
        home.settle()
        assert home.keys() == ["film.m3u8"]

    def test_a_key_and_a_header_are_waited_for(self, home: Home):
        land(home, "s-1.m4s")
        text = listing("s-1.m4s").replace(
            "#EXTINF",
            '#EXT-X-MAP:URI="init.mp4"\n#EXT-X-KEY:METHOD=AES-128,URI="keys/k%201"\n#EXTINF',
        )
        land(home, "film.m3u8", text)
        home.settle_for(3 * SETTLE)
        home.put("init.mp4")
        home.settle_for(3 * SETTLE)
        assert home.keys() == []
        home.put("keys/k 1")
        home.settle()
        assert home.keys() == ["film.m3u8"]

    def test_a_list_that_cannot_be_used_runs_to_say_so(self, home: Home):
        land(home, "master.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
        land(home, "outside.m3u8", listing("../s-1.ts"))
        home.settle()
        assert home.keys() == ["master.m3u8", "outside.m3u8"]

    def test_films_in_the_list_of_a_player_start_their_runs(self, home: Home):
        land(home, "films.m3u8", "#EXTM3U\n#EXTINF:5400,A\na.mp4\n#EXTINF:60,B\nb.mp4\n")
        land(home, "a.mp4")
        home.settle()
        assert home.keys() == ["a.mp4", "films.m3u8"]

    def test_an_incomplete_list_is_told_once_and_looked_at_when_a_segment_lands(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ):
        home.configure("[hls]\nwait_seconds = 0.5\n")
        land(home, "film.m3u8", listing("s-1.ts", "s-2.ts"))
        land(home, "s-1.ts")
        with caplog.at_level(logging.WARNING):
            home.settle_for(1.5)
        (told,) = [one for one in caplog.messages if "film.m3u8" in one]
        assert '"s-2.ts"' in told and "incomplete" in told
        uploads = next(one for one in home.intake.status() if one.bucket == "uploads")
        assert (uploads.incomplete, uploads.waiting) == (1, 0)
        found = home.intake.explain("oss://uploads/film.m3u8")
        assert found.facts is not None and found.facts.held is not None
        assert found.facts.held.late and '"s-2.ts"' in found.facts.held.reason
        land(home, "s-2.ts")
        home.settle()
        assert home.keys() == ["film.m3u8"]

    def test_a_listing_looks_at_incomplete_lists(self, home: Home):
        home.configure("[hls]\nwait_seconds = 0\n")
        land(home, "film.m3u8", listing("deep/s-1.ts"))
        home.settle_for(2 * SETTLE)
        home.put("deep/s-1.ts")  # no event tells of it
        home.settle_for(2 * SETTLE)
        assert home.keys() == []
        home.intake.reconcile("uploads")
        home.settle()
        assert home.keys() == ["film.m3u8"]

    def test_a_list_that_is_taken_away(self, home: Home):
        land(home, "film.m3u8", listing("s-1.ts"))
        home.settle_for(2 * SETTLE)
        (home.path / "uploads" / "film.m3u8").unlink()
        home.settle()
        land(home, "s-1.ts")
        home.settle()
        assert home.keys() == ["s-1.ts"]


class TestSegments:
    def test_what_a_list_names_starts_nothing_later_either(self, home: Home):
        land(home, "a/film.m3u8", listing("b/s%201.mp4", "all.mp4"))
        home.put("a/b/s 1.mp4")
        home.put("a/all.mp4")
        home.settle()
        home.note("a/b/s 1.mp4", "a/all.mp4")
        home.settle()
        land(home, "a/all.mp4", "another version")
        home.settle()
        assert home.keys() == ["a/film.m3u8"]
        found = home.intake.explain("oss://uploads/a/all.mp4")
        assert found.outcome is ExplanationKind.PART and '"a/film.m3u8"' in found.conclusion

    def test_a_segment_of_two_lists_is_a_part_while_one_of_them_lies_there(self, home: Home):
        land(home, "s-1.ts")
        for name in ("a.m3u8", "b.m3u8"):
            land(home, name, listing("s-1.ts"))
        home.settle()
        for name in ("a.m3u8", "b.m3u8"):
            land(home, "s-1.ts", f"before {name} goes")
            home.settle()
            assert home.keys() == ["a.m3u8", "b.m3u8"]
            (home.path / "uploads" / name).unlink()
        land(home, "s-1.ts", "alone")
        home.settle()
        assert home.keys() == ["a.m3u8", "b.m3u8", "s-1.ts"]

    def test_what_it_does_not_name_starts_its_run(self, home: Home):
        land(home, "a/s-1.ts")
        land(home, "a/film.m3u8", listing("s-1.ts"))
        for key in ("a/s-2.ts", "s-1.ts", "a/b/s-1.ts", "a/trailer.mp4"):
            land(home, key)
        home.settle()
        assert home.keys() == [
            "a/b/s-1.ts",
            "a/film.m3u8",
            "a/s-2.ts",
            "a/trailer.mp4",
            "s-1.ts",
        ]

    @pytest.mark.parametrize("key", ["clip1.mp4", "s_001.TS", "1.m4s.mp4"])
    def test_what_is_called_like_a_segment_waits_a_settling_time(self, home: Home, key: str):
        home.put(key, age=60)
        home.put("clip.mp4", age=60)
        home.intake.note(
            [Notice(bucket="uploads", key=name, source="watch") for name in (key, "clip.mp4")],
            settle_seconds=0,
        )
        home.intake.settle()
        held = key != "1.m4s.mp4"
        assert home.keys() == (["clip.mp4"] if held else sorted([key, "clip.mp4"]))
        home.settle()
        assert home.keys() == sorted([key, "clip.mp4"])

    def test_they_start_runs_where_the_settings_say_so(self, home: Home):
        home.configure("[hls]\nsegments_trigger = true\n")
        land(home, "s-1.ts")
        land(home, "film.m3u8", listing("s-1.ts"))
        home.settle()
        assert home.keys() == ["film.m3u8", "s-1.ts"]

    def test_replay(self, home: Home):
        for key in ("s-1.ts", "s-2.ts"):
            home.put(f"old/{key}", age=60)
        home.put("old/film.m3u8", listing("s-1.ts", "s-2.ts"), age=60)
        home.put("old/open.m3u8", listing("s-3.ts"), age=60)
        home.put("old/clip.mp4", age=60)
        assert home.intake.replay("uploads").new == 2
        assert home.keys() == ["old/clip.mp4", "old/film.m3u8"]
        assert home.waiting() == ["old/open.m3u8"]
        land(home, "old/s-3.ts")
        home.settle()
        assert home.keys() == ["old/clip.mp4", "old/film.m3u8", "old/open.m3u8"]

    def test_segments_of_a_list_that_lay_there_before(self, home: Home):
        home.put("film.m3u8", listing("s-1.ts"), age=600)
        home.watch()
        assert home.intake.reconcile("uploads").skipped == 1
        land(home, "s-1.ts")
        land(home, "s-2.ts")
        home.settle()
        assert home.keys() == ["s-2.ts"]


def test_several_processes_start_one_run(home: Home):
    """Every event comes twice, and two engines settle at the same time."""
    names = [f"s-{number}.ts" for number in range(8)]
    with closing(Engine(load_settings(None))) as other:
        for name in names:
            land(home, name)
        home.put("film.m3u8", listing(*names))
        for intake in (home.intake, other.intake):
            intake.note(
                [Notice(bucket="uploads", key=k, source="watch") for k in ("film.m3u8", *names)]
            )
        stop = threading.Event()

        def settle() -> None:
            while not stop.is_set():
                stop.wait(min(other.intake.settle(), 0.02))

        thread = threading.Thread(target=settle)
        thread.start()
        try:
            home.settle()
        finally:
            stop.set()
            thread.join()
    assert home.keys() == ["film.m3u8"]


@pytest.fixture
def far(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Engine, S3Server]]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    bucket = server.settings("test-vod", events="poll", settle_seconds=0.1, existing="process")
    made = Engine(Settings(buckets={"uploads": bucket}))
    yield made, server
    made.close()


@pytest.mark.parametrize("count", [3, 30])
def test_in_an_object_store(far: tuple[Engine, S3Server], tmp_path: Path, count: int):
    engine, server = far
    folder = f"{tmp_path.name}/"
    engine.workflows.add("w", flow(prefix=folder))
    names = [f"s-{number}.ts" for number in range(count)]

    def keys() -> list[str]:
        return sorted(one.input.object for one in engine.store.executions.newest(limit=100))

    def settle() -> None:
        engine.intake.reconcile("uploads", folder)
        waited = threading.Event()
        for _ in range(8):
            engine.intake.settle()
            waited.wait(0.1)

    with server.client() as client:

        def put(name: str, content: str) -> None:
            client.put_object(Bucket="test-vod", Key=folder + name, Body=content.encode())

        put("film.m3u8", listing(*names))
        for name in names[:-1]:
            put(name, "x")
        settle()
        assert keys() == []
        put(names[-1], "x")
        settle()
    assert keys() == [f"{folder}film.m3u8"]


def test_what_was_taken_is_not_read_again(home: Home, monkeypatch: pytest.MonkeyPatch):
    for number in range(3):
        land(home, f"film{number}.m3u8", listing(f"s-{number}.ts"))
        land(home, f"s-{number}.ts")
    home.settle()
    home.note("film0.m3u8")  # once more
    home.settle()
    read = LocalBucket.fetch
    fetched: list[str] = []

    def fetch(self: LocalBucket, key: str, *arguments: Any, **options: Any) -> None:
        fetched.append(key)
        read(self, key, *arguments, **options)

    monkeypatch.setattr(LocalBucket, "fetch", fetch)
    with closing(Engine(load_settings(None))) as other:  # that remembers nothing
        home.intake = other.intake
        land(home, "s-1.ts", "another version")
        land(home, "clip.mp4")
        home.settle()
    assert home.keys() == ["clip.mp4", "film0.m3u8", "film1.m3u8", "film2.m3u8"]
    assert not [key for key in fetched if key.endswith(".m3u8")]
