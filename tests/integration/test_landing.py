"""What lands in a bucket runs once: events, listings, settling and replays on real folders."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stores import add, lines_of, process, success
from tests.integration.test_local_bucket import pretend_mounted
from tests.unit.topologies import report, start, text, topology, transcode
from workflow_engine.buckets import Bucket, LocalBucket, ObjectInfo
from workflow_engine.catalog.landing import ListenerRecord, Notice, Reconciled
from workflow_engine.catalog.records import DEFAULT_PIPELINE_ID, TriggerMode
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.landing import Landing, taking
from workflow_engine.landing.taking import run_id_of
from workflow_engine.records import (
    Digests,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    Output,
    utc_now,
)
from workflow_engine.settings import load_settings
from workflow_engine.store import Store
from workflow_engine.testing import FakeRegistry

SETTLE = 0.3  # seconds
CONFIGURATION = """
[store]
url = "{url}"
[buckets.uploads]
path = "uploads"
events = "watch"
settle_seconds = {settle}
[buckets.everything]
path = "everything"
events = "poll"
existing = "process"
settle_seconds = {settle}
"""


def flow(bucket: str = "uploads", prefix: str = "", **parameters: Any) -> str:
    bound = {"Bucket": bucket, "Location": "oss-cn-hangzhou", "ObjectPrefix": prefix}
    activities = {"start": start(InputFile=bound), "sd": transcode(**parameters)}
    return text(topology(activities | {"report": report()}))


class Home:
    """An engine with real buckets, and its intake."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        (path / "mediaflow.toml").write_text(CONFIGURATION.format(url=url, settle=SETTLE))
        for folder in ("uploads", "everything"):
            (path / folder).mkdir()
        self.engine = Engine(load_settings(None))
        self.landing = Landing(self.engine)

    @property
    def store(self) -> Store:
        return self.engine.store

    def put(
        self, key: str, content: str = "x", *, age: float | None = None, bucket: str = "uploads"
    ) -> Path:
        """Write an object that was changed `age` seconds ago."""
        path = self.path / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if age is not None:
            moment = time.time() - age
            os.utime(path, (moment, moment))
        return path

    def note(self, *keys: str, source: str = "watch", bucket: str = "uploads") -> None:
        self.landing.note([Notice(bucket=bucket, key=key, source=source) for key in keys])

    def settle(self, seconds: float = 20) -> None:
        """Settle until nothing waits any more."""
        deadline = time.monotonic() + seconds
        while self.store.arrivals.count():
            assert time.monotonic() < deadline, self.waiting()
            time.sleep(min(self.landing.settle(), 0.05))

    def settle_for(self, seconds: float) -> None:
        """Settle for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(min(self.landing.settle(), 0.02))

    def settle_until(self, condition: Callable[[], bool]) -> None:
        """Settle until a condition holds."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.keys()
            self.settle_for(SETTLE)

    def waiting(self) -> list[str]:
        due = self.store.arrivals.due(now=utc_now() + timedelta(days=1), limit=1000)
        return sorted(arrival.key for arrival in due)

    def land(self, key: str, content: str = "x", **options: Any) -> None:
        """Write an object, notice it and take it in."""
        self.put(key, content, **options)
        self.note(key, bucket=options.get("bucket", "uploads"))
        self.settle()

    def runs(self) -> list[ExecutionRecord]:
        return self.store.executions(limit=10_000)

    def keys(self) -> list[str]:
        """The inputs of all runs."""
        return sorted(record.input.object for record in self.runs())

    def version(self, key: str, bucket: str = "uploads") -> str:
        info = self.engine.buckets.get(bucket).head(key)
        assert info is not None
        return info.version


