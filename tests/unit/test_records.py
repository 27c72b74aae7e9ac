"""Identifiers, digests, and the wire forms of executions."""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    DigestSum,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    Output,
    StepResult,
    new_id,
    stable_id,
    utc_now,
    wire_time,
)

MOMENT = datetime(2016, 4, 1, 6, 53, 43, 999999, tzinfo=UTC)
OUTPUT = Output(
    ref=ObjectRef(bucket="out", object="a/c.mp4", location="local"),
    place="/out/a/c.mp4",
    digests=Digests(size=3, sha256="5" * 64, md5="d" * 32),
)


def execution(**changes: object) -> ExecutionRecord:
    fields: dict[str, object] = {
        "run_id": "4" * 32,
        "workflow_id": "9" * 32,
        "workflow": "wf",
        "topology": "{}",
        "input": ObjectRef(bucket="in", object="a/b/c.flv", location="local"),
        "media_id": "5" * 32,
        "created": MOMENT,
    }
    return ExecutionRecord(**(fields | changes))  # type: ignore[arg-type]


class TestIdentifiers:
    def test_new_ones_differ(self) -> None:
        ids = {new_id() for _ in range(100)}
        assert len(ids) == 100
        assert all(re.fullmatch("[0-9a-f]{32}", found) for found in ids)

    def test_stable_ones_depend_on_every_part(self) -> None:
        assert re.fullmatch("[0-9a-f]{32}", stable_id("w", "b", "k"))
        assert stable_id("w", "b", "k") == stable_id("w", "b", "k")
        assert len({stable_id("a", "bc"), stable_id("ab", "c"), stable_id("abc")}) == 3


def test_digests_of_a_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000  # more than one block
    file = tmp_path / "f"
    file.write_bytes(content)
    found = Digests.of(file)
    assert found.size == len(content)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.md5 == hashlib.md5(content).hexdigest()
    with pytest.raises(FileNotFoundError):
        Digests.of(tmp_path / "none")


def test_the_md5_may_be_unknown() -> None:
    total = DigestSum(md5=False)
    total.update(b"abc")
    found = total.result()
    assert found.md5 == ""
    other = DigestSum(md5=True)
    other.update(b"abc")
    assert found == other.result()
    assert found != replace(found, sha256="0" * 64) and found != replace(found, size=4)


class TestWire:
    def test_times_are_utc_seconds(self) -> None:
        assert wire_time(MOMENT) == "2016-04-01T06:53:43Z"
        east = MOMENT.astimezone(timezone(timedelta(hours=8)))
        assert wire_time(east) == "2016-04-01T06:53:43Z"
        assert utc_now().tzinfo is UTC

    def test_execution(self) -> None:
        start = ActivityRecord(
            name="start",
            type="Start",
            state=ActivityState.SUCCESS,
            job_id="2" * 32,
            started=MOMENT,
            ended=MOMENT,
            progress=1.0,
            result=StepResult(outputs=(OUTPUT,)),
        )
        waiting = ActivityRecord(name="report", type="Report")
        wire = execution(
            user_data="u", state=ExecutionState.RUNNING, activities=(start, waiting)
        ).to_wire()
        assert wire == {
            "RunId": "4" * 32,
            "MediaWorkflowId": "9" * 32,
            "Name": "wf",
            "Input": {
                "InputFile": {"Bucket": "in", "Location": "local", "Object": "a/b/c.flv"},
                "UserData": "u",
            },
            "MediaId": "5" * 32,
            "ActivityList": [
                {
                    "Name": "start",
                    "Type": "Start",
                    "State": "Success",
                    "JobId": "2" * 32,
                    "StartTime": "2016-04-01T06:53:43Z",
                    "EndTime": "2016-04-01T06:53:43Z",
                    "Outputs": [
                        {
                            "Bucket": "out",
                            "Object": "a/c.mp4",
                            "Path": "/out/a/c.mp4",
                            "Size": 3,
                            "ETag": "d" * 32,
                        }
                    ],
                    "Reused": False,
                    "Progress": 1.0,
                }
            ],
            "State": "Running",
            "CreationTime": "2016-04-01T06:53:43Z",
            "Report": "",
            "PrefectUrl": "",
        }

    def test_queued_is_running_in_the_words_of_the_api(self) -> None:
        assert execution(state=ExecutionState.QUEUED).to_wire()["State"] == "Running"
        failed = execution(state=ExecutionState.FAIL, code="C", message="m", ended=MOMENT).to_wire()
        assert (failed["State"], failed["Code"], failed["Message"]) == ("Fail", "C", "m")
        assert failed["EndTime"] == "2016-04-01T06:53:43Z"

    def test_failed_activity(self) -> None:
        wire = ActivityRecord(
            name="t",
            type="Transcode",
            state=ActivityState.FAIL,
            code="InternalError",
            message="no",
            detail="ffmpeg said no",
            result=StepResult(warnings=("w",)),
            message_result={"MessageId": "1"},
        ).to_wire()
        assert (wire["Code"], wire["Message"], wire["Detail"]) == (
            "InternalError",
            "no",
            "ffmpeg said no",
        )
        assert (wire["Warnings"], wire["MNSMessageResult"]) == (["w"], {"MessageId": "1"})
        assert "StartTime" not in wire

    def test_objects_in_object_stores_have_a_url(self) -> None:
        wire = Output(ref=OUTPUT.ref, place="s3://b/k", digests=OUTPUT.digests).to_wire()
        assert wire["URL"] == "s3://b/k"
        assert "Path" not in wire


def test_record_of_an_activity_by_name() -> None:
    one = ActivityRecord(name="one", type="Start")
    assert execution(activities=(one,)).activity("one") is one
    with pytest.raises(KeyError):
        execution(activities=(one,)).activity("two")


@pytest.mark.parametrize(
    ("state", "ended"),
    [("Waiting", False), ("Running", False), ("Success", True), ("Fail", True), ("Skipped", True)],
)
def test_states_that_have_ended(state: str, ended: bool) -> None:
    assert ActivityState(state).ended is ended
