"""`trigger why`: each thing that can keep an object from starting runs is named, and what helps."""

import json
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from tests.integration.test_store_retention import prune
from tests.support.ingest_home import Home, flow
from tests.support.stores import add, success
from workflow_engine import cli
from workflow_engine.engine import Engine
from workflow_engine.records import Digests, ExecutionState, ObjectRef, Output, run_id_of, utc_now
from workflow_engine.records.catalog import TriggerMode
from workflow_engine.records.ingest import ListenerRecord
from workflow_engine.settings import load_settings
from workflow_engine.store.schema import executions


@dataclass(frozen=True)
class Answer:
    """What `why` says, in JSON and for people."""

    told: Any
    text: str

    @property
    def outcome(self) -> str:
        return self.told["Outcome"]

    @property
    def conclusion(self) -> str:
        return self.told["Conclusion"]

    @property
    def remedy(self) -> str:
        return self.told["Remedy"]

    def holds(self, subject: str) -> bool | None:
        return next(c["Holds"] for c in self.told["Checks"] if c["Subject"] == subject)


def why(url: str | Path) -> Answer:
    def printed(*more: str) -> str:
        arguments = ["trigger", "why", str(url), *more]
        ended = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    told = json.loads(printed("--json"))
    text = printed()
    assert told["Conclusion"] in text.splitlines()[0]
    return Answer(told, text)


@pytest.fixture(autouse=True)
def serving(home: Home) -> None:
    """A service that listens, as far as the store tells, and a bucket without events."""
    home.watch()
    serves(home)
    with (home.path / "mediaflow.toml").open("a") as file:
        file.write('[buckets.aside]\npath = "aside"\n')


def serves(home: Home, *, problem: str = "", seconds_ago: float = 0) -> None:
    updated = utc_now() - timedelta(seconds=seconds_ago)
    record = ListenerRecord(bucket="uploads", kind="watch", problem=problem, updated=updated)
    home.intake.report(record)


