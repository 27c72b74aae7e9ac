import json

import pytest
from pydantic import ValidationError

from activities.transcode import Transcode
from activities.transcode.model.output import TranscodeOutput, TranscodeParameters
from workflow_engine.activity import Neighbourhood, no_templates
from workflow_engine.errors import Code, Severity

MP4, FLV, HLS = "S00000001-200030", "S00000001-000030", "S00000001-100030"
MP3, COPY = "S00000001-300020", "S00000001-200000"
SMART = "S00000000-200030"


def problems(outputs, *, ancestors=("Start",), templates=no_templates, **parameters):
    wire = {"OutputBucket": "out-bucket", "Outputs": outputs} | parameters
    read = TranscodeParameters.model_validate({k: v for k, v in wire.items() if v is not None})
    around = Neighbourhood(
        name="hd",
        ancestor_types=ancestors,
        templates=templates,
    )
    return list(Transcode().check(read, around))


def found(template, **fields):
    """Code and pointer of each problem of one output."""
    output = {"OutputObject": "a/{FileName}", "TemplateId": template} | fields
    return [(p.code, p.pointer.removeprefix("/Outputs/0")) for p in problems([output])]


def test_a_plain_output_has_no_problems():
    assert problems([{"OutputObject": "a/{FileName}", "TemplateId": MP4}]) == []


def test_each_output_may_come_as_a_string():
    output = json.dumps({"OutputObject": "a", "TemplateId": MP4, "Video": '{"Codec": "H.266"}'})
    with pytest.raises(ValidationError) as caught:
        problems([output])
    (error,) = caught.value.errors()
    assert error["loc"] == ("Outputs", 0, "Video", "Codec")


def test_every_problem_of_every_output_is_told_with_pointer_and_remedy():
    told = problems(
        [
            {"OutputObject": "../{Nope}", "TemplateId": "S00000001-20003"},
            {
                "OutputObject": "b",
                "TemplateId": MP4,
                "Video": {"Codec": "H.265", "Profile": "main", "Preset": "slow"},
                "Audio": {"Codec": "MP3", "Samplerate": "96000"},
            },
        ],
        OutputBucket=None,
    )
    assert [(p.code, p.pointer) for p in told] == [
        (Code.NULL_VALUE, "/OutputBucket"),
        (Code.INVALID, "/Outputs/0/OutputObject"),
        (Code.OBJECT_KEY, "/Outputs/0/OutputObject"),
        (Code.TEMPLATE_NOT_FOUND, "/Outputs/0/TemplateId"),
        (Code.NOT_SUPPORTED, "/Outputs/1/Video/Profile"),
        (Code.NOT_SUPPORTED, "/Outputs/1/Video/Preset"),
        (Code.NOT_SUPPORTED, "/Outputs/1/Audio/Samplerate"),
    ]
    assert all(problem.remedy for problem in told)


