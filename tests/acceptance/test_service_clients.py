"""The service as the official client libraries see it: whole lives, and error paths."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from alibabacloud_mts20140618 import models as tea
from alibabacloud_tea_openapi.exceptions import ClientException
from aliyunsdkcore.acs_exception.exceptions import ServerException

from tests.support.places import EXAMPLES
from tests.support.service import SECRET, Legacy, Service
from tests.support.waiting import wait_for
from workflow_engine.records import Figure, Prediction
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID

MINIMAL = (EXAMPLES / "minimal.json").read_text()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("service")
    service = Service(home)
    (service.bucket("uploads") / "incoming").mkdir()
    shutil.copy(clip, service.bucket("uploads") / "incoming/clip.mp4")
    (service.bucket("uploads") / "incoming/broken.mp4").write_text("no media at all")
    try:
        yield service.start()
    finally:
        service.close()


@pytest.fixture
def legacy(service: Service) -> Legacy:
    return service.legacy()


def url(key: str, bucket: str = "uploads") -> str:
    return f"http://{bucket}.local.aliyuncs.com/{key}"


def ended(legacy: Legacy, run_id: str) -> Any:
    def look() -> Any:
        answer = legacy("QueryMediaWorkflowExecutionList", RunIds=run_id)
        (found,) = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
        return found if found["State"] != "Running" else None

    return wait_for(look, 90)


def test_the_whole_life_of_a_workflow(legacy: Legacy):
    added = legacy("AddMediaWorkflow", Name="life", Topology=MINIMAL)["MediaWorkflow"]
    assert (added["State"], added["TriggerMode"], added["Name"]) == (
        "Active",
        "OssAutoTrigger",
        "life",
    )
    assert json.loads(added["Topology"]) == json.loads(MINIMAL)
    workflow = added["MediaWorkflowId"]
    with pytest.raises(ServerException) as refused:
        legacy("UpdateMediaWorkflow", MediaWorkflowId=workflow, Topology=MINIMAL)
    assert refused.value.get_error_code() == "InvalidParameter.InvalidState"
    legacy("DeactivateMediaWorkflow", MediaWorkflowId=workflow)
    changed = MINIMAL.replace("{RunId}/", "changed/")
    updated = legacy("UpdateMediaWorkflow", MediaWorkflowId=workflow, Topology=changed)
    assert "changed/" in updated["MediaWorkflow"]["Topology"]
    mode = legacy(
        "UpdateMediaWorkflowTriggerMode", MediaWorkflowId=workflow, TriggerMode="NotInAuto"
    )
    assert mode["MediaWorkflow"]["TriggerMode"] == "NotInAuto"
    active = legacy("ActivateMediaWorkflow", MediaWorkflowId=workflow)
    assert active["MediaWorkflow"]["State"] == "Active"
    found = legacy("SearchMediaWorkflow", StateList="Active", PageNumber=1, PageSize=100)
    assert workflow in [w["MediaWorkflowId"] for w in found["MediaWorkflowList"]["MediaWorkflow"]]
    legacy("DeleteMediaWorkflow", MediaWorkflowId=workflow)
    (shown,) = legacy("QueryMediaWorkflowList", MediaWorkflowIds=f"{workflow},{'0' * 32}")[
        "MediaWorkflowList"
    ]["MediaWorkflow"]
    assert shown["State"] == "Deleted"
    with pytest.raises(ServerException) as gone:
        legacy("ActivateMediaWorkflow", MediaWorkflowId=workflow)
    assert gone.value.get_error_code() == "InvalidParameter.ResourceDeleted"


def test_a_broken_topology_is_refused_with_its_place(legacy: Legacy):
    broken = MINIMAL.replace('"S00000001-200020"', '"S00000001-999999"')
    with pytest.raises(ServerException) as refused:
        legacy("AddMediaWorkflow", Name="broken", Topology=broken)
    assert refused.value.get_http_status() == 404
    assert refused.value.get_error_code() == "InvalidParameter.TemplateNotFound"
    assert "/Activities/sd/Parameters/Outputs/0/TemplateId" in refused.value.get_error_msg()


def test_add_media_runs_a_workflow_to_finished_outputs(service: Service, legacy: Legacy):
    workflow = legacy("AddMediaWorkflow", Name="media", Topology=MINIMAL)["MediaWorkflow"]
    media = legacy(
        "AddMedia",
        FileURL=url("incoming/clip.mp4"),
        MediaWorkflowId=workflow["MediaWorkflowId"],
        MediaWorkflowUserData="mine",
        Title="A clip",
        Tags="one,two",
        InputUnbind=True,
    )["Media"]
    (run_id,) = media["RunIdList"]["RunId"]
    assert media["PublishState"] == "Initiated"
    record = ended(legacy, run_id)
    assert record["State"] == "Completed"
    assert record["Input"]["UserData"] == "mine"
    states = {a["Name"]: a["State"] for a in record["ActivityList"]["Activity"]}
    assert states == {"start": "Success", "sd": "Success", "report": "Success"}
    (output,) = (service.bucket("renditions") / run_id).glob("*.mp4")
    asked = tea.QueryMediaListRequest(
        media_ids=media["MediaId"], include_play_list=True, include_media_info=True
    )
    (shown,) = service.tea().query_media_list(asked).body.media_list.media
    assert (shown.title, shown.tags.tag, shown.publish_state) == (
        "A clip",
        ["one", "two"],
        "Published",
    )
    assert (shown.width, shown.height) == ("640", "360")
    assert shown.media_info.streams.video_stream_list.video_stream[0].codec_name == "h264"
    (play,) = shown.play_list.play
    assert (play.activity_name, play.media_workflow_name) == ("sd", "media")
    assert play.file.url.endswith(f"/{run_id}/{output.name}")
    for chosen in (
        {"MediaWorkflowId": workflow["MediaWorkflowId"]},
        {"MediaWorkflowName": "media"},
        {"InputFileURL": url("incoming/clip.mp4")},
    ):
        listed = legacy("ListMediaWorkflowExecutions", **chosen)
        runs = listed["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
        assert run_id in [run["RunId"] for run in runs]


def test_the_job_ids_of_activities_answer(service: Service, legacy: Legacy):
    topology = json.loads(MINIMAL)
    file = {"Bucket": "renditions", "Location": "local", "Object": "{RunId}%2F{Count}.jpg"}
    config = {"OutputFile": file, "Num": "2", "Interval": "1", "Time": "0"}
    topology["Activities"] |= {
        "shots": {"Type": "Snapshot", "Parameters": {"SnapshotConfig": config}},
        "look": {"Type": "Analysis", "Parameters": {}},
    }
    topology["Dependencies"] = {
        "start": ["sd", "shots", "look"],
        **{name: ["report"] for name in ("sd", "shots", "look")},
        "report": [],
    }
    workflow = legacy("AddMediaWorkflow", Name="jobs", Topology=json.dumps(topology))
    media = legacy(
        "AddMedia",
        FileURL=url("incoming/clip.mp4"),
        MediaWorkflowId=workflow["MediaWorkflow"]["MediaWorkflowId"],
    )["Media"]
    run_id, *_ = media["RunIdList"]["RunId"]

    def begun() -> Any:
        answer = legacy("QueryMediaWorkflowExecutionList", RunIds=run_id)
        (run,) = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
        found = {a["Name"]: a.get("JobId", "") for a in run["ActivityList"]["Activity"]}
        return found if found.keys() >= {"start", "sd", "shots", "look"} else None

    # from the moment they are shown, whether they still run or not
    ids = wait_for(begun)
    client = service.tea()
    asked = tea.QueryJobListRequest(job_ids=ids["sd"])
    (early,) = client.query_job_list(asked).body.job_list.job
    assert early.state in ("Transcoding", "TranscodeSuccess")
    assert early.output.output_file.object == f"{run_id}/clip.mp4"
    ended(legacy, run_id)
    with service.store() as store:
        wrong = Prediction(position=0, figure=Figure.BITRATE, predicted=1500, measured=1000)
        store.predictions.keep(run_id, "sd", [wrong])
    with urlopen(service.api + "/metrics", timeout=10) as answer:
        line = 'mediaflow_prediction_median_error{figure="bitrate"} 50.0'
        assert line in answer.read().decode()
    (job,) = client.query_job_list(asked).body.job_list.job
    assert (job.job_id, job.state, job.percent) == (ids["sd"], "TranscodeSuccess", 100)
    assert job.output.properties.streams.video_stream_list.video_stream[0].codec_name == "h264"
    listed = client.list_job(tea.ListJobRequest(state="TranscodeSuccess", maximum_page_size=100))
    assert ids["sd"] in [one.job_id for one in listed.body.job_list.job]
    for family, name in (("MediaInfo", "start"), ("Snapshot", "shots"), ("Analysis", "look")):
        answer = legacy(f"Query{family}JobList", **{f"{family}JobIds": ids[name]})
        (found,) = answer[f"{family}JobList"][f"{family}Job"]
        assert found["State"] == "Success"
    info = tea.QueryMediaInfoJobListRequest(media_info_job_ids=ids["start"])
    (probe,) = client.query_media_info_job_list(info).body.media_info_job_list.media_info_job
    assert (probe.properties.width, probe.input.object) == ("640", "incoming/clip.mp4")
    pictures = tea.QuerySnapshotJobListRequest(snapshot_job_ids=ids["shots"])
    (shots,) = client.query_snapshot_job_list(pictures).body.snapshot_job_list.snapshot_job
    assert (shots.count, shots.snapshot_config.num) == ("2", "2")
    with pytest.raises(ServerException) as refused:
        legacy("CancelJob", JobId=ids["sd"])
    assert refused.value.get_error_code() == "PermissionDenied.JobInComplete"
    assert f"mediaflow execution cancel {run_id}" in refused.value.get_error_msg()


def test_messages_tell_of_start_and_report(service: Service, legacy: Legacy):
    topology = json.loads(MINIMAL)
    topology["Activities"]["start"]["Parameters"]["QueueName"] = "done"
    added = legacy("AddMediaWorkflow", Name="told", Topology=topology)["MediaWorkflow"]
    media = legacy(
        "AddMedia",
        FileURL=url("incoming/clip.mp4"),
        MediaWorkflowId=added["MediaWorkflowId"],
    )["Media"]
    run_id = media["RunIdList"]["RunId"][0]
    ended(legacy, run_id)

    def told() -> Any:
        lines = (service.home / "messages.jsonl").read_text().splitlines()
        bodies = [body for line in lines if (body := json.loads(line))["RunId"] == run_id]
        return bodies if len(bodies) == 2 else None

    start, report = wait_for(told, 20)
    assert (start["Type"], start["State"]) == ("Start", "Success")
    assert start["MediaWorkflowExecution"]["State"] == "Running"
    assert (report["Type"], report["State"]) == ("Report", "Success")
    assert report["MediaWorkflowExecution"]["State"] == "Completed"

    def results() -> Any:
        activities = {a["Name"]: a for a in ended(legacy, run_id)["ActivityList"]["Activity"]}
        found = [activities[n].get("MNSMessageResult") for n in ("start", "report")]
        return found if all(found) else None

    assert [set(result) for result in wait_for(results, 20)] == [{"MessageId"}] * 2


def test_a_file_that_is_no_media_fails_start(legacy: Legacy):
    workflow = legacy("AddMediaWorkflow", Name="fails", Topology=MINIMAL)["MediaWorkflow"]
    media = legacy(
        "AddMedia",
        FileURL=url("incoming/broken.mp4"),
        MediaWorkflowId=workflow["MediaWorkflowId"],
    )["Media"]
    record = ended(legacy, media["RunIdList"]["RunId"][0])
    assert record["State"] == "Fail"
    activities = {a["Name"]: a for a in record["ActivityList"]["Activity"]}
    assert activities["start"]["Code"] == "InvalidParameter.ResourceContentBad"
    assert activities["sd"]["State"] == "Skipped"


def test_add_media_of_a_missing_file_leaves_nothing(service: Service, legacy: Legacy):
    workflow = legacy("AddMediaWorkflow", Name="missing", Topology=MINIMAL)["MediaWorkflow"]
    with pytest.raises(ServerException) as refused:
        legacy(
            "AddMedia",
            FileURL=url("incoming/none.mp4"),
            MediaWorkflowId=workflow["MediaWorkflowId"],
        )
    assert refused.value.get_error_code() == "InvalidParameter.ResourceNotFound"
    asked = legacy("QueryMediaListByURL", FileURLs=url("incoming/none.mp4"))
    assert asked["MediaList"]["Media"] == []


def test_jobs_outside_of_workflows(service: Service, legacy: Legacy):
    source = {"Bucket": "uploads", "Location": "local", "Object": "incoming%2Fclip.mp4"}
    submitted = legacy(
        "SubmitJobs",
        Input=source,
        OutputBucket="renditions",
        OutputLocation="local",
        PipelineId=DEFAULT_PIPELINE_ID,
        Outputs=[
            {"OutputObject": "jobs%2Fsmall.mp4", "TemplateId": "S00000001-200010", "UserData": "u"},
            {"OutputObject": "jobs%2Fbad.mp4", "TemplateId": "unknown"},
        ],
    )
    good, bad = submitted["JobResultList"]["JobResult"]
    assert good["Success"] is True and bad["Success"] is False
    assert bad["Code"] == "InvalidParameter.TemplateNotFound"

    def job() -> Any:
        asked = tea.QueryJobListRequest(job_ids=good["Job"]["JobId"])
        (found,) = service.tea().query_job_list(asked).body.job_list.job
        return found if found.state.startswith("Transcode") and found.finish_time else None

    done = wait_for(job)
    assert (done.state, done.percent, done.output.user_data) == ("TranscodeSuccess", 100, "u")
    assert (service.bucket("renditions") / "jobs/small.mp4").is_file()
    assert done.output.properties.streams.video_stream_list.video_stream[0].codec_name == "h264"
    snapshot = legacy(
        "SubmitSnapshotJob",
        Input=source,
        SnapshotConfig={
            "OutputFile": {"Bucket": "renditions", "Location": "local", "Object": "jobs/p.jpg"},
            "Time": "1000",
        },
    )["SnapshotJob"]
    info = legacy("SubmitMediaInfoJob", Input=source, Async=False)["MediaInfoJob"]
    assert (info["State"], info["Properties"]["Width"]) == ("Success", "640")
    analysis = legacy("SubmitAnalysisJob", Input=source, PipelineId=DEFAULT_PIPELINE_ID)[
        "AnalysisJob"
    ]

    def states() -> Any:
        pictures = legacy("QuerySnapshotJobList", SnapshotJobIds=snapshot["Id"])
        analyses = legacy("QueryAnalysisJobList", AnalysisJobIds=analysis["Id"])
        found = (
            pictures["SnapshotJobList"]["SnapshotJob"][0]["State"],
            analyses["AnalysisJobList"]["AnalysisJob"][0]["State"],
        )
        return found if found == ("Success", "Success") else None

    wait_for(states)
    assert (service.bucket("renditions") / "jobs/p.jpg").is_file()


def test_a_job_tells_the_queue_of_its_pipeline(service: Service, legacy: Legacy):
    asked = tea.AddPipelineRequest(name="told", notify_config='{"QueueName": "done"}')
    added = service.tea().add_pipeline(asked).body.pipeline
    source = {"Bucket": "uploads", "Location": "local", "Object": "incoming%2Fclip.mp4"}
    job = legacy("SubmitMediaInfoJob", Input=source, PipelineId=added.id, Async=False)
    job_id = job["MediaInfoJob"]["JobId"]

    def told() -> Any:
        lines = (service.home / "messages.jsonl").read_text().splitlines()
        return [body for line in lines if (body := json.loads(line)).get("JobId") == job_id]

    (body,) = wait_for(told, 20)
    assert (body["Type"], body["State"]) == ("MediaInfo", "Success")


def test_a_paused_pipeline_holds_its_jobs(service: Service, legacy: Legacy):
    added = service.tea().add_pipeline(tea.AddPipelineRequest(name="slow")).body.pipeline
    legacy("UpdatePipeline", PipelineId=added.id, Name="slow", State="Paused")
    source = {"Bucket": "uploads", "Location": "local", "Object": "incoming%2Fclip.mp4"}
    outputs = [{"OutputObject": "held.mp4", "TemplateId": "S00000001-200010"}]
    results = legacy(
        "SubmitJobs",
        Input=source,
        OutputBucket="renditions",
        PipelineId=added.id,
        Outputs=outputs * 2,
    )["JobResultList"]["JobResult"]
    jobs = [result["Job"]["JobId"] for result in results]
    # a job of another pipeline that was submitted later has gone through meanwhile
    other = legacy("SubmitMediaInfoJob", Input=source, Async=False)["MediaInfoJob"]
    assert other["State"] == "Success"
    held = legacy("QueryJobList", JobIds=",".join(jobs))["JobList"]["Job"]
    assert [job["State"] for job in held] == ["Submitted", "Submitted"]
    legacy("CancelJob", JobId=jobs[0])
    legacy("UpdatePipeline", PipelineId=added.id, Name="slow", State="Active")

    def states() -> Any:
        listed = legacy("QueryJobList", JobIds=",".join(jobs))["JobList"]["Job"]
        found = {job["JobId"]: job["State"] for job in listed}
        return found if found[jobs[1]] == "TranscodeSuccess" else None

    assert wait_for(states)[jobs[0]] == "TranscodeCancelled"
    with pytest.raises(ServerException) as refused:
        legacy("CancelJob", JobId=jobs[1])
    assert refused.value.get_error_code() == "PermissionDenied.JobInComplete"


def test_custom_and_watermark_templates(service: Service, legacy: Legacy):
    template = legacy(
        "AddTemplate",
        Name="tiny",
        Container={"Format": "mp4"},
        Video={"Codec": "H.264", "Width": "160", "Bitrate": "200"},
        Audio={"Codec": "AAC", "Bitrate": "64"},
    )["Template"]
    workflow = MINIMAL.replace("S00000001-200020", template["Id"])
    added = legacy("AddMediaWorkflow", Name="custom", Topology=workflow)["MediaWorkflow"]
    media = legacy(
        "AddMedia",
        FileURL=url("incoming/clip.mp4"),
        MediaWorkflowId=added["MediaWorkflowId"],
    )["Media"]
    run_id = media["RunIdList"]["RunId"][0]
    assert ended(legacy, run_id)["State"] == "Completed"
    document = service.json("execution", "show", run_id)
    (output,) = next(a for a in document["ActivityList"] if a["Name"] == "sd")["Outputs"]
    info = legacy(
        "SubmitMediaInfoJob",
        Input={"Bucket": "renditions", "Location": "local", "Object": output["Object"]},
        Async=False,
    )["MediaInfoJob"]
    assert info["Properties"]["Width"] == "160"
    legacy("DeleteTemplate", TemplateId=template["Id"])
    (shown,) = legacy("QueryTemplateList", TemplateIds=template["Id"])["TemplateList"]["Template"]
    assert shown["State"] == "Deleted"
    mark = legacy(
        "AddWaterMarkTemplate", Name="logo", Config={"Width": "10px", "Dx": "8", "Dy": "8"}
    )["WaterMarkTemplate"]
    found = legacy("QueryWaterMarkTemplateList", WaterMarkTemplateIds=mark["Id"])
    assert found["WaterMarkTemplateList"]["WaterMarkTemplate"][0]["Name"] == "logo"


def test_media_buckets(legacy: Legacy):
    legacy("BindInputBucket", Bucket="uploads")
    legacy("BindOutputBucket", Bucket="renditions")
    listed = legacy("ListAllMediaBucket")["MediaBucketList"]["MediaBucket"]
    assert {(b["Bucket"], b["Type"]) for b in listed} == {
        ("uploads", "Input"),
        ("renditions", "Output"),
    }
    with pytest.raises(ServerException):
        legacy("BindOutputBucket", Bucket="uploads")
    legacy("UnbindInputBucket", Bucket="uploads")


def test_a_wrong_secret_and_an_unknown_key(service: Service):
    for key, secret, code in (
        ("testId", "wrong", "SignatureDoesNotMatch"),
        ("nobody", SECRET, "InvalidAccessKeyId.NotFound"),
    ):
        with pytest.raises(ClientException) as refused:
            service.tea(key, secret).search_pipeline(tea.SearchPipelineRequest())
        assert refused.value.code == code
    with pytest.raises(ServerException) as refused:
        service.legacy(secret="wrong")("SearchPipeline")
    assert refused.value.get_error_code() in ("SignatureDoesNotMatch", "InvalidAccessKeySecret")


def test_actions_beyond_the_scope_say_so(legacy: Legacy):
    with pytest.raises(ServerException) as refused:
        legacy("SubmitMediaCensorJob", Input="{}")
    assert refused.value.get_error_code() == "UnsupportedOperation"
