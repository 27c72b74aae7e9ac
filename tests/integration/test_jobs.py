"""Jobs outside of workflows, from the action to the finished object, with real media."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.job_calls import (
    MP3,
    REMUX_HLS,
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
from tests.support.playlists import segmented
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionState, ObjectRef, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineState
from workflow_engine.settings import load_settings


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Engine(load_settings(written(tmp_path)))
    yield made
    made.close()


@pytest.mark.proves("UserData", by="the answers")
def test_a_transcode_job(engine: Engine, audio_clip: Path):
    source = upload(audio_clip, "vod/my tone.m4a")
    name = "done%2F{FileName}-{DestMd5}.mp3"
    (result,) = submit(engine, source, output(name, UserData="mine", Priority="9"))
    assert result["Success"] is True
    queued = result["Job"]
    assert (queued["State"], queued["Percent"]) == ("Submitted", 0)
    assert queued["Input"] == given("vod/my tone.m4a")
    assert queued["Output"] == {
        "TemplateId": MP3,
        "UserData": "mine",
        "Priority": "9",
        "OutputFile": {
            "Bucket": "out-bucket",
            "Location": "",
            "Object": "done/my tone-{DestMd5}.mp3",
        },
    }
    record = run_next(engine)
    assert (record.run_id, record.priority, record.user_data) == (queued["JobId"], 9, "mine")
    job = transcode_job(engine, queued["JobId"])
    assert (job["State"], job["Percent"]) == ("TranscodeSuccess", 100), job
    assert job["FinishTime"] >= job["CreationTime"]
    key = job["Output"]["OutputFile"]["Object"]
    assert key.startswith("done/my tone-") and "{" not in key
    assert key.endswith(".mp3") and not key.endswith(".mp3.mp3")
    assert (Path("out") / key).exists()
    streams = job["Output"]["Properties"]["Streams"]
    assert streams["AudioStreamList"]["AudioStream"][0]["CodecName"] == "mp3"


def test_a_playlist_is_named_and_gets_its_extension(engine: Engine, clip: Path):
    (result,) = submit(engine, upload(clip), output("hls/{FileName}", REMUX_HLS))
    run_next(engine)
    job = transcode_job(engine, result["Job"]["JobId"])
    assert job["Output"]["OutputFile"]["Object"] == "hls/my clip.m3u8"
    (segment,) = Path("out/hls").glob("*.ts")
    assert segment.name == "my clip-00001.ts"
    told = job["Output"]["Properties"]
    size = segment.stat().st_size
    assert (told["FileSize"], told["Format"]["Size"]) == (str(size), str(size))
    rate = f"{size * 8 / 1000 / float(told['Duration']):.3f}"
    assert (told["Bitrate"], told["Format"]["Bitrate"]) == (rate, rate)


def test_a_bad_output_is_refused_and_the_others_are_not(engine: Engine):
    source = given("a.mp4")
    results = submit(
        engine,
        source,
        output("{FileName}.mp3"),
        output("{FileName}.mp3", Audio={"Bitrate": "1"}),
        output("{FileName}.mp3", "no-such-template"),
        output("{RunId}.mp3"),
        json.dumps(output("other.mp3")),
    )
    assert [result["Success"] for result in results] == [True, False, False, False, True]
    assert [result.get("Code") for result in results[1:4]] == [
        Code.OUT_OF_RANGE,
        Code.TEMPLATE_NOT_FOUND,
        Code.INVALID,
    ]
    assert "/Outputs/1/Audio/Bitrate" in results[1]["Message"]
    assert results[1]["Job"] == {
        "PipelineId": DEFAULT_PIPELINE_ID,
        "Input": {"Bucket": "in-bucket", "Location": "local", "Object": "a.mp4"},
        "Output": {"TemplateId": MP3, "Audio": {"Bitrate": "1"}},
    }
    assert all("JobId" not in result["Job"] for result in results[1:4])
    jobs = call(engine, "ListJob")["JobList"]["Job"]
    assert {job["JobId"] for job in jobs} == {results[n]["Job"]["JobId"] for n in (0, 4)}


def test_every_answer_repeats_the_quality_that_was_asked_for(engine: Engine, media_dir: Path):
    def small(quality: Any) -> dict[str, Any]:
        video = {"Width": "160", "Preset": "veryfast"}
        return output("{DestMd5}.mp4", "S00000001-200010", Video=video, Quality=quality)

    asked = {"Minimum": 20, "OnLow": "fail", "Metric": "xpsnr"}
    outputs = (small(json.dumps(asked)), small("{}"), small({"Minimum": 101}))
    source = upload(media.clip(media_dir, 1, "160x90"))
    first, plain, bad = submit(engine, source, *outputs)
    told = {"Metric": "xpsnr", "Minimum": "20", "OnLow": "fail"}
    assert first["Job"]["Output"]["Quality"] == told
    assert plain["Job"]["Output"]["Quality"] == {}
    assert bad["Code"] == Code.OUT_OF_RANGE, bad
    assert "/Outputs/2/Quality/Minimum" in bad["Message"]
    assert bad["Job"]["Output"]["Quality"] == {"Minimum": "101"}
    run_next(engine)
    done = transcode_job(engine, first["Job"]["JobId"])
    assert (done["State"], done["Output"]["Quality"]) == ("TranscodeSuccess", told)
    listed = {job["JobId"]: job for job in call(engine, "ListJob")["JobList"]["Job"]}
    assert listed[done["JobId"]]["Output"]["Quality"] == told


def test_what_concerns_every_output_fails_the_call(engine: Engine):
    asked: dict[str, Any] = {
        "Input": given("a.mp4"),
        "Outputs": [output("x.mp3")],
        "OutputBucket": "out-bucket",
        "PipelineId": DEFAULT_PIPELINE_ID,
    }
    elsewhere = {**given("a.mp4"), "Bucket": "no-such-bucket"}
    assert refused(engine, "SubmitJobs", **{**asked, "Input": elsewhere}) == (
        Code.RESOURCE_NOT_FOUND,
        "/Input/Bucket",
    )
    assert refused(engine, "SubmitJobs", **{**asked, "OutputBucket": "no-such-bucket"}) == (
        Code.RESOURCE_NOT_FOUND,
        "/OutputBucket",
    )
    assert call(engine, "ListJob")["JobList"]["Job"] == []


def test_a_job_without_its_input_fails(engine: Engine, clip: Path):
    (missing,) = submit(engine, given("no/such.mp4"), output("x.mp3"))
    run_next(engine)
    job = transcode_job(engine, missing["Job"]["JobId"])
    assert (job["State"], job["Code"]) == ("TranscodeFail", Code.RESOURCE_NOT_FOUND)
    assert "no/such.mp4" in job["Message"]


def test_a_job_fails_with_the_code_of_its_activity(engine: Engine, clip: Path, tmp_path: Path):
    (broken,) = submit(engine, upload(media.truncated(clip), "cut.mp4"), output("x.mp3"))
    silent = media.clip(tmp_path / "media", 1, "160x90", audio=False)
    (mute,) = submit(engine, upload(silent, "mute.mp4"), output("y.mp3"))
    run_all(engine)
    job = transcode_job(engine, broken["Job"]["JobId"])
    assert (job["State"], job["Code"]) == ("TranscodeFail", Code.RESOURCE_CONTENT_BAD)
    job = transcode_job(engine, mute["Job"]["JobId"])
    assert (job["State"], job["Code"]) == ("TranscodeFail", Code.NO_AUDIO_STREAM)


def test_only_waiting_jobs_are_cancelled(engine: Engine, audio_clip: Path):
    source = upload(audio_clip, "a.m4a")
    first, second, third = (
        result["Job"]["JobId"]
        for result in submit(engine, source, *(output(f"{n}.mp3") for n in range(3)))
    )
    assert call(engine, "CancelJob", JobId=first) == {"JobId": first}
    assert transcode_job(engine, first)["State"] == "TranscodeCancelled"
    assert refused(engine, "CancelJob", JobId=first) == (Code.JOB_IN_FAILURE, "/JobId")
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None
    running, waiting = claim.run_id, ({second, third} - {claim.run_id}).pop()
    assert refused(engine, "CancelJob", JobId=running) == (Code.JOB_IN_RUNNING, "/JobId")
    engine.runs.run_claimed(claim, executor=InlineExecutor())
    assert transcode_job(engine, running)["State"] == "TranscodeSuccess"
    with pytest.raises(InvalidInputError, match="has ended as TranscodeSuccess") as caught:
        call(engine, "CancelJob", JobId=running)
    assert (caught.value.code, caught.value.pointer) == (Code.JOB_IN_COMPLETE, "/JobId")
    call(engine, "CancelJob", JobId=waiting)
    assert engine.store.queue.claim_next(owner="test", lease_seconds=60) is None


def test_a_job_that_was_begun_by_a_process_that_is_gone_is_not_cancelled(engine: Engine):
    (result,) = submit(engine, given("a.mp4"), output("x.mp3"))
    job_id = result["Job"]["JobId"]
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None
    engine.store.executions.save(claim, state=ExecutionState.RUNNING)
    engine.store.queue.release(claim)
    assert refused(engine, "CancelJob", JobId=job_id) == (Code.JOB_IN_RUNNING, "/JobId")
    assert transcode_job(engine, job_id)["State"] == "Transcoding"


def test_only_transcode_jobs_are_cancelled(engine: Engine):
    job = call(engine, "SubmitMediaInfoJob", Input=given("a.mp4"))["MediaInfoJob"]
    for unknown in (UNKNOWN, job["JobId"]):
        assert refused(engine, "CancelJob", JobId=unknown) == (Code.RESOURCE_NOT_FOUND, "/JobId")


def test_jobs_by_id(engine: Engine):
    older, newer = (
        submit(engine, given("a.mp4"), output(name))[0]["Job"]["JobId"] for name in ("x", "y")
    )
    answer = call(engine, "QueryJobList", JobIds=f"{older},{UNKNOWN},{newer}")
    assert [job["JobId"] for job in answer["JobList"]["Job"]] == [newer, older]
    assert answer["NonExistJobIds"] == {"String": [UNKNOWN]}
    assert "NonExistJobIds" not in call(engine, "QueryJobList", JobIds=newer)
    for nothing in ({}, {"JobIds": ""}):
        assert refused(engine, "QueryJobList", **nothing) == (Code.INVALID, "/JobIds")
    other = call(engine, "QuerySnapshotJobList", SnapshotJobIds=newer)
    assert other == {
        "SnapshotJobList": {"SnapshotJob": []},
        "NonExistSnapshotJobIds": {"String": [newer]},
    }


def test_listing_jobs(engine: Engine, audio_clip: Path):
    pipeline = engine.pipelines.add("other")
    source = upload(audio_clip, "a.m4a")
    ids = [submit(engine, source, output(f"{n}.mp3"))[0]["Job"]["JobId"] for n in range(3)]
    (other,) = submit(engine, source, output("o.mp3"), PipelineId=pipeline.id)
    call(engine, "CancelJob", JobId=ids[0])
    done = run_next(engine).run_id

    def listed(**filters: Any) -> list[str]:
        return [job["JobId"] for job in call(engine, "ListJob", **filters)["JobList"]["Job"]]

    every = [other["Job"]["JobId"], *reversed(ids)]
    assert listed() == listed(State="All") == every
    assert listed(State="TranscodeCancelled") == [ids[0]]
    assert listed(State="TranscodeSuccess") == [done]
    assert listed(State="TranscodeFail") == []
    assert listed(State="Submitted") == [one for one in every if one not in (ids[0], done)]
    assert listed(PipelineId=pipeline.id) == every[:1]
    assert listed(PipelineId=DEFAULT_PIPELINE_ID) == every[1:]
    tomorrow = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert listed(StartOfJobCreatedTimeRange=tomorrow) == []
    assert listed(EndOfJobCreatedTimeRange=tomorrow) == every
    created = other["Job"]["CreationTime"]
    just_then = {"StartOfJobCreatedTimeRange": created, "EndOfJobCreatedTimeRange": created}
    assert other["Job"]["JobId"] in listed(**just_then)
    first = call(engine, "ListJob", MaximumPageSize="3")
    assert [job["JobId"] for job in first["JobList"]["Job"]] == every[:3]
    last = call(engine, "ListJob", MaximumPageSize="3", NextPageToken=first["NextPageToken"])
    assert [job["JobId"] for job in last["JobList"]["Job"]] == every[3:]
    assert "NextPageToken" not in last


def test_listed_jobs_are_whole(engine: Engine, audio_clip: Path):
    submit(engine, upload(audio_clip, "a.m4a"), output("a.mp3"))
    run_all(engine)
    (job,) = call(engine, "ListJob")["JobList"]["Job"]
    assert job == transcode_job(engine, job["JobId"])
    assert "Properties" in job["Output"]


def test_a_paused_pipeline_keeps_its_jobs(engine: Engine):
    pipeline = engine.pipelines.add("slow")
    engine.pipelines.set_state(pipeline.id, PipelineState.PAUSED)
    (result,) = submit(engine, given("a.mp4"), output("x"), PipelineId=pipeline.id)
    run_all(engine)
    assert transcode_job(engine, result["Job"]["JobId"])["State"] == "Submitted"


def test_an_unknown_pipeline_means_the_default_one(engine: Engine):
    (result,) = submit(engine, given("a.mp4"), output("x"), PipelineId=UNKNOWN)
    assert result["Job"]["PipelineId"] == DEFAULT_PIPELINE_ID
    found = call(engine, "ListJob", PipelineId=UNKNOWN)["JobList"]["Job"]
    assert [job["JobId"] for job in found] == [result["Job"]["JobId"]]


def test_an_unknown_pipeline_is_refused_where_the_settings_say_so(engine: Engine, tmp_path: Path):
    strict = Engine(load_settings(written(tmp_path, "[pipelines]\nstrict = true\n")))
    asked = {"Input": given("a.mp4"), "PipelineId": UNKNOWN}
    wrong = (Code.RESOURCE_NOT_FOUND, "/PipelineId")
    assert refused(strict, "SubmitMediaInfoJob", **asked) == wrong
    assert refused(strict, "ListJob", PipelineId=UNKNOWN) == wrong
    assert call(strict, "SubmitMediaInfoJob", Input=given("a.mp4"))["MediaInfoJob"]
    strict.close()


def test_a_boost_pipeline(engine: Engine, audio_clip: Path):
    boost = engine.pipelines.add("fast", speed="Boost").id
    source = upload(audio_clip, "a.m4a")
    hls = engine.templates.add("hls", {"Container": {"Format": "m3u8"}, "Audio": {"Codec": "AAC"}})
    mp4 = engine.templates.add("mp4", {"Audio": {"Codec": "AAC"}})
    results = submit(
        engine, source, *(output("x", t) for t in (MP3, mp4.id, hls.id)), PipelineId=boost
    )
    assert [result.get("Code") for result in results] == [
        Code.BOOST_SYSTEM_TEMPLATE,
        Code.BOOST_CONTAINER,
        None,
    ]
    engine.media.add(ObjectRef(bucket="in-bucket", object="a.m4a"))
    call(engine, "SubmitMediaInfoJob", Input=source)
    run_all(engine)
    assert refused(
        engine,
        "SubmitJobs",
        Input=source,
        Outputs=[output("y", hls.id)],
        OutputBucket="out-bucket",
        PipelineId=boost,
    ) == (Code.BOOST_DURATION, "/Input")
    assert refused(engine, "SubmitAnalysisJob", Input=source, PipelineId=boost) == (
        Code.BOOST_ANALYSIS,
        "/PipelineId",
    )


def test_the_end_of_a_job_is_told(engine: Engine, audio_clip: Path):
    pipeline = engine.pipelines.add("told", queue="jobs")
    source = upload(audio_clip, "a.m4a")
    (result,) = submit(engine, source, output("a.mp3"), PipelineId=pipeline.id)
    record = run_next(engine)
    (message,) = engine.store.messages.of_run(record.run_id)
    told = json.loads(message.body)
    assert (told["Type"], told["State"]) == ("Transcode", "TranscodeSuccess")
    assert told["JobId"] == result["Job"]["JobId"]
    assert told["Output"]["OutputFile"]["Object"] == "a.mp3"


def test_what_is_asked_beside_the_object_is_kept(engine: Engine):
    source = {**given("a.mp4"), "Referer": "http://example.com"}
    (result,) = submit(engine, source, output("x.mp3"), OutputLocation="local")
    record = engine.store.executions.get(result["Job"]["JobId"])
    assert record is not None
    assert record.request["Referer"] == "http://example.com"
    assert result["Job"]["Output"]["OutputFile"]["Location"] == "local"


def test_a_playlist_as_input(engine: Engine, clip: Path):
    segmented(Path("in/vod"), clip, name="my film")
    source = given("vod/my%20film.m3u8")
    submit(engine, source, output("song"), output("hls", REMUX_HLS))
    target = {"Bucket": "out-bucket", "Location": "local", "Object": "cover.jpg"}
    config = {"OutputFile": target, "Time": "0"}
    call(engine, "SubmitSnapshotJob", Input=source, SnapshotConfig=config)
    call(engine, "SubmitMediaInfoJob", Input=source)
    run_all(engine)
    ended = engine.store.executions.newest(limit=10)
    assert [one.state for one in ended] == [ExecutionState.COMPLETED] * len(ended)
    assert {path.name for path in Path("out").iterdir()} >= {"song", "hls.m3u8", "cover.jpg"}
