"""What a source promises, and what it cannot give: durations, limits, copies, cuts."""

import pytest

from tests.support.transcode_plans import (
    COPY,
    FLV_COPY,
    HLS,
    HLS_COPY,
    MP3,
    MP4,
    failure,
    media,
    option,
    rendition,
    step_of,
)
from workflow_engine.errors import Code

MKV = "matroska,webm"
SILENT = {"Audio": {"Remove": "true"}}


def lengths(container, *, total="60.0", video=None, audio=None, **more):
    """A source whose streams have these durations; None: none of their own."""
    source = media(container=container, **more)
    form, streams = source["Probe"]["format"], source["Probe"]["streams"]
    form["duration"] = total
    for stream, own in zip(streams, (video, audio), strict=True):
        stream.pop("duration")
        if own:
            stream["duration"] = own
    return source


@pytest.mark.parametrize(
    ("template", "fields", "source", "expected"),
    [
        # all streams have their own
        (MP3, {}, lengths(MKV, video="60", audio="20"), (20, True)),
        (MP4, SILENT, lengths(MKV, video="20", audio="60"), (20, True)),
        (MP4, {}, lengths(MKV, video="20", audio="60"), (60, True)),
        # the container's may be that of the stream which is left out
        (MP3, {}, lengths("flv"), (60, False)),
        (MP4, SILENT, lengths("flv"), (60, False)),
        (MP4, {}, lengths("flv"), (60, True)),
        (MP4, {}, lengths(MKV, audio="60"), (60, True)),
        (MP4, {}, lengths(MKV, total=None), (None, False)),
        # one number for all streams, which ffprobe repeats
        (MP3, {}, lengths("asf", video="60", audio="60"), (60, False)),
        (MP3, {}, media(video=False, container="aac"), (60, False)),
    ],
)
def test_how_long_an_output_will_be(template, fields, source, expected):
    found = rendition(template, source=source, **fields)
    assert (found.duration, found.exact) == expected


def test_a_late_stream_s_tag_tells_nothing():
    source = lengths(MKV, audio="60")
    source["Probe"]["streams"][0] |= {
        "start_time": "2.0",
        "tags": {"DURATION": "00:01:00.000000000"},
    }
    assert not rendition(MP4, source=source, **SILENT).exact
    source["Probe"]["streams"][0] |= {"start_time": "0.0"}
    assert rendition(MP4, source=source, **SILENT).exact


def test_a_guess_limits_nothing():
    known = step_of(MP3, source=media(video=False))
    assert float(option(known, "-t") or 0) == pytest.approx(76)
    guess = step_of(MP3, source=media(video=False, container="mp3"))
    assert float(option(guess, "-t") or 0) == 3600 + 30_000_000 / 125
    counted = media(video=False, container="mp3")
    counted["Probe"]["counted"] = True
    assert float(option(step_of(MP3, source=counted), "-t") or 0) == pytest.approx(76)
    assert rendition(MP3, source=counted).exact


@pytest.mark.parametrize("container", ["avi", "h264"])
def test_frames_out_of_order_are_not_copied_without_their_times(container):
    source = media(container=container, has_b_frames=2)
    error = failure(TemplateId=COPY, source=source)
    assert error.code == Code.RESOURCE_NOT_SUPPORTED and "B-frames" in error.message
    assert rendition(COPY, source=media(container=container, has_b_frames=0)).copy
    assert rendition(COPY, source=media(has_b_frames=2)).copy
    assert rendition(MP4, source=source)


@pytest.mark.parametrize("template", [FLV_COPY, HLS_COPY])
def test_a_turned_picture_is_not_copied_where_it_would_lie(template):
    turned = media(side_data_list=[{"rotation": 90}])
    error = failure(TemplateId=template, source=turned)
    assert error.code == Code.RESOURCE_NOT_SUPPORTED and "turned by 270" in error.message
    assert rendition(COPY, source=turned).copy and rendition(template).copy


def test_cuts_stay_within_what_a_command_can_hold():
    day = media(duration="86400.0")
    rule = {"ForceSegTime": "5.25"}
    error = failure(TemplateId=HLS, source=day, MuxConfig={"Segment": rule | {"Duration": "1"}})
    assert error.code == Code.OUT_OF_RANGE and "at least 9" in error.remedy
    step = step_of(HLS, source=day, MuxConfig={"Segment": rule | {"Duration": "9"}})
    for name in ("-segment_times", "-force_key_frames"):
        times = option(step, name) or ""
        assert times.startswith("5.25,9,18,") and len(times) < 128 << 10


def test_cuts_follow_the_picture():
    source = media(duration="20.0")
    rule = {"Segment": {"Duration": "10", "ForceSegTime": "5"}}
    assert rendition(HLS, source=source, MuxConfig=rule).cuts == (5.0, 10.0)
    hardly = media(duration="20.02")
    assert rendition(HLS, source=hardly, MuxConfig=rule).cuts == (5.0, 10.0)


def test_cuts_at_intervals_need_a_length():
    source = lengths(MKV, total=None)
    rule = {"Segment": {"Duration": "10", "ForceSegTime": "5"}}
    error = failure(TemplateId=HLS, source=source, MuxConfig=rule)
    assert (error.code, error.pointer) == (
        Code.RESOURCE_NOT_SUPPORTED,
        "/Outputs/0/MuxConfig/Segment",
    )
    only = {"Segment": {"ForceSegTime": "5"}}
    assert rendition(HLS, source=source, MuxConfig=only).cuts == (5.0,)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"Video": {"Crop": "1918:1080:4:0"}}, "/Outputs/0/Video/Crop"),
        ({"Video": {"Pad": "16:16:0:0"}}, "/Outputs/0/Video/Pad"),
    ],
)
def test_what_does_not_fit_the_picture_is_named(fields, pointer):
    assert failure(TemplateId=MP4, source=media(), **fields).pointer == pointer


def test_fine_colours_are_lost_beside_blurred_regions():
    region = {"0": [{"l": 10, "t": 10, "w": 10, "h": 10}]}
    for pix_fmt, warned in (("yuv420p", False), ("yuv420p10le", True)):
        step = step_of(MP4, Video={"PixFmt": pix_fmt}, DeWatermark=region)
        assert ("/Outputs/0/DeWatermark" in [one.pointer for one in step.warnings]) == warned
