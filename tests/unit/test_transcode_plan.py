"""Plans: resolved numbers, commands, keys and skips, on made-up media; nothing is encoded."""

from fractions import Fraction

import pytest

from activities.probe import MediaInfo
from activities.transcode import Transcode
from activities.transcode.model.naming import finish_key
from activities.transcode.resolve.picture import frame_rate
from activities.transcode.result.playlist import named_playlist, segment_key
from tests.support.context import RUN_ID
from tests.support.transcode_plans import (
    COPY,
    FLV,
    FLV_COPY,
    HLS,
    HLS_COPY,
    MP3,
    MP4,
    SMART,
    SMART_HD,
    encoding,
    failure,
    media,
    option,
    own_filters,
    plan,
    rendition,
    step_of,
)
from workflow_engine.activity import Skip, Step, StepResult
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Digests, ObjectRef, Output


def test_a_static_preset_becomes_numbers():
    step = step_of()
    (output,) = step.outputs
    assert output.ref.bucket == "out-bucket" and output.ref.location == "local"
    assert output.ref.object == f"{RUN_ID}/in.mp4"
    assert output.summary == "mp4 1280x720 h264 1800k + aac 128k"
    assert output.size_estimate == round((1800 + 128) * 1000 / 8 * 60)
    assert not step.warnings


def test_the_command_is_the_one_that_will_run_in_the_work_directory():
    step = step_of()
    (argv,) = step.commands
    assert "file:source.mov" in argv and argv[-1] == "0.mp4"
    assert option(step, "-b:v") == "1800k" and option(step, "-b:a") == "128k"
    assert option(step, "-c:v") == "libx264" and option(step, "-preset") == "medium"
    assert option(step, "-profile:v") == "high" and option(step, "-pix_fmt") == "yuv420p"
    assert option(step, "-ar") == "44100" and option(step, "-ch_layout") == "stereo"
    assert option(step, "-movflags") == "+faststart"
    assert option(step, "-g") == "250"
    assert "-protocol_whitelist" in argv[: argv.index("-i")]


@pytest.mark.parametrize(
    ("template", "name", "key"),
    [
        (MP4, "x/{FileName}", "x/c.mp4"),
        (MP4, "x/{FileName}.mp4", "x/c.mp4.mp4"),  # appended always
        (FLV, "{FileName}.{ExtName}", "c.mov.flv"),
        (HLS, "x%2F{FileName}", "x/c.m3u8"),
        (HLS, "x/{FileName}.m3u8", "x/c.m3u8"),
        (MP3, "{ObjectPrefix}{FileName}", "a/b/c.mp3"),
        (MP4, "{ObjectPrefix}/{FileName}-{DestMd5}", "a/b/c-{DestMd5}.mp4"),
        (MP4, "%2B{FileName}%20x", "+c x.mp4"),
    ],
)
def test_object_keys(template, name, key):
    step = plan({"OutputObject": name, "TemplateId": template}, key="a/b/c.mov")
    assert isinstance(step, Step)
    assert step.outputs[0].ref.object == key


def test_a_key_that_cannot_be_stored_fails_with_its_code():
    assert failure(name="x" * 300).code == Code.OBJECT_KEY


def test_names_of_segments_and_late_placeholders():
    assert segment_key("a/b.m3u8", 12) == "a/b-00012.ts"
    assert finish_key("a-{DestMd5}-{DestAvgBitrate}.mp4", md5s=["ff"], bitrate_kbps=12.6) == (
        "a-ff-13.mp4"
    )


def test_the_files_of_an_equal_step_get_the_names_of_this_one():
    step = plan(
        {"OutputObject": "new/{FileName}", "TemplateId": HLS},
        {"OutputObject": "new/{DestMd5}-{DestAvgBitrate}", "TemplateId": MP4},
    )
    assert isinstance(step, Step)
    old = [("x-00001.ts", "01"), ("x-00002.ts", "02"), ("y.mp4", "03"), ("x.m3u8", "04")]
    finished = StepResult(
        data={
            "Outputs": [
                {"Files": ["-00001.ts", "-00002.ts"], "Bitrate": 5.0},
                {"Files": [], "Bitrate": 99.7},
            ]
        },
        outputs=tuple(
            Output(
                ref=ObjectRef(bucket="old", object=f"old/{name}"),
                place=f"/old/{name}",
                digests=Digests(size=1, sha256="", md5=md5),
            )
            for name, md5 in old
        ),
    )
    refs = Transcode().renamed(step, finished)
    assert [ref.object for ref in refs] == [
        "new/in-00001.ts",
        "new/in-00002.ts",
        "new/03-100.mp4",
        "new/in.m3u8",
    ]
    assert {ref.bucket for ref in refs} == {"out-bucket"}


