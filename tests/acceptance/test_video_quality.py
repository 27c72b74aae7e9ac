"""The video quality job with both official libraries: generic requests, they have no method."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_tea_openapi.models import OpenApiRequest, Params
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from darabonba.runtime import RuntimeOptions

from tests.support import kinds, media
from tests.support.service import KEY, SECRET, Service
from tests.support.waiting import wait_for

USER = "1748090438910001"
INPUT = "oss://uploads.oss-cn-shanghai.aliyuncs.com/my%20clip.mp4"
OUTPUT = "oss://renditions.oss-cn-shanghai.aliyuncs.com/quality/{}.txt"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, media_dir: Path) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("quality"))
    black = media.make(
        media_dir / "black-from-2-to-4.mp4",
        *("-i", str(kinds.kind(media_dir, "head")), "-c:v", "libx264", "-preset", "veryfast"),
        *("-vf", "drawbox=t=fill:color=black:enable='between(t,2,3.99)'"),
    )
    shutil.copy(black, service.bucket("uploads") / "my clip.mp4")
    shutil.copy(kinds.kind(media_dir, "head"), service.bucket("uploads") / "clean.mp4")
    media.audio_only(service.bucket("uploads"), 1)
    try:
        yield service.start()
    finally:
        service.close()


def called(service: Service, action: str, **parameters: str) -> Any:
    request = CommonRequest(
        domain=f"127.0.0.1:{service.port}", version="2014-06-18", action_name=action
    )
    request.set_protocol_type("http")
    request.set_accept_format("json")
    for name, value in parameters.items():
        request.add_query_param(name, value)
    client = AcsClient(KEY, SECRET, "cn-shanghai")
    try:
        return json.loads(client.do_action_with_exception(request))
    finally:
        client.session.close()


def submitted(service: Service, **parameters: str) -> str:
    given = {"UserId": USER, "SourceType": "Video", "Input": INPUT, **parameters}
    answer = called(service, "SubmitVideoQualityJob", **given)
    assert answer["Code"] == "Success" and answer["Message"]
    return answer["JobId"]


def ended(service: Service, job_id: str) -> Any:
    def look() -> Any:
        answer = called(service, "QueryVideoQualityJob", UserId=USER, JobId=job_id)
        assert answer["Code"] == "Success"
        assert answer["Job"]["Status"] in ("Submitted", "Processing", "Success", "Fail")
        return answer["Job"] if answer["Job"]["Status"] in ("Success", "Fail") else None

    return wait_for(look, 90)


def messages(service: Service) -> list[Any]:
    file = service.home / "messages.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.proves(
    "Quality UserId",
    "Quality SourceType",
    "Quality Input",
    "Quality NotifyUrl",
    "Quality ModelId",
    "Quality JobParams",
    "Quality ScheduleParams",
    "Quality UserData",
    by="a job of the generic request of the official library",
)
def test_the_whole_life_of_a_job_through_a_crash(service: Service) -> None:
    output = OUTPUT.format("first")
    job_id = submitted(
        service,
        Output=output,
        ModelId="null",
        JobParams="0",
        ScheduleParams="0",
        UserData="example data",
        NotifyUrl="mns://142610549622.mns.cn-shanghai.aliyuncs.com/queues/done",
    )
    service.kill()
    service.start()
    job = ended(service, job_id)
    results = json.loads(job.pop("VideoQualityResults"))
    assert job == {
        "JobId": job_id,
        "UserId": int(USER),
        "Status": "Success",
        "Code": "Success",
        "Message": "The job is completed successfully",
        "Output": output,
    }
    assert results.keys() == {"Brightness"}
    times = [item["TimeStamp"] for item in results["Brightness"]]
    assert times[0] == "00:00:02.000" and "00:00:03.500" < times[-1] < "00:00:04.500"
    assert {item["Result"] for item in results["Brightness"]} == {"black"}
    file = json.loads((service.bucket("renditions") / "quality/first.txt").read_text())
    assert [item["result"] for item in file["brightness"]] == ["black"] * len(times)
    (message,) = wait_for(lambda: messages(service), 30)
    assert (message["Type"], message["JobId"]) == ("VideoQuality", job_id)
    assert (message["Status"], message["UserData"]) == ("Success", "example data")


def called_by_tea(service: Service, action: str, **parameters: str) -> Any:
    params = Params(
        **{"action": action, "version": "2014-06-18", "protocol": "HTTP", "pathname": "/"},
        **{"method": "POST", "auth_type": "AK", "style": "RPC"},
        **{"req_body_type": "formData", "body_type": "json"},
    )
    request = OpenApiRequest(query=parameters)
    answer: dict[str, Any] = service.tea().call_api(params, request, RuntimeOptions())
    return answer["body"]


def test_a_job_of_the_current_library(service: Service) -> None:
    queue = "mns://142610549622.mns.cn-shanghai.aliyuncs.com/queues/done"
    given = {"UserId": USER, "SourceType": "Video", "Input": "oss://uploads/clean.mp4"}
    given |= {
        "Output": OUTPUT.format("tea"),
        "NotifyUrl": queue,
        "JobParams": '{"Labels":["noise"]}',
    }
    job_id = called_by_tea(service, "SubmitVideoQualityJob", **given)["JobId"]

    def told() -> list[Any]:
        return [message for message in messages(service) if message["JobId"] == job_id]

    (message,) = wait_for(told, 90)
    assert (message["Type"], message["Status"]) == ("VideoQuality", "Success")
    job = called_by_tea(service, "QueryVideoQualityJob", UserId=USER, JobId=job_id)["Job"]
    assert (job["Status"], job["VideoQualityResults"]) == ("Success", "{}")


def test_the_command_line_finds_the_same_and_keeps_nothing(service: Service) -> None:
    before = sorted(service.home.rglob("*.txt"))
    spoilt = service("media", "check", service.bucket("uploads") / "my clip.mp4", "--json")
    told = json.loads(spoilt.stdout)
    assert spoilt.returncode == 1 and told["VideoQualityResults"].keys() == {"Brightness"}
    (span,) = told["Spans"]
    assert (span["Label"], span["Begin"][:11]) == ("brightness", "00:00:02.00")
    lines = service("media", "check", "oss://uploads/my clip.mp4")
    assert lines.returncode == 1
    assert f"{span['Begin']} to {span['End']}  brightness" in lines.stdout
    clean = service("media", "check", "oss://uploads/clean.mp4")
    assert (clean.returncode, clean.stdout) == (0, "no defects found\n")
    sound = service("media", "check", "oss://uploads/tone-1s.m4a")
    assert sound.returncode == 1 and "no video stream" in sound.stderr
    assert sorted(service.home.rglob("*.txt")) == before


def test_urls_of_other_forms_and_a_clean_source(service: Service) -> None:
    address = json.dumps({"Bucket": "renditions", "Location": "here", "Object": "quality%2Fb.txt"})
    for url, target, written in (
        ("oss://uploads/clean.mp4", address, "b.txt"),
        ("http://uploads.oss-cn-shanghai.aliyuncs.com/clean.mp4", "oss://renditions/c.txt", None),
    ):
        job = ended(service, submitted(service, Input=url, Output=target))
        assert (job["Status"], job["VideoQualityResults"]) == ("Success", "{}")
        if written:
            assert job["Output"] == "http://renditions.here.aliyuncs.com/quality/b.txt"
            assert (service.bucket("renditions") / "quality" / written).read_text() == ""


def test_a_source_without_a_picture(service: Service) -> None:
    output = OUTPUT.format("none")
    job = ended(service, submitted(service, Input="oss://uploads/tone-1s.m4a", Output=output))
    assert (job["Status"], job["Code"]) == ("Fail", "InvalidParameter.ResourceNotSupported")
    assert "no video stream" in job["Message"] and "VideoQualityResults" not in job


@pytest.mark.proves("Quality Mosaic", by="the error of the official library")
@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"UserId": ""}, "InvalidParameter.EmptyValue", "/UserId"),
        ({"SourceType": "Image"}, "InvalidParameter", "/SourceType"),
        ({"Input": "oss://nowhere/a.mp4"}, "InvalidParameter.ResourceNotFound", '"nowhere"'),
        ({"Output": "oss://nowhere/a.txt"}, "InvalidParameter.ResourceNotFound", "/Output"),
        ({"Output": "ftp://a/b"}, "InvalidParameter.ResourceNotSupported", "ftp://a/b"),
        ({"Output": "oss://renditions/{RunId}"}, "InvalidParameter", "{RunId}"),
        ({"JobParams": '{"Labels":["mosaic"]}'}, "InvalidParameter.NotSupported", '"mosaic"'),
        ({"JobParams": '{"Depth":1}'}, "InvalidParameter.NotSupported", '"Depth"'),
        ({"ModelId": "strict"}, "InvalidParameter.NotSupported", '"strict"'),
        ({"NotifyUrl": "mns://1.mns.x.aliyuncs.com/queues/no"}, "QueueNotExist", "/NotifyUrl"),
        ({"NotifyUrl": "http://a/done"}, "InvalidParameter.Format", "http://a/done"),
    ],
)
def test_what_is_refused_by_name(
    service: Service, given: dict[str, str], code: str, said: str
) -> None:
    with pytest.raises(ServerException) as refused:
        submitted(service, **{"Output": OUTPUT.format("refused"), **given})
    assert refused.value.get_error_code() == code
    assert said in refused.value.get_error_msg()


def test_a_job_belongs_to_its_user(service: Service) -> None:
    job_id = submitted(service, Output=OUTPUT.format("mine"))
    with pytest.raises(ServerException) as refused:
        called(service, "QueryVideoQualityJob", UserId="7", JobId=job_id)
    assert refused.value.get_error_code() == "InvalidParameter.ResourceNotFound"