@pytest.mark.parametrize(
    ("template", "fields", "expected"),
    [
        (FLV, {"Video": {"Codec": "H.265"}}, (Code.NOT_SUPPORTED, "/Video/Codec")),
        (MP4, {"Container": {"Format": "m4a"}}, (Code.NOT_SUPPORTED, "/Container/Format")),
        (
            MP3,
            {"Audio": {"Codec": "AAC"}},
            (Code.NOT_SUPPORTED, "/Audio/Codec"),
        ),
        (
            MP3,
            {"Container": {"Format": "mp4"}},  # MP3 alone in mp4
            (Code.NOT_SUPPORTED, "/TemplateId"),
        ),
        (
            FLV,
            {"Audio": {"Codec": "MP3", "Samplerate": "48000"}},
            (Code.NOT_SUPPORTED, "/Audio/Samplerate"),
        ),
        (MP3, {"Audio": {"Channels": "6"}}, (Code.OUT_OF_RANGE, "/Audio/Channels")),
        (MP4, {"Audio": {"Channels": "3"}}, (Code.OUT_OF_RANGE, "/Audio/Channels")),
        (MP3, {"Audio": {"Bitrate": "321"}}, (Code.OUT_OF_RANGE, "/Audio/Bitrate")),
        (MP3, {"Audio": {"Profile": "aac_low"}}, (Code.NOT_SUPPORTED, "/Audio/Profile")),
        (
            MP4,
            {"Video": {"Profile": "high", "PixFmt": "yuv444p"}},
            (Code.NOT_SUPPORTED, "/Video/Profile"),
        ),
        (
            MP4,
            {"Video": {"Profile": "baseline", "ScanMode": "interlaced"}},
            (Code.NOT_SUPPORTED, "/Video/ScanMode"),
        ),
        (
            MP4,
            {"Video": {"Codec": "H.265", "ScanMode": "interlaced"}},
            (Code.NOT_SUPPORTED, "/Video/ScanMode"),
        ),
        (MP3, {"Audio": {"Codec": "VORBIS"}}, (Code.NOT_SUPPORTED, "/Audio/Codec")),
        (
            MP3,
            {"Container": {"Format": "ogg"}, "Audio": {"Codec": "VORBIS", "Samplerate": "96000"}},
            (Code.NOT_SUPPORTED, "/Audio/Samplerate"),
        ),
        (
            MP3,
            {"Container": {"Format": "ogg"}, "Audio": {"Codec": "VORBIS", "Bitrate": "600"}},
            (Code.OUT_OF_RANGE, "/Audio/Bitrate"),
        ),
        (
            MP3,
            {"Container": {"Format": "flac"}, "Audio": {"Codec": "FLAC", "Bitrate": "600"}},
            (Code.NOT_SUPPORTED, "/Audio/Bitrate"),
        ),
        (MP4, {"Container": {"Format": "gif"}}, (Code.NOT_SUPPORTED, "/TemplateId")),
        (MP4, {"Video": {"Codec": "GIF"}}, (Code.NOT_SUPPORTED, "/Video/Codec")),
        (
            MP4,
            {"Container": {"Format": "gif"}, "Video": {"Codec": "GIF", "Crf": "20"}},
            (Code.NOT_SUPPORTED, "/Video/Crf"),
        ),
        (
            MP4,
            {"Container": {"Format": "webp"}, "Video": {"Codec": "WEBP"}, "Audio": {"Bitrate": 64}},
            (Code.NOT_SUPPORTED, "/Audio"),
        ),
        (MP4, {"Video": {"PixFmt": "bgr8"}}, (Code.NOT_SUPPORTED, "/Video/PixFmt")),
        (MP4, {"MuxConfig": {"Gif": {"Loop": 1}}}, (Code.NOT_SUPPORTED, "/MuxConfig/Gif")),
        (
            MP4,
            {"Container": {"Format": "mpd"}, "MuxConfig": {"Segment": {"ForceSegTime": "1"}}},
            (Code.NOT_SUPPORTED, "/MuxConfig/Segment"),
        ),
        (HLS, {"Video": {"Codec": "AV1"}}, (Code.NOT_SUPPORTED, "/Video/Codec")),
        (
            MP4,
            {"Video": {"Codec": "AV1"}, "TransConfig": {"TransMode": "twopass"}},
            (Code.NOT_SUPPORTED, "/TransConfig/TransMode"),
        ),
        (
            MP4,
            {"Video": {"Codec": "AV1", "Maxrate": "9000"}},
            (Code.NOT_SUPPORTED, "/Video/Maxrate"),
        ),
        (MP4, {"Video": {"Pad": "640:360:640:0"}}, (Code.OUT_OF_RANGE, "/Video/Pad")),
        (
            MP4,
            {"Video": {"Crf": "20"}, "TransConfig": {"TransMode": "twopass"}},
            (Code.NOT_SUPPORTED, "/TransConfig/TransMode"),
        ),
        (
            MP4,
            {"Video": {"Crf": "20"}, "TransConfig": {"TransMode": "CBR"}},
            (Code.NOT_SUPPORTED, "/TransConfig/TransMode"),
        ),
        (
            MP4,
            {"MuxConfig": {"Segment": {"Duration": "4"}}},
            (Code.NOT_SUPPORTED, "/MuxConfig/Segment"),
        ),
        (MP4, {"Video": {"Remove": "true"}, "Audio": {"Remove": "true"}}, (Code.INVALID, "")),
        (COPY, {"Video": {"Width": "640"}}, (Code.NOT_SUPPORTED, "/Video/Width")),
        (COPY, {"Audio": {"Bitrate": "64"}}, (Code.NOT_SUPPORTED, "/Audio/Bitrate")),
        (
            COPY,
            {"TransConfig": {"TransMode": "twopass"}},
            (Code.NOT_SUPPORTED, "/TransConfig/TransMode"),
        ),
        (SMART, {}, (Code.TEMPLATE_NOT_SUPPORTED, "/TemplateId")),
    ],
)
def test_what_may_not_stand_together_is_refused(template, fields, expected):
    assert found(template, **fields) == [expected]


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        (MP4, {"Video": {"Codec": "H.265"}}),
        (FLV, {"Audio": {"Codec": "MP3", "Samplerate": "22050"}}),
        (MP3, {"Container": {"Format": "m4a"}, "Audio": {"Codec": "AAC", "Channels": "6"}}),
        (MP4, {"Video": {"Remove": "true"}, "Container": {"Format": "m4a"}}),
        (HLS, {"Container": {"Format": "hls"}, "MuxConfig": {"Segment": {"Duration": "60"}}}),
        (COPY, {"Audio": {"Remove": "true"}, "TransConfig": {"TransMode": "onepass"}}),
        (MP4, {"TransConfig": {"TransMode": "twopass"}}),
        (MP4, {"Video": {"PixFmt": "yuv422p10le"}}),
    ],
)
def test_what_may_stand_together_is_accepted(template, fields):
    assert found(template, **fields) == []


