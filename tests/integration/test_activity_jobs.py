"""The jobs of activities: what the actions on jobs answer for the JobIds of workflow runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_jobs import engine
from tests.support import media
from tests.support.job_calls import (
    INTELLIGENT_FHD,
    MP3,
    REMUX_HLS,
    UNKNOWN,
    call,
    output,
    refused,
    submit,
    transcode_job,
    upload,
)
from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import executions
from workflow_engine.api.shapes import flattened
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, Interruption, InvalidInputError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    Progress,
)
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.run.runner import Executor, Runner

__all__ = ["engine"]

QUERY = next(a for a in actions_of(executions) if a.name == "QueryMediaWorkflowExecutionList")


def topology(**activities: tuple[str, dict[str, Any]]) -> str:
    """Return Start and some activities behind it, side by side, with a Report behind them."""
    start = {"InputFile": {"Bucket": "in-bucket"}, "PipelineId": DEFAULT_PIPELINE_ID}
    works = {
        "start": ("Start", start),
        **activities,
        "report": ("Report", {}),
    }
    return json.dumps(
        {
            "Activities": {n: {"Type": t, "Parameters": p} for n, (t, p) in works.items()},
            "Dependencies": {
                "start": list(activities) or ["report"],
                **{name: ["report"] for name in activities},
                "report": [],
            },
        }
    )


def transcode(*outputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Transcode", {
        "OutputBucket": "out-bucket",
        "OutputLocation": "here",
        "Outputs": json.dumps(outputs),
    }


def snapshot(**config: Any) -> tuple[str, dict[str, Any]]:
    file = {"Bucket": "out-bucket", "Location": "here", "Object": "{RunId}%2F{Count}.jpg"}
    return "Snapshot", {"SnapshotConfig": {"OutputFile": file, **config}}


def queued(engine: Engine, text: str, source: dict[str, str]) -> str:
    workflow = engine.workflows.add("wf" + str(len(text)) + source["Object"], text)
    ref = ObjectRef(bucket="in-bucket", object=source["Object"].replace("%20", " "))
    return engine.submit(workflow, ref).run_id


class Watching(InlineExecutor):
    """Runs one activity after the other, and looks whenever an activity begins."""

    def __init__(self, look: Callable[[ActivityRecord], None]) -> None:
        super().__init__()
        self._look = look

    def execute(self, runner: Runner) -> None:
        runner.watch(self)
        super().execute(runner)

    def activity_changed(self, record: ActivityRecord) -> None:
        if record.state is ActivityState.RUNNING:
            self._look(record)

    def progressed(self, name: str, progress: Progress) -> None:
        pass


def run_of(engine: Engine, run_id: str, executor: Executor | None = None) -> ExecutionRecord:
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None and claim.run_id == run_id
    return engine.runs.run_claimed(claim, executor=executor or InlineExecutor())


def activities(engine: Engine, run_id: str) -> dict[str, dict[str, Any]]:
    """Return what the API tells of the activities of a run, by name."""
    answer = dict(QUERY.call(engine, QUERY.request.model_validate({"RunIds": run_id})))
    (run,) = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
    return {one["Name"]: one for one in run["ActivityList"]["Activity"]}


def job(engine: Engine, family: str, job_id: str) -> dict[str, Any]:
    """Return the job of a family (MediaInfo, Snapshot, Analysis, or "") from its own action."""
    answer = call(engine, f"Query{family}JobList", **{f"{family}JobIds": job_id})
    (found,) = answer[f"{family}JobList"][f"{family}Job"]
    return found


def test_a_transcode_of_a_run_is_a_job(engine: Engine, audio_clip: Path):
    source = upload(audio_clip, "vod/my tone.m4a")
    asked = output("{RunId}%2F{FileName}", UserData="mine")
    run_id = queued(engine, topology(sound=transcode(asked)), source)
    run_of(engine, run_id)
    told = activities(engine, run_id)["sound"]
    found = transcode_job(engine, told["JobId"])
    assert (found["State"], found["Percent"]) == ("TranscodeSuccess", 100)
    assert found["PipelineId"] == DEFAULT_PIPELINE_ID
    assert (found["CreationTime"], found["FinishTime"]) == (told["StartTime"], told["EndTime"])
    assert found["Input"]["Object"] == "vod/my tone.m4a"
    made = found["Output"]
    assert made["OutputFile"] == {
        "Bucket": "out-bucket",
        "Location": "here",
        "Object": f"{run_id}/my tone.mp3",
    }
    assert (made["TemplateId"], made["UserData"]) == (MP3, "mine")
    assert made["Properties"]["Format"]["FormatName"] == "mp3"
    assert Path("out", run_id, "my tone.mp3").stat().st_size == int(made["Properties"]["FileSize"])
    assert "Code" not in found


def test_a_transcode_without_outputs_is_a_job(engine: Engine, audio_clip: Path):
    source = upload(audio_clip, "vod/my tone.m4a")
    package = {
        "Output": {"Bucket": "out-bucket", "Location": "l", "MasterPlayListName": "a.mpd"},
        "Protocol": "dash",
    }
    lines = {
        "Representation": {"Id": "lines", "URI": "lines.mpd"},
        "InputConfig": {"Format": "vtt", "InputFile": {"URL": "oss://out-bucket/none.vtt"}},
    }
    text = topology(
        package=("PackageConfig", package),
        subtitles=("SubtitleGroup", {"AdaptationSet": {"Group": "subs"}}),
        lines=("Transcode", lines),
        playlist=("GenerateMasterPlayList", {}),
    )
    parsed = json.loads(text)
    order = [*parsed["Activities"]]
    parsed["Dependencies"] = dict(zip(order, [*([one] for one in order[1:]), []], strict=True))
    run_id = queued(engine, json.dumps(parsed), source)
    run_of(engine, run_id)
    found = transcode_job(engine, activities(engine, run_id)["lines"]["JobId"])
    assert found["State"] == "TranscodeFail" and "OutputFile" not in found["Output"]


def test_the_stream_of_a_package_is_a_job_that_names_its_list(engine: Engine, clip: Path):
    source = upload(clip, "vod/my clip.mp4")
    package = {
        "Output": {"Bucket": "out-bucket", "Location": "l", "MasterPlayListName": "p/a.m3u8"},
        "Protocol": "hls",
    }
    picture = {
        "Outputs": [{"TemplateId": "S00000001-200010", "Video": {"Width": "160", "Height": ""}}],
        "MultiBitrateVideoStream": {"URI": "v/video.m3u8"},
    }
    item = {"RefActivityName": "picture", "ExtXStreamInfo": {"BandWidth": "900000"}}
    text = topology(
        package=("PackageConfig", package),
        picture=("Transcode", picture),
        playlist=(
            "GenerateMasterPlayList",
            {"MasterPlayList": {"MultiBitrateVideoStreams": [item]}},
        ),
    )
    parsed = json.loads(text)
    order = [*parsed["Activities"]]
    parsed["Dependencies"] = dict(zip(order, [*([one] for one in order[1:]), []], strict=True))
    run_id = queued(engine, json.dumps(parsed), source)
    run_of(engine, run_id)
    found = transcode_job(engine, activities(engine, run_id)["picture"]["JobId"])
    assert found["State"] == "TranscodeSuccess"
    assert found["Output"]["OutputFile"]["Object"] == "p/v/video.m3u8"
    assert found["Output"]["Properties"]["Streams"]["VideoStreamList"]["VideoStream"]


FAMILIES = {"start": "MediaInfo", "work": "", "shots": "Snapshot", "look": "Analysis"}


def everything(**more: tuple[str, dict[str, Any]]) -> str:
    hls = output("{RunId}%2Fhls", REMUX_HLS)
    sound = output("{RunId}%2Fsound", UserData="second", Priority="3")
    return topology(
        work=transcode(hls, sound, output("{RunId}%2Fother")),
        shots=snapshot(Num="2", Interval="1", Time="0"),
        look=("Analysis", {"AnalysisConfig": {"QualityControl": {"RateQuality": "20"}}}),
        **more,
    )


@pytest.mark.proves("job: JobId of an activity", by="the answers of all four actions")
def test_every_family_answers_while_it_runs_and_afterwards(engine: Engine, media_dir: Path):
    source = upload(media.clip(media_dir, seconds=2, size="320x180"))
    run_id = queued(engine, everything(), source)
    running: dict[str, dict[str, Any]] = {}

    def look(record: ActivityRecord) -> None:
        if record.name in FAMILIES:
            told = activities(engine, run_id)[record.name]
            assert told["State"] == "Running"
            running[record.name] = job(engine, FAMILIES[record.name], told["JobId"])

    run_of(engine, run_id, Watching(look))
    assert {name: one["State"] for name, one in running.items()} == {
        "start": "Analyzing",
        "work": "Transcoding",
        "shots": "Snapshoting",
        "look": "Analyzing",
    }
    file = running["work"]["Output"]["OutputFile"]
    assert file["Object"] == f"{run_id}/hls.m3u8"
    assert running["shots"]["SnapshotConfig"]["Num"] == "2"
    assert "FinishTime" not in running["work"]
    assert not any({"Code", "Message", "MNSMessageResult"} & one.keys() for one in running.values())
    told = activities(engine, run_id)
    assert "JobId" not in told["report"]
    done = {name: job(engine, kind, told[name]["JobId"]) for name, kind in FAMILIES.items()}
    assert {name: one["State"] for name, one in done.items()} == {
        "start": "Success",
        "work": "TranscodeSuccess",
        "shots": "Success",
        "look": "Success",
    }
    for name, one in done.items():
        assert one["CreationTime"] == told[name]["StartTime"]
        assert (one.get("InputFile") or one["Input"])["Object"] == "vod/my clip.mp4"
    assert done["start"]["Properties"]["Width"] == "320"
    assert (done["shots"]["Count"], done["look"]["Percent"]) == ("2", 100)
    assert done["look"]["AnalysisConfig"] == {"QualityControl": {"RateQuality": "20"}}
    assert done["look"]["TemplateList"]["Template"]
    # each family knows its own only
    for kind in ("", "Snapshot", "Analysis", "MediaInfo"):
        others = [told[name]["JobId"] for name, own in FAMILIES.items() if own != kind]
        answer = call(engine, f"Query{kind}JobList", **{f"{kind}JobIds": ",".join(others)})
        (missing,) = (value for key, value in answer.items() if key.startswith("NonExist"))
        assert sorted(missing["String"]) == sorted(others)


@pytest.mark.proves("job: several Outputs", by="files, sizes and answers")
def test_each_output_is_a_job(engine: Engine, media_dir: Path):
    source = upload(media.clip(media_dir, seconds=2, size="320x180"))
    run_id = queued(engine, everything(), source)
    run_of(engine, run_id)
    told = activities(engine, run_id)["work"]
    ids = told["JobIdList"]["JobId"]
    assert (len(set(ids)), ids[0]) == (3, told["JobId"])
    assert engine.history.get(run_id).activity("work").to_wire()["JobIdList"] == ids
    hls, sound, other = (transcode_job(engine, one)["Output"] for one in ids)
    names = [one["OutputFile"]["Object"].rpartition("/")[2] for one in (hls, sound, other)]
    assert names == ["hls.m3u8", "sound.mp3", "other.mp3"]
    assert (sound["UserData"], sound["Priority"]) == ("second", "3")
    # a playlist counts with its segments, and with those of no other output
    sizes = [file.stat().st_size for file in Path("out", run_id).glob("hls-*.ts")]
    assert sizes and hls["Properties"]["FileSize"] == str(sum(sizes))
    assert sound["Properties"]["FileSize"] == str(Path("out", run_id, "sound.mp3").stat().st_size)
    listed = call(engine, "ListJob")["JobList"]["Job"]
    assert sorted(one["JobId"] for one in listed) == sorted(ids)


@pytest.mark.proves("job: a result of an earlier run", by="the answers")
def test_a_result_of_an_earlier_run_gets_jobs_of_its_own(engine: Engine, audio_clip: Path):
    source = upload(audio_clip)
    text = topology(sound=transcode(output("{RunId}%2Fa"), output("{RunId}%2Fb")))
    first = queued(engine, text, source)
    run_of(engine, first)
    workflow = engine.workflows.find("wf" + str(len(text)) + source["Object"])
    second = engine.submit(workflow, ObjectRef(bucket="in-bucket", object="vod/my clip.mp4")).run_id
    record = run_of(engine, second)
    assert record.activity("sound").reused
    ids = [set(engine.history.get(run).activity("sound").job_ids) for run in (first, second)]
    assert (len(ids[1]), ids[0] & ids[1]) == (2, set())
    for job_id in ids[1]:
        found = transcode_job(engine, job_id)
        assert (found["State"], found["Percent"]) == ("TranscodeSuccess", 100)
        assert found["Output"]["OutputFile"]["Object"].startswith(second)
        assert float(found["Output"]["Properties"]["Duration"]) > 1


def test_what_fails_and_what_is_skipped(engine: Engine, media_dir: Path):
    source = upload(media.clip(media_dir, seconds=2, size="320x180", audio=False))
    activities_ = json.loads(topology(look=("Analysis", {}), sound=transcode(output("x"))))
    activities_["Activities"]["fhd"] = {
        "Type": "Transcode",
        "Parameters": transcode(output("y", INTELLIGENT_FHD))[1],
    }
    activities_["Dependencies"] |= {"look": ["fhd"], "fhd": ["report"]}
    run_id = queued(engine, json.dumps(activities_), source)
    run_of(engine, run_id)
    told = activities(engine, run_id)
    assert (told["fhd"]["State"], "JobId" in told["fhd"]) == ("Skipped", False)
    assert told["sound"]["State"] == "Fail"
    found = transcode_job(engine, told["sound"]["JobId"])
    assert found["State"] == "TranscodeFail"
    assert {key: found[key] for key in ("Code", "Message")} == {
        key: told["sound"][key] for key in ("Code", "Message")
    }
    assert found["Output"]["OutputFile"]["Object"] == "x.mp3"
    assert "Properties" not in found["Output"]
    listed = call(engine, "ListJob")["JobList"]["Job"]
    assert [one["JobId"] for one in listed] == [found["JobId"]]
    # an attempt later it is the same job
    assert engine.store.queue.requeue(run_id)
    run_of(engine, run_id)
    again = activities(engine, run_id)
    assert {name: one.get("JobId") for name, one in again.items()} == {
        name: one.get("JobId") for name, one in told.items()
    }
    assert [one["JobId"] for one in call(engine, "ListJob")["JobList"]["Job"]] == [found["JobId"]]


def test_a_start_that_fails_is_a_job_that_failed(engine: Engine, tmp_path: Path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no media")
    run_id = queued(engine, topology(sound=transcode(output("x"))), upload(bad))
    run_of(engine, run_id)
    told = activities(engine, run_id)["start"]
    found = job(engine, "MediaInfo", told["JobId"])
    assert (found["State"], found["Code"]) == ("Fail", Code.RESOURCE_CONTENT_BAD)
    assert found["Message"] == told["Message"]
    assert call(engine, "ListJob")["JobList"]["Job"] == []


@pytest.mark.proves("job: CancelJob", by="its errors, and what runs on")
def test_a_job_of_a_run_is_not_cancelled(engine: Engine, audio_clip: Path):
    run_id = queued(engine, topology(sound=transcode(output("x"))), upload(audio_clip))
    found: list[tuple[str, str]] = []

    def why(job_id: str) -> str:
        with pytest.raises(InvalidInputError) as caught:
            call(engine, "CancelJob", JobId=job_id)
        assert run_id in caught.value.message
        assert f"mediaflow execution cancel {run_id}" in caught.value.remedy
        return caught.value.code

    def look(record: ActivityRecord) -> None:
        if record.name == "sound":
            found.append((record.job_id, why(record.job_id)))

    run_of(engine, run_id, Watching(look))
    ((job_id, code),) = found
    assert (code, why(job_id)) == (Code.JOB_IN_RUNNING, Code.JOB_IN_COMPLETE)
    assert transcode_job(engine, job_id)["State"] == "TranscodeSuccess"
    # it waits again, under its id, once the run is continued after a crash
    claim = engine.store.queue.claim(run_id, owner="crashed", lease_seconds=60)
    engine.store.executions.save(claim, state=ExecutionState.RUNNING)
    engine.store.steps.reset(claim, "sound")
    engine.store.queue.release(claim)
    waiting = transcode_job(engine, job_id)
    assert (waiting["State"], waiting["Percent"]) == ("Submitted", 0)
    assert "FinishTime" not in waiting and "Properties" not in waiting["Output"]
    assert why(job_id) == Code.INVALID_STATE
    run_of(engine, run_id)
    assert engine.history.get(run_id).activity("sound").job_id == job_id
    assert transcode_job(engine, job_id)["State"] == "TranscodeSuccess"


def test_the_jobs_of_a_cancelled_run(engine: Engine, audio_clip: Path):
    run_id = queued(engine, topology(sound=transcode(output("x"))), upload(audio_clip))
    ids: list[str] = []

    def cancel(record: ActivityRecord) -> None:
        if record.name == "sound":
            ids.append(record.job_id)
            engine.store.queue.request_cancel(run_id)
            runners[0].stop(Interruption.CANCELLED)

    class Stopped(Watching):
        def execute(self, runner: Runner) -> None:
            runners.append(runner)
            super().execute(runner)

    runners: list[Runner] = []
    run_of(engine, run_id, Stopped(cancel))
    found = transcode_job(engine, ids[0])
    assert (found["State"], found["Code"]) == ("TranscodeCancelled", Code.CANCELLED)
    (listed,) = call(engine, "ListJob", State="TranscodeCancelled")["JobList"]["Job"]
    assert listed["JobId"] == ids[0]
    assert call(engine, "ListJob", State="TranscodeFail")["JobList"]["Job"] == []


@pytest.mark.proves("job: ListJob", by="the pages")
def test_they_are_listed_among_the_others(engine: Engine, audio_clip: Path):
    source = upload(audio_clip)
    own = [submit(engine, source, output(f"{n}"))[0]["Job"]["JobId"] for n in range(2)]
    run_id = queued(engine, topology(sound=transcode(*(output(name) for name in "abc"))), source)
    claims = [engine.store.queue.claim_next(owner="t", lease_seconds=60) for _ in range(3)]
    for claim in reversed(claims):
        assert claim is not None
        engine.runs.run_claimed(claim, executor=InlineExecutor())
    own.append(submit(engine, source, output("later"))[0]["Job"]["JobId"])
    every = [
        own[2],
        *sorted(engine.history.get(run_id).activity("sound").job_ids, reverse=True),
        *own[1::-1],
    ]

    def listed(**filters: Any) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            answer = call(engine, "ListJob", MaximumPageSize=2, NextPageToken=token, **filters)
            found += [one["JobId"] for one in answer["JobList"]["Job"]]
            token = answer.get("NextPageToken", "")
            if not token:
                return found

    assert set(listed()) == set(every)
    times = [one["CreationTime"] for one in call(engine, "ListJob")["JobList"]["Job"]]
    assert times == sorted(times, reverse=True)
    assert listed(State="Submitted") == [own[2]]
    assert set(listed(State="TranscodeSuccess")) == set(every) - {own[2]}
    assert listed(PipelineId=DEFAULT_PIPELINE_ID) == listed()
    assert refused(engine, "ListJob", NextPageToken=UNKNOWN) == (Code.INVALID, "/NextPageToken")


@pytest.mark.proves("info: mediaflow media info", by="the answers of the API for the same object")
def test_media_info_is_the_same_everywhere(engine: Engine, media_dir: Path, tmp_path: Path):
    clip = media.clip(media_dir, seconds=2, size="320x180")
    source = upload(
        media.make(clip.with_name("of-jobs.mkv"), "-i", str(clip), "-c", "copy"), "v/a.mkv"
    )
    submitted = call(engine, "SubmitMediaInfoJob", Input=source)["MediaInfoJob"]["JobId"]
    run_of(engine, submitted)
    asked = job(engine, "MediaInfo", submitted)["Properties"]
    assert asked["Streams"]["VideoStreamList"]["VideoStream"][0]["NumFrames"] == "50"
    run_id = queued(engine, topology(), source)
    run_of(engine, run_id)
    start = activities(engine, run_id)["start"]["JobId"]
    assert job(engine, "MediaInfo", start)["Properties"] == asked
    for given in ("oss://in-bucket/v/a.mkv", str(tmp_path / "in/v/a.mkv")):
        ref, found = engine.media_info(given)
        assert found.data["Properties"] == flattened(asked)
        assert ref.object.endswith("a.mkv")
    with pytest.raises(InvalidInputError) as caught:
        engine.media_info("oss://in-bucket/v/missing.mkv")
    assert caught.value.code == Code.RESOURCE_NOT_FOUND
