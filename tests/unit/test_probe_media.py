"""What ffprobe says becomes typed values and Properties, whatever is missing or absurd."""

import json
from fractions import Fraction
from typing import Any

import pytest

from activities.probe import MediaInfo

VIDEO: dict[str, Any] = {
    "index": 0,
    "codec_name": "h264",
    "codec_type": "video",
    "width": 1280,
    "height": 720,
    "r_frame_rate": "25/1",
    "avg_frame_rate": "25/1",
    "time_base": "1/12800",
    "duration": "5.280000",
    "bit_rate": "1205959",
    "nb_frames": "132",
    "tags": {"language": "und"},
}
AUDIO: dict[str, Any] = {
    "index": 1,
    "codec_name": "aac",
    "codec_type": "audio",
    "sample_rate": "48000",
    "channels": 6,
    "bit_rate": "384828",
    "r_frame_rate": "0/0",
}
FORMAT: dict[str, Any] = {
    "format_name": "mov,mp4,m4a,3gp,3g2,mj2",
    "format_long_name": "QuickTime / MOV",
    "nb_streams": 2,
    "nb_programs": 0,
    "duration": "5.312",
    "size": "1055736",
    "bit_rate": "1589963",
}


def parse(*streams: dict[str, Any], **container: Any) -> MediaInfo:
    return MediaInfo.parse({"format": {**FORMAT, **container}, "streams": list(streams)})


def video(**changes: Any) -> Any:
    found = parse({**VIDEO, **changes}).video
    assert found is not None
    return found


def test_properties_are_strings_in_the_units_of_the_specification() -> None:
    properties = parse(VIDEO, AUDIO).properties()
    assert properties["Bitrate"] == "1589.963"
    assert properties["Duration"] == "5.312000"
    assert properties["Fps"] == "25.0"
    assert properties["Width"] == "1280"
    assert properties["Format"]["FormatName"] == "mov"
    (picture,) = properties["Streams"]["VideoStreamList"]
    assert picture["CodecTimeBase"] == "1/50"
    assert picture["Bitrate"] == "1205.959"
    (sound,) = properties["Streams"]["AudioStreamList"]
    assert sound["CodecTimeBase"] == "1/48000"
    assert sound["Duration"] == "5.312000", "falls back to the container's"
    assert sound["Lang"] == "und"


def test_missing_values_are_left_out() -> None:
    bare = {"index": 0, "codec_type": "video", "bit_rate": "N/A", "profile": "unknown"}
    properties = parse(bare, duration="N/A", bit_rate=None).properties()
    text = json.dumps(properties)
    assert "N/A" not in text and "null" not in text and "unknown" not in text
    assert "Duration" not in properties and "Bitrate" not in properties
    assert "Rotate" not in properties["Streams"]["VideoStreamList"][0]


def test_at_most_four_streams_are_listed() -> None:
    streams = [{**AUDIO, "index": n} for n in range(9)]
    media = parse(*streams)
    assert len(media.properties()["Streams"]["AudioStreamList"]) == 4
    assert len(media.audios) == 9


def test_ntsc_rates_stay_exact() -> None:
    stream = video(r_frame_rate="24000/1001", avg_frame_rate="24000/1001")
    assert stream.fps == Fraction(24000, 1001)
    listed = parse({**VIDEO, "r_frame_rate": "24000/1001"}).properties()["Streams"]
    assert listed["VideoStreamList"][0]["CodecTimeBase"] == "1001/48000"


@pytest.mark.parametrize(
    ("average", "real", "fps"),
    [
        ("0/0", "30/1", 30),
        ("90000/1", "25/1", 25),
        ("0/0", "90000/1", 25),
        ("x", None, 25),
        ("480/1", "480/1", 480),
        # the time base of mkv and flv
        ("0/0", "1000/1", 25),
    ],
)
def test_senseless_rates_are_passed_over(average: Any, real: Any, fps: int) -> None:
    assert video(avg_frame_rate=average, r_frame_rate=real).fps == fps


def test_a_rate_beyond_all_is_counted() -> None:
    assert video(avg_frame_rate="1000/1", r_frame_rate="1000/1", nb_frames="5280").fps == 1000
    nothing: dict[str, Any] = {"avg_frame_rate": "0/0", "r_frame_rate": "0/0"}
    assert video(**nothing, nb_frames=None).fps == 25
    assert video(**nothing, nb_frames="1e308", duration="1e-320").fps == 25


def test_sizes_after_rotation_and_aspect() -> None:
    wide = video(width=720, height=576, sample_aspect_ratio="16:15")
    assert wide.upright_size == (720, 576) and wide.display_size == (768, 576)
    turned = video(width=720, height=576, sample_aspect_ratio="16:15", tags={"rotate": "90"})
    assert turned.upright_size == (576, 720) and turned.display_size == (576, 768)
    assert video(sample_aspect_ratio="0:1").display_size == (1280, 720)


@pytest.mark.parametrize(("matrix", "clockwise"), [(-90, 90), (90, 270), (180, 180), (-180, 180)])
def test_display_matrix_becomes_clockwise_degrees(matrix: int, clockwise: int) -> None:
    assert video(tags={}, side_data_list=[{"rotation": matrix}]).rotation == clockwise


