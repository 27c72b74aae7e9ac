"""Other content under the size and time of a file that was taken is a version of its own."""

import os
from pathlib import Path

import pytest

from tests.support.ingest_home import Home, flow
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.ingest import contents
from workflow_engine.records import Digests, ExecutionRecord
from workflow_engine.run.inputs import Inputs


@pytest.fixture
def taken(home: Home) -> Path:
    """A file that was taken, and read by its run."""
    home.engine.workflows.add("w", flow())
    home.watch()
    home.intake.reconcile("uploads")
    home.land("a.mp4", "one")
    return read(home)


def read(home: Home) -> Path:
    """Read the file as a run does."""
    bucket = home.engine.buckets.get("uploads")
    info = bucket.head("a.mp4")
    assert info is not None
    path = Path(bucket.place("a.mp4"))
    home.store.digests.save(str(path), info.version, Digests.of(path), info.fingerprint)
    return path


def replace(path: Path, content: str) -> None:
    """Rename another file over one, with the same size and time."""
    found = path.stat()
    other = path.with_name(".other.part")
    other.write_text(content)
    assert other.stat().st_size == found.st_size
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.rename(path)


def overwrite(path: Path, content: str) -> None:
    """Write into a file, and set its time back."""
    found = path.stat()
    path.write_text(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def noticed(home: Home) -> list[ExecutionRecord]:
    """Let an event come, twice, and a listing; return the runs, the oldest first."""
    for _ in range(2):
        home.note("a.mp4")
        home.settle()
        home.intake.reconcile("uploads")
        home.settle()
    return home.runs()[::-1]


def input_of(home: Home, record: ExecutionRecord) -> Digests | None:
    return Inputs(home.engine.buckets, lambda: home.store).again(record).digests


class TestOtherContent:
    def test_it_runs_once_more(self, home: Home, taken: Path):
        for change, content in ((replace, "two"), (overwrite, "six")):
            before = home.runs()
            change(taken, content)
            *known, last = noticed(home)
            assert known == before[::-1]
            assert last.version.startswith(home.version("a.mp4") + "-")
            # the run finds what it was queued for
            assert input_of(home, last) == Digests.of(taken)
            read(home)
            assert len(noticed(home)) == len(before) + 1
        # a further one is not what the run was queued for
        replace(taken, "ten")
        with pytest.raises(InvalidInputError) as raised:
            input_of(home, home.runs()[0])
        assert raised.value.code == Code.RESOURCE_CONTENT_BAD

    def test_a_listing_finds_what_no_event_told(self, home: Home, taken: Path):
        replace(taken, "two")
        assert home.intake.reconcile("uploads").new == 1
        home.settle()
        assert len(home.runs()) == 2
        assert home.intake.reconcile("uploads").new == 0

    def test_a_change_of_permissions_before_it_was_read(self, home: Home, taken: Path):
        replace(taken, "two")
        assert len(noticed(home)) == 2
        taken.chmod(0o600)
        assert len(noticed(home)) == 2

    def test_it_is_read_in_the_background(
        self, home: Home, taken: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(contents, "_READ_AT_ONCE", 2)
        replace(taken, "two")
        assert len(noticed(home)) == 2

    def test_why_names_its_run(self, home: Home, taken: Path):
        replace(taken, "two")
        last = noticed(home)[-1]
        explained = home.intake.explain("oss://uploads/a.mp4")
        assert last.run_id in explained.conclusion
        assert explained.facts is not None
        assert [run.run_id for run in explained.facts.present_runs] == [last.run_id]


class TestTheSameContent:
    def test_it_does_not_run_again(self, home: Home, taken: Path):
        version = home.version("a.mp4")
        for change in (
            lambda: taken.chmod(0o600),
            lambda: os.link(taken, taken.with_name(".link")),
            lambda: replace(taken, "one"),
            lambda: overwrite(taken, "one"),
        ):
            change()
            (run,) = noticed(home)
            assert run.version == home.version("a.mp4") == version
            # what was read is known again: the next listing does not look at it
            assert home.intake.reconcile("uploads").new == 0

    def test_a_change_of_permissions_has_nothing_read_by_listings(self, home: Home, taken: Path):
        taken.chmod(0o600)
        assert home.intake.reconcile("uploads").new == 0

    def test_what_nobody_has_read_is_not_told_apart(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.watch()
        home.land("a.mp4", "one")
        replace(home.path / "uploads/a.mp4", "two")
        (run,) = noticed(home)
        # whose run has yet to begin, and reads what lies there
        assert input_of(home, run) == Digests.of(home.path / "uploads/a.mp4")
