from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.report import SCHEMA, Report, document, place
from workflow_engine.activity import SideInput, SideInputFacts
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ObjectRef,
    Output,
    StepResult,
)

RUN_ID = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)
DIGESTS = Digests(size=7, sha256="5" * 64, md5="d" * 32)


def output(key, bucket="out-bucket", size=10, media=None):
    digests = Digests(size=size, sha256="a" * 64, md5="b" * 32)
    ref = ObjectRef(bucket=bucket, object=key, location="local")
    return Output(ref=ref, place=f"/out/{key}", digests=digests, media=media or {})


def execution(*records):
    return ExecutionRecord(
        run_id=RUN_ID,
        workflow_id="f" * 32,
        workflow="wf",
        topology="{}",
        input=ObjectRef(bucket="in-bucket", object="vod/été.mp4", location="local"),
        media_id="e" * 32,
        user_data="hello",
        created=NOW - timedelta(seconds=30),
        activities=records,
    )


START = ActivityRecord(
    name="start",
    type="Start",
    state=ActivityState.SUCCESS,
    result=StepResult(data={"Properties": {"Duration": "4.0"}, "Probe": {"format": {}}}),
)
HD = ActivityRecord(
    name="hd",
    type="Transcode",
    state=ActivityState.SUCCESS,
    started=NOW - timedelta(seconds=20),
    ended=NOW - timedelta(seconds=7.5),
    result=StepResult(
        outputs=(output("a/x.mp4", media={"Width": "640"}), output("a/y.mp4", size=5)),
        commands=(("ffmpeg", "-i", "file:a b.mp4"),),
        warnings=("SourceDamaged: 2 places",),
    ),
    reused=True,
)
BAD = ActivityRecord(
    name="sd",
    type="Transcode",
    state=ActivityState.FAIL,
    code="InvalidParameter.OutOfRange",
    message="too large",
    detail="last words",
)
WAITING = ActivityRecord(name="later", type="Snapshot")


def report(*records):
    return document(execution(*records), records, DIGESTS, NOW)


@pytest.mark.parametrize(
    ("outputs", "bucket", "key"),
    [
        ([], "", f"{RUN_ID}/report.json"),
        ([output("a/x.mp4")], "out-bucket", f"a/{RUN_ID}/report.json"),
        ([output("x.mp4")], "out-bucket", f"{RUN_ID}/report.json"),
        ([output("a/b/x.mp4"), output("a/c/y.mp4")], "out-bucket", f"a/{RUN_ID}/report.json"),
        ([output("a/ab/x.mp4"), output("a/ac/y.mp4")], "out-bucket", f"a/{RUN_ID}/report.json"),
        ([output(f"r/{RUN_ID}/x.mp4")], "out-bucket", f"r/{RUN_ID}/report.json"),
        (
            [output(f"{RUN_ID}/hd/x.mp4"), output(f"{RUN_ID}/sd/x.mp4")],
            "out-bucket",
            f"{RUN_ID}/report.json",
        ),
        (
            [output("a/x.mp4"), output("q/z/y.mp4", bucket="other")],
            "out-bucket",
            f"a/{RUN_ID}/report.json",
        ),
    ],
)
def test_the_report_goes_beside_the_outputs_in_a_directory_of_the_run(outputs, bucket, key):
    ref = place(RUN_ID, outputs)
    assert (ref.bucket, ref.object) == (bucket, key)


def test_the_report_tells_of_every_activity_that_began():
    told = report(START, HD, BAD, WAITING)
    assert told["Schema"] == SCHEMA
    assert [activity["Name"] for activity in told["Activities"]] == ["start", "hd", "sd"]
    _, good, bad = told["Activities"]
    assert good["Seconds"] == 12.5 and good["Reused"] is True
    assert good["Commands"] == ["ffmpeg -i 'file:a b.mp4'"]
    assert good["Warnings"] == ["SourceDamaged: 2 places"]
    assert good["Outputs"][0] == {
        "Bucket": "out-bucket",
        "Object": "a/x.mp4",
        "Path": "/out/a/x.mp4",
        "Size": 10,
        "ETag": "b" * 32,
        "MD5": "b" * 32,
        "SHA256": "a" * 64,
        "Properties": {"Width": "640"},
    }
    assert (bad["State"], bad["Code"], bad["Message"], bad["Detail"]) == (
        "Fail",
        "InvalidParameter.OutOfRange",
        "too large",
        "last words",
    )


def test_what_an_activity_read_beside_the_input_is_listed_once():
    logo = ObjectRef(bucket="side", object="logo.png", location="local")
    source = execution().input
    refs = [(logo, "watermark"), (logo, "other"), (source, "loudness 1")]
    side = SideInputFacts(name="side-1.png", digests=DIGESTS)
    read = {SideInput(ref=ref, kind=kind): side for ref, kind in refs}
    records = (START, HD)
    told = document(
        execution(*records), records, DIGESTS, NOW, {"hd": read, "start": {}}.__getitem__
    )
    assert [one["SideInputs"] for one in told["Activities"]] == [
        [],
        [{**logo.to_wire(), "Size": 7, "SHA256": "5" * 64}],
    ]


def test_the_input_has_its_checksums_and_media_info():
    told = report(START)["Input"]
    assert told == {
        "Bucket": "in-bucket",
        "Object": "vod/été.mp4",
        "Location": "local",
        "UserData": "hello",
        "Size": 7,
        "MD5": "d" * 32,
        "SHA256": "5" * 64,
        "Properties": {"Duration": "4.0"},
    }


def test_a_checksum_that_nobody_needed_is_left_out():
    digests = replace(DIGESTS, md5="")
    told = document(execution(START), [START], digests, NOW)["Input"]
    assert "MD5" not in told and told["SHA256"] == "5" * 64


def test_totals_add_up():
    totals = report(START, HD, BAD, WAITING)["Totals"]
    assert totals == {
        "Activities": 3,
        "Success": 2,
        "Fail": 1,
        "Skipped": 0,
        "Reused": 1,
        "Warnings": 1,
        "Outputs": 2,
        "Bytes": 15,
        "Seconds": 30.0,
    }


@pytest.mark.parametrize(
    ("start", "state"),
    [(ActivityState.SUCCESS, "Completed"), (ActivityState.FAIL, "Fail")],
)
def test_the_state_is_the_one_that_the_execution_will_have(start, state):
    record = ActivityRecord(name="start", type="Start", state=start)
    told = report(record, BAD)["Execution"]
    assert (told["State"], told["RunId"]) == (state, RUN_ID)


def test_tools_are_named_with_their_versions():
    tools = report(START)["Tools"]
    assert set(tools) == {"mediaflow", "ffmpeg", "ffprobe"} and all(tools.values())


def test_a_missing_ffmpeg_does_not_stop_the_report(monkeypatch):
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/nowhere/ffmpeg")
    assert set(report(START)["Tools"]) == {"mediaflow"}


def test_a_report_is_never_reused_and_manual_by_default():
    assert Report.reusable is False
    assert Report.parameters.model_validate({}).publish_type == "Manual"
