"""Jobs that are no transcode jobs: snapshots, media info and analysis."""

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.job_calls import (
    INTELLIGENT_FHD,
    INTELLIGENT_LD,
    UNKNOWN,
    call,
    given,
    output,
    refused,
    run_all,
    run_next,
    submit,
    transcode_job,
    upload,
    written,
)
from workflow_engine.engine import Engine
from workflow_engine.errors import Code
from workflow_engine.jobs.transcoding import ANALYSIS_LIFE
from workflow_engine.records import ExecutionState, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.settings import load_settings


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Engine(load_settings(written(tmp_path)))
    yield made
    made.close()


def test_a_snapshot_job(engine: Engine, clip: Path):
    file = {"Bucket": "out-bucket", "Location": "local", "Object": "s%2F{FileName}-{Count}.jpg"}
    config = {"OutputFile": file, "Time": "0", "Interval": "1", "Num": 3}
    queued = call(
        engine, "SubmitSnapshotJob", Input=upload(clip), SnapshotConfig=config, UserData="mine"
    )["SnapshotJob"]
    assert (queued["State"], queued["PipelineId"]) == ("Submitted", DEFAULT_PIPELINE_ID)
    assert queued["SnapshotConfig"] == {**config, "Num": "3"}
    run_next(engine)
    answer = call(engine, "QuerySnapshotJobList", SnapshotJobIds=queued["Id"])
    (job,) = answer["SnapshotJobList"]["SnapshotJob"]
    assert (job["State"], job["Count"], job["UserData"]) == ("Success", "3", "mine")
    assert sorted(path.name for path in Path("out/s").iterdir()) == [
        f"my clip-0000{n}.jpg" for n in (1, 2, 3)
    ]
    listed = call(engine, "QuerySnapshotJobList", State="Success")
    assert listed == {"SnapshotJobList": {"SnapshotJob": [job]}}
    assert call(engine, "QuerySnapshotJobList", State="Fail") == {
        "SnapshotJobList": {"SnapshotJob": []}
    }


@pytest.mark.proves("SnapshotJob", by="the answer, and the objects")
def test_a_job_of_sprites(engine: Engine, clip: Path):
    file = {"Bucket": "out-bucket", "Location": "local", "Object": "s%2Fp-{Count}.jpg"}
    sprites = {**file, "Object": "s%2Ft-{TileCount}.jpg"}
    layout = {"Lines": "1", "Columns": 2, "CellWidth": "80", "IsKeepCellPic": "false"}
    config = {
        "OutputFile": json.dumps(file),
        "TileOutputFile": json.dumps(sprites),
        "TileOut": json.dumps(layout),
        **{"Time": "0", "Interval": "1", "Num": "3", "Format": "vtt"},
        "SubOut": json.dumps({"IsSptFrag": "true"}),
    }
    queued = call(engine, "SubmitSnapshotJob", Input=upload(clip), SnapshotConfig=config)
    run_next(engine)
    job_id = queued["SnapshotJob"]["Id"]
    answer = call(engine, "QuerySnapshotJobList", SnapshotJobIds=job_id)
    (job,) = answer["SnapshotJobList"]["SnapshotJob"]
    assert (job["State"], job["Count"], job["TileCount"]) == ("Success", "3", "2")
    assert job["SnapshotConfig"]["TileOut"] == {**layout, "Columns": "2"}
    assert job["SnapshotConfig"]["TileOutputFile"] == sprites
    made = sorted(path.name for path in Path("out/s").iterdir())
    assert made == ["p-.vtt", "t-00001.jpg", "t-00002.jpg"]


