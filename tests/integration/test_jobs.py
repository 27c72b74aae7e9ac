"""Jobs outside of workflows, from the action to the finished object, with real media."""

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.playlists import segmented
from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import (
    analysis_jobs,
    media_info_jobs,
    snapshot_jobs,
    transcode_jobs,
)
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.jobs.transcoding import ANALYSIS_LIFE
from workflow_engine.records import ExecutionRecord, ExecutionState, ObjectRef, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineState
from workflow_engine.settings import load_settings

MODULES = (transcode_jobs, snapshot_jobs, analysis_jobs, media_info_jobs)
ACTIONS = {action.name: action for module in MODULES for action in actions_of(module)}
UNKNOWN = "0" * 32
MP3 = "S00000001-300010"
REMUX_HLS = "S00000001-100000"
INTELLIGENT_LD, INTELLIGENT_FHD = "S00000000-200020", "S00000000-200050"

SETTINGS = """
[buckets.in-bucket]
path = "in"
[buckets.out-bucket]
path = "out"
[queues.jobs]
file = "messages.jsonl"
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Engine(load_settings(written(tmp_path)))
    yield made
    made.close()


def written(path: Path, more: str = "") -> Path:
    (path / "in").mkdir(exist_ok=True)
    (path / "out").mkdir(exist_ok=True)
    file = path / "mediaflow.toml"
    file.write_text(SETTINGS + more)
    return file


def call(engine: Engine, name: str, **parameters: Any) -> dict[str, Any]:
    """Call an action as a client does: every value a string."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in parameters.items()
    }
    action = ACTIONS[name]
    return dict(action.call(engine, action.request.model_validate(texts)))


def refused(engine: Engine, name: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call(engine, name, **parameters)
    return caught.value.code, caught.value.pointer


def given(key: str) -> dict[str, str]:
    return {"Bucket": "in-bucket", "Location": "local", "Object": key}


def upload(file: Path, key: str = "vod/my clip.mp4") -> dict[str, str]:
    place = Path("in") / key
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place)
    return given(key.replace(" ", "%20"))


def output(name: str, template: str = MP3, **more: Any) -> dict[str, Any]:
    return {"OutputObject": name, "TemplateId": template, **more}


def submit(engine: Engine, source: Mapping[str, str], *outputs: Any, **more: str) -> list[Any]:
    asked = {"OutputBucket": "out-bucket", "PipelineId": DEFAULT_PIPELINE_ID, **more}
    answer = call(engine, "SubmitJobs", Input=source, Outputs=list(outputs), **asked)
    return answer["JobResultList"]["JobResult"]


def run_next(engine: Engine) -> ExecutionRecord:
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None
    return engine.runs.run_claimed(claim, executor=InlineExecutor())


def run_all(engine: Engine) -> None:
    while claim := engine.store.queue.claim_next(owner="test", lease_seconds=60):
        engine.runs.run_claimed(claim, executor=InlineExecutor())


def transcode_job(engine: Engine, job_id: str) -> dict[str, Any]:
    (job,) = call(engine, "QueryJobList", JobIds=job_id)["JobList"]["Job"]
    return job


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