def test_a_playlist_gets_its_names_as_relative_uris():
    text = "#EXTM3U\n#EXTINF:2,\n0-00001.ts\n#EXT-X-ENDLIST\n"
    named = named_playlist(text, "a/50% off: été #1.m3u8")
    assert named.splitlines()[2] == "50%25 off%3A été %231-00001.ts"
    assert named.splitlines()[0] == "#EXTM3U" and named.splitlines()[-1] == "#EXT-X-ENDLIST"


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (25, Fraction(25)),
        (29.97, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (30, Fraction(30)),
        (12.5, Fraction(25, 2)),
    ],
)
def test_decimal_frame_rates_are_exact_fractions(value, rate):
    assert frame_rate(value) == rate


@pytest.mark.parametrize(
    ("source", "video", "rate"),
    [
        (("25/1", "25/1"), {}, Fraction(25)),
        (("30000/1001", "30000/1001"), {}, Fraction(30000, 1001)),
        (("120/1", "120/1"), {}, Fraction(60)),
        (("25/1", "25/1"), {"Fps": "12.5"}, Fraction(25, 2)),
        # a phone; a screen recording; a clock that is no rate; fields; soft telecine; a slide show
        (("29520/1003", "30/1"), {}, Fraction(30)),
        (("2997/100", "30000/1001"), {}, Fraction(30000, 1001)),
        (("5/1", "60/1"), {}, Fraction(60)),
        (("2671/100", "1000/1"), {}, Fraction(268, 10)),
        (("2991/100", "90000/1"), {}, Fraction(30)),
        (("25/1", "50/1"), {}, Fraction(25)),
        (("24000/1001", "60000/1001"), {}, Fraction(24000, 1001)),
        (("1/2", "1/2"), {}, Fraction(10)),
        (("3/1", "3/1"), {}, Fraction(12)),
        (("1/2", "1/2"), {"Fps": "1"}, Fraction(1)),
    ],
)
def test_the_frame_rate_is_constant_and_the_source_s_unless_given(source, video, rate):
    average, base = source
    found = encoding(Video=video, source=media(avg_frame_rate=average, r_frame_rate=base))
    assert found.rate == rate
    (step,) = [str(f) for f in found.filters if f.name == "fps"]
    assert step == f"fps=fps={rate}:start_time=0"


@pytest.mark.parametrize(
    ("video", "rate", "gop", "every"),
    [
        ({}, "25/1", 250, Fraction(10)),
        ({}, "30000/1001", 300, Fraction(10)),
        ({"Gop": "2.5s"}, "25/1", 63, Fraction(5, 2)),
        ({"Gop": "48"}, "25/1", 48, None),
    ],
)
def test_gop_in_seconds_and_frames(video, rate, gop, every):
    found = encoding(Video=video, source=media(avg_frame_rate=rate))
    assert (found.gop, found.key_every) == (gop, every)


def test_hls_segments_begin_with_key_frames():
    made = rendition(HLS, Video={"Gop": "48"}, MuxConfig={"Segment": {"Duration": "4"}})
    assert made.segment == 4 and made.picture and made.picture.encoding
    assert (made.picture.encoding.gop, made.picture.encoding.key_every) == (48, 4)
    assert encoding(HLS).key_every == 10


def test_forced_cuts_replace_the_segment_length_or_join_it():
    alone = rendition(HLS, MuxConfig={"Segment": {"ForceSegTime": "55,23.5"}})
    assert (alone.segment, alone.cuts) == (None, (23.5, 55.0))
    both = rendition(HLS, MuxConfig={"Segment": {"Duration": "20", "ForceSegTime": "23.5"}})
    assert both.cuts == (20.0, 23.5, 40.0)
    assert both.picture and both.picture.encoding
    assert both.picture.encoding.key_times == both.cuts


@pytest.mark.parametrize(
    ("video", "bitrate", "crf"),
    [
        ({}, 1800, None),
        ({"Crf": "20"}, None, 20),
        ({"Crf": "20", "Bitrate": "500"}, None, 20),
        ({"Bitrate": "500"}, 500, None),
    ],
)
def test_crf_outweighs_the_bit_rate(video, bitrate, crf):
    found = encoding(Video=video)
    assert (found.bitrate, found.crf) == (bitrate, crf)


