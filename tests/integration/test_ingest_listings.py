"""Listings and replays find what no event told of, each version once."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.ingest_home import SETTLE, Home, flow, replace_buckets
from workflow_engine.buckets import LocalBucket, ObjectInfo
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.ingest import admission, reconcile
from workflow_engine.records import ObjectRef, run_id_of, utc_now
from workflow_engine.records.ingest import Reconciled


class TestFirstListing:
    def test_what_lies_there_is_left_alone(self, home: Home):
        home.engine.workflows.add("w", flow())
        for number in range(3):
            home.put(f"old{number}.mp4", age=100)
        home.watch()
        found = home.intake.reconcile("uploads")
        assert (found.listed, found.new, found.skipped) == (3, 0, 3)
        home.put("new.mp4", age=50)  # a copy that keeps its times
        again = home.intake.reconcile("uploads")
        assert (again.listed, again.new) == (4, 1)
        home.settle()
        assert home.keys() == ["new.mp4"]

    def test_or_processed(self, home: Home):
        home.engine.workflows.add("w", flow("everything"))
        for number in range(3):
            home.put(f"old{number}.mp4", age=100, bucket="everything")
        assert home.intake.reconcile("everything").new == 3
        home.settle()
        assert home.keys() == ["old0.mp4", "old1.mp4", "old2.mp4"]
        assert home.intake.reconcile("everything").new == 0

    def test_a_new_version_of_what_lay_there(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", age=100)
        home.watch()
        home.intake.reconcile("uploads")
        home.land("a.mp4", "other")
        assert home.keys() == ["a.mp4"]

    def test_what_lands_during_it(self, home: Home):
        home.engine.workflows.add("w", flow())
        for key in ("old.mp4", "changed.mp4", "sub/old.mp4", "aside/noticed.mp4"):
            home.put(key, age=100)
        home.put("moved.mp4", age=100, bucket="everything")
        home.put("tree/a/b.mp4", age=100, bucket="everything")
        home.watch()
        home.put("changed.mp4", "more")
        home.put("copied with its time.mp4", age=100)
        os.rename("everything/moved.mp4", "uploads/sub/moved.mp4")
        os.rename("everything/tree", "uploads/tree")
        os.link("uploads/old.mp4", "uploads/sub/new link.mp4")
        os.unlink("uploads/sub/new link.mp4")
        home.note("aside/noticed.mp4")
        found = home.intake.reconcile("uploads")
        assert (found.listed, found.skipped) == (7, 1)
        home.settle()
        assert home.keys() == [
            "aside/noticed.mp4",
            "changed.mp4",
            "copied with its time.mp4",
            "old.mp4",
            "sub/moved.mp4",
            "tree/a/b.mp4",
        ]

    def test_an_event_that_comes_late(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("moved.mp4", age=100)
        home.watch()
        home.intake.reconcile("uploads")
        home.note("moved.mp4")
        home.note("moved.mp4", source="sqs")
        home.settle()
        home.note("moved.mp4")
        home.settle()
        assert home.keys() == ["moved.mp4"]

    def test_an_event_that_comes_much_later(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("old.mp4", age=1000)
        home.store.intake.watch(["uploads"], utc_now() - timedelta(hours=1))
        home.intake.reconcile("uploads", "nothing below this")
        info = home.engine.buckets.get("uploads").head("old.mp4")
        assert info is not None
        home.store.intake.skip([admission.admission(home.engine.buckets.get("uploads"), info)])
        home.store.intake.complete("uploads", utc_now() - timedelta(minutes=10), "/")
        home.note("old.mp4")
        home.settle()
        assert home.keys() == []

    def test_one_that_was_broken_off_goes_on(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", age=100)
        home.put("b.mp4", age=100)
        home.watch()
        assert home.intake.reconcile("uploads", "a").skipped == 0  # some of it
        home.put("c.mp4")
        again = home.intake.reconcile("uploads")
        assert (again.listed, again.new, again.skipped) == (3, 1, 2)
        home.settle()
        assert home.keys() == ["c.mp4"]
        home.put("d.mp4", age=100)
        assert home.intake.reconcile("uploads").new == 1

    def test_again_when_a_share_is_mounted_over_the_empty_folder(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ):
        home.put("old.mp4", age=100, bucket="everything")
        home.watch()
        assert home.intake.reconcile("uploads").listed == 0
        monkeypatch.setattr(reconcile, "mount_point", lambda bucket: str(home.path / "uploads"))
        os.rename("uploads", "empty")
        os.rename("everything", "uploads")
        engine = Engine(home.engine.settings)  # another process
        # no folder was moved in: what is mounted has times of its own
        assert engine.intake.reconcile("uploads").skipped == 1
        home.put("new.mp4", age=100)
        assert engine.intake.reconcile("uploads").new == 1
        engine.close()

    def test_not_again_when_the_process_starts_anew(self, home: Home):
        home.intake.reconcile("uploads")
        home.put("a.mp4", age=10**6)
        engine = Engine(home.engine.settings)
        assert engine.intake.reconcile("uploads").new == 1
        engine.close()


class TestListings:
    def test_what_no_event_told_of(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.intake.reconcile("uploads")
        home.intake.noted.clear()
        home.put("a.mp4")
        home.put("b/c.mp4")
        found = home.intake.reconcile("uploads", "b/", source="poll")
        assert (found.listed, found.new) == (1, 1)
        assert home.intake.noted.is_set()
        assert home.intake.reconcile("uploads").listed == 2
        home.settle()
        assert home.keys() == ["a.mp4", "b/c.mp4"]
        assert replace(home.intake.reconcile("uploads"), seconds=0) == Reconciled(
            listed=2, new=0, seconds=0
        )

    def test_they_do_not_postpone_what_waits(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.intake.reconcile("uploads")
        home.put("a.mp4")
        deadline = time.monotonic() + SETTLE * 5
        while not home.keys():
            assert time.monotonic() < deadline
            home.intake.reconcile("uploads")
            home.intake.settle()

    def test_a_folder_that_is_missing(self, home: Home):
        home.intake.reconcile("uploads")
        home.put("a.mp4")
        (home.path / "uploads").rename(home.path / "away")
        with pytest.raises(InvalidInputError) as caught:
            home.intake.reconcile("uploads")
        assert caught.value.code == Code.RESOURCE_ACCESS
        with pytest.raises(InvalidInputError, match="uploads"):
            home.intake.replay("uploads")
        with pytest.raises(InvalidInputError, match="nobody"):
            home.intake.reconcile("nobody")

    def test_a_folder_that_goes_away_during_the_first_one(self, home: Home):
        root, share = home.path / "uploads", home.path / "share"

        class Unmounted(LocalBucket):
            def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
                yield next(super().list(prefix))
                root.unlink()
                root.mkdir()

        for key in ("a.mp4", "b.mp4"):
            home.put(key, age=100)
        root.rename(share)
        root.symlink_to(share)
        home.watch()
        undo = replace_buckets(home.engine, uploads=Unmounted("uploads", root))
        with pytest.raises(MediaflowError, match="replaced while it was listed"):
            home.intake.reconcile("uploads")
        undo()
        root.rmdir()
        root.symlink_to(share)
        assert home.intake.reconcile("uploads").new == 0
        assert home.intake.reconcile("uploads").new == 0

    def test_pages(self, home: Home, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(reconcile, "_PAGE", 7)
        home.engine.workflows.add("w", flow("everything"))
        keys = sorted(f"{number % 3}/{number}.mp4" for number in range(50))
        for key in keys:
            home.put(key, age=100, bucket="everything")
        assert home.intake.reconcile("everything").new == 50
        home.settle()
        assert home.keys() == keys
        found = home.intake.reconcile("everything")
        assert (found.listed, found.new) == (50, 0)


class TestReplay:
    def test_runs_for_what_lies_there(self, home: Home):
        for key in ("a.mp4", "b.mp4", "c.jpg", "empty.mp4", "sub/d.mp4"):
            home.put(key, "" if key == "empty.mp4" else "x", age=100)
        home.watch()
        home.intake.reconcile("uploads")
        workflow = home.engine.workflows.add("w", flow())
        found = home.intake.replay("uploads", "sub/")
        assert (found.listed, found.new) == (1, 1)
        home.engine.queued.clear()
        found = home.intake.replay("uploads")
        assert (found.listed, found.new) == (5, 2)
        assert home.engine.queued.is_set()
        assert home.keys() == ["a.mp4", "b.mp4", "sub/d.mp4"]
        assert home.intake.replay("uploads").new == 0
        versions = {run.input.object: run.version for run in home.runs()}
        expected = {run_id_of(workflow.id, "uploads", k, v) for k, v in versions.items()}
        assert {run.run_id for run in home.runs()} == expected
        home.engine.workflows.add("later", flow(prefix="b"))
        assert home.intake.replay("uploads").new == 1

    def test_of_a_bucket_that_is_not_watched(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", age=100)
        assert home.intake.replay("uploads").new == 1
        home.note("a.mp4")
        home.intake.reconcile("uploads")
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_only_what_has_no_run(self, home: Home):
        workflow = home.engine.workflows.add("w", flow())
        home.land("landed.mp4")
        home.put("by hand.mp4", age=100)
        by_hand = ObjectRef(bucket="uploads", object="by hand.mp4")
        home.engine.submit(workflow, by_hand)
        assert home.intake.replay("uploads").new == 0
        home.put("by hand.mp4", "other", age=100)
        assert home.intake.replay("uploads").new == 1

    def test_what_is_being_written_is_taken_when_it_is_complete(self, home: Home):
        home.put("a.mp4", age=100)
        home.watch()
        home.intake.reconcile("uploads")
        home.engine.workflows.add("w", flow())
        with (home.path / "uploads" / "a.mp4").open("a"):
            assert home.intake.replay("uploads").new == 0
            home.settle_for(SETTLE * 2)
            assert home.keys() == []
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_by_two_at_once(self, home: Home):
        home.engine.workflows.add("w", flow())
        for number in range(200):
            home.put(f"{number}.mp4", age=100)
        counts: list[int] = []
        threads = [
            threading.Thread(target=lambda: counts.append(home.intake.replay("uploads").new))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(counts) == len(home.runs()) == 200


@dataclass
class VersionedStore:
    """A bucket like a versioned one of an object store: its listings know no version ids."""

    name: str = "uploads"
    objects: dict[str, ObjectInfo] = field(default_factory=dict[str, ObjectInfo])
    names: dict[str, str] = field(default_factory=dict[str, str])
    heads: int = 0
    failing: str | None = None

    def put(self, key: str, version: str, *, listed: str = "", age: float = 100) -> None:
        modified = datetime.fromtimestamp(int(time.time() - age), UTC)
        self.objects[key] = ObjectInfo(key=key, size=1, version=version, modified=modified)
        self.names[key] = listed or f"listed {version}"

    def settled(self, key: str) -> bool:
        return True

    def head(self, key: str) -> ObjectInfo | None:
        self.heads += 1
        if self.failing is not None and key.startswith(self.failing):
            raise MediaflowError(Code.INTERNAL, "The store does not answer.")
        return self.objects.get(key)

    def place(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield replace(self.objects[key], version=self.names[key])


@pytest.fixture
def versioned(home: Home) -> VersionedStore:
    bucket: Any = VersionedStore()
    replace_buckets(home.engine, uploads=bucket)
    home.engine.workflows.add("w", flow())
    return bucket


class TestObjectStores:
    def test_a_listing_finds_each_version_once(self, home: Home, versioned: VersionedStore):
        home.intake.reconcile("uploads")
        for number in range(30):
            versioned.put(f"{number}.mp4", f"id {number}")
        assert home.intake.reconcile("uploads").new == 30
        home.settle()
        assert {run.version for run in home.runs()} == {f"id {n}" for n in range(30)}
        # once it was looked at, its name in the listing is known
        assert home.intake.reconcile("uploads").new == 30
        home.settle()
        heads = versioned.heads
        assert home.intake.reconcile("uploads").new == 0
        home.settle()
        assert versioned.heads == heads
        assert len(home.runs()) == 30

    def test_what_was_there_at_first(self, home: Home, versioned: VersionedStore):
        versioned.put("a.mp4", "id")
        assert home.intake.reconcile("uploads").new == 0
        assert home.intake.reconcile("uploads").new == 0
        versioned.put("a.mp4", "id2")
        home.note("a.mp4", source="sqs")
        home.settle()
        assert [run.version for run in home.runs()] == ["id2"]

    def test_replays(self, home: Home, versioned: VersionedStore):
        versioned.put("a.mp4", "id")
        home.intake.reconcile("uploads")
        assert home.intake.replay("uploads").new == 1
        assert home.intake.replay("uploads").new == 0
        assert [run.version for run in home.runs()] == ["id"]

    def test_one_that_does_not_answer(self, home: Home, versioned: VersionedStore):
        home.engine.workflows.add("local", flow("everything"))
        versioned.put("good.mp4", "id")
        versioned.failing = "bad"
        home.note(*(f"bad{number}.mp4" for number in range(40)))
        home.note("good.mp4")
        home.put("a.mp4", bucket="everything")
        home.note("a.mp4", bucket="everything")
        home.settle_until(lambda: home.keys() == ["a.mp4", "good.mp4"])
        assert len(home.waiting()) == 40
        assert versioned.heads < 200
        versioned.failing = None
        for number in range(40):
            versioned.put(f"bad{number}.mp4", "id")
        home.settle(40)
        assert len(home.runs()) == 42