def test_hls_with_mp3_sound_is_a_warning():
    output = {"OutputObject": "a", "TemplateId": HLS, "Audio": {"Codec": "MP3"}}
    (problem,) = problems([output])
    assert problem.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("audio", "warned"),
    [
        ({"Bitrate": "530"}, True),
        ({"Bitrate": "529"}, False),
        ({"Bitrate": "1000", "Channels": "6"}, False),
        ({"Bitrate": "140", "Channels": "1", "Samplerate": "22050"}, True),
    ],
)
def test_more_than_aac_can_hold_is_a_warning(audio, warned):
    found = problems([{"OutputObject": "a", "TemplateId": MP4, "Audio": audio}])
    assert [(p.pointer, p.severity) for p in found] == (
        [("/Outputs/0/Audio/Bitrate", Severity.WARNING)] if warned else []
    )


def test_an_intelligent_template_is_fine_behind_an_analysis():
    output = {"OutputObject": "a", "TemplateId": SMART}
    assert problems([output], ancestors=("Start", "Analysis")) == []


def test_a_package_replaces_the_bucket_and_subtitles_need_no_outputs():
    told = problems(
        None,
        ancestors=("PackageConfig",),
        OutputBucket=None,
        WebVTTSubtitleURL="http://a.oss-x.aliyuncs.com/b.vtt",
    )
    assert told == []


def test_outputs_are_needed_otherwise():
    assert [(p.code, p.pointer) for p in problems(None)] == [(Code.NULL_VALUE, "/Outputs")]


def test_two_outputs_of_one_name_and_container_collide():
    outputs = [
        {"OutputObject": "a%2F{FileName}", "TemplateId": MP4},
        {"OutputObject": "a/{FileName}", "TemplateId": HLS},
        {"OutputObject": "a/{FileName}", "TemplateId": "S00000001-200010"},
    ]
    assert [(p.code, p.pointer) for p in problems(outputs)] == [
        (Code.INVALID, "/Outputs/2/OutputObject")
    ]


PART = {"MergeURL": "oss://b/part.mp4"}