def test_maxrate_comes_with_a_buffer():
    step = step_of(Video={"Maxrate": "2000", "Crf": "23"})
    assert (option(step, "-maxrate"), option(step, "-bufsize")) == ("2000k", "6000k")
    assert option(step_of(Video={"Bufsize": "8000"}), "-bufsize") is None


def test_h265_has_its_own_options():
    step = step_of(Video={"Codec": "H.265"})
    assert option(step, "-c:v") == "libx265" and option(step, "-tag:v") == "hvc1"
    assert option(step, "-preset") is None and option(step, "-profile:v") is None
    assert "open-gop=0" in (option(step, "-x265-params") or "")
    assert option(step_of(HLS, Video={"Codec": "H.265"}), "-tag:v") is None


def test_a_pixel_format_beyond_the_default_profile_drops_the_default_only():
    assert encoding(Video={"PixFmt": "yuv422p"}).profile is None
    assert encoding(Video={"Profile": "main"}).profile == "main"


def test_two_passes_are_two_processes_and_shared_for_one_picture_only():
    step = step_of(TransConfig={"TransMode": "twopass"})
    assert [option(step, "-pass", n) for n in range(2)] == ["1", "2"]
    assert option(step, "-f") == "null" and option(step, "-c:a") is None
    assert option(step, "-passlogfile") == option(step, "-passlogfile", 1)
    assert step.share == step_of(HLS, TransConfig={"TransMode": "twopass"}).share
    assert step.share != step_of().share


def test_cbr_holds_the_rate_from_both_sides():
    step = step_of(TransConfig={"TransMode": "CBR"}, Video={"Bufsize": "3000"})
    rates = [option(step, f"-{name}") for name in ("b:v", "minrate", "maxrate", "bufsize")]
    assert rates == ["1800k", "1800k", "1800k", "3000k"]
    assert option(step, "-x264-params") == "nal-hrd=cbr"


SMALL = {"width": 640, "height": 360}


def test_a_larger_size_is_used_and_warned_of():
    step = step_of(source=media(**SMALL))
    (warning,) = step.warnings
    assert warning.code == Code.UPSCALE and warning.pointer == "/Outputs/0/TemplateId"
    assert "1280x720" in warning.message and "640x360" in warning.message
    given = step_of(source=media(**SMALL), Video={"Height": "800"})
    assert given.warnings[0].pointer == "/Outputs/0/TemplateId"  # the width is the template's
    given = step_of(source=media(**SMALL), Video={"Width": "800"})
    assert given.warnings[0].pointer == "/Outputs/0/Video/Width"


def test_is_check_reso_takes_the_source_s_size_without_a_warning():
    step = step_of(source=media(**SMALL), TransConfig={"IsCheckReso": "true"})
    assert "640x360" in step.outputs[0].summary and not step.warnings
    assert "1280x720" in step_of(TransConfig={"IsCheckReso": "true"}).outputs[0].summary


def test_is_check_reso_fail_is_stronger():
    rules = {"IsCheckReso": "true", "IsCheckResoFail": "True"}
    error = failure(source=media(**SMALL), TransConfig=rules)
    assert error.code == Code.OUT_OF_RANGE and "Video.Width" in error.message
    assert error.pointer == "/Outputs/0/TemplateId"
    assert step_of(TransConfig=rules).outputs


def test_is_check_video_bitrate():
    slow = media(bit_rate="700000")
    assert encoding(source=slow).bitrate == 1800
    assert encoding(source=slow, TransConfig={"IsCheckVideoBitrate": "true"}).bitrate == 700
    error = failure(source=slow, TransConfig={"IsCheckVideoBitrateFail": "true"})
    assert error.code == Code.OUT_OF_RANGE and "Video.Bitrate" in error.message
    assert encoding(TransConfig={"IsCheckVideoBitrateFail": "true"}).bitrate == 1800


def test_is_check_audio_bitrate_resets_between_equal_codecs_only():
    rule = {"IsCheckAudioBitrate": "true"}
    sound = rendition(TransConfig=rule).sound
    assert sound and sound.encoding and sound.encoding.bitrate == 96
    other = rendition(TransConfig=rule, Audio={"Codec": "MP3"}).sound
    assert other and other.encoding and other.encoding.bitrate == 128
    error = failure(TransConfig={"IsCheckAudioBitrateFail": "true"})
    assert error.code == Code.OUT_OF_RANGE and "Audio.Bitrate" in error.message


