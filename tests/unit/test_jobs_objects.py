"""Executions as the job objects that the official client parses."""

from dataclasses import replace
from typing import Any

import pytest
from alibabacloud_mts20140618 import models

from tests.support.job_records import CREATED, JOB, PIPELINE, done, job, output, running
from workflow_engine.api.jobs import job_shape
from workflow_engine.jobs.states import jobs_in
from workflow_engine.messages.job_objects import job_message, job_object
from workflow_engine.messages.job_states import job_state
from workflow_engine.records import ExecutionKind, ExecutionState

TRANSCODE, SNAPSHOT = ExecutionKind.TRANSCODE, ExecutionKind.SNAPSHOT
ANALYSIS, MEDIA_INFO = ExecutionKind.ANALYSIS, ExecutionKind.MEDIA_INFO
QUEUED, RUNNING = ExecutionState.QUEUED, ExecutionState.RUNNING
COMPLETED, FAIL = ExecutionState.COMPLETED, ExecutionState.FAIL

PROPERTIES = {
    "Width": "640",
    "Format": {"FormatName": "mov"},
    "Streams": {
        "VideoStreamList": [{"Index": "0"}],
        "AudioStreamList": [{"Index": "1"}],
        "SubtitleStreamList": [],
    },
}
ECHO = {
    "TemplateId": "S00000001-200010",
    "Priority": "7",
    "UserData": "u",
    "Video": {"Bitrate": "500"},
    "WaterMarkList": [{"Dx": "8"}],
    "OutputFile": {"Bucket": "out", "Location": "local", "Object": "c-{DestMd5}.mp4"},
}