def test_wrong_snapshot_jobs(engine: Engine):
    file = {"Bucket": "out-bucket", "Location": "local", "Object": "{Count}.jpg"}

    def refusal(**changes: Any) -> tuple[str, str]:
        config = {"OutputFile": file, "Time": "0", **changes}
        return refused(engine, "SubmitSnapshotJob", Input=given("a.mp4"), SnapshotConfig=config)

    assert refusal(Width="1") == (Code.OUT_OF_RANGE, "/SnapshotConfig/Width")
    name = {**file, "Object": "{RunId}.jpg"}
    assert refusal(OutputFile=name) == (Code.INVALID, "/SnapshotConfig/OutputFile/Object")
    bucket = {**file, "Bucket": "no-such-bucket"}
    assert refusal(OutputFile=bucket) == (
        Code.RESOURCE_NOT_FOUND,
        "/SnapshotConfig/OutputFile/Bucket",
    )


def test_a_media_info_job(engine: Engine, clip: Path):
    queued = call(engine, "SubmitMediaInfoJob", Input=upload(clip), UserData="u")["MediaInfoJob"]
    assert (queued["State"], queued["Async"]) == ("Analyzing", True)
    assert "Properties" not in queued
    run_next(engine)
    answer = call(engine, "QueryMediaInfoJobList", MediaInfoJobIds=f"{queued['JobId']},{UNKNOWN}")
    (job,) = answer["MediaInfoJobList"]["MediaInfoJob"]
    assert (job["State"], job["Properties"]["Width"], job["UserData"]) == ("Success", "640", "u")
    assert answer["NonExistMediaInfoJobIds"] == {"String": [UNKNOWN]}


def test_jobs_on_raw_sound(engine: Engine, media_dir: Path):
    samples = media.make(
        media_dir / "tone-8k.s16be",
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:duration=4", "-f", "s16be"),
    )
    source = upload(samples, "tone.pcm")
    container = json.dumps({"Format": "s16be"})
    for rate in (8000, 16000):
        audio = {"Channels": "1", "Samplerate": str(rate)}
        raw = {**source, "Container": container, "Audio": audio}
        (result,) = submit(engine, raw, output(f"{rate}.mp3"))
        info = call(engine, "SubmitMediaInfoJob", Input=raw)["MediaInfoJob"]
        run_all(engine)
        made = transcode_job(engine, result["Job"]["JobId"])
        length = float(made["Output"]["Properties"]["Duration"])
        assert length == pytest.approx(32000 / rate, abs=0.1), made
        answer = call(engine, "QueryMediaInfoJobList", MediaInfoJobIds=info["JobId"])
        (job,) = answer["MediaInfoJobList"]["MediaInfoJob"]
        (stream,) = job["Properties"]["Streams"]["AudioStreamList"]["AudioStream"]
        assert (stream["CodecName"], stream["Samplerate"]) == ("pcm_s16be", str(rate))
    plain = call(engine, "SubmitMediaInfoJob", Input=source)["MediaInfoJob"]
    run_all(engine)
    answer = call(engine, "QueryMediaInfoJobList", MediaInfoJobIds=plain["JobId"])
    (job,) = answer["MediaInfoJobList"]["MediaInfoJob"]
    assert (job["State"], job["Code"]) == ("Fail", Code.RESOURCE_CONTENT_BAD)
    half = {**source, "Container": container}
    error = refused(engine, "SubmitMediaInfoJob", Input=half)
    assert error == (Code.NULL_VALUE, "/Input")


def test_a_media_info_job_that_is_waited_for(engine: Engine, clip: Path):
    source = upload(clip)
    answers: list[dict[str, Any]] = []
    caller = threading.Thread(
        target=lambda: answers.append(
            call(engine, "SubmitMediaInfoJob", Input=source, Async="false")
        )
    )
    caller.start()
    assert engine.queued.wait(10)
    run_next(engine)
    caller.join(10)
    job = answers[0]["MediaInfoJob"]
    assert (job["State"], job["Async"], job["Properties"]["Height"]) == ("Success", False, "360")


def test_a_media_info_job_on_no_media(engine: Engine, tmp_path: Path):
    source = upload(media.text_named_video(tmp_path), "text.mp4")
    job = call(engine, "SubmitMediaInfoJob", Input=source)["MediaInfoJob"]
    run_next(engine)
    answer = call(engine, "QueryMediaInfoJobList", MediaInfoJobIds=job["JobId"])
    (job,) = answer["MediaInfoJobList"]["MediaInfoJob"]
    assert (job["State"], job["Code"]) == ("Fail", Code.RESOURCE_CONTENT_BAD)