def test_streams_are_chosen_by_index():
    two = media(audio=2)
    chosen = rendition(source=two).sound
    assert chosen and chosen.stream == 2  # the default one
    mapped = rendition(source=two, AudioStreamMap="0:a:0").sound
    assert mapped and mapped.stream == 1
    error = failure(source=two, AudioStreamMap="0:a:2")
    assert error.code == Code.NO_AUDIO_STREAM and "0:a:2" in error.message


def test_a_silent_source_gives_video_only():
    made = rendition(source=media(audio=0))
    assert made.sound is None and made.summary == "mp4 1280x720 h264 1800k"


def test_sources_without_the_needed_stream_fail_with_their_code():
    error = failure(source=media(video=False))
    assert error.code == Code.RESOURCE_NOT_SUPPORTED
    assert error.message.startswith('The resource operated "InputFile" is not supported: it has no')
    assert failure(template=MP3, source=media(audio=0)).code == Code.NO_AUDIO_STREAM


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        (COPY, {"codec_name": "wmv3"}),
        (FLV_COPY, {"codec_name": "hevc"}),
        (HLS_COPY, {"codec_name": "vp9"}),
    ],
)
def test_a_codec_that_the_container_does_not_take_cannot_be_copied(template, fields):
    error = failure(template=template, source=media(**fields))
    assert error.code == Code.RESOURCE_NOT_SUPPORTED
    assert fields["codec_name"] in error.message


def test_a_copy_encodes_nothing_and_shares_with_nobody():
    step = step_of(COPY)
    assert step.outputs[0].summary == "mp4 1920x1080 h264 copy + aac copy"
    assert step.outputs[0].size_estimate == 30000000
    assert option(step, "-c:v") == "copy" and "-filter_complex" not in step.commands[0]
    assert step.share == ""


def test_outputs_of_one_activity_are_one_process_with_one_decoder():
    step = plan(
        {"OutputObject": "a", "TemplateId": MP4},
        {"OutputObject": "b", "TemplateId": HLS, "Video": {"Width": "640"}},
        {"OutputObject": "c", "TemplateId": MP3},
    )
    assert isinstance(step, Step)
    (argv,) = step.commands
    assert argv.count("-i") == 1
    graph = argv[argv.index("-filter_complex") + 1]
    assert graph.count("[0:0]") == 1 and "split=2" in graph
    assert {"0.mp4", "1.m3u8", "2.mp3"} <= set(argv)


def test_encodes_of_one_source_may_share_its_decoder():
    share = step_of().share
    assert share and share == step_of(MP3).share == step_of(HLS).share
    other = plan({"OutputObject": "a", "TemplateId": MP4}, key="other.mov")
    assert isinstance(other, Step) and other.share != share


def test_identity_holds_what_shapes_the_bytes_and_nothing_else():
    base = step_of().identity
    same = step_of(name="elsewhere", UserData="u", Priority="9").identity
    assert same == base
    assert step_of(Video={"Bitrate": "900"}).identity != base
    assert step_of(Audio={"Channels": "1"}).identity != base
    assert step_of(Video={"Gop": "5s"}).identity != base
    # segments are named inside the playlist
    assert step_of(HLS, name="a/x").identity == step_of(HLS, name="b/x").identity
    assert step_of(HLS, name="a/x").identity != step_of(HLS, name="a/y").identity


def analysis(*entries):
    return {"Analysis": StepResult(data={"TemplateList": list(entries)})}


ENTRY = {
    "Id": SMART,
    "Container": {"Format": "mp4"},
    "Video": {"Codec": "H.264", "Crf": "26", "Maxrate": "1000", "Bufsize": "6000", "Height": "480"},
    "Audio": {"Codec": "AAC", "Bitrate": "64"},
    "TransConfig": {"TransMode": "onepass"},
}


def test_an_intelligent_template_takes_its_sections_from_the_analysis():
    outputs = {"OutputObject": "a", "TemplateId": SMART, "Audio": {"Bitrate": "96"}}
    step = plan(outputs, upstream=analysis(ENTRY))
    assert isinstance(step, Step)
    assert step.outputs[0].summary == "mp4 854x480 h264 crf 26 + aac 96k"
    assert step.consumes == ("Analysis",)
    assert step_of().consumes == ()


def test_a_template_that_the_analysis_did_not_choose_is_skipped_with_the_reason():
    skip = plan({"OutputObject": "a", "TemplateId": SMART_HD}, upstream=analysis(ENTRY))
    assert isinstance(skip, Skip) and SMART_HD in skip.reason
    failed = plan({"OutputObject": "a", "TemplateId": SMART})
    assert isinstance(failed, Skip)


