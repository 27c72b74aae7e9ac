import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from activities.templates import Kind, find, from_analysis, presets
from activities.templates.sections import Audio, Container, MuxConfig, Video, merge
from workflow_engine.errors import ActivityError, Code, InvalidInputError


def test_all_presets_are_known_by_kind():
    assert Counter(template.kind for template in presets().values()) == {
        Kind.STATIC: 19,
        Kind.REMUX: 3,
        Kind.AUDIO: 5,
        Kind.DOUBLING: 2,
        Kind.NARROWBAND: 24,
        Kind.INTELLIGENT: 12,
    }


@pytest.mark.parametrize(
    ("template_id", "name", "container", "width", "video", "audio"),
    [
        ("S00000001-000070", "FLV-4K", "flv", 3840, 6000, 160),
        ("S00000001-100040", "M3U8-FHD", "m3u8", 1920, 3000, 160),
        ("S00000001-200030", "MP4-HD", "mp4", 1280, 1800, 128),
        ("S00000001-200010", "MP4-LD", "mp4", 640, 400, 64),
        ("S00000001-000050", "FLV-XLD", "flv", 320, 300, 32),  # lists a maximum only
    ],
)
def test_a_static_preset_has_its_numbers(template_id, name, container, width, video, audio):
    template = find(template_id)
    assert template.name == name
    assert template.container.format == container
    assert template.video and template.audio
    assert (template.video.width, template.video.height) == (width, None)
    assert (template.video.codec, template.video.bitrate, template.video.gop) == (
        "H.264",
        video,
        "10s",
    )
    assert (template.audio.codec, template.audio.samplerate, template.audio.channels) == (
        "AAC",
        44100,
        2,
    )
    assert template.audio.bitrate == audio


def test_the_container_digit_of_every_id_agrees_with_its_container():
    digits = {"0": "flv", "1": "m3u8", "2": "mp4", "3": "mp3", "4": "mp4"}
    for template in presets().values():
        assert template.container.format == digits[template.id[10]], template.id


def test_an_audio_preset_has_sound_only():
    template = find("S00000001-300030")
    assert template.video is None
    assert template.audio and (template.audio.codec, template.audio.bitrate) == ("MP3", 160)


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(InvalidInputError) as caught:
        find("S00000001-20003")
    assert caught.value.code == Code.TEMPLATE_NOT_FOUND
    assert '"S00000001-20003"' in caught.value.message
    assert "Did you mean" in caught.value.remedy and "S00000001-20003" in caught.value.remedy


def test_a_name_in_place_of_an_id_leads_to_the_static_preset():
    with pytest.raises(InvalidInputError) as caught:
        find("MP4-HD")
    assert "S00000001-200030" in caught.value.remedy


def test_presets_stand_one_to_a_line_so_that_diffs_can_be_read():
    text = (Path(__file__).parents[2] / "activities/templates/presets.json").read_text()
    assert len(text.splitlines()) == len(json.loads(text)) + 2


def test_an_output_overrides_field_by_field():
    base = Video.model_validate({"Width": "1280", "Bitrate": "1800"})
    merged = merge(base, Video.model_validate({"Width": "640"}))
    assert (merged.width, merged.bitrate) == (640, 1800)


def test_an_absent_section_changes_nothing_and_a_new_one_is_taken():
    base = Audio.model_validate({"Bitrate": "64"})
    assert merge(base, None) == base
    assert merge(None, base) == base
    assert merge(None, None) is None


def test_a_given_bit_rate_silences_the_template_s_crf():
    base = Video.model_validate({"Crf": "26", "Maxrate": "2000"})
    merged = merge(base, Video.model_validate({"Bitrate": "900"}))
    assert (merged.crf, merged.bitrate, merged.maxrate) == (None, 900, 2000)


def test_another_codec_does_not_inherit_what_it_does_not_know():
    base = Video.model_validate({"Codec": "H.264", "Profile": "main", "Preset": "slow"})
    merged = merge(base, Video.model_validate({"Codec": "H.265"}))
    assert (merged.codec, merged.profile, merged.preset) == ("H.265", None, None)
    same = merge(base, Video.model_validate({"Codec": "h.264"}))
    assert (same.profile, same.preset) == ("main", "slow")


def test_nested_sections_merge_too():
    base = MuxConfig.model_validate({"Segment": {"Duration": "4"}})
    merged = merge(base, MuxConfig.model_validate({"Segment": {"ForceSegTime": "3"}}))
    assert (merged.segment.duration, merged.segment.force_seg_time) == (4, "3")


