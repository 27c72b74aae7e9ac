"""IMS jobs with the official library, unchanged, against a real `serve`."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_ice20201109 import models
from alibabacloud_ice20201109.client import Client
from alibabacloud_mts20140618.models import AddMediaRequest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config

from activities.probe import MediaInfo
from tests.support import media
from tests.support.api_clients import tea
from tests.support.service import KEY, SECRET, Service
from tests.support.waiting import wait_for

URL = "http://uploads.oss-cn-shanghai.aliyuncs.com/in/my%20clip.mp4"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("ims"))
    folder = service.bucket("uploads") / "in"
    folder.mkdir()
    shutil.copy(clip, folder / "my clip.mp4")
    (folder / "broken.mp4").write_bytes(b"this is no film")
    media.audio_only(folder, 1)
    try:
        yield service.start()
    finally:
        service.close()


@pytest.fixture
def client(service: Service) -> Client:
    return Client(
        Config(
            endpoint=f"127.0.0.1:{service.port}",
            protocol="http",
            access_key_id=KEY,
            access_key_secret=SECRET,
        )
    )


def submitted(client: Client, url: str = URL, **more: Any) -> Any:
    given = models.SubmitMediaInfoJobRequestInput(type=more.pop("type", "OSS"), media=url)
    request = models.SubmitMediaInfoJobRequest(input=given, **more)
    return client.submit_media_info_job(request).body.media_info_job


def ended(client: Client, job_id: str) -> Any:
    def look() -> Any:
        request = models.GetMediaInfoJobRequest(job_id=job_id)
        job = client.get_media_info_job(request).body.media_info_job
        return job if job.status != "Init" else None

    return wait_for(look, 60)


def test_the_whole_life_of_a_media_info_job(client: Client):
    schedule = models.SubmitMediaInfoJobRequestScheduleConfig(priority=8)
    job = submitted(client, name="first", user_data="mine", schedule_config=schedule)
    assert (job.status, job.trigger_source, job.name) == ("Init", "API", "first")
    done = ended(client, job.job_id)
    assert (done.status, done.user_data) == ("Success", "mine")
    assert (done.input.type, done.input.media) == ("OSS", URL)
    assert done.schedule_config.priority == 8
    assert done.submit_time <= done.finish_time
    found = done.media_info_property
    basic = found.file_basic_info
    assert (basic.file_name, basic.file_status) == ("my clip.mp4", "Normal")
    assert (basic.file_type, basic.file_url) == ("source_file", URL)
    (video,), (audio,) = found.video_stream_info_list, found.audio_stream_info_list
    assert (video.codec_name, video.width, video.pix_fmt) == ("h264", basic.width, "yuv420p")
    assert (audio.codec_name, audio.channels) == ("aac", "1")
    # every value is a string, as the library has them
    values = {**basic.to_map(), **video.to_map(), **audio.to_map()}
    assert {type(value) for value in values.values()} == {str}


def test_a_media_of_the_library(service: Service, client: Client):
    added = tea(f"127.0.0.1:{service.port}", key=KEY, secret=SECRET).add_media(
        AddMediaRequest(file_url=URL)
    )
    media_id = added.body.media.media_id
    job = ended(client, submitted(client, media_id, type="Media").job_id)
    assert job.status == "Success"
    assert job.media_info_property.file_basic_info.media_id == media_id


def test_a_file_that_is_no_film(client: Client):
    url = "oss://uploads/in/broken.mp4"
    job = ended(client, submitted(client, url).job_id)
    assert (job.status, job.media_info_property) == ("Fail", None)
    assert job.submit_result_json["Code"] == "InvalidParameter.ResourceContentBad"


def test_lists_and_pages(client: Client):
    ids = [submitted(client, name=f"n{n}").job_id for n in range(3)]
    for job_id in ids:
        ended(client, job_id)
    request = models.ListMediaInfoJobsRequest(page_size=2, status="Success")
    first = client.list_media_info_jobs(request).body
    assert [job.job_id for job in first.jobs] == [ids[2], ids[1]]
    assert first.jobs[0].media_info_property.video_stream_info_list
    request.next_page_token = first.next_page_token
    second = client.list_media_info_jobs(request).body
    assert second.jobs[0].job_id == ids[0]
    assert all(
        job.status == "Fail"
        for job in client.list_media_info_jobs(
            models.ListMediaInfoJobsRequest(status="Fail")
        ).body.jobs
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"url": "in/my clip.mp4"}, "InvalidParameter.Format"),
        ({"url": "https://example.com/a.mp4"}, "InvalidParameter.ResourceNotSupported"),
        ({"url": "oss://nowhere/a.mp4"}, "InvalidParameter.ResourceNotFound"),
        ({"url": "f" * 32, "type": "Media"}, "InvalidParameter.ResourceNotFound"),
        ({"url": URL, "type": "ExternalURL"}, "InvalidParameter.NotSupported"),
    ],
)
def test_inputs_that_are_none(client: Client, given: dict[str, str], code: str):
    with pytest.raises(ClientException) as caught:
        submitted(client, **given)
    assert caught.value.code == code


def test_what_is_not_offered_is_refused_by_name(client: Client):
    with pytest.raises(ClientException) as caught:
        client.get_editing_project(models.GetEditingProjectRequest(project_id="x"))
    assert caught.value.code == "UnsupportedOperation"
    assert "GetEditingProject" in caught.value.message


def test_a_wrong_secret_is_refused(service: Service):
    wrong = Config(
        endpoint=f"127.0.0.1:{service.port}",
        protocol="http",
        access_key_id=KEY,
        access_key_secret="wrong",
    )
    with pytest.raises(ClientException) as caught:
        submitted(Client(wrong))
    assert caught.value.code == "SignatureDoesNotMatch"


def converted(client: Client, config: Any, **more: Any) -> Any:
    request = models.SubmitMediaConvertJobRequest(config=json.dumps(config), **more)
    return client.submit_media_convert_job(request).body.job


def convert_ended(client: Client, job_id: str) -> Any:
    def look() -> Any:
        job = client.get_media_convert_job(models.GetMediaConvertJobRequest(job_id=job_id)).body.job
        return job if job.state not in ("Inited", "Running") else None

    return wait_for(look, 120)


def file(url: str) -> dict[str, str]:
    return {"Type": "OSS", "Media": url, "Url": ""}


def output(name: str, **more: Any) -> dict[str, Any]:
    given = {"OverrideParams": {}, "Features": {}, "Priority": 6, "Name": name}
    url = f"http://renditions.oss-cn-shanghai.aliyuncs.com/{name}"
    return {"TemplateId": "S00000001-200010", "OutputFile": file(url)} | given | more


INPUTS = [{"Name": "film", "InputFile": file(URL)}]
GROUP = {
    "Name": "files",
    "GroupConfig": {"Type": "File", "OutputFileBase": file("oss://renditions/group")},
    "Outputs": [
        {
            "Name": "grouped",
            "OutputFileName": "take #1?.mp4",
            "TemplateId": "S00000001-200010",
            # as the library has them: JSON in strings
            "OverrideParams": json.dumps({"Video": {"Width": 160}}),
            "Features": json.dumps({"Clip": {"TimeSpan": {"Seek": "0.5", "End": "1.5"}}}),
        }
    ],
}


def test_the_whole_life_of_a_convert_job(service: Service, client: Client):
    mark = {"Type": "Text", "Content": "Draft", "X": 10, "Y": 10, "FontSize": 32}
    config = {
        "JobName": "a job",
        "Inputs": INPUTS,
        "Outputs": [
            output(
                "ims/a.mp4",
                OverrideParams={"Video": {"Width": 320, "Crf": 30}},
                Features={"Clip": {"TimeSpan": {"Seek": "0.00001"}}},
            ),
            output("ims/b.mp4", Features={"Watermarks": [mark]}, OverrideParams=None),
        ],
        "OutputGroups": [GROUP],
    }
    job = converted(client, config, user_data='{"videoId": "abcd"}', client_token="t-1")
    assert (job.state, job.client_token, job.config.job_name) == ("Inited", "t-1", "a job")
    # as it was given, word for word
    assert job.config.output_groups[0].outputs[0].to_map() == GROUP["Outputs"][0]
    # the same token is the same job, whatever else it says
    again = converted(client, {**config, "JobName": "another"}, client_token="t-1")
    assert (again.job_id, again.config.job_name) == (job.job_id, "a job")
    done = convert_ended(client, job.job_id)
    assert (done.state, done.percent, done.user_data) == ("Complete", 100, '{"videoId": "abcd"}')
    first, second = done.output_details
    assert [(one.name, one.status) for one in (first, second)] == [
        ("ims/a.mp4", "Success"),
        ("ims/b.mp4", "Success"),
    ]
    assert first.task_id != second.task_id
    meta = first.result.out_file_meta
    # numbers, as the sample of the document has them
    assert (meta.file_basic_info.width, meta.file_basic_info.file_type) == (320, "transcode_file")
    made = service.bucket("renditions") / "ims/a.mp4"
    assert meta.file_basic_info.file_size == made.stat().st_size
    assert first.result.output_file.url.endswith("/ims/a.mp4")
    (group,) = done.output_group_details
    (small,) = group.outputs
    assert (group.name, group.status, small.name) == ("files", "Success", "grouped")
    info = MediaInfo.of(service.bucket("renditions") / "group/take #1?.mp4")
    assert info.video is not None and info.video.width == 160
    assert info.duration == pytest.approx(1.0, abs=0.1)
    # nothing else was written
    assert sorted(p.name for p in (service.bucket("renditions") / "ims").iterdir()) == [
        "a.mp4",
        "b.mp4",
    ]
    listed = client.list_media_convert_jobs(
        models.ListMediaConvertJobsRequest(status="Complete")
    ).body.jobs
    assert listed[0].job_id == job.job_id
    assert "OutputDetails" not in listed[0].to_map()


def test_an_output_that_fails_leaves_the_others_alone(client: Client):
    # there is no sound at 5 s of a film of 2 s, and no picture either
    late = {"Clip": {"TimeSpan": {"Seek": "50", "Duration": "1"}}}
    config = {
        "Inputs": INPUTS,
        "Outputs": [output("f/good.mp4"), output("f/bad.mp4", Features=late)],
    }
    done = convert_ended(client, converted(client, config).job_id)
    assert done.state == "Error" and done.code and done.message
    good, bad = done.output_details
    assert (good.status, bad.status) == ("Success", "Failed")
    assert bad.code == done.code and bad.result is None


@pytest.mark.parametrize(
    ("config", "code", "pointer"),
    [
        ({"Inputs": [], "Outputs": [output("a.mp4")]}, "OutOfRange", "/Config/Inputs"),
        (
            {"Inputs": INPUTS, "Outputs": [output("a.mp4"), output("a.mp4")]},
            "",
            "/Config/Outputs/1/OutputFile/Media",
        ),
        (
            {
                "Inputs": INPUTS,
                "OutputGroups": [
                    {
                        **GROUP,
                        "GroupConfig": {
                            "Type": "File",
                            "OutputFileBase": file("https://renditions.local.aliyuncs.com/a?b=1"),
                        },
                    }
                ],
            },
            "Format",
            "/Config/OutputGroups/0/GroupConfig/OutputFileBase/Media",
        ),
        ({"Inputs": INPUTS}, "OutOfRange", "/Config/Outputs"),
        (
            {"Inputs": INPUTS, "Outputs": [output("a.mp4", TemplateId="nowhere")]},
            "TemplateNotFound",
            "/Config/Outputs/0/TemplateId",
        ),
        (
            {
                "Inputs": INPUTS,
                "Outputs": [
                    output("a.mp4"),
                    output("b.mp4", OverrideParams={"Video": {"Bitrate": 1}}),
                ],
            },
            "OutOfRange",
            "/Config/Outputs/1/OverrideParams/Video/Bitrate",
        ),
        (
            {"Inputs": INPUTS, "Outputs": [output("a.mp4", OverrideParams={"Subtitles": []})]},
            "NotSupported",
            "/Config/Outputs/0/OverrideParams/Subtitles",
        ),
        (
            {"Inputs": INPUTS, "Outputs": [output("a.mp4", OutputFile=file("oss://none/a.mp4"))]},
            "ResourceNotFound",
            "/Config/Outputs/0/OutputFile/Media",
        ),
        (
            {
                "Inputs": INPUTS,
                "OutputGroups": [{**GROUP, "GroupConfig": {**GROUP["GroupConfig"], "Type": "Hls"}}],
            },
            "NotSupported",
            "/Config/OutputGroups/0/GroupConfig/Type",
        ),
    ],
)
def test_configs_that_are_refused(client: Client, config: Any, code: str, pointer: str):
    with pytest.raises(ClientException) as caught:
        converted(client, config)
    assert caught.value.code == f"InvalidParameter.{code}".rstrip(".")
    assert f"({pointer})" in caught.value.message