def test_of_several_outputs_only_the_chosen_ones_are_made():
    step = plan(
        {"OutputObject": "a", "TemplateId": SMART_HD},
        {"OutputObject": "b", "TemplateId": SMART},
        upstream=analysis(ENTRY),
    )
    assert isinstance(step, Step)
    assert [output.ref.object for output in step.outputs] == ["b.mp4"]
    assert [warning.pointer for warning in step.warnings] == ["/Outputs/0/TemplateId"]


def test_overrides_that_do_not_fit_an_analysis_result_fail_with_their_place():
    with pytest.raises(ActivityError) as caught:
        plan(
            {
                "OutputObject": "a",
                "TemplateId": SMART,
                "TransConfig": {"TransMode": "twopass"},
            },
            upstream=analysis(ENTRY),
        )
    assert caught.value.code == Code.NOT_SUPPORTED
    assert caught.value.pointer == "/Outputs/0/TransConfig/TransMode"


@pytest.mark.parametrize(
    ("scan", "source", "expected", "fields", "rate"),
    [
        ("auto", {"field_order": "progressive"}, ["fps"], False, 25),
        ("auto", {"field_order": "tt"}, ["bwdif", "fps"], False, 25),  # scaled: fields would mix
        ("progressive", {"field_order": "tt"}, ["bwdif", "fps"], False, 25),
        ("interlaced", {"field_order": "tt"}, ["fps"], True, 25),
        ("interlaced", {}, ["fps", "setfield"], True, 25),
        ("interlaced", {"avg_frame_rate": "50/1"}, ["fps", "interlace"], True, 25),
    ],
)
def test_scan_mode(scan, source, expected, fields, rate):
    found = encoding(Video={"ScanMode": scan}, source=media(**source))
    filters = own_filters(found)
    names = [f.name for f in filters if f.name not in ("scale", "setparams", "setsar")]
    assert (names, found.fields, found.rate) == (expected, fields, rate)
    (scale,) = [f for f in filters if f.name == "scale"]
    # only fields that stay fields are scaled one by one
    assert ("interl", "1") in scale.options or not (fields and "field_order" in source)
    assert ("interl", "1") not in scale.options or fields


def test_fields_of_an_unscaled_source_stay_on_request_only():
    shape, source = {"Width": "1920"}, media(field_order="tt")
    assert not encoding(Video=shape, source=source).fields
    kept = encoding(Video=shape | {"ScanMode": "interlaced"}, source=source)
    assert kept.fields and [f.name for f in own_filters(kept)] == ["setsar", "fps"]


def test_limits_bound_an_output_of_a_lying_source():
    step = step_of()
    assert float(option(step, "-t") or 0) == pytest.approx(76, abs=1)
    assert int(option(step, "-fs") or 0) > 8 * (step.outputs[0].size_estimate or 0)
    endless = media()
    endless["Probe"]["format"].pop("duration")
    for stream in endless["Probe"]["streams"]:
        stream.pop("duration")
    # no duration at all: as long as its bytes can last
    assert float(option(step_of(source=endless), "-t") or 0) == 3600 + 30_000_000 / 125


def test_the_media_info_of_these_tests_reads_as_meant():
    info = MediaInfo.from_json(media())
    assert info.video and (info.video.width, info.video.fps) == (1920, 25)


def test_the_doctor_hears_of_every_encoder_and_of_the_fonts(monkeypatch):
    encoders = (
        *("libx264", "libx265", "libsvtav1", "gif", "libwebp_anim"),
        *("aac", "libmp3lame", "libvorbis", "flac"),
    )
    assert {finding.name: finding.works for finding in Transcode().examine()} == {
        "ffmpeg": True,
        "packager": True,
        "filter ass": True,
        "filter drawtext": True,
        "filter zscale": True,
        "fonts": True,
        **{f"encoder {name}": True for name in encoders},
    }
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/nowhere/ffmpeg")
    finding, *_ = Transcode().examine()
    assert not finding.works and finding.remedy


def test_where_an_activity_may_write():
    parameters = Transcode.parameters.model_validate(
        {
            "OutputBucket": "out-bucket",
            "Outputs": [{"OutputObject": "a%2F{FileName}", "TemplateId": MP4}],
        }
    )
    (ref,) = Transcode().destinations(parameters)
    assert (ref.bucket, ref.object) == ("out-bucket", "a%2F{FileName}")
