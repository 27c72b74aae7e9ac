"""`trigger status` and `trigger replay`, with what they print."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.topologies import minimal, text
from workflow_engine.cli import trigger
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import utc_now
from workflow_engine.records.ingest import ListenerRecord, Notice
from workflow_engine.settings import load_settings

MOMENT = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mediaflow.toml").write_text(
        """
        [buckets.uploads]
        path = "uploads"
        events = "watch"
        [buckets.queued]
        path = "queued"
        events = {sqs = "http://127.0.0.1:1/queue"}
        [buckets.renditions]
        path = "renditions"
        """
    )
    engine = Engine(load_settings(None))
    yield engine
    engine.close()


def mediaflow(*arguments: str) -> str:
    """Return what `mediaflow trigger` printed."""
    ended = CliRunner().invoke(trigger.app, arguments, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def listed(*arguments: str) -> Any:
    return json.loads(mediaflow(*arguments, "--json"))


class TestStatus:
    def test_before_anything_was_watched(self, engine: Engine):
        assert [b["Bucket"] for b in listed("status")["Buckets"]] == ["queued", "uploads"]
        lines = mediaflow("status").splitlines()
        assert lines == [
            "queued  sqs  0 waiting  no serve has watched it yet",
            "uploads  watch  0 waiting  no serve has watched it yet",
        ]

    def test_without_watched_buckets(self, engine: Engine, tmp_path: Path):
        (tmp_path / "mediaflow.toml").write_text("")
        assert "set events in [buckets.NAME]" in mediaflow("status")
        assert listed("status") == {"Buckets": []}

    def test_a_listener_and_what_waits(self, engine: Engine):
        intake = engine.intake
        intake.report(
            ListenerRecord(
                bucket="uploads",
                kind="watch",
                problem="The folder is missing.",
                last_event=MOMENT,
                seen=7,
                updated=MOMENT + timedelta(seconds=1),
            )
        )
        notices = [Notice(bucket="uploads", key=key, source="watch") for key in ("a", "b")]
        long_ago = utc_now() - timedelta(seconds=60)
        engine.store.arrivals.note(
            notices, now=long_ago, due={"uploads": long_ago}, places=engine.buckets.locations
        )
        _, uploads = listed("status")["Buckets"]
        assert 60 <= uploads.pop("LagSeconds") < 90
        assert uploads == {
            "Bucket": "uploads",
            "Events": "watch",
            "Waiting": 2,
            "Empty": 0,
            "Incomplete": 0,
            "NotMatched": 0,
            "SkippedAsExisting": 0,
            "WatchedSince": "",
            "Problem": "The folder is missing.",
            "Notices": 7,
            "LastEvent": "2024-02-29T23:59:58Z",
            "LastListing": "",
            "Updated": "2024-02-29T23:59:59Z",
        }
        _, line, problem = mediaflow("status").splitlines()
        assert line.startswith("uploads  watch  2 waiting, the oldest for 6")
        assert "7 notices  last event 2024-02-29T23:59:58Z  last listing never" in line
        assert problem == "    The folder is missing."

    def test_what_does_not_run_and_why(self, engine: Engine, tmp_path: Path):
        intake = engine.intake
        (tmp_path / "uploads").mkdir()
        for number in range(3):
            (tmp_path / f"uploads/old{number}.mp4").write_text("x")
        (tmp_path / "queued").mkdir()
        time.sleep(0.02)
        intake.begin()
        intake.reconcile("uploads")
        for name, content in (("a.jpg", "x"), ("empty.mp4", ""), ("growing.mp4", "x")):
            (tmp_path / "uploads" / name).write_text(content)
        (tmp_path / "uploads/dead.mp4").symlink_to("nothing")
        names = ("a.jpg", "empty.mp4", "growing.mp4", "dead.mp4")
        notices = [Notice(bucket="uploads", key=name, source="watch") for name in names]
        with (tmp_path / "uploads/growing.mp4").open("a"):
            intake.note(notices, settle_seconds=0)
            deadline = time.monotonic() + 20
            while engine.store.arrivals.waiting("uploads")[0] > 1:
                assert time.monotonic() < deadline
                time.sleep(min(intake.settle(), 0.1))
        _, uploads = listed("status")["Buckets"]
        assert (uploads["Waiting"], uploads["Empty"]) == (1, 1)
        assert (uploads["NotMatched"], uploads["SkippedAsExisting"]) == (1, 3)
        _, line, skipped, unmatched = mediaflow("status").splitlines()
        assert "1 waiting, the oldest for" in line
        assert "  1 empty  1 not matched  " in line
        assert "3 skipped" in skipped
        assert skipped.endswith("mediaflow trigger replay uploads")
        assert "mediaflow trigger why oss://uploads/KEY" in unmatched

    def test_what_waits_in_a_bucket_that_is_watched_no_more(self, engine: Engine):
        notices = [Notice(bucket="renditions", key="a", source="watch")]
        engine.intake.note(notices)
        (line,) = [x for x in mediaflow("status").splitlines() if x.startswith("renditions")]
        assert line.startswith("renditions  not watched any more  1 waiting")


class TestReplay:
    def test_runs_for_what_lies_there(self, engine: Engine, tmp_path: Path):
        engine.workflows.add("w", text(minimal()))
        for key in ("incoming/a.mp4", "incoming/b.mp4", "incoming/c.jpg", "elsewhere/d.mp4"):
            path = tmp_path / "uploads" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(key)
            os.utime(path, (1e9, 1e9))
        found = listed("replay", "uploads", "incoming/a")
        assert 0 <= found.pop("Seconds") < 60
        assert found == {"Bucket": "uploads", "Prefix": "incoming/a", "Listed": 1, "Queued": 1}
        assert mediaflow("replay", "uploads") == "4 objects listed, 1 runs queued\n"
        assert mediaflow("replay", "uploads") == "4 objects listed, 0 runs queued\n"
        runs = engine.store.executions.newest()
        assert sorted(run.input.object for run in runs) == ["incoming/a.mp4", "incoming/b.mp4"]

    def test_buckets_that_cannot_be_listed(self, engine: Engine):
        with pytest.raises(InvalidInputError, match="nobody"):
            mediaflow("replay", "nobody")
        with pytest.raises(InvalidInputError, match="uploads"):
            mediaflow("replay", "uploads")