@pytest.mark.parametrize("lie", ["4294967295.0", "-3", "nan", "inf", "1e400", "N/A", None])
def test_lying_durations_are_unknown(lie: Any) -> None:
    media = parse({**VIDEO, "duration": lie}, duration=lie)
    assert media.duration is None and media.videos[0].duration is None
    media.properties()


def test_the_tag_of_matroska_is_a_stream_s_duration() -> None:
    tags = {"DURATION": "01:00:06.040000000"}
    own = video(duration=None, tags=tags)
    assert own.duration == pytest.approx(3606.04)
    assert video(duration="5.0", tags=tags).duration == 5
    assert video(duration=None, tags=tags, start_time="2.0").duration is None
    assert video(duration=None, tags={"DURATION": "soon"}).duration is None
    listed = parse({**VIDEO, "duration": None, "tags": tags}).properties()["Streams"]
    assert listed["VideoStreamList"][0]["Duration"] == "3606.040000"


def test_one_duration_for_all_is_nobody_s_own() -> None:
    media = parse(VIDEO, {**AUDIO, "duration": "5.28"}, format_name="asf")
    assert media.duration == 5.312 and not media.guessed
    assert media.videos[0].duration is None and media.audios[0].duration is None


def test_a_guess_is_told() -> None:
    assert parse(AUDIO, format_name="mp3").guessed
    counted = {"format": {"format_name": "mp3"}, "streams": [AUDIO], "counted": True}
    assert not MediaInfo.parse(counted).guessed
    assert not MediaInfo.from_json(MediaInfo.parse(counted).to_json()).guessed


@pytest.mark.parametrize(("level", "told"), [(-99, None), ("-1", None), (31, "31"), (None, None)])
def test_an_unknown_level_is_left_out(level: Any, told: str | None) -> None:
    listed = parse({**VIDEO, "level": level}).properties()["Streams"]
    assert listed["VideoStreamList"][0].get("Level") == told


def test_bit_rate_of_a_stream_that_has_none() -> None:
    bare = {k: v for k, v in VIDEO.items() if k != "bit_rate"}
    media = parse(bare, AUDIO)
    assert media.videos[0].bitrate_kbps == pytest.approx(1589.963 - 384.828)
    tagged = parse({**bare, "tags": {"BPS": "800000"}})
    assert tagged.videos[0].bitrate_kbps == 800
    by_size = parse(bare, bit_rate="N/A")
    assert by_size.videos[0].bitrate_kbps == pytest.approx(1055736 * 8 / 5.312 / 1000)
    assert parse(bare, bit_rate="N/A", duration="N/A").videos[0].bitrate_kbps is None


def test_attached_pictures_are_no_video_but_count_as_streams() -> None:
    cover = {**VIDEO, "disposition": {"attached_pic": 1}}
    assert parse(cover, AUDIO).video is None
    second = parse(cover, {**VIDEO, "index": 2}).video
    assert second is not None and (second.position, second.index) == (1, 2)
    assert len(parse(cover, VIDEO).properties()["Streams"]["VideoStreamList"]) == 1


def test_default_audio_is_the_marked_one_else_the_first() -> None:
    marked = {**AUDIO, "index": 2, "disposition": {"default": 1}}
    chosen = parse(AUDIO, marked).default_audio
    assert chosen is not None and chosen.position == 1
    first = parse(AUDIO, {**AUDIO, "index": 2}).default_audio
    assert first is not None and first.position == 0
    assert parse(VIDEO).default_audio is None


def test_it_survives_the_store() -> None:
    media = parse(VIDEO, AUDIO)
    stored = json.loads(json.dumps(media.to_json()))
    assert MediaInfo.from_json(stored) == media
    assert stored["Properties"] == media.properties()


@pytest.mark.parametrize("junk", [{}, {"streams": None}, {"streams": [3, None]}, {"format": []}])
def test_junk_does_not_crash(junk: Any) -> None:
    media = MediaInfo.parse(junk)
    assert media.videos == () and media.size == 0
    media.properties()


def test_a_length_of_0_is_not_an_unknown_one() -> None:
    nothing = parse(AUDIO, duration="0.000000")
    # the header of a recording may say 0 though there are packets
    assert nothing.duration == 0 and nothing.lacks_ends
    probe = {"format": {**FORMAT, "duration": "0.000000"}, "streams": [AUDIO]}
    assert MediaInfo.parse({**probe, "ends": {"1": 2.5}}).duration == 2.5
    assert MediaInfo.parse({**probe, "ends": {"1": 0.0}}).duration == 0
    assert MediaInfo.parse({**probe, "format": {}, "ends": {"1": 0.0}}).duration == 0
    assert MediaInfo.parse({**probe, "format": {}}).duration is None


def test_what_no_sentence_can_quote_is_no_name() -> None:
    """A damaged file may call a language, or a codec, anything."""
    odd = {**VIDEO, "codec_name": "\n", "tags": {"language": "e\x1b[31mn"}}
    media = MediaInfo.parse({"format": FORMAT, "streams": [odd, {**AUDIO, "tags": odd["tags"]}]})
    assert media.videos[0].codec == ""
    assert media.audios[0].language == "und"
