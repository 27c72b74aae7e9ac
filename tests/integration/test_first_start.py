"""What lands from the first moment of the first start on runs; what lay there before does not."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.test_local_bucket import pretend_mounted
from tests.support.ingest_home import Home, flow
from tests.support.waiting import wait_for
from tests.support.watching import TICK, Watching
from workflow_engine.records import utc_now


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    watching = Watching(tmp_path)
    yield watching
    watching.close()


@pytest.fixture
def late(tmp_path: Path, prepared: Path) -> Iterator[Watching]:
    """A watched folder that does not exist yet, and neither does the one that it lies in."""
    watching = Watching(tmp_path, root=tmp_path / "media/uploads")
    watching.start()
    wait_for(lambda: "does not exist" in watching.problem)
    yield watching
    watching.close()


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder with a file that has lain there for an hour, as far as its times tell."""
    folder = tmp_path / "prepared"
    (folder / "sub").mkdir(parents=True)
    path = folder / "sub/prepared.mp4"
    path.write_text("content")
    os.utime(path, (time.time() - 3600,) * 2)
    time.sleep(TICK)
    return folder


def shell(command: str, cwd: Path) -> None:
    subprocess.run(command, shell=True, check=True, cwd=cwd)


def test_what_comes_between_the_first_moment_and_the_first_listing(
    watching: Watching, prepared: Path, tmp_path: Path
):
    watching.put_old("old.mp4")
    watching.put_old("sub/old.mp4")
    watching.put_old("renamed.mp4")
    (prepared / "moved.mp4").write_text("content")
    time.sleep(TICK)
    watching.engine.intake.begin()
    watching.put_old("sub/old time.mp4")
    shell("mv prepared/moved.mp4 uploads/sub/ && cp -rp prepared uploads/copied", tmp_path)
    shell("mv prepared uploads/tree && mv uploads/renamed.mp4 uploads/sub/", tmp_path)
    watching.start()
    assert watching.settle() == [
        "copied/sub/prepared.mp4",
        "sub/moved.mp4",
        "sub/old time.mp4",
        "sub/renamed.mp4",
        "tree/sub/prepared.mp4",
    ]
    found = watching.engine.store.intake.watched("uploads")
    assert found is not None
    assert found.skipped == 2


def test_the_first_moment_counts_for_every_bucket_with_events(home: Home):
    since = utc_now() - timedelta(minutes=1)
    home.intake.begin(since)
    home.intake.begin()
    for bucket in ("uploads", "everything"):
        watched = home.store.intake.watched(bucket)
        assert watched is not None
        assert watched.since == since


class TestMissingFolder:
    def test_made_and_filled_at_once(self, late: Watching, prepared: Path, tmp_path: Path):
        shell("mkdir -p media/uploads && cp -p prepared/sub/prepared.mp4 media/uploads", tmp_path)
        assert wait_for(late.taken) == ["prepared.mp4"]

    def test_moved_in_as_a_whole(self, late: Watching, prepared: Path, tmp_path: Path):
        # the second file hides from the folder's times that it was moved
        shell("mkdir media && mv prepared media/uploads && echo > media/uploads/b.mp4", tmp_path)
        wait_for(lambda: late.taken() == ["b.mp4", "sub/prepared.mp4"])

    def test_made_while_no_service_runs(self, late: Watching, prepared: Path, tmp_path: Path):
        late.stop()
        shell("mkdir media && mv prepared media/uploads && echo > media/uploads/b.mp4", tmp_path)
        late.start()
        assert late.settle() == ["b.mp4", "sub/prepared.mp4"]

    def test_of_a_bucket_that_is_only_listed(self, home: Home, prepared: Path, tmp_path: Path):
        home.engine.workflows.add("w", flow())
        shutil.rmtree(tmp_path / "uploads")
        home.watch()
        with pytest.raises(Exception, match="cannot be read"):
            home.intake.reconcile("uploads")
        shell("mv prepared uploads && echo > uploads/b.mp4", tmp_path)
        assert home.intake.reconcile("uploads").new == 2

    def test_removed_and_made_again(self, watching: Watching, prepared: Path, tmp_path: Path):
        watching.put_old("old.mp4")
        watching.start()
        shell("rm -r uploads && mv prepared uploads && echo > uploads/b.mp4", tmp_path)
        wait_for(lambda: watching.taken() == ["b.mp4", "sub/prepared.mp4"])


class TestClocks:
    def test_of_a_network_mount(self, home: Home, monkeypatch: pytest.MonkeyPatch):
        home.put("old.mp4")
        home.intake.begin(utc_now() + timedelta(seconds=30))
        pretend_mounted("ext4", home.path, monkeypatch)
        assert home.intake.reconcile("uploads", "o").new == 0
        # nobody tells by how much the clock of a file server is late
        home.put("other.mp4")
        pretend_mounted("nfs4", home.path, monkeypatch)
        assert home.intake.reconcile("uploads").new == 1

    def test_files_of_the_future_lay_there(self, home: Home):
        home.put("old.mp4", age=-(10**6))
        home.watch()
        assert home.intake.reconcile("uploads").skipped == 1


def test_when_the_process_began():
    script = "from workflow_engine.service.clock import process_began as b; print(b().timestamp())"
    command = f'sleep 0.5; exec "{sys.executable}" -c "{script}"'
    before = time.time()
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    # when the shell was started, of which it is the same process
    assert before - 0.05 < float(ended.stdout) < before + 0.45
