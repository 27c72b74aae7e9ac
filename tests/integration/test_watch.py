"""Local folders, watched for real: what lands is queued once, whole, and whatever happens.

Each test is a way in which files come into a folder, or in which the folder goes away.
"""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tests.support.watching import FACTORIES, Watching, engine
from triggers.listener import load_factory
from triggers.observed import FolderWatch
from triggers.service import Triggers
from workflow_engine.errors import SettingsError

WRITER = """
import sys, time
with open(sys.argv[1], sys.argv[2]) as file:
    for _ in range(int(sys.argv[3])):
        file.write(sys.argv[4])
        file.flush()
        time.sleep(0.1)
"""


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    watching = Watching(tmp_path)
    yield watching
    watching.close()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def write_slowly(
    path: Path, *, seconds: float, text: str = "x", mode: str = "w"
) -> subprocess.Popen[bytes]:
    arguments = [str(path), mode, str(round(seconds * 10)), text]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments])


def version(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


class TestWaysIn:
    def test_written(self, watching: Watching):
        watching.start()
        path = watching.put("a.mp4")
        assert watching.settle() == ["a.mp4"]
        assert watching.versions() == [("a.mp4", version(path))]

    def test_moved_in(self, watching: Watching, outside: Path):
        watching.start()
        (outside / "a.mp4").write_text("content")
        (outside / "a.mp4").rename(watching.root / "b.mp4")
        assert watching.settle() == ["b.mp4"]

    def test_written_as_part_and_renamed(self, watching: Watching):
        watching.start()
        part = watching.put("a.mp4.part")
        hidden = watching.put(".b.mp4.Xy12")
        time.sleep(1)
        assert watching.taken() == []
        part.rename(watching.root / "a.mp4")
        hidden.rename(watching.root / "b.mp4")
        assert watching.settle() == ["a.mp4", "b.mp4"]

    def test_files_in_folders_that_were_just_made(self, watching: Watching):
        watching.start()
        keys = sorted(f"d{n}/{'e/' * (n % 7)}f.mp4" for n in range(200))
        for key in keys:
            watching.put(key)
        assert watching.settle() == keys

    def test_a_tree_that_is_moved_in(self, watching: Watching, outside: Path):
        watching.start()
        keys = sorted(f"tree/{a}/{b}.mp4" for a in range(10) for b in range(10))
        for key in keys:
            (outside / key).parent.mkdir(parents=True, exist_ok=True)
            (outside / key).write_text("content")
        (outside / "tree").rename(watching.root / "tree")
        assert watching.settle() == keys
        watching.put("tree/3/later.mp4")
        assert watching.settle() == sorted([*keys, "tree/3/later.mp4"])

    def test_hard_links(self, watching: Watching, outside: Path):
        watching.start()
        (outside / "a.mp4").write_text("content")
        os.link(outside / "a.mp4", watching.root / "a.mp4")
        (watching.root / "d").mkdir()
        os.link(outside / "a.mp4", watching.root / "d/a.mp4")
        assert watching.settle() == ["a.mp4", "d/a.mp4"]

    def test_symbolic_links(self, watching: Watching, outside: Path):
        watching.put_old("d/a.mp4")
        watching.start()
        (outside / "a.mp4").write_text("content")
        (watching.root / "inside.mp4").symlink_to("d/a.mp4")
        (watching.root / "outside.mp4").symlink_to(outside / "a.mp4")
        (watching.root / "folder").symlink_to("d")
        (watching.root / "dangling.mp4").symlink_to("nothing")
        assert watching.settle() == ["inside.mp4"]

    def test_copied_with_its_time(self, watching: Watching, outside: Path):
        watching.start()
        (outside / "a.mp4").write_text("content")
        os.utime(outside / "a.mp4", (1e9, 1e9))
        path = Path(shutil.copy2(outside / "a.mp4", watching.root))
        assert watching.settle() == ["a.mp4"]
        assert watching.versions() == [("a.mp4", version(path))]

    def test_a_burst(self, watching: Watching):
        watching.start()
        keys = sorted(f"f{n}.mp4" for n in range(1500))
        for key in keys:
            watching.put(key)
        assert watching.settle() == keys

    def test_names_that_are_none_of_ours(self, watching: Watching):
        watching.start()
        for key in (".hidden.mp4", ".hidden/a.mp4", "a.part/a.mp4", "tab\there.mp4", "empty.mp4"):
            watching.put(key, "" if key == "empty.mp4" else "content")
        (watching.root / os.fsdecode(b"latin-\xe9.mp4")).write_text("content")
        os.mkfifo(watching.root / "pipe.mp4")
        watching.put("a.mp4")
        watching.put("中 %2F+.mp4")
        wait_for(lambda: watching.taken() == ["a.mp4", "中 %2F+.mp4"])
        time.sleep(1)
        assert watching.taken() == ["a.mp4", "中 %2F+.mp4"]
        assert watching.problem == ""

    def test_names_that_are_easily_lost(self, watching: Watching):
        names = ["a b", "a+b", "a%2Bb", "a%2F..%2Fb", "Clip", "clip", "\U0001f3ac" * 62, "-rf"]
        names += ["x/" * 508 + "x"]  # 1,023 bytes
        heard, listed = [sorted(f"{folder}/{name}.mp4" for name in names) for folder in "hl"]
        watching.start()
        for key in (*heard, f"h/{names[-1]}x.mp4"):
            watching.put(key)
        wait_for(lambda: watching.taken() == heard)
        watching.stop()
        for key in (*listed, f"l/{names[-1]}x.mp4"):
            watching.put(key)
        watching.start()
        assert watching.settle() == heard + listed
        assert watching.problem == ""

    def test_a_root_that_is_a_link(self, tmp_path: Path):
        (tmp_path / "real").mkdir()
        (tmp_path / "uploads").symlink_to("real")
        watching = Watching(tmp_path, root=tmp_path / "uploads").start()
        (tmp_path / "real/a.mp4").write_text("content")
        assert watching.settle() == ["a.mp4"]
        watching.close()


class TestChanges:
    def test_renamed_inside(self, watching: Watching):
        watching.start()
        path = watching.put("d/a.mp4")
        assert watching.settle() == ["d/a.mp4"]
        path.rename(watching.root / "b.mp4")
        assert watching.settle() == ["b.mp4", "d/a.mp4"]
        (watching.root / "d").rename(watching.root / "e")
        watching.put("e/c.mp4")
        watching.put("d/d.mp4")
        assert watching.settle() == ["b.mp4", "d/a.mp4", "d/d.mp4", "e/c.mp4"]

    def test_a_folder_that_is_moved_out_is_watched_no_more(self, watching: Watching, outside: Path):
        watching.start()
        watching.put("d/e/a.mp4")
        assert watching.settle() == ["d/e/a.mp4"]
        (watching.root / "d").rename(outside / "d")
        watching.put("d/e/b.mp4")
        (outside / "d/e/c.mp4").write_text("content")
        assert watching.settle() == ["d/e/a.mp4", "d/e/b.mp4"]

    def test_deleted_while_it_settles(self, watching: Watching):
        watching.start()
        watching.put("a.mp4").unlink()
        shutil.rmtree(watching.put("d/b.mp4").parent)
        assert watching.settle() == []

    def test_written_slowly(self, tmp_path: Path):
        watching = Watching(tmp_path, settle=0.5).start()
        path = watching.root / "a.mp4"
        writer = write_slowly(path, seconds=5)
        writer.wait()
        assert watching.settle() == ["a.mp4"]
        assert watching.versions() == [("a.mp4", version(path))]
        watching.close()

    def test_the_last_of_several_writers_counts(self, watching: Watching):
        watching.start()
        path = watching.root / "a.mp4"
        short = write_slowly(path, seconds=0.3, mode="a")
        long = write_slowly(path, seconds=2, mode="a")
        short.wait()
        long.wait()
        assert watching.settle() == ["a.mp4"]
        assert watching.versions() == [("a.mp4", version(path))]

    def test_overwritten_while_it_settles(self, tmp_path: Path):
        watching = Watching(tmp_path, settle=1).start()
        for number in range(4):
            watching.put("a.mp4", f"content {number}")
            time.sleep(0.5)
        assert watching.settle() == ["a.mp4"]
        assert watching.versions() == [("a.mp4", version(watching.root / "a.mp4"))]
        watching.close()

    def test_every_version_runs_once(self, watching: Watching):
        watching.start()
        for count, content in enumerate("ABA", start=1):
            watching.put("a.mp4", content)
            assert watching.settle() == ["a.mp4"] * count

    def test_touched_and_looked_at(self, watching: Watching):
        watching.start()
        path = watching.put("a.mp4")
        assert watching.settle() == ["a.mp4"]
        path.chmod(0o600)
        path.read_bytes()
        with path.open("a"):
            pass
        assert watching.settle() == ["a.mp4"]

    @pytest.mark.parametrize("seed", range(3))
    def test_anything_at_once(self, watching: Watching, outside: Path, seed: int):
        watching.start()
        chance = random.Random(seed)

        def folder(root: Path) -> Path:
            return root.joinpath(*chance.choices("abc", k=chance.randrange(1, 4)))

        for number in range(600):
            act = chance.randrange(8)
            there, here = folder(watching.root), folder(watching.root)
            away = outside / chance.choice("xyz")
            with contextlib.suppress(OSError):
                if act < 3:
                    name = f"{chance.choice('pqr')}.mp4"
                    watching.put(str(here.relative_to(watching.root) / name), str(number))
                elif act == 3:
                    there.rename(here)
                elif act == 4:
                    here.rename(away)
                elif act == 5:
                    away.rename(here)
                elif act == 6:
                    (there / "p.mp4").rename(here / "q.mp4")
                elif number % 3 == 0:
                    shutil.rmtree(here)
        watching.settle(60)
        runs = watching.versions()
        lying = {
            (str(path.relative_to(watching.root)), version(path))
            for path in watching.root.rglob("*.mp4")
        }
        assert lying
        assert sorted(lying - set(runs)) == []
        assert len(runs) == len(set(runs))


class TestRestarts:
    def test_what_lies_there_is_skipped_once(self, watching: Watching):
        watching.put_old("old.mp4")
        watching.start()
        assert watching.settle() == []
        watching.stop()
        watching.put("between.mp4")
        watching.start()
        watching.put("d/after.mp4")
        assert watching.settle() == ["between.mp4", "d/after.mp4"]
        watching.stop()
        watching.put("old.mp4", "another content")
        watching.start()
        assert watching.settle() == ["between.mp4", "d/after.mp4", "old.mp4"]

    def test_permissions_of_what_lies_there(self, watching: Watching):
        path = watching.put_old("old.mp4")
        watching.start()
        path.chmod(0o600)
        path.read_bytes()
        watching.put("new.mp4")
        assert watching.settle() == ["new.mp4"]

    def test_what_lies_there_is_processed(self, tmp_path: Path):
        watching = Watching(tmp_path, more='existing = "process"')
        watching.put("old.mp4")
        for _ in range(2):
            watching.start()
            assert watching.settle() == ["old.mp4"]
            watching.stop()
        watching.close()

    def test_what_lands_during_the_first_listing_is_not_skipped(self, watching: Watching):
        for number in range(3000):
            watching.put_old(f"old/{number}.mp4")
        stop = threading.Event()
        landed: list[str] = []

        def land() -> None:
            while not stop.is_set():
                key = f"new/{len(landed)}.mp4"
                watching.put(key)
                landed.append(key)
                time.sleep(0.005)

        watching.engine.store.executions.newest()
        lander = threading.Thread(target=land)
        before = time.time()
        lander.start()
        watching.start()
        already = len(landed)
        wait_for(lambda: len(landed) >= already + 30)
        stop.set()
        lander.join()
        taken = watching.settle()
        assert not [key for key in taken if key.startswith("old/")]
        missed = sorted(set(landed) - set(taken))
        # what landed in the moments before the watch began lay there already
        assert all((watching.root / key).stat().st_mtime < before + 0.5 for key in missed)
        assert missed == sorted(landed[: len(missed)])
        assert len(taken) == len(set(taken)) >= 30

    def test_two_services_on_one_store(self, watching: Watching):
        with watching.process(), watching.process():
            wait_for(watching.reconciled)
            keys = sorted(f"d{n % 5}/{n}.mp4" for n in range(300))
            for key in keys:
                watching.put(key)
            wait_for(lambda: watching.count() >= 300)
            assert watching.settle() == keys


class TestTrouble:
    def test_a_missing_folder(self, tmp_path: Path):
        watching = Watching(tmp_path, root=tmp_path / "missing/uploads", more='existing="process"')
        watching.start()
        wait_for(lambda: "does not exist" in watching.problem)
        watching.put("a.mp4")
        assert watching.settle() == []
        wait_for(watching.taken)
        assert watching.problem == ""
        shutil.rmtree(watching.root)
        wait_for(lambda: "does not exist" in watching.problem)
        watching.put("b.mp4")
        wait_for(lambda: watching.taken() == ["a.mp4", "b.mp4"])
        (listener,) = watching.engine.store.listeners.all()
        assert (listener.bucket, listener.kind) == ("uploads", "watch")
        watching.close()

    def test_a_folder_in_the_place_of_another(self, watching: Watching, outside: Path):
        watching.start()
        watching.root.rename(outside / "uploads")
        watching.put("a.mp4")
        assert wait_for(watching.taken) == ["a.mp4"]
        (outside / "uploads/b.mp4").write_text("content")
        watching.put("c.mp4")
        wait_for(lambda: watching.taken() == ["a.mp4", "c.mp4"])
        assert watching.settle() == ["a.mp4", "c.mp4"]

    def test_more_events_than_the_queue_holds(self, watching: Watching):
        fillers = [watching.put(f".{n}.mp4") for n in range(2)]
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        with watching.process() as process:
            wait_for(watching.reconciled)
            process.signal(signal.SIGSTOP)
            for number in range(limit + 100):
                fillers[number % 2].open("a").close()  # two in a row would be one event
            keys = sorted(f"d{n % 3}/{n}.mp4" for n in range(300))
            for key in keys:
                watching.put(key)
            process.signal(signal.SIGCONT)
            wait_for(lambda: watching.count() >= len(keys))
            assert watching.settle() == keys
            watching.put("d1/later.mp4")
            watching.put("d9/later.mp4")
            assert watching.settle() == sorted([*keys, "d1/later.mp4", "d9/later.mp4"])

    def test_a_store_that_is_locked(self, watching: Watching):
        watching.start()
        lock = sqlite3.connect(watching.home / "mediaflow.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        for number in range(50):
            watching.put(f"{number}.mp4")
        time.sleep(2)
        lock.execute("ROLLBACK")
        lock.close()
        wait_for(lambda: watching.count() >= 50)
        assert len(watching.settle()) == 50

    def test_a_store_that_takes_nothing(self, watching: Watching):
        watching.start()
        store = sqlite3.connect(watching.home / "mediaflow.db", isolation_level=None)
        store.execute("ALTER TABLE arrivals RENAME TO away")
        for number in range(50):
            watching.put(f"{number}.mp4")
        wait_for(lambda: "cannot be stored" in watching.problem)
        wait_for(lambda: "cannot be processed" in watching.problem)
        wait_for(lambda: "cannot be stored" in watching.engine.store.listeners.all()[0].problem)
        store.execute("ALTER TABLE away RENAME TO arrivals")
        store.close()
        wait_for(lambda: watching.count() >= 50)
        assert len(watching.settle()) == 50
        assert watching.problem == ""
        wait_for(lambda: watching.engine.store.listeners.all()[0].problem == "")
        assert watching.engine.store.listeners.all()[0].seen >= 50

    def test_a_watch_that_breaks_is_installed_again(
        self, watching: Watching, monkeypatch: pytest.MonkeyPatch
    ):
        watching.start()
        with monkeypatch.context() as patch:
            patch.setattr("triggers.inotify.FolderWatch._take", None)
            watching.put("a.mp4")
            time.sleep(0.2)
        assert wait_for(watching.taken) == ["a.mp4"]
        watching.put("b.mp4")
        assert watching.settle() == ["a.mp4", "b.mp4"]


class TestConfiguration:
    def test_an_object_store_cannot_be_watched(self, tmp_path: Path):
        config = tmp_path / "mediaflow.toml"
        config.write_text('[buckets.archive]\nurl = "s3://archive"\nevents = "watch"\n')
        made = engine(config)
        with (
            contextlib.closing(made),
            pytest.raises(SettingsError, match="is an object store") as caught,
        ):
            Triggers(made, factories=FACTORIES)
        assert caught.value.pointer == "/buckets/archive/events"

    def test_a_kind_that_is_not_installed(self):
        with pytest.raises(SettingsError, match='no listener for events = "carrier-pigeon"'):
            load_factory("carrier-pigeon")

    def test_buckets_without_events_are_left_alone(self, tmp_path: Path):
        watching = Watching(tmp_path, more=f'[buckets.other]\npath = "{tmp_path}/other"')
        (tmp_path / "other").mkdir()
        watching.start()
        (tmp_path / "other/a.mp4").write_text("content")
        watching.put("b.mp4")
        assert watching.settle() == ["b.mp4"]
        assert [record.bucket for record in watching.engine.store.listeners.all()] == ["uploads"]
        watching.close()


class TestElsewhere:
    """What watchdog has for systems without inotify, tried with the one that is here."""

    def test_finds_files_and_asks_for_listings(self, tmp_path: Path):
        found: set[bytes] = set()
        lost = threading.Event()
        watch = FolderWatch(str(tmp_path), found=found.add, lost=lost.set, broken=lambda: None)
        (tmp_path / "a.mp4").write_text("content")
        (tmp_path / ".hidden").write_text("content")
        wait_for(lambda: found == {os.fsencode(tmp_path / "a.mp4")})
        assert not lost.is_set()
        (tmp_path / "d").mkdir()
        assert lost.wait(5)
        assert watch.alive
        watch.close()
        assert not watch.alive