@pytest.fixture
def home(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    made = Home(tmp_path, url)
    yield made
    made.engine.close()


class TestRuns:
    def test_a_file_that_lands(self, home: Home):
        workflow = home.engine.workflows.add("ladder", flow())
        home.land("a/clip 🎬.mp4")
        (run,) = home.runs()
        version = home.version("a/clip 🎬.mp4")
        assert run.run_id == run_id_of(workflow.id, "uploads", "a/clip 🎬.mp4", version)
        assert run.input == ObjectRef(
            bucket="uploads", object="a/clip 🎬.mp4", location="oss-cn-hangzhou"
        )
        assert (run.workflow, run.workflow_id) == ("ladder", workflow.id)
        assert (run.state, run.pipeline_id) == (ExecutionState.QUEUED, DEFAULT_PIPELINE_ID)
        assert (run.version, run.topology) == (version, workflow.topology)
        assert run.origin == str(home.path / "uploads" / "a/clip 🎬.mp4")
        assert [(a.name, a.type) for a in run.activities] == [
            ("start", "Start"),
            ("sd", "Transcode"),
            ("report", "Report"),
        ]
        assert home.engine.media.get(run.media_id).file == run.input
        assert home.engine.queued.is_set()

    def test_each_workflow_that_matches(self, home: Home):
        for prefix in ("", "test", "test1/", "Test", "other/"):
            home.engine.workflows.add(f"<{prefix}>", flow(prefix=prefix))
        home.engine.workflows.add("another bucket", flow("everything"))
        home.engine.workflows.add("by hand", flow(), TriggerMode.NOT_IN_AUTO)
        home.engine.workflows.deactivate(home.engine.workflows.add("off", flow()).id)
        home.land("test1/clip.MP4")
        assert sorted(run.workflow for run in home.runs()) == ["<>", "<test1/>", "<test>"]

    def test_files_that_start_nothing(self, home: Home):
        home.engine.workflows.add("w", flow())
        names = ["a.jpg", "a.mp4.txt", ".a.mp4", "a.mp4.part", ".git/a.mp4"]
        for name in names:
            home.put(name)
        home.note(*names, "folder/", "", "/a.mp4", "a//b.mp4")
        assert home.waiting() == ["a.jpg", "a.mp4.txt"]
        home.settle()
        assert home.keys() == []

    def test_noticed_by_many_and_often(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4")
        for source in ("watch", "sqs", "watch", "webhook"):
            home.note("a.mp4", "a.mp4", source=source)
        home.settle()
        home.landing.reconcile("uploads")
        home.note("a.mp4")
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_every_version_runs_once(self, home: Home):
        home.engine.workflows.add("w", flow())
        base = time.time() - 1000
        for content, second in (("A", 1), ("B", 2), ("A", 3), ("B", 2), ("A", 1), ("B", 5)):
            path = home.put("a.mp4", content)
            os.utime(path, (base + second, base + second))
            home.note("a.mp4")
            home.settle()
        versions = {run.version for run in home.runs()}
        assert (len(home.runs()), len(versions)) == (4, 4)

    @pytest.mark.parametrize(
        "key",
        [
            "/".join(["k" * 255] * 3 + ["k" * 251 + ".mp4"]),
            "É/é/e\u0301.mp4",
            "🎬" * 60 + ".mp4",
            "a b+c%20d&e'f\"g.mp4",
            "x\\y.mp4",
            "-rf",
        ],
    )
    def test_keys_of_all_kinds(self, home: Home, key: str):
        home.engine.workflows.add("w", flow())
        home.land(key)
        home.landing.reconcile("uploads")
        home.settle()
        assert home.keys() == [key]

    def test_names_that_differ_in_case_only(self, home: Home):
        home.engine.workflows.add("w", flow())
        for key in ("clip.mp4", "Clip.mp4", "CLIP.mp4"):
            home.put(key)
        home.note("clip.mp4", "Clip.mp4", "CLIP.mp4")
        home.settle()
        assert home.keys() == ["CLIP.mp4", "Clip.mp4", "clip.mp4"]

    def test_keys_that_no_object_can_have(self, home: Home, caplog: pytest.LogCaptureFixture):
        bad = ["../up.mp4", "a/./b.mp4", "k" * 256, "nul\0.mp4", "\udcff.mp4", "line\nbreak.mp4"]
        home.note(*bad, "good.mp4", *("long/" * 250 + "x.mp4",))
        assert home.waiting() == ["good.mp4"]
        dropped = [record for record in caplog.records if "dropped" in record.message]
        assert len(dropped) == 5  # dot folders are hidden, which is no news

    def test_links_out_of_the_bucket(self, home: Home, caplog: pytest.LogCaptureFixture):
        home.engine.workflows.add("w", flow())
        home.put("clip.mp4", bucket="everything")
        (home.path / "uploads/file.mp4").symlink_to(home.path / "everything/clip.mp4")
        (home.path / "uploads/folder").symlink_to("../everything")
        home.note("file.mp4", "folder/clip.mp4")
        home.landing.reconcile("uploads")
        home.settle()
        assert caplog.text.count("leads out of the bucket") == 2
        assert home.landing.replay("uploads").listed == 0
        assert home.runs() == []

    def test_a_bucket_that_is_not_configured(self, home: Home, caplog: pytest.LogCaptureFixture):
        home.note("a.mp4", bucket="nobody")
        assert home.waiting() == []
        assert '"nobody" is not configured' in caplog.text

    def test_workflows_that_come_later(self, home: Home):
        home.land("a.mp4")
        workflow = home.engine.workflows.add("w", flow())
        home.landing.reconcile("uploads")
        home.note("a.mp4")
        home.settle()
        assert home.keys() == []
        home.engine.workflows.deactivate(workflow.id)
        home.land("b.mp4")
        home.engine.workflows.activate(workflow.id)
        home.note("b.mp4")
        home.settle()
        assert home.keys() == []
        home.land("c.mp4")
        assert home.keys() == ["c.mp4"]

    def test_a_workflow_that_cannot_run_any_more(self, home: Home):
        template = home.engine.templates.add("t", {"Container": {"Format": "mp4"}, "Audio": {}})
        workflow = home.engine.workflows.add("w", flow(template=template.id))
        home.engine.workflows.add("sound", flow())
        home.engine.templates.delete(template.id)
        engine = Engine(home.engine.settings)
        home.landing = Landing(engine)
        home.land("a.mp4")
        broken, sound = sorted(home.runs(), key=lambda run: run.workflow, reverse=True)
        assert (broken.workflow_id, sound.workflow) == (workflow.id, "sound")
        assert [(a.name, a.type) for a in broken.activities] == [
            ("start", "Start"),
            ("sd", "Transcode"),
            ("report", "Report"),
        ]
        claims = [home.store.claim_next(owner="me", lease_seconds=60) for _ in range(2)]
        for claim in claims:
            if claim is not None and claim.run_id == broken.run_id:
                with pytest.raises(InvalidInputError):
                    engine.run_claimed(claim, executor=InlineExecutor(), on_start=lambda r: None)
        ended = home.store.execution(broken.run_id)
        assert ended is not None
        assert (ended.state, ended.code) == (ExecutionState.FAIL, Code.TEMPLATE_NOT_FOUND)
        engine.close()


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
        home.landing.note([Notice(bucket="uploads", key="a", source="w")], settle_seconds=60)
        assert home.landing.settle() == 1.0
        assert home.waiting() == ["a"]

    def test_seconds_until_there_is_more(self, home: Home):
        assert home.landing.settle() == 1.0
        home.note("gone.mp4")
        assert 0 < home.landing.settle() <= SETTLE
        time.sleep(SETTLE)
        home.note(*(f"k{number}" for number in range(5)))
        time.sleep(SETTLE)
        assert home.landing.settle(limit=2) == 0.0
        assert home.landing.settle(limit=100) == 1.0

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
        home.landing.reconcile("everything")
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
        )
        home.landing.settle()
        assert home.waiting() == []
        assert home.landing.reconcile("uploads").new == 0
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

    def test_an_unreadable_file_waits(self, home: Home):
        home.engine.workflows.add("w", flow())
        (home.path / "uploads" / "a").symlink_to("a")  # a loop: nobody can read it
        home.note("a", "b.mp4")
        home.put("b.mp4")
        home.settle_for(SETTLE * 3)
        assert (home.waiting(), home.keys()) == (["a"], ["b.mp4"])

    def test_a_bucket_that_is_configured_no_more(self, home: Home):
        home.put("a.mp4")
        home.note("a.mp4")
        (home.path / "mediaflow.toml").write_text(
            f'[store]\nurl = "{home.engine.settings.store.url}"'
        )
        engine = Engine(load_settings(None))
        later = Landing(engine)
        time.sleep(SETTLE)
        later.settle()
        assert engine.store.arrivals.count() == 1
        assert [(one.bucket, one.waiting) for one in later.status()] == [("uploads", 1)]
        engine.close()

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
            from workflow_engine.catalog.landing import Notice
            from workflow_engine.engine import Engine
            from workflow_engine.landing import Landing
            from workflow_engine.settings import load_settings
            engine = Engine(load_settings(None))
            landing = Landing(engine)
            notices = [
                Notice(bucket="uploads", key=f"k{n}.mp4", source="watch") for n in range(150)
            ]
            for _ in range(3):
                landing.note(notices)
                landing.reconcile("uploads")
                while store.arrivals.count():
                    landing.settle(limit=20)
            engine.close()
            print("done")
            """
        assert lines_of(*(process(url, script) for _ in range(3))) == ["done"] * 3
        assert home.keys() == sorted(keys * 2)


class Doubles:
    """Buckets in which single ones are replaced."""

    def __init__(self, engine: Engine, **doubles: Bucket) -> None:
        self._real = engine.buckets
        self._doubles = doubles
        engine.buckets = self  # type: ignore[assignment]

    def get(self, name: str) -> Bucket:
        return self._doubles.get(name) or self._real.get(name)

    def close(self) -> None:
        self._real.close()


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

        Doubles(home.engine, uploads=Touched(home.path / "uploads", overwrite))
        home.put("a.mp4", "first", age=300)
        home.note("a.mp4")
        home.settle()
        sizes = sorted(run.version.partition("-")[0] for run in home.runs())
        assert sizes == ["5", "5", "6"]

    def test_overwritten_and_listed_while_it_is_taken(self, home: Home):
        home.engine.workflows.add("w", flow())
        bucket = Touched(home.path / "uploads", lambda: overwrite())
        home.landing.reconcile("uploads")

        def overwrite() -> None:
            bucket._happens = lambda: None
            home.put("a.mp4", "second")
            home.landing.reconcile("uploads")

        Doubles(home.engine, uploads=bucket)
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

        Doubles(home.engine, uploads=Touched(root, unmount))
        for key in ("a.mp4", "b.mp4", "c.mp4"):
            home.put(key)
        home.note("a.mp4", "b.mp4", "c.mp4")
        time.sleep(SETTLE)
        home.landing.settle()
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


class TestOwnOutputs:
    def publish(self, home: Home, key: str, *, ended: bool = True, intent: bool = False) -> None:
        """Let an execution publish what lies under a key, or intend to."""
        path = home.path / "uploads" / key
        published = Output(
            ref=ObjectRef(bucket="uploads", object=key),
            place=str(path),
            digests=Digests.of(path),
        )
        claim = add(home.store, "sd")
        home.store.save_execution(claim, state=ExecutionState.RUNNING)
        if intent:
            home.store.intend(claim, "sd", [published])
        else:
            home.store.finish_activity(claim, success("sd", published), step_key=None)
        if ended:
            home.store.save_execution(claim, state=ExecutionState.COMPLETED, ended=utc_now())

    def test_they_start_nothing(self, home: Home):
        home.engine.workflows.add("w", flow())
        for ended in (True, False):
            for intent in (True, False):
                key = f"{ended}{intent}.mp4"
                home.put(key, key)
                self.publish(home, key, ended=ended, intent=intent)
                home.note(key)
        home.settle()
        assert not [run for run in home.runs() if run.workflow == "w"]
        assert home.landing.reconcile("uploads").new == 0
        assert home.landing.replay("uploads").new == 0

    @pytest.mark.parametrize("content", ["two", "three"])
    def test_what_somebody_else_writes_in_their_place(self, home: Home, content: str):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", "one")
        self.publish(home, "a.mp4")
        home.note("a.mp4")
        home.settle()
        home.land("a.mp4", content)
        assert [run.workflow for run in home.runs()].count("w") == 1

    def test_an_intent_in_work_whatever_lies_there(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", "one")
        self.publish(home, "a.mp4", ended=False, intent=True)
        home.land("a.mp4", "another")
        assert not [run for run in home.runs() if run.workflow == "w"]

    def test_an_intent_that_a_killed_execution_left(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", "one")
        self.publish(home, "a.mp4", intent=True)
        home.land("a.mp4", "another")
        assert [run.workflow for run in home.runs()].count("w") == 1

    def test_large_ones_do_not_hold_up_others(self, home: Home, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(taking, "_READ_AT_ONCE", 2)
        home.engine.workflows.add("w", flow())
        for number in range(3):
            home.put(f"own{number}.mp4", f"own{number}")
            self.publish(home, f"own{number}.mp4")
        home.put("other.mp4")
        home.note("own0.mp4", "own1.mp4", "own2.mp4", "other.mp4")
        time.sleep(SETTLE)
        home.landing.settle()
        assert "other.mp4" not in home.waiting()
        assert home.waiting()
        home.settle()
        assert [run.input.object for run in home.runs() if run.workflow == "w"] == ["other.mp4"]

    def test_a_run_that_writes_where_its_input_lies(
        self, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mediaflow.toml").write_text(
            f'[store]\nurl = "{url}"\n[buckets.out]\npath = "out"\nexisting = "process"\n'
            "settle_seconds = 0.1"
        )
        engine = Engine(load_settings(None), registry=FakeRegistry().registry)
        landing = Landing(engine)
        work = {"Type": "Work", "Parameters": {"Output": "copies/{FileName}"}}
        bound = {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "out"}}}
        flow = topology({"start": bound, "copy": work, "report": {"Type": "Report"}})
        engine.workflows.add("w", text(flow))
        (tmp_path / "out").mkdir()
        for number in range(3):
            (tmp_path / "out" / f"clip{number}").write_text("content ")
        for _ in range(3):
            landing.reconcile("out")
            while engine.store.arrivals.count():
                time.sleep(min(landing.settle(), 0.05))
            while claim := engine.store.claim_next(owner="me", lease_seconds=60):
                engine.run_claimed(claim, executor=InlineExecutor(), on_start=lambda runner: None)
        runs = engine.store.executions()
        assert sorted(run.input.object for run in runs) == ["clip0", "clip1", "clip2"]
        assert {run.state for run in runs} == {ExecutionState.COMPLETED}
        assert (tmp_path / "out" / "copies" / "clip0").read_text() == "content done"
        engine.close()


class TestFirstListing:
    def test_what_lies_there_is_left_alone(self, home: Home):
        home.engine.workflows.add("w", flow())
        for number in range(3):
            home.put(f"old{number}.mp4", age=100)
        found = home.landing.reconcile("uploads")
        assert (found.listed, found.new) == (3, 0)
        home.put("new.mp4", age=50)  # a copy that keeps its times
        again = home.landing.reconcile("uploads")
        assert (again.listed, again.new) == (4, 1)
        home.settle()
        assert home.keys() == ["new.mp4"]

    def test_or_processed(self, home: Home):
        home.engine.workflows.add("w", flow("everything"))
        for number in range(3):
            home.put(f"old{number}.mp4", age=100, bucket="everything")
        assert home.landing.reconcile("everything").new == 3
        home.settle()
        assert home.keys() == ["old0.mp4", "old1.mp4", "old2.mp4"]
        assert home.landing.reconcile("everything").new == 0

    def test_a_new_version_of_what_lay_there(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", age=100)
        home.landing.reconcile("uploads")
        home.land("a.mp4", "other")
        assert home.keys() == ["a.mp4"]

    def test_what_lands_during_it(self, home: Home):
        home.engine.workflows.add("w", flow())
        began = home.landing.begin("uploads")
        assert home.landing.begin("uploads") == began
        home.put("changed.mp4")
        home.put("old.mp4", age=100)
        home.put("moved.mp4", age=100)
        home.note("moved.mp4")
        assert home.landing.reconcile("uploads", began=utc_now()).new == 1
        home.settle()
        assert home.keys() == ["changed.mp4", "moved.mp4"]

    def test_an_event_that_comes_late(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("moved.mp4", age=100)
        home.landing.reconcile("uploads")
        home.note("moved.mp4")
        home.note("moved.mp4", source="sqs")
        home.settle()
        home.note("moved.mp4")
        home.settle()
        assert home.keys() == ["moved.mp4"]

    def test_an_event_that_comes_much_later(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("old.mp4", age=1000)
        home.store.intake.watch("uploads", utc_now() - timedelta(hours=1))
        home.landing.reconcile("uploads", "nothing below this")
        info = home.engine.buckets.get("uploads").head("old.mp4")
        assert info is not None
        home.store.intake.skip([taking.taking(home.engine.buckets.get("uploads"), info)])
        home.store.intake.complete("uploads", utc_now() - timedelta(minutes=10))
        home.note("old.mp4")
        home.settle()
        assert home.keys() == []

    def test_one_that_was_broken_off_goes_on(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", age=100)
        began = utc_now()
        home.landing.reconcile("uploads", "a", began=began)  # some of it
        home.put("b.mp4", age=100)
        landed = home.put("c.mp4")
        os.utime(landed, (time.time() + 1, time.time() + 1))
        again = home.landing.reconcile("uploads", began=utc_now() + timedelta(minutes=1))
        assert (again.listed, again.new) == (3, 1)
        home.settle()
        assert home.keys() == ["c.mp4"]
        home.put("d.mp4", age=100)
        assert home.landing.reconcile("uploads").new == 1

    def test_not_again_when_the_process_starts_anew(self, home: Home):
        home.landing.reconcile("uploads")
        home.put("a.mp4", age=10**6)
        engine = Engine(home.engine.settings)
        assert Landing(engine).reconcile("uploads", began=utc_now()).new == 1
        engine.close()


class TestListings:
    def test_what_no_event_told_of(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.landing.reconcile("uploads")
        home.landing.noted.clear()
        home.put("a.mp4")
        home.put("b/c.mp4")
        found = home.landing.reconcile("uploads", "b/", source="poll")
        assert (found.listed, found.new) == (1, 1)
        assert home.landing.noted.is_set()
        assert home.landing.reconcile("uploads").listed == 2
        home.settle()
        assert home.keys() == ["a.mp4", "b/c.mp4"]
        assert replace(home.landing.reconcile("uploads"), seconds=0) == Reconciled(
            listed=2, new=0, seconds=0
        )

    def test_they_do_not_postpone_what_waits(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.landing.reconcile("uploads")
        home.put("a.mp4")
        deadline = time.monotonic() + SETTLE * 5
        while not home.keys():
            assert time.monotonic() < deadline
            home.landing.reconcile("uploads")
            home.landing.settle()

    def test_a_folder_that_is_missing(self, home: Home):
        home.landing.reconcile("uploads")
        home.put("a.mp4")
        (home.path / "uploads").rename(home.path / "away")
        with pytest.raises(InvalidInputError) as caught:
            home.landing.reconcile("uploads")
        assert caught.value.code == Code.RESOURCE_ACCESS
        with pytest.raises(InvalidInputError, match="uploads"):
            home.landing.replay("uploads")
        with pytest.raises(InvalidInputError, match="nobody"):
            home.landing.reconcile("nobody")

    def test_a_folder_that_goes_away_during_the_first_one(self, home: Home):
        root = home.path / "uploads"

        class Unmounted(LocalBucket):
            def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
                yield next(super().list(prefix))
                root.rename(home.path / "away")
                root.mkdir()

        for key in ("a.mp4", "b.mp4"):
            home.put(key, age=100)
        buckets = home.engine.buckets
        Doubles(home.engine, uploads=Unmounted("uploads", root))
        with pytest.raises(MediaflowError, match="replaced while it was listed"):
            home.landing.reconcile("uploads")
        home.engine.buckets = buckets
        root.rmdir()
        (home.path / "away").rename(root)
        assert home.landing.reconcile("uploads").new == 0
        assert home.landing.reconcile("uploads").new == 0

    def test_pages(self, home: Home, monkeypatch: pytest.MonkeyPatch):
        from workflow_engine.landing import listing

        monkeypatch.setattr(listing, "_PAGE", 7)
        home.engine.workflows.add("w", flow("everything"))
        keys = sorted(f"{number % 3}/{number}.mp4" for number in range(50))
        for key in keys:
            home.put(key, age=100, bucket="everything")
        assert home.landing.reconcile("everything").new == 50
        home.settle()
        assert home.keys() == keys
        found = home.landing.reconcile("everything")
        assert (found.listed, found.new) == (50, 0)


class TestReplay:
    def test_runs_for_what_lies_there(self, home: Home):
        for key in ("a.mp4", "b.mp4", "c.jpg", "empty.mp4", "sub/d.mp4"):
            home.put(key, "" if key == "empty.mp4" else "x", age=100)
        home.landing.reconcile("uploads")
        workflow = home.engine.workflows.add("w", flow())
        found = home.landing.replay("uploads", "sub/")
        assert (found.listed, found.new) == (1, 1)
        home.engine.queued.clear()
        found = home.landing.replay("uploads")
        assert (found.listed, found.new) == (5, 2)
        assert home.engine.queued.is_set()
        assert home.keys() == ["a.mp4", "b.mp4", "sub/d.mp4"]
        assert home.landing.replay("uploads").new == 0
        versions = {run.input.object: run.version for run in home.runs()}
        expected = {run_id_of(workflow.id, "uploads", k, v) for k, v in versions.items()}
        assert {run.run_id for run in home.runs()} == expected
        home.engine.workflows.add("later", flow(prefix="b"))
        assert home.landing.replay("uploads").new == 1

    def test_of_a_bucket_that_is_not_watched(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4", age=100)
        assert home.landing.replay("uploads").new == 1
        home.note("a.mp4")
        home.landing.reconcile("uploads")
        home.settle()
        assert home.keys() == ["a.mp4"]

    def test_only_what_has_no_run(self, home: Home):
        workflow = home.engine.workflows.add("w", flow())
        home.land("landed.mp4")
        home.put("by hand.mp4", age=100)
        by_hand = ObjectRef(bucket="uploads", object="by hand.mp4")
        home.engine.submit(workflow, by_hand)
        assert home.landing.replay("uploads").new == 0
        home.put("by hand.mp4", "other", age=100)
        assert home.landing.replay("uploads").new == 1

    def test_what_is_being_written_is_taken_when_it_is_complete(self, home: Home):
        home.put("a.mp4", age=100)
        home.landing.reconcile("uploads")
        home.engine.workflows.add("w", flow())
        with (home.path / "uploads" / "a.mp4").open("a"):
            assert home.landing.replay("uploads").new == 0
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
            threading.Thread(target=lambda: counts.append(home.landing.replay("uploads").new))
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
    Doubles(home.engine, uploads=bucket)
    home.engine.workflows.add("w", flow())
    return bucket


class TestObjectStores:
    def test_a_listing_finds_each_version_once(self, home: Home, versioned: VersionedStore):
        home.landing.reconcile("uploads")
        for number in range(30):
            versioned.put(f"{number}.mp4", f"id {number}")
        assert home.landing.reconcile("uploads").new == 30
        home.settle()
        assert {run.version for run in home.runs()} == {f"id {n}" for n in range(30)}
        # once it was looked at, its name in the listing is known
        assert home.landing.reconcile("uploads").new == 30
        home.settle()
        heads = versioned.heads
        assert home.landing.reconcile("uploads").new == 0
        home.settle()
        assert versioned.heads == heads
        assert len(home.runs()) == 30

    def test_what_was_there_at_first(self, home: Home, versioned: VersionedStore):
        versioned.put("a.mp4", "id")
        assert home.landing.reconcile("uploads").new == 0
        assert home.landing.reconcile("uploads").new == 0
        versioned.put("a.mp4", "id2")
        home.note("a.mp4", source="sqs")
        home.settle()
        assert [run.version for run in home.runs()] == ["id2"]

    def test_replays(self, home: Home, versioned: VersionedStore):
        versioned.put("a.mp4", "id")
        home.landing.reconcile("uploads")
        assert home.landing.replay("uploads").new == 1
        assert home.landing.replay("uploads").new == 0
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


class TestStatus:
    def test_how_the_buckets_do(self, home: Home):
        everything, uploads = home.landing.status()
        assert (everything.bucket, everything.kind) == ("everything", "poll")
        assert (uploads.bucket, uploads.kind, uploads.listener) == ("uploads", "watch", None)
        assert (uploads.waiting, uploads.oldest) == (0, None)
        before = utc_now()
        home.note("a.mp4", "b.mp4")
        record = ListenerRecord(bucket="uploads", kind="watch", seen=2, updated=before)
        home.landing.report(record)
        _, uploads = home.landing.status()
        assert (uploads.listener, uploads.waiting) == (record, 2)
        assert uploads.oldest is not None
        assert before <= uploads.oldest <= utc_now()
