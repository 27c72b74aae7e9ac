"""An object runs when it has settled: slow writers, overwrites, and races with the intake."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.test_local_bucket import pretend_mounted
from tests.support.ingest_home import SETTLE, Home, flow, replace_buckets
from tests.support.stores import lines_of, process
from workflow_engine.buckets import LocalBucket, ObjectInfo
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.ingest.unmatched import LINES
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import Notice
from workflow_engine.settings import load_settings


class TestSettling:
    def test_it_follows_the_last_event(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4")
        for _ in range(6):
            home.note("a.mp4")
            home.settle_for(SETTLE / 2)
        assert home.keys() == []
        began = time.monotonic()
        home.settle()
        assert home.keys() == ["a.mp4"]
        assert time.monotonic() - began < SETTLE * 2

    def test_settling_time_of_the_call(self, home: Home):
        home.intake.note([Notice(bucket="uploads", key="a", source="w")], settle_seconds=60)
        assert home.intake.settle() == 1.0
        assert home.waiting() == ["a"]

    def test_seconds_until_there_is_more(self, home: Home):
        assert home.intake.settle() == 1.0
        home.note("gone.mp4")
        assert 0 < home.intake.settle() <= SETTLE
        time.sleep(SETTLE)
        home.note(*(f"k{number}" for number in range(5)))
        time.sleep(SETTLE)
        assert home.intake.settle(limit=2) == 0.0
        assert home.intake.settle(limit=100) == 1.0

    def test_a_file_that_is_being_written(self, home: Home):
        home.engine.workflows.add("w", flow())
        path = home.path / "uploads" / "a.mp4"
        with path.open("w") as file:
            file.write("half")
            file.flush()
            home.note("a.mp4")
            home.settle_for(SETTLE * 3)
            file.write(" and half")
        assert home.keys() == []
        home.settle()
        (run,) = home.runs()
        assert run.version == home.version("a.mp4")

    def test_a_file_on_a_network_mount_where_nobody_can_tell(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ):
        home.engine.workflows.add("w", flow())
        pretend_mounted("nfs4", home.path, monkeypatch)
        with home.put("a.mp4").open("a") as file:
            home.note("a.mp4")
            for _ in range(6):
                file.write("more")
                file.flush()
                home.settle_for(SETTLE / 2)
            assert home.keys() == []
            home.settle(5)  # its size and time have stayed the same
        assert home.keys() == ["a.mp4"]

    def test_a_file_that_a_listing_found_while_it_grew(self, home: Home):
        home.engine.workflows.add("w", flow("everything"))
        path = home.put("a.mp4", age=100, bucket="everything")
        home.intake.reconcile("everything")
        for _ in range(3):
            time.sleep(SETTLE / 2)
            with path.open("a") as file:  # as seen from another machine: no event, no open file
                file.write("more")
            os.utime(path, (1, time.time() - 100))
            home.settle_for(SETTLE / 2)
        assert home.keys() == []
        home.settle()
        (run,) = home.runs()
        assert run.version == home.version("a.mp4", "everything")

    def test_empty_files_wait(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", "")
        home.note("a.mp4")
        home.settle_for(SETTLE * 2)
        assert (home.waiting(), home.keys()) == (["a.mp4"], [])
        home.put("a.mp4", "x")
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_empty_files_do_not_wait_for_ever(self, home: Home):
        home.put("flag", "")
        long_ago = utc_now() - timedelta(hours=1)
        home.store.arrivals.note(
            [Notice(bucket="uploads", key="flag", source="watch")],
            now=long_ago,
            due={"uploads": long_ago},
            places=home.engine.buckets.locations,
        )
        home.intake.settle()
        assert home.waiting() == []
        assert home.intake.reconcile("uploads").new == 0
        assert home.waiting() == []

    def test_files_that_vanished(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4").unlink()
        home.put("b.mp4")
        home.note("a.mp4", "b.mp4", "never.mp4")
        home.settle()
        assert home.keys() == ["b.mp4"]

    def test_a_missing_folder_forgets_nothing(self, home: Home, caplog: pytest.LogCaptureFixture):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4")
        home.note("a.mp4")
        (home.path / "uploads").rename(home.path / "away")
        home.settle_for(SETTLE * 3)
        assert home.waiting() == ["a.mp4"]
        assert '"uploads" waits: ' in caplog.text
        (home.path / "away").rename(home.path / "uploads")
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_many_that_wait_or_go_fill_no_log(self, home: Home, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO)

        class Away(LocalBucket):
            def head(self, key: str) -> ObjectInfo | None:
                raise MediaflowError(Code.STORAGE, f'"{key}" cannot be read.')

        names = [f"{number}.mp4" for number in range(100)]
        for name in names:
            (home.path / "uploads" / name).symlink_to("/etc/hostname")
        home.note(*names)
        home.settle()
        assert len(caplog.messages) == LINES
        assert "leads out of the bucket" in caplog.messages[0]
        caplog.clear()
        for name in names:
            (home.path / "uploads" / name).unlink()
            home.put(name)
        replace_buckets(home.engine, uploads=Away("uploads", home.path / "uploads"))
        home.note(*names)
        home.settle_for(SETTLE * 4)
        assert len(home.waiting()) == 100
        assert len(caplog.messages) == 1

    def test_an_unreadable_file_waits(self, home: Home):
        home.engine.workflows.add("w", flow())
        replace_buckets(home.engine, uploads=Unreadable("uploads", home.path / "uploads"))
        home.put("a")
        home.put("b.mp4")
        home.note("a", "b.mp4")
        home.settle_for(SETTLE * 3)
        assert (home.waiting(), home.keys()) == (["a"], ["b.mp4"])

    def test_links_that_lead_nowhere_are_forgotten(self, home: Home):
        for name, target in (("dead.mp4", "nothing"), ("loop.mp4", "loop.mp4")):
            (home.path / "uploads" / name).symlink_to(target)
        home.note("dead.mp4", "loop.mp4")
        home.settle()
        assert home.intake.reconcile("uploads").new == 0
        assert home.waiting() == []

    def test_a_bucket_that_is_configured_no_more(self, home: Home):
        home.put("a.mp4")
        home.note("a.mp4")
        (home.path / "mediaflow.toml").write_text(
            f'[store]\nurl = "{home.engine.settings.store.url}"'
        )
        engine = Engine(load_settings(None))
        later = engine.intake
        time.sleep(SETTLE)
        later.settle()
        assert engine.store.arrivals.count() == 1
        assert [(one.bucket, one.waiting) for one in later.status()] == [("uploads", 1)]
        engine.close()

    def test_a_service_that_has_the_bucket_elsewhere_leaves_it_alone(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4")
        home.note("a.mp4")
        (home.path / "uploads-of-another").mkdir()
        (home.path / "mediaflow.toml").write_text(
            f'[store]\nurl = "{home.engine.settings.store.url}"\n'
            '[buckets.uploads]\npath = "uploads-of-another"\n'
        )
        with closing(Engine(load_settings(None))) as other:
            time.sleep(SETTLE)
            assert other.intake.settle() > 0
        assert home.waiting() == ["a.mp4"]
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_many_at_once(self, home: Home):
        home.engine.workflows.add("w", flow())
        keys = [f"d{number % 7}/k{number}.mp4" for number in range(500)]
        for key in keys:
            home.put(key)
        home.note(*keys)
        home.settle()
        assert home.keys() == sorted(keys)

    def test_some_processes_settle_one_store(
        self, home: Home, url: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        home.engine.workflows.add("w", flow())
        home.engine.workflows.add("v", flow())
        keys = [f"k{number}.mp4" for number in range(150)]
        for key in keys:
            home.put(key)
        script = """
            import time
            from workflow_engine.records.ingest import Notice
            from workflow_engine.engine import Engine
            from workflow_engine.settings import load_settings
            engine = Engine(load_settings(None))
            intake = engine.intake
            notices = [
                Notice(bucket="uploads", key=f"k{n}.mp4", source="watch") for n in range(150)
            ]
            for _ in range(3):
                intake.note(notices)
                intake.reconcile("uploads")
                while store.arrivals.count():
                    intake.settle(limit=20)
            engine.close()
            print("done")
            """
        assert lines_of(*(process(url, script) for _ in range(3))) == ["done"] * 3
        assert home.keys() == sorted(keys * 2)


class Unreadable(LocalBucket):
    """A bucket with a file "a" that this user may not read."""

    def head(self, key: str) -> ObjectInfo | None:
        if key == "a":
            raise InvalidInputError(Code.RESOURCE_ACCESS, "It cannot be read.")
        return super().head(key)


class Touched(LocalBucket):
    """A bucket in which something happens behind every look."""

    def __init__(self, root: Path, happens: Callable[[], None]) -> None:
        super().__init__("uploads", root)
        self._happens = happens

    def head(self, key: str) -> ObjectInfo | None:
        info = super().head(key)
        self._happens()
        return info


class TestRaces:
    def test_overwritten_and_noticed_while_it_is_taken(self, home: Home):
        home.engine.workflows.add("w", flow())
        left = [("second", 200), ("third", 100)]

        def overwrite() -> None:
            if left:
                content, age = left.pop(0)
                home.put("a.mp4", content, age=age)
                home.note("a.mp4")

        replace_buckets(home.engine, uploads=Touched(home.path / "uploads", overwrite))
        home.put("a.mp4", "first", age=300)
        home.note("a.mp4")
        home.settle()
        sizes = sorted(run.version.partition("-")[0] for run in home.runs())
        assert sizes == ["5", "5", "6"]

    def test_overwritten_and_listed_while_it_is_taken(self, home: Home):
        home.engine.workflows.add("w", flow())
        bucket = Touched(home.path / "uploads", lambda: overwrite())
        home.intake.reconcile("uploads")

        def overwrite() -> None:
            bucket._happens = lambda: None
            home.put("a.mp4", "second")
            home.intake.reconcile("uploads")

        replace_buckets(home.engine, uploads=bucket)
        home.put("a.mp4", "1", age=300)
        home.note("a.mp4")
        home.settle()
        assert sorted(run.version[0] for run in home.runs()) == ["1", "6"]

    def test_unmounted_while_it_is_looked_at(self, home: Home):
        home.engine.workflows.add("w", flow())
        root = home.path / "uploads"

        def unmount() -> None:
            if not (home.path / "away").exists():
                root.rename(home.path / "away")
                root.mkdir()

        replace_buckets(home.engine, uploads=Touched(root, unmount))
        for key in ("a.mp4", "b.mp4", "c.mp4"):
            home.put(key)
        home.note("a.mp4", "b.mp4", "c.mp4")
        time.sleep(SETTLE)
        home.intake.settle()
        assert home.waiting() == ["a.mp4", "b.mp4", "c.mp4"]
        root.rmdir()
        (home.path / "away").rename(root)
        (home.path / "away").mkdir()
        home.settle()
        assert home.keys() == ["a.mp4", "b.mp4", "c.mp4"]

    def test_notes_from_many_threads(self, home: Home):
        home.engine.workflows.add("w", flow())
        keys = [f"k{number}.mp4" for number in range(60)]
        for key in keys:
            home.put(key)

        def note() -> None:
            for key in keys:
                home.note(key)

        threads = [threading.Thread(target=note) for _ in range(4)]
        for thread in threads:
            thread.start()
        home.settle_for(SETTLE * 2)
        for thread in threads:
            thread.join()
        home.settle()
        assert home.keys() == sorted(keys)