def analysed(engine: Engine, source: Mapping[str, str], **more: Any) -> dict[str, Any]:
    asked = {"PipelineId": DEFAULT_PIPELINE_ID, **more}
    queued = call(engine, "SubmitAnalysisJob", Input=source, **asked)["AnalysisJob"]
    assert queued["State"] == "Submitted"
    run_next(engine)
    answer = call(engine, "QueryAnalysisJobList", AnalysisJobIds=queued["Id"])
    (job,) = answer["AnalysisJobList"]["AnalysisJob"]
    return job


@pytest.mark.proves("TemplateId intelligent", by="the jobs")
def test_an_analysis_job_and_the_intelligent_jobs_behind_it(engine: Engine, media_dir: Path):
    source = upload(media.clip(media_dir, 2, "320x180"))
    config = {"QualityControl": {"RateQuality": 28}, "Ladder": {"MaxBitrate": 900}}
    job = analysed(engine, source, AnalysisConfig=config, Priority="7")
    assert (job["State"], job["Percent"], job["Priority"]) == ("Success", 100, "7")
    assert job["AnalysisConfig"] == {
        "QualityControl": {"RateQuality": "28"},
        "Ladder": {"MaxBitrate": "900"},
    }
    assert [rung["State"] for rung in job["Rungs"]] == [*["Dropped"] * 3, "Offered"]
    assert job["Rungs"][-1]["TemplateIds"][-1] == INTELLIGENT_LD
    offered = [template["Id"] for template in job["TemplateList"]["Template"]]
    assert INTELLIGENT_LD in offered and INTELLIGENT_FHD not in offered
    listed, other = submit(
        engine, source, output("ld.mp4", INTELLIGENT_LD), output("fhd.mp4", INTELLIGENT_FHD)
    )
    run_all(engine)
    good = engine.store.executions.get(listed["Job"]["JobId"])
    assert good is not None
    assert good.activity("analysis").reused
    assert transcode_job(engine, good.run_id)["State"] == "TranscodeSuccess"
    bad = transcode_job(engine, other["Job"]["JobId"])
    assert (bad["State"], bad["Code"]) == ("TranscodeFail", Code.TEMPLATE_NOT_SUPPORTED)


def test_an_intelligent_job_without_an_analysis_has_failed(engine: Engine):
    queue = engine.pipelines.add("told", queue="jobs")
    (result,) = submit(engine, given("a.mp4"), output("x.mp4", INTELLIGENT_LD), PipelineId=queue.id)
    assert result["Success"] is True
    job = result["Job"]
    assert (job["State"], job["Code"]) == ("TranscodeFail", Code.ANALYSIS_NOT_FOUND)
    assert transcode_job(engine, job["JobId"]) == job
    assert engine.store.queue.claim_next(owner="test", lease_seconds=60) is None
    (message,) = engine.store.messages.of_run(job["JobId"])
    told = json.loads(message.body)
    assert (told["Type"], told["State"], told["Code"]) == (
        "Transcode",
        "TranscodeFail",
        Code.ANALYSIS_NOT_FOUND,
    )


def test_the_result_of_an_analysis_expires(engine: Engine):
    source = given("a.mp4")
    call(engine, "SubmitAnalysisJob", Input=source, PipelineId=DEFAULT_PIPELINE_ID)
    (waiting,) = call(engine, "ListJob")["JobList"]["Job"] or [None]
    assert waiting is None
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None
    for age, state in ((timedelta(days=1), "TranscodeFail"), (-timedelta(days=1), "Submitted")):
        ended = utc_now() - ANALYSIS_LIFE - age
        engine.store.executions.save(claim, state=ExecutionState.COMPLETED, ended=ended)
        (result,) = submit(engine, source, output("x.mp4", INTELLIGENT_LD))
        assert result["Job"]["State"] == state