def test_an_analysis_entry_of_strings_becomes_a_template():
    entry = {
        "Id": "S00000000-200030",
        "Name": "MP4-SD",
        "State": "Normal",
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264", "Crf": "26", "Maxrate": "1000", "Width": "854", "Degrain": "1"},
        "Audio": {"Codec": "AAC", "Bitrate": "64"},
        "TransConfig": {"TransMode": "onepass"},
    }
    template = from_analysis(entry)
    assert template.kind is Kind.INTELLIGENT
    assert template.video and template.audio
    assert (template.video.crf, template.video.maxrate, template.video.width) == (26, 1000, 854)
    assert template.audio.bitrate == 64
    assert "Degrain" not in (template.video.model_extra or {})


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"Video": {"Width": "4400"}}, Code.OUT_OF_RANGE, 'Video.Width: The value "4400"'),
        ({"Container": {"Format": "avi"}}, Code.INVALID, "Container.Format"),
        ({"Audio": {"Bitrate": "loud"}}, Code.NUMBER_FORMAT, "Audio.Bitrate"),
    ],
)
def test_an_analysis_entry_that_is_no_template_is_one_sentence(changes, code, told):
    with pytest.raises(ActivityError) as caught:
        from_analysis({"Id": "S00000000-200030", "Container": {"Format": "mp4"}} | changes)
    error = caught.value
    assert error.code == code and told in error.message and "\n" not in error.message
    assert '"S00000000-200030"' in error.message and error.remedy


@pytest.mark.parametrize(
    ("model", "field", "value", "code"),
    [
        (Video, "Bitrate", "9", Code.OUT_OF_RANGE),
        (Video, "Bitrate", "50001", Code.OUT_OF_RANGE),
        (Video, "Bitrate", "fast", Code.NUMBER_FORMAT),
        (Video, "Crf", "52", Code.OUT_OF_RANGE),
        (Video, "Width", "127", Code.OUT_OF_RANGE),
        (Video, "Width", "640.5", Code.NUMBER_FORMAT),
        (Video, "Height", "4097", Code.OUT_OF_RANGE),
        (Video, "Fps", "0", Code.OUT_OF_RANGE),
        (Video, "Fps", "60.1", Code.OUT_OF_RANGE),
        (Video, "Gop", "0", Code.OUT_OF_RANGE),
        (Video, "Gop", "100001", Code.OUT_OF_RANGE),
        (Video, "Gop", "0s", Code.OUT_OF_RANGE),
        (Video, "Gop", "2.5", Code.FORMAT),
        (Video, "Bufsize", "999", Code.OUT_OF_RANGE),
        (Video, "Maxrate", "50001", Code.OUT_OF_RANGE),
        (Video, "Codec", "H.266", Code.INVALID),
        (Video, "Profile", "ultra", Code.INVALID),
        (Video, "Preset", "placebo", Code.INVALID),
        (Video, "ScanMode", "fields", Code.INVALID),
        (Video, "PixFmt", "yuv9", Code.INVALID),
        (Video, "Crop", "edges", Code.FORMAT),
        (Video, "Crop", "0:10:0:0", Code.OUT_OF_RANGE),
        (Video, "Crop", "10:10", Code.FORMAT),
        (Video, "Pad", "9000:10:0:0", Code.OUT_OF_RANGE),
        (Video, "LongShortMode", "maybe", Code.FORMAT),
        (Audio, "Profile", "aac_he", Code.NOT_SUPPORTED),
        (Audio, "Samplerate", "8000", Code.OUT_OF_RANGE),
        (Audio, "Bitrate", "7", Code.OUT_OF_RANGE),
        (Audio, "Channels", "9", Code.OUT_OF_RANGE),
        (Container, "Format", "avi", Code.INVALID),
        (MuxConfig, "Segment", {"Duration": "0"}, Code.OUT_OF_RANGE),
        (MuxConfig, "Segment", {"Duration": "61"}, Code.OUT_OF_RANGE),
        (MuxConfig, "Segment", {"ForceSegTime": "1,2,3,4,5,6,7,8,9,10,11"}, Code.OUT_OF_RANGE),
        (MuxConfig, "Segment", {"ForceSegTime": "0,2"}, Code.OUT_OF_RANGE),
        (MuxConfig, "Segment", {"ForceSegTime": "1.2345"}, Code.FORMAT),
        (MuxConfig, "Segment", "[1]", Code.JSON_OBJECT_FORMAT),
    ],
)
def test_a_single_field_out_of_its_limits_is_refused(model, field, value, code):
    with pytest.raises(ValidationError) as caught:
        model.model_validate({field: value})
    assert [error["type"] for error in caught.value.errors()] == [code]


@pytest.mark.parametrize("value", ["10", "50000", 10, 49999.5])
def test_limits_include_their_ends_in_both_forms(value):
    assert Video.model_validate({"Bitrate": value}).bitrate == float(value)
