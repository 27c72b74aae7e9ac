"""Two outputs of one activity never write one object, whenever that can be told."""

from dataclasses import replace

import pytest

from activities.transcode import Transcode
from activities.transcode.model.naming import clashes
from activities.transcode.result.playlist import named_playlist
from tests.support.context import RUN_ID
from tests.support.transcode_plans import HLS, MP4, plan
from tests.unit.test_transcode_check import problems
from workflow_engine.activity import StepResult
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Digests, ObjectRef, Output

TS = {"TemplateId": MP4, "Container": {"Format": "ts"}}
PLAYLIST = {"TemplateId": HLS}


@pytest.mark.parametrize(
    ("keys", "shared"),
    [
        (["x.m3u8", "x.m3u8"], ["x.m3u8"]),
        (["x.m3u8", "x-00001.ts"], ["x-00001.ts"]),
        (["x-00042.ts", "x.m3u8"], ["x-00042.ts"]),
        (["x.m3u8", "x-123456.ts"], ["x-123456.ts"]),
        # names that no segment gets
        (["x.m3u8", "x-00000.ts"], []),
        (["x.m3u8", "x-012345.ts"], []),
        (["x.m3u8", "x-1.ts"], []),
        (["x.m3u8", "y-00001.ts"], []),
        (["x.m3u8", "x-00001.m3u8"], []),
        (["x.mp4", "x.m3u8"], []),
    ],
)
def test_what_would_be_written_twice(keys, shared):
    assert [key for _, _, key in clashes(keys)] == shared


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"OutputObject": "x"} | PLAYLIST, {"OutputObject": "x.m3u8"} | PLAYLIST),
        ({"OutputObject": "x"} | PLAYLIST, {"OutputObject": "x-00001"} | TS),
        ({"OutputObject": "a//{FileName}"} | TS, {"OutputObject": "/a%2F{FileName}"} | TS),
        # a warning of its own does not hide it
        (
            {"OutputObject": "x", "Audio": {"Codec": "MP3"}} | PLAYLIST,
            {"OutputObject": "x.m3u8", "Audio": {"Codec": "MP3"}} | PLAYLIST,
        ),
    ],
)
def test_it_is_a_problem_of_the_topology(first, second):
    errors = [problem for problem in problems([first, second]) if problem.severity == "error"]
    assert [(p.code, p.pointer) for p in errors] == [(Code.INVALID, "/Outputs/1/OutputObject")]
    assert "0 and 1 both write" in errors[0].message


def test_it_is_an_error_of_the_plan_where_the_input_s_name_makes_it():
    first, second = {"OutputObject": "{FileName}"} | TS, {"OutputObject": "in"} | TS
    assert problems([first, second]) == []
    with pytest.raises(ActivityError) as caught:
        plan(first, second)
    assert caught.value.code == Code.INVALID and '"in.ts"' in caught.value.message


def test_it_is_an_error_of_the_result_where_only_the_files_tell():
    step = plan(
        {"OutputObject": "a-{DestAvgBitrate}", "TemplateId": MP4},
        {"OutputObject": "a-500", "TemplateId": MP4, "Video": {"Width": "640"}},
    )
    told = [{"Files": [], "Bitrate": 500.4}, {"Files": [], "Bitrate": 90.0}]
    outputs = tuple(
        Output(
            ref=ObjectRef(bucket="b", object=f"{n}"),
            place=f"{n}",
            digests=Digests(size=1, sha256="0" * 64, md5="0" * 32),
        )
        for n in range(2)
    )
    finished = StepResult(data={"Outputs": told}, outputs=outputs)
    with pytest.raises(ActivityError) as caught:
        Transcode().renamed(step, finished)
    assert '"a-500.mp4"' in caught.value.message
    told[0]["Bitrate"] = 501.0
    names = Transcode().renamed(step, replace(finished, data={"Outputs": told}))
    assert [ref.object for ref in names] == ["a-501.mp4", "a-500.mp4"]


def test_what_is_encoded_again_has_the_names_of_the_first():
    text = '#EXTM3U\n#EXT-X-MAP:URI="again-0-init.mp4"\n#EXTINF:0.4,\nagain-0-00001.m4s\n'
    named = named_playlist(f"{text}#EXT-X-TARGETDURATION:0\n", "a/x.m3u8")
    assert '#EXT-X-MAP:URI="x-init.mp4"' in named and "\nx-00001.m4s\n" in named
    assert "#EXT-X-TARGETDURATION:1\n" in named, "players take 0 for none"


def test_segments_are_counted_from_one_by_their_playlist_too():
    text = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:4.0,\n0-00001.ts\n#EXT-X-ENDLIST\n"
    assert "#EXT-X-MEDIA-SEQUENCE:1\n" in named_playlist(text, "a/x.m3u8")


@pytest.mark.parametrize(
    ("output", "key"),
    [
        ({"OutputObject": "a/{FileName}", "TemplateId": MP4}, "a/in"),
        ({"OutputObject": "a/{FileName}.video", "TemplateId": MP4}, "a/in.video"),
        ({"OutputObject": "a/{FileName}.mp4", "TemplateId": MP4}, "a/in.mp4"),
        ({"OutputObject": "a-{DestMd5}", "TemplateId": MP4}, "a-{DestMd5}"),
        ({"OutputObject": "{RunId}%2Fx"} | PLAYLIST, f"{RUN_ID}/x.m3u8"),
        ({"OutputObject": "x.m3u8"} | PLAYLIST, "x.m3u8"),
    ],
)
def test_without_extensions_only_playlists_get_theirs(output, key):
    step = plan(output, AppendExtension="false")
    assert [planned.ref.object for planned in step.outputs] == [key]


def test_names_without_extensions_clash_as_they_are():
    same = [{"OutputObject": "x", "TemplateId": MP4}, {"OutputObject": "x"} | TS]
    assert problems(same) == []
    (clash,) = problems(same, AppendExtension="False")
    assert clash.pointer == "/Outputs/1/OutputObject" and '"x"' in clash.message
    segment = [{"OutputObject": "x"} | PLAYLIST, {"OutputObject": "x-00001.ts"} | TS]
    assert problems(segment) == []
    (clash,) = problems(segment, AppendExtension=False)
    assert '"x-00001.ts"' in clash.message


def test_equal_content_is_renamed_without_extensions():
    playlist = {"OutputObject": "{MediaId}x"} | PLAYLIST
    outputs = ({"OutputObject": "plain-{DestAvgBitrate}", "TemplateId": MP4}, playlist)
    step, with_extensions = plan(*outputs, AppendExtension=False), plan(*outputs)
    assert step.identity == with_extensions.identity
    files = tuple(
        Output(
            ref=ObjectRef(bucket="b", object=f"{n}"),
            place=f"{n}",
            digests=Digests(size=1, sha256="0" * 64, md5="0" * 32),
        )
        for n in range(4)
    )
    segments = ["-00001.ts", "-00002.ts"]
    told = [{"Files": [], "Bitrate": 500.4}, {"Files": segments, "Bitrate": 90.0}]
    finished = StepResult(data={"Outputs": told}, outputs=files)
    names = [ref.object for ref in Transcode().renamed(step, finished)]
    assert names == ["plain-500", "x-00001.ts", "x-00002.ts", "x.m3u8"]