@pytest.mark.parametrize(
    ("template", "fields", "expected"),
    [
        (
            MP4,
            {"MergeList": [PART], "MergeConfigUrl": "oss://b/parts.json"},
            (Code.INVALID, "/MergeConfigUrl"),
        ),
        (COPY, {"MergeList": [PART]}, (Code.NOT_SUPPORTED, "/MergeList")),
        (COPY, {"MergeConfigUrl": "oss://b/l"}, (Code.NOT_SUPPORTED, "/MergeConfigUrl")),
        (COPY, {"Amix": [{"AmixURL": "input"}]}, (Code.NOT_SUPPORTED, "/Amix")),
        (COPY, {"OpeningList": [{"openUrl": "oss://b/o"}]}, (Code.NOT_SUPPORTED, "/OpeningList")),
        (
            COPY,
            {"TailSlateList": [{"TailUrl": "oss://b/t"}]},
            (Code.NOT_SUPPORTED, "/TailSlateList"),
        ),
    ],
)
def test_what_cannot_be_joined(template, fields, expected):
    assert found(template, **fields) == [expected]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"MergeList": [PART] * 5}, Code.OUT_OF_RANGE),
        ({"MergeList": []}, Code.EMPTY_VALUE),
        ({"MergeList": [PART | {"Duration": "0"}]}, Code.OUT_OF_RANGE),
        ({"MergeList": [{"MergeURL": "http://example.com/a.mp4"}]}, Code.RESOURCE_NOT_SUPPORTED),
        ({"Amix": [{"AmixURL": "output"}]}, Code.RESOURCE_NOT_SUPPORTED),
        ({"Amix": [{"AmixURL": "input", "MixDurMode": "shortest"}]}, Code.INVALID),
        ({"OpeningList": [{"OpenUrl": "oss://b/o", "Width": "4096"}]}, Code.OUT_OF_RANGE),
        ({"OpeningList": [{"OpenUrl": "oss://b/o", "Height": "half"}]}, Code.FORMAT),
        ({"TailSlateList": [{"TailUrl": "oss://b/t", "BgColor": "nice"}]}, Code.INVALID),
    ],
)
def test_fields_of_what_is_joined(fields, code):
    with pytest.raises(ValidationError) as caught:
        found(MP4, **fields)
    assert [error["type"] for error in caught.value.errors()] == [code]


def test_counters_of_pictures_are_no_placeholders_here():
    output = {"OutputObject": "a-{Count}-{DestMd5}", "TemplateId": MP4}
    (problem,) = problems([output])
    assert '"{Count}"' in problem.message and "{DestMd5}" in problem.remedy


def test_what_the_specification_has_and_this_version_has_not_is_listed_by_name():
    spec = {"WaterMarkConfigUrl", "DigiWaterMark", "SuperReso"}
    assert spec <= TranscodeOutput.later


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ({"Outputs": "[]"}, Code.EMPTY_VALUE),
        ({"Outputs": [{"OutputObject": "a", "TemplateId": "t"}] * 31}, Code.OUT_OF_RANGE),
        ({"Outputs": "{"}, Code.JSON_ARRAY_FORMAT),
        ({"OutputBucket": "bad/bucket"}, Code.BUCKET_NAME),
    ],
)
def test_limits_of_the_activity(wire, code):
    with pytest.raises(ValidationError) as caught:
        TranscodeParameters.model_validate(wire)
    assert [error["type"] for error in caught.value.errors()] == [code]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("Priority", "0", Code.OUT_OF_RANGE),
        ("Priority", "11", Code.OUT_OF_RANGE),
        ("UserData", "x" * 1025, Code.OUT_OF_RANGE),
        ("AudioStreamMap", "0:v:0", Code.FORMAT),
        ("Video", "{", Code.JSON_OBJECT_FORMAT),
    ],
)
def test_limits_of_an_output(field, value, code):
    wire = {"OutputObject": "a", "TemplateId": "t", field: value}
    with pytest.raises(ValidationError) as caught:
        TranscodeOutput.model_validate(wire)
    assert [error["type"] for error in caught.value.errors()] == [code]


def test_the_name_of_an_output_has_an_alias():
    assert TranscodeOutput.model_validate({"Object": "a", "TemplateId": "t"}).output_object == "a"
