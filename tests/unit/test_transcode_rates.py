"""Bit rates, sizes and fields that stand in each other's way."""

import pytest
from pydantic import ValidationError

from tests.support.transcode_plans import MP3, MP4, encoding, failure, media, rendition, step_of
from tests.unit.test_transcode_check import found
from workflow_engine.errors import Code
from workflow_engine.topology import problems_of

HLS, FLV = "S00000001-100030", "S00000001-000030"
MP3_320 = "S00000001-300050"
CBR = {"TransMode": "CBR"}


@pytest.mark.parametrize(
    ("template", "fields", "expected"),
    [
        (HLS, {"Audio": {"Channels": "8"}}, [(Code.NOT_SUPPORTED, "/Audio/Channels")]),
        (
            MP4,
            {"Audio": {"Channels": "8"}, "Container": {"Format": "ts"}},
            [(Code.NOT_SUPPORTED, "/Audio/Channels")],
        ),
        (MP4, {"Audio": {"Channels": "8"}}, []),
        (FLV, {"Audio": {"Channels": "8"}}, []),
        (HLS, {"Audio": {"Channels": "6"}}, []),
        (
            MP3,
            {"Audio": {"Samplerate": "22050", "Bitrate": "192"}},
            [(Code.OUT_OF_RANGE, "/Audio/Bitrate")],
        ),
        (MP3, {"Audio": {"Bitrate": "31"}}, [(Code.OUT_OF_RANGE, "/Audio/Bitrate")]),
        (MP3, {"Audio": {"Samplerate": "22050", "Bitrate": "8"}}, []),
        (MP3_320, {"Audio": {"Samplerate": "22050"}}, []),
        (MP4, {"Video": {"Maxrate": "1799"}}, [(Code.OUT_OF_RANGE, "/Video/Maxrate")]),
        (MP4, {"Video": {"Maxrate": "1800"}}, []),
        (MP4, {"Video": {"Maxrate": "100", "Crf": "23"}}, []),
        (
            MP4,
            {"Video": {"Maxrate": "9000"}, "TransConfig": CBR},
            [(Code.NOT_SUPPORTED, "/Video/Maxrate")],
        ),
    ],
)
def test_rates_that_cannot_be(template, fields, expected):
    assert found(template, **fields) == expected


def test_a_template_s_rate_gives_way_to_the_sample_rate_and_the_summary_says_so():
    step = step_of(MP3_320, Audio={"Samplerate": "22050"})
    assert step.outputs[0].summary == "mp3 mp3 160k"
    sound = rendition(MP3_320).sound
    assert sound and sound.encoding and sound.encoding.bitrate == 320


def test_what_has_no_effect_makes_no_other_output():
    assert step_of(Video={"Bufsize": "2000"}).identity == step_of().identity
    limited = {"Maxrate": "2000"}
    assert encoding(Video=limited).bufsize == 6000
    assert encoding(TransConfig=CBR).bufsize == 6000
    other = step_of(Video=limited | {"Bufsize": "2000"}).identity
    assert other != step_of(Video=limited).identity


SMALL = {"width": 1278, "height": 719}


@pytest.mark.parametrize(
    ("video", "larger"),
    [
        ({}, True),  # the template's 1280 against 1278
        ({"Width": "1278"}, False),
        ({"Width": "1276"}, False),
        ({"Width": "640", "Height": "720"}, True),
        ({"Width": "640", "Height": "719"}, False),
        ({"Width": "1278", "Height": "719", "LongShortMode": "true"}, False),
    ],
)
def test_a_given_side_is_judged_as_it_is(video, larger):
    rule = {"IsCheckResoFail": "true"}
    if larger:
        error = failure(Video=video, TransConfig=rule, source=media(**SMALL))
        assert error.code == Code.OUT_OF_RANGE and "IsCheckResoFail" in error.message
    else:
        assert encoding(Video=video, TransConfig=rule, source=media(**SMALL))
    warned = step_of(Video=video, source=media(**SMALL)).warnings
    assert [warning.code for warning in warned] == [Code.UPSCALE] * larger


def test_fast_sources_are_brought_down():
    fast = encoding(source=media(avg_frame_rate="480/1"))
    assert fast.rate == 60
    assert "fps=fps=60:start_time=0" in [str(step) for step in fast.filters]


def test_the_source_s_rate_is_none_that_the_codec_has_not():
    source = media(video=False, container="ogg")
    source["Probe"]["streams"][0] |= {"codec_name": "vorbis", "bit_rate": "40000"}
    vorbis = {"Container": {"Format": "ogg"}, "Audio": {"Codec": "VORBIS"}}
    rule = {"TransConfig": {"IsCheckAudioBitrate": "true"}}
    sound = rendition(MP3, source=source, **vorbis, **rule).sound
    assert sound and sound.encoding and sound.encoding.bitrate == 45


def test_one_moment_has_one_key():
    region = [{"l": 10, "t": 10, "w": 10, "h": 10}]
    assert found(MP4, DeWatermark={"0": region, "1000": []}) == []
    with pytest.raises(ValidationError) as caught:
        found(MP4, DeWatermark={"0": region, "00": region})
    (problem,) = problems_of(caught.value)
    assert (problem.code, problem.pointer) == (Code.INVALID, "/Outputs/0/DeWatermark")
