"""What lands in a bucket runs once: on real folders, in any order, beside our own outputs."""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.ingest_home import SETTLE, Home, flow
from tests.support.stores import add, success
from tests.support.topologies import text, topology
from workflow_engine.engine import Engine
from workflow_engine.errors import Code
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.ingest import contents
from workflow_engine.records import Digests, ExecutionState, ObjectRef, Output, run_id_of, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, TriggerMode
from workflow_engine.records.ingest import ListenerRecord
from workflow_engine.settings import load_settings
from workflow_engine.testing import FakeRegistry


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

    def test_what_starts_nothing_leaves_a_line(self, home: Home, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO, "workflow_engine.ingest.unmatched")
        home.watch()
        home.engine.workflows.add("w", flow(prefix="in/"))
        home.put("out.mp4")
        for content in ("x", "xx"):
            home.land("in/a.jpg", content)
            home.note("in/a.jpg")
            home.settle()
        home.land("in/a.mp4")
        home.land("b.mp4")
        home.intake.reconcile("uploads")
        home.settle()
        said = [message.partition(": ") for message in caplog.messages]
        jpg = 'object "in/a.jpg" of bucket "uploads" starts nothing'
        # both versions of the picture, and each of the others once
        assert [subject for subject, _, _ in said].count(jpg) == 2
        assert {subject: reason for subject, _, reason in said} == {
            jpg: 'the extension ".jpg" is not one of audio or video',
            'object "b.mp4" of bucket "uploads" starts nothing': 'the prefix "in/" of the '
            'workflow "w" does not match',
            'object "out.mp4" of bucket "uploads" starts nothing': 'the prefix "in/" of the '
            'workflow "w" does not match',
        }
        assert len(said) == 4
        (_, uploads) = home.intake.status()
        assert uploads.watched is not None
        assert uploads.watched.unmatched == 4

    def test_noticed_by_many_and_often(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.put("a.mp4")
        for source in ("watch", "sqs", "watch", "webhook"):
            home.note("a.mp4", "a.mp4", source=source)
        home.settle()
        home.intake.reconcile("uploads")
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
        home.intake.reconcile("uploads")
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
        caplog.set_level(logging.INFO)
        home.note(*bad, "good.mp4", *("long/" * 250 + "x.mp4",))
        assert home.waiting() == ["good.mp4"]
        told = [record for record in caplog.records if "starts nothing" in record.message]
        assert len(told) == 5  # dot folders are hidden, which is no news

    def test_links_out_of_the_bucket(self, home: Home, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO)
        home.engine.workflows.add("w", flow())
        home.put("clip.mp4", bucket="everything")
        (home.path / "uploads/file.mp4").symlink_to(home.path / "everything/clip.mp4")
        (home.path / "uploads/folder").symlink_to("../everything")
        home.note("file.mp4", "folder/clip.mp4")
        home.intake.reconcile("uploads")
        home.settle()
        told = [record for record in caplog.records if "starts nothing" in record.message]
        assert [record.message.count("leads out of the bucket") for record in told] == [1, 1]
        assert home.intake.replay("uploads").listed == 0
        assert home.runs() == []

    def test_a_bucket_that_is_not_configured(self, home: Home, caplog: pytest.LogCaptureFixture):
        home.note("a.mp4", bucket="nobody")
        assert home.waiting() == []
        assert '"nobody" is not configured' in caplog.text

    def test_workflows_that_come_later(self, home: Home):
        home.land("a.mp4")
        workflow = home.engine.workflows.add("w", flow())
        home.intake.reconcile("uploads")
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
        home.intake = engine.intake
        home.land("a.mp4")
        broken, sound = sorted(home.runs(), key=lambda run: run.workflow, reverse=True)
        assert (broken.workflow_id, sound.workflow) == (workflow.id, "sound")
        assert [(a.name, a.type) for a in broken.activities] == [
            ("start", "Start"),
            ("sd", "Transcode"),
            ("report", "Report"),
        ]
        claim = home.store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None and claim.run_id == sound.run_id
        assert home.store.queue.claim_next(owner="me", lease_seconds=60) is None
        ended = home.store.executions.get(broken.run_id)
        assert ended is not None
        assert (ended.state, ended.code) == (ExecutionState.FAIL, Code.TEMPLATE_NOT_FOUND)
        engine.close()


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
        home.store.executions.save(claim, state=ExecutionState.RUNNING)
        if intent:
            home.store.steps.intend(claim, success("sd", published))
        else:
            home.store.steps.finish(claim, success("sd", published), step_key=None)
        if ended:
            home.store.executions.save(claim, state=ExecutionState.COMPLETED, ended=utc_now())

    def test_they_start_nothing(self, home: Home):
        home.engine.workflows.add("w", flow())
        home.watch()
        for ended in (True, False):
            for intent in (True, False):
                key = f"{ended}{intent}.mp4"
                home.put(key, key)
                self.publish(home, key, ended=ended, intent=intent)
                home.note(key)
        named = "#EXTINF:4,\nfilm-00001.ts\n#EXTINF:4,\ngone.ts\n"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n{named}#EXT-X-ENDLIST\n"
        others = {"picture.jpg": "x", "film.m3u8": playlist, "film-00001.ts": "segment"}
        for key, content in others.items():
            home.put(key, content)
            self.publish(home, key)
            home.note(key)
        home.settle()
        assert not [run for run in home.runs() if run.workflow == "w"]
        assert home.intake.reconcile("uploads").new == 0
        assert home.intake.replay("uploads").new == 0
        assert home.waiting() == []
        watched = home.store.intake.watched("uploads")
        assert watched is not None
        assert watched.unmatched == 0  # nobody asks why they start nothing

    def test_an_output_without_md5(self, home: Home):
        home.engine.workflows.add("w", flow())
        path = home.put("a.mp4", "one")
        digests = replace(Digests.of(path), md5="")
        output = Output(
            ref=ObjectRef(bucket="uploads", object="a.mp4"), place=str(path), digests=digests
        )
        claim = add(home.store, "sd")
        home.store.steps.finish(claim, success("sd", output), step_key=None)
        home.land("a.mp4", "two")
        assert [run.workflow for run in home.runs()].count("w") == 1

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
        monkeypatch.setattr(contents, "_READ_AT_ONCE", 2)
        home.engine.workflows.add("w", flow())
        for number in range(3):
            home.put(f"own{number}.mp4", f"own{number}")
            self.publish(home, f"own{number}.mp4")
        home.put("other.mp4")
        home.note("own0.mp4", "own1.mp4", "own2.mp4", "other.mp4")
        time.sleep(SETTLE)
        home.intake.settle()
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
        intake = engine.intake
        work = {"Type": "Work", "Parameters": {"Output": "copies/{FileName}"}}
        bound = {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "out"}}}
        flow = topology({"start": bound, "copy": work, "report": {"Type": "Report"}})
        engine.workflows.add("w", text(flow))
        (tmp_path / "out").mkdir()
        for number in range(3):
            (tmp_path / "out" / f"clip{number}").write_text("content ")
        for _ in range(3):
            intake.reconcile("out")
            while engine.store.arrivals.count():
                time.sleep(min(intake.settle(), 0.05))
            while claim := engine.store.queue.claim_next(owner="me", lease_seconds=60):
                engine.runs.run_claimed(claim, executor=InlineExecutor())
        runs = engine.store.executions.newest()
        assert sorted(run.input.object for run in runs) == ["clip0", "clip1", "clip2"]
        assert {run.state for run in runs} == {ExecutionState.COMPLETED}
        assert (tmp_path / "out" / "copies" / "clip0").read_text() == "content done"
        engine.close()


class TestStatus:
    def test_how_the_buckets_do(self, home: Home):
        everything, uploads = home.intake.status()
        assert (everything.bucket, everything.kind) == ("everything", "poll")
        assert (uploads.bucket, uploads.kind, uploads.listener) == ("uploads", "watch", None)
        assert (uploads.waiting, uploads.oldest) == (0, None)
        before = utc_now()
        home.note("a.mp4", "b.mp4")
        record = ListenerRecord(bucket="uploads", kind="watch", seen=2, updated=before)
        home.intake.report(record)
        _, uploads = home.intake.status()
        assert (uploads.listener, uploads.waiting) == (record, 2)
        assert uploads.oldest is not None
        assert before <= uploads.oldest <= utc_now()