def parsed(body: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Return what a client library sees of an answer."""
    return body().from_map({"RequestId": "r", **answer}).to_map()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (TRANSCODE, ("Submitted", "Transcoding", "TranscodeSuccess", "TranscodeFail")),
        (SNAPSHOT, ("Submitted", "Snapshoting", "Success", "Fail")),
        (ANALYSIS, ("Submitted", "Analyzing", "Success", "Fail")),
        (MEDIA_INFO, ("Analyzing", "Analyzing", "Success", "Fail")),
    ],
)
def test_words_for_states(kind: ExecutionKind, words: tuple[str, ...]):
    assert tuple(job_state(job(kind, state)) for state in (QUEUED, RUNNING, COMPLETED, FAIL)) == (
        words
    )


def test_a_cancelled_job():
    assert job_state(job(TRANSCODE, FAIL, code="Cancelled")) == "TranscodeCancelled"
    assert job_state(job(SNAPSHOT, FAIL, code="Cancelled")) == "Fail"


def test_filters_for_states():
    failed, cancelled = (
        jobs_in(TRANSCODE, "TranscodeFail"),
        jobs_in(TRANSCODE, "TranscodeCancelled"),
    )
    assert (failed.state, failed.code, failed.not_code) == (FAIL, "", "Cancelled")
    assert (cancelled.state, cancelled.code, cancelled.not_code) == (FAIL, "Cancelled", "")
    assert (jobs_in(SNAPSHOT, "Fail").state, jobs_in(SNAPSHOT, "Fail").not_code) == (FAIL, "")
    assert jobs_in(SNAPSHOT, "Snapshoting").state is RUNNING
    assert jobs_in(TRANSCODE, "Submitted").state is QUEUED
    assert (jobs_in(SNAPSHOT, "").kind, jobs_in(SNAPSHOT, "").state) == (SNAPSHOT, None)


def test_a_transcode_job_that_waits():
    assert job_object(job(TRANSCODE, request={"Output": ECHO})) == {
        "JobId": JOB,
        "State": "Submitted",
        "PipelineId": PIPELINE,
        "CreationTime": "2024-05-01T12:00:00Z",
        "Percent": 0,
        "Input": {"Bucket": "in", "Location": "local", "Object": "a b/c.mp4"},
        "Output": ECHO,
    }


def test_a_transcode_job_under_way():
    told = job_object(job(TRANSCODE, RUNNING, running(TRANSCODE, 0.428), request={"Output": ECHO}))
    assert (told["State"], told["Percent"]) == ("Transcoding", 42)


def test_a_finished_transcode_job_has_the_real_name_and_properties():
    segments = [output("c-00001.ts"), output("c-00002.ts")]
    last = done(TRANSCODE, *segments, output("c.m3u8", **PROPERTIES))
    told = job_object(job(TRANSCODE, COMPLETED, last, request={"Output": ECHO}))
    assert (told["State"], told["Percent"]) == ("TranscodeSuccess", 100)
    assert told["FinishTime"] == "2024-05-01T12:03:00Z"
    assert told["Output"] == {
        **ECHO,
        "OutputFile": {"Bucket": "out", "Location": "local", "Object": "c.m3u8"},
        "Properties": {
            **PROPERTIES,
            "FileSize": "2",
            "Format": {"FormatName": "mov", "Size": "2"},
        },
    }
    assert "Code" not in told


def test_a_failed_job_says_why():
    told = job_object(job(TRANSCODE, FAIL, code="NoSpace", message="The disk is full."))
    assert (told["Code"], told["Message"]) == ("NoSpace", "The disk is full.")
    assert "FinishTime" in told


def test_the_client_parses_all_of_a_transcode_job():
    record = job(
        TRANSCODE,
        COMPLETED,
        done(TRANSCODE, output("c.mp4", **PROPERTIES)),
        request={"Output": {**ECHO, "AmixList": [{"AmixURL": "input"}]}},
        message_result={"MessageId": "m"},
    )
    result = {"Success": True, "Job": job_shape(record)}
    answer = {"JobResultList": {"JobResult": [result]}, "RequestId": "r"}
    assert parsed(models.SubmitJobsResponseBody, answer) == answer
    told = job_shape(replace(record, request={"Output": ECHO}))
    assert told["Output"]["WaterMarkList"] == {"WaterMark": [{"Dx": "8"}]}
    for body in (models.QueryJobListResponseBody, models.ListJobResponseBody):
        answer = {"JobList": {"Job": [told]}, "RequestId": "r"}
        assert parsed(body, answer) == answer


def test_the_client_parses_all_of_a_snapshot_job():
    config = {"Time": "0", "Num": "3", "OutputFile": {"Bucket": "out", "Object": "{Count}.jpg"}}
    record = job(
        SNAPSHOT,
        COMPLETED,
        done(SNAPSHOT, Count=3, TileCount=1, Times=[0, 1, 2]),
        request={"SnapshotConfig": config},
        user_data="u",
    )
    told = job_shape(record)
    assert told == {
        "Id": JOB,
        "State": "Success",
        "PipelineId": PIPELINE,
        "CreationTime": "2024-05-01T12:00:00Z",
        "UserData": "u",
        "Input": {"Bucket": "in", "Location": "local", "Object": "a b/c.mp4"},
        "SnapshotConfig": config,
        "Count": "3",
        "TileCount": "1",
    }
    for body, answer in (
        (models.SubmitSnapshotJobResponseBody, {"SnapshotJob": told}),
        (
            models.QuerySnapshotJobListResponseBody,
            {"SnapshotJobList": {"SnapshotJob": [told]}, "NextPageToken": "t"},
        ),
    ):
        assert parsed(body, answer) == {"RequestId": "r", **answer}


def test_the_client_parses_all_of_an_analysis_job():
    template = {"Id": "S00000000-200030", "Name": "MP4-SD", "Video": {"Crf": "25"}}
    record = job(
        ANALYSIS,
        COMPLETED,
        done(ANALYSIS, TemplateList=[template], RateQuality="25"),
        request={"AnalysisConfig": {"QualityControl": {"RateQuality": "22"}}},
        priority=9,
    )
    told = job_shape(record)
    assert told["TemplateList"] == {"Template": [template]}
    assert (told["Percent"], told["Priority"], told["State"]) == (100, "9", "Success")
    for body, answer in (
        (models.SubmitAnalysisJobResponseBody, {"AnalysisJob": told}),
        (models.QueryAnalysisJobListResponseBody, {"AnalysisJobList": {"AnalysisJob": [told]}}),
    ):
        assert parsed(body, answer) == {"RequestId": "r", **answer}


def test_the_client_parses_all_of_a_media_info_job():
    last = done(MEDIA_INFO, Properties=PROPERTIES, Probe={})
    record = job(MEDIA_INFO, COMPLETED, last, request={"Async": False})
    told = job_shape(record)
    assert told["Async"] is False
    assert told["Properties"]["Streams"]["AudioStreamList"] == {"AudioStream": [{"Index": "1"}]}
    for body, answer in (
        (models.SubmitMediaInfoJobResponseBody, {"MediaInfoJob": told}),
        (
            models.QueryMediaInfoJobListResponseBody,
            {"MediaInfoJobList": {"MediaInfoJob": [told]}},
        ),
    ):
        assert parsed(body, answer) == {"RequestId": "r", **answer}


def test_a_job_that_has_not_ended_has_no_result():
    assert "Properties" not in job_object(job(MEDIA_INFO, RUNNING))
    assert "Count" not in job_object(job(SNAPSHOT))
    assert "TemplateList" not in job_object(job(ANALYSIS))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TRANSCODE, "Transcode"),
        (SNAPSHOT, "Snapshot"),
        (ANALYSIS, "Analysis"),
        (MEDIA_INFO, "MediaInfo"),
    ],
)
def test_the_message_at_the_end(kind: ExecutionKind, name: str):
    record = job(kind, FAIL, code="NoSpace", message="The disk is full.", user_data="u")
    told = job_message(record)
    assert (told["Type"], told["JobId"], told["State"]) == (name, JOB, job_state(record))
    assert (told["Code"], told["Message"]) == ("NoSpace", "The disk is full.")
    assert told["CreationTime"] == CREATED.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_lists_of_a_message_are_flat():
    last = done(TRANSCODE, output("c.mp4", **PROPERTIES))
    told = job_message(job(TRANSCODE, COMPLETED, last, request={"Output": ECHO}))
    assert told["Output"]["WaterMarkList"] == [{"Dx": "8"}]
    assert told["Output"]["Properties"]["Streams"]["VideoStreamList"] == [{"Index": "0"}]
