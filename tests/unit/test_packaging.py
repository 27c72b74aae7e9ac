import pytest
from pydantic import ValidationError

from activities import packaging
from activities.transcode.model.output import TranscodeParameters
from tests.support.context import make_plan_context
from workflow_engine.errors import ActivityError, Code

GOOD = {
    packaging.PackageConfig: {
        "Output": '{"Bucket":"out-bucket","Location":"l","MasterPlayListName":"a/{FileName}.m3u8"}',
        "Protocol": "hls",
    },
    packaging.SubtitleGroup: {"GroupId": "subs"},
    packaging.AudioGroup: {"AdaptationSet": '{"Lang":"english","Group":"AudioGroupEnglish"}'},
    packaging.VideoGroup: {"AdaptationSet": {"Group": "VideoGroup"}},
    packaging.GenerateMasterPlayList: {
        "MasterPlayList": '{"MultiBitrateVideoStreams":[{"RefActivityName":"video-1",'
        '"ExtXStreamInf":{"BandWidth":"111110","Audio":"auds","Subtitles":"subs"}}]}'
    },
}


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.type_name)
def test_parameters_are_understood_and_the_activity_says_that_it_cannot_run(kind, tmp_path):
    activity = kind()
    parameters = activity.parameters.model_validate(GOOD[kind])
    assert not parameters.model_extra
    with pytest.raises(ActivityError) as caught:
        activity.plan(parameters, make_plan_context(tmp_path / "x.mp4"))
    assert caught.value.code == Code.NOT_SUPPORTED
    assert "packaging is not supported by this version" in caught.value.message
    assert f'"{kind.type_name}"' in caught.value.message
    assert caught.value.remedy


def test_both_spellings_of_the_stream_info_mean_the_same():
    model = packaging.GenerateMasterPlayList.parameters
    for name in ("ExtXStreamInf", "ExtXStreamInfo"):
        stream = {"RefActivityName": "v", name: '{"BandWidth":"5"}'}
        read = model.model_validate({"MasterPlayList": {"MultiBitrateVideoStreams": [stream]}})
        assert (
            read.master_play_list.multi_bitrate_video_streams[0].ext_x_stream_info.band_width == 5
        )


@pytest.mark.parametrize(
    ("kind", "parameters", "code"),
    [
        (packaging.PackageConfig, {"Protocol": "smooth"}, Code.INVALID),
        (packaging.PackageConfig, {"Output": {"Bucket": "B!"}}, Code.BUCKET_NAME),
        (packaging.AudioGroup, {"GroupId": "x" * 33}, Code.OUT_OF_RANGE),
        (packaging.VideoGroup, {"AdaptationSet": {"Group": ""}}, Code.EMPTY_VALUE),
        (packaging.VideoGroup, {}, "missing"),
    ],
)
def test_limits_of_packaging_parameters(kind, parameters, code):
    with pytest.raises(ValidationError) as caught:
        kind.parameters.model_validate(parameters)
    assert code in [error["type"] for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("MultiBitrateVideoStream", {"URI": "c/d/video1.mpd"}, Code.FORMAT),
        ("MultiBitrateVideoStream", {"URI": "C/video1.m3u8"}, Code.FORMAT),
        ("MultiBitrateVideoStream", {"URI": "c/../video1.m3u8"}, Code.OBJECT_KEY),
        ("ExtXMedia", {"Name": "x" * 65, "URI": "a/b.m3u8"}, Code.OUT_OF_RANGE),
        ("ExtXMedia", {"Name": "x", "URI": "a/b.m3u8", "Language": "en_US"}, Code.FORMAT),
        ("Representation", {"Id": "480p", "URI": "1/xx.mpd"}, Code.FORMAT),
        ("InputConfig", {"Format": "srt", "InputFile": {"URL": "http://x"}}, Code.INVALID),
    ],
)
def test_stream_fields_of_a_packaged_transcode_have_their_limits(field, value, code):
    with pytest.raises(ValidationError) as caught:
        TranscodeParameters.model_validate({field: value})
    assert [error["type"] for error in caught.value.errors()] == [code]


def test_the_samples_of_the_specification_are_read():
    read = TranscodeParameters.model_validate(
        {
            "MultiBitrateVideoStream": '{"URI":"c/d/video1.m3u8"}',
            "ExtXMedia": '{"Name":"english","Language":"en-US","URI":"c/d/audio-1.m3u8"}',
            "Representation": '{"Id":"480p","URI":"videoSD/xx.mpd"}',
            "InputConfig": '{"Format":"vtt","InputFile":{"URL":"http://a/b.vtt"}}',
            "WebVTTSubtitleURL": "http://a/b.vtt",
        }
    )
    assert not read.model_extra
    assert read.packaged and read.extracts_subtitles
    assert read.ext_x_media and read.ext_x_media.language == "en-US"