class TestTaken:
    def test_it_runs(self, home: Home):
        workflow = home.engine.workflows.add("ladder", flow())
        home.land("in/my clip.mp4")
        (run,) = home.runs()
        for url in (
            "oss://uploads/in/my clip.mp4",
            "s3://uploads/in/my clip.mp4",
            "http://uploads.oss-cn-hangzhou.aliyuncs.com/in/my%20clip.mp4",
            "uploads/in/my clip.mp4",
            home.path / "uploads/in/my clip.mp4",
            f"file://{home.path}/uploads/in/my%20clip.mp4",
        ):
            answer = why(url)
            assert (answer.told["Bucket"], answer.told["Object"]) == ("uploads", "in/my clip.mp4")
            assert answer.outcome == "Runs"
        assert run.run_id in answer.conclusion
        assert f"mediaflow execution show {run.run_id}" in answer.remedy
        assert answer.told["Workflows"] == [
            {
                "MediaWorkflowId": workflow.id,
                "Name": "ladder",
                "Starts": True,
                "Reasons": [],
                "RunId": run.run_id,
            }
        ]
        assert [(r["RunId"], r["ThisVersion"]) for r in answer.told["Runs"]] == [(run.run_id, True)]

    def test_another_version_ran(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.land("a.mp4")
        (home.path / "uploads/a.mp4").unlink()
        answer = why("oss://uploads/a.mp4")
        assert answer.outcome == "DoesNotExist"
        assert "Earlier versions" in answer.conclusion
        assert [r["ThisVersion"] for r in answer.told["Runs"]] == [False]

    def test_before_a_workflow_took_it(self, home: Home):
        home.land("a.mp4")
        workflow = home.engine.workflows.add("later", flow())
        answer = why("oss://uploads/a.mp4")
        assert answer.outcome == "TakenBefore"
        assert '"later"' in answer.conclusion
        assert answer.remedy.endswith("mediaflow trigger replay uploads a.mp4")
        assert "has no run of this version" in answer.text
        # what is advised helps
        assert home.intake.replay("uploads", "a.mp4").new == 1
        run_id = run_id_of(workflow.id, "uploads", "a.mp4", home.version("a.mp4"))
        assert run_id in why("oss://uploads/a.mp4").conclusion

    def test_its_executions_were_removed(self, home: Home):
        workflow = home.engine.workflows.add("ladder", flow())
        home.land("a.mp4")
        run_id = run_id_of(workflow.id, "uploads", "a.mp4", home.version("a.mp4"))
        claim = home.store.queue.claim_next(
            owner="me", lease_seconds=60, buckets=home.engine.buckets.locations
        )
        assert claim is not None and claim.run_id == run_id
        long_ago = utc_now() - timedelta(days=100)
        home.store.executions.save(claim, state=ExecutionState.COMPLETED, ended=long_ago)
        home.store.queue.release(claim)
        database = sa.create_engine(home.engine.settings.store.url)
        with database.begin() as connection:
            connection.execute(sa.update(executions).values(created=long_ago))
        database.dispose()
        assert prune(home.store) == 1
        answer = why("oss://uploads/a.mp4")
        assert (answer.outcome, answer.told["Runs"]) == ("Runs", [])
        assert run_id in answer.conclusion
        assert "--workflow" in answer.remedy  # a replay queues nothing
        assert home.intake.replay("uploads", "a.mp4").new == 0
        assert answer.told["Workflows"][0]["RunId"] == run_id


class TestSkipped:
    def test_existing(self, home: Home, tmp_path: Path):
        home.engine.workflows.add("w", flow("later"))
        (tmp_path / "later").mkdir()
        (tmp_path / "later/old clip.mp4").write_text("x")
        with (home.path / "mediaflow.toml").open("a") as file:
            file.write('[buckets.later]\npath = "later"\nevents = "poll"\n')
        time.sleep(0.02)
        with closing(Engine(load_settings(None))) as engine:
            engine.intake.begin()
            assert engine.intake.reconcile("later").skipped == 1
        answer = why("later/old clip.mp4")
        assert answer.outcome == "SkippedAsExisting"
        assert 'existing = "skip"' in answer.conclusion
        assert "mediaflow trigger replay later 'old clip.mp4'" in answer.remedy

    def test_an_own_output(self, home: Home):
        home.engine.workflows.add("w", flow())
        path = home.put("out.mp4")
        ref = ObjectRef(bucket="uploads", object="out.mp4")
        claim = add(home.store, "sd")
        home.store.executions.save(claim, state=ExecutionState.RUNNING)
        output = Output(ref=ref, place=str(path), digests=Digests.of(path))
        home.store.steps.finish(claim, success("sd", output), step_key=None)
        home.note("out.mp4")
        home.settle()
        answer = why(path)
        assert (answer.outcome, answer.holds("own output")) == ("OwnOutput", False)
        assert claim.run_id in answer.conclusion
        assert "mediaflow media add oss://uploads/out.mp4" in answer.remedy


class TestNotMatched:
    def test_no_workflow_of_the_bucket(self, home: Home):
        home.engine.workflows.add("other", flow("everything"))
        home.put("a.mp4")
        answer = why("oss://uploads/a.mp4")
        assert answer.outcome == "NotMatched"
        assert 'no workflow is bound to the bucket "uploads"' in answer.conclusion
        (verdict,) = answer.told["Workflows"]
        assert verdict["Reasons"] == ['the workflow "other" is bound to the bucket "everything"']

    @pytest.mark.parametrize(
        ("prefix", "reason"),
        [
            ("in/", 'the prefix "in/" of the workflow "w" does not match'),
            ("A.", "upper and lower case differ"),
            ("/a", "do not begin with a slash"),
        ],
    )
    def test_the_prefix(self, home: Home, prefix: str, reason: str):
        home.engine.workflows.add("w", flow(prefix=prefix))
        home.put("a.mp4")
        answer = why("oss://uploads/a.mp4")
        assert answer.outcome == "NotMatched"
        assert reason in answer.conclusion
        assert prefix in answer.remedy

    def test_the_extension(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.engine.workflows.add("elsewhere", flow(prefix="x/"))
        home.land("a.JPG")
        answer = why("oss://uploads/a.JPG")
        assert answer.outcome == "NotMatched"
        assert 'the extension ".JPG"' in answer.conclusion
        assert answer.remedy.endswith("mediaflow media add oss://uploads/a.JPG --workflow w")

    def test_state_and_trigger_mode(self, home: Home):
        off = home.engine.workflows.add("off", flow(), TriggerMode.NOT_IN_AUTO)
        home.engine.workflows.add("far away", flow(prefix="x/"))
        home.put("a.mp4")
        answer = why("oss://uploads/a.mp4")
        assert 'trigger mode of the workflow "off" is NotInAuto' in answer.conclusion
        assert answer.remedy.endswith(
            "mediaflow workflow deactivate off && mediaflow workflow trigger-mode off "
            "OssAutoTrigger && mediaflow workflow activate off"
        )
        home.engine.workflows.deactivate(off.id)
        home.engine.workflows.set_trigger_mode(off.id, TriggerMode.OSS_AUTO_TRIGGER)
        answer = why("oss://uploads/a.mp4")
        assert 'the workflow "off" is Inactive' in answer.conclusion
        assert answer.remedy.endswith(": mediaflow workflow activate off")


class TestTheObject:
    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            (".git/a.mp4", '".git" is a hidden name'),
            ("in/a.mp4.part", "unfinished"),
            ("in/", "it is a folder"),
        ],
    )
    def test_its_name(self, home: Home, key: str, reason: str):
        home.put(f"{key}x" if key.endswith("/") else key)
        for url in (f"oss://uploads/{key}", home.path / "uploads" / key):
            answer = why(url)
            assert (answer.outcome, answer.holds("name")) == ("NameExcluded", False)
            assert reason in answer.conclusion

    def test_missing(self, home: Home):
        answer = why("oss://uploads/a.mp4")
        assert (answer.outcome, answer.holds("object")) == ("DoesNotExist", False)

    def test_empty(self, home: Home):
        home.put("a.mp4", "")
        assert why("oss://uploads/a.mp4").outcome == "Empty"

    def test_being_written(self, home: Home):
        home.engine.workflows.add("w", flow())
        with home.put("a.mp4").open("a"):
            home.note("a.mp4")
            answer = why("oss://uploads/a.mp4")
            assert answer.outcome == "Waits"
            assert "open for writing" in answer.conclusion
        home.settle()
        assert why("oss://uploads/a.mp4").outcome == "Runs"


class TestTheBucket:
    def test_not_configured(self, home: Home):
        answer = why("oss://uplods/a.mp4")
        assert answer.outcome == "BucketNotConfigured"
        assert '"uploads"' in answer.remedy
        assert why("/etc/hostname").outcome == "BucketNotConfigured"

    def test_the_name_that_its_store_gives_it(self, home: Home):
        with (home.path / "mediaflow.toml").open("a") as file:
            file.write('[buckets.remote]\nurl = "s3://real"\nendpoint_url = "http://127.0.0.1:1"\n')
        answer = why("s3://real/.hidden")
        assert (answer.told["Bucket"], answer.outcome) == ("remote", "NameExcluded")

    def test_without_events(self, home: Home):
        home.engine.workflows.add("w", flow("aside"))
        home.put("a.mp4", bucket="aside")
        answer = why("aside/a.mp4")
        assert (answer.outcome, answer.holds("events")) == ("BucketNotWatched", False)
        assert "[buckets.aside]" in answer.remedy

    def test_a_listener_in_trouble_or_none(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4")
        assert why("oss://uploads/a.mp4").outcome == "NotNoticed"
        serves(home, problem="The folder is not mounted.")
        answer = why("oss://uploads/a.mp4")
        assert "The folder is not mounted." in answer.conclusion
        serves(home, seconds_ago=600)
        home.note("a.mp4")
        answer = why("oss://uploads/a.mp4")
        assert (answer.outcome, answer.holds("listener")) == ("Waits", False)
        assert answer.remedy.endswith("mediaflow serve")

    def test_never_watched(self, home: Home):
        """Advice to start `serve` would have it skipped."""
        for name, existing in (("fresh", "skip"), ("all", "process")):
            home.engine.workflows.add(name, flow(name))
            home.put("a.mp4", bucket=name)
            with (home.path / "mediaflow.toml").open("a") as file:
                file.write(
                    f'[buckets.{name}]\npath = "{name}"\nevents = "poll"\nsettle_seconds = 0\n'
                    f'existing = "{existing}"\n'
                )
        time.sleep(0.02)
        advice = {name: why(f"{name}/a.mp4").remedy for name in ("fresh", "all")}
        assert advice["fresh"].endswith("mediaflow trigger replay fresh a.mp4")
        assert advice["all"] == "Start it: mediaflow serve"
        with closing(Engine(load_settings(None))) as engine:  # it is as it was said
            engine.intake.begin()
            assert [engine.intake.reconcile(name).new for name in ("fresh", "all")] == [0, 1]
            assert engine.intake.replay("fresh", "a.mp4").new == 1

    def test_a_url_that_names_no_object(self, home: Home):
        for url in ("http://example.com/a.mp4", "oss://uploads", "oss://uploads/../a.mp4"):
            ended = CliRunner().invoke(cli.app, ["trigger", "why", url])
            assert ended.exit_code != 0
