"""MergeList, MergeConfigUrl and what Clip means with them, by frames and tones."""

import json

import pytest

from activities.probe import MediaInfo
from tests.support import media
from tests.support.transcodes import (
    HLS,
    MP3,
    MP4,
    colours,
    frame_numbers,
    near,
    output,
    packets,
    pixel,
    planned,
    run,
    sound_seconds,
    stream,
    tone,
)
from workflow_engine.errors import ActivityError, Code

TINY = {"Width": "160"}
RED, GREEN, BLUE = (254, 0, 0), (0, 128, 0), (0, 0, 254)


def part(name, **fields):
    return {"MergeURL": f"oss://side/{name}"} | fields


def clip(first=False, **span):
    return {"Clip": {"TimeSpan": span, "ConfigToClipFirstPart": first}}


@pytest.fixture
def files(media_dir):
    """Parts of different sizes, rates, sample rates and lengths."""
    return {
        "side/green.mp4": media.coloured(media_dir, "green", 800, 1, "120x90", 30, 48000),
        "side/blue.mkv": media.coloured(media_dir, "blue", 1200, 2, "320x180", 50, 22050, "mkv"),
        "side/silent.mp4": media.coloured(media_dir, "blue", 0),
        "side/song.m4a": media.audio_only(media_dir, 1),
        "side/numbered.mp4": media.with_sound(media.numbered(media_dir, 2), "mp4", sound=2),
    }


@pytest.fixture
def red(media_dir):
    return media.coloured(media_dir, "red", 400)


@pytest.mark.proves("MergeList.MergeURL", by="colours and tones at times")
def test_parts_follow_the_input_in_its_form(tmp_path, red, files):
    parts = [part("green.mp4"), part("blue.mkv", Duration="1")]
    made = run(tmp_path, red, output(Video=TINY, MergeList=parts), objects=files)
    path = made[0]
    assert len(packets(path)) == 75 and stream(path)["r_frame_rate"] == "25/1"
    found = colours(path, 0, 0.96, 2, 2.96)
    assert all(near(a, b) for a, b in zip(found, (RED, RED, BLUE, BLUE), strict=True))
    # a part of another shape stands on black: 120x90 in the middle of 160x90
    assert 80 < colours(path, 1)[0][1] < 110
    assert [tone(path, at) for at in (0.05, 0.85, 1.05, 1.85, 2.05, 2.85)] == [
        *(400, 400, 800, 800, 1200, 1200)
    ]
    assert sound_seconds(path) == pytest.approx(3, abs=0.05)
    assert made.step.resolved[0].rendition.duration == 3
    assert sum("side-" in word for word in made.step.commands[0]) == 4


@pytest.mark.parametrize(("picture", "sound"), [(2, 1), (1, 2)])
@pytest.mark.parametrize("container", ["flv", "asf"])
def test_streams_that_do_not_end_together(tmp_path, media_dir, files, container, picture, sound):
    source = media.make(
        media_dir / f"uneven-{picture}-{sound}.{container}",
        *("-f", "lavfi", "-i", f"color=red:size=160x90:rate=25:duration={picture}"),
        *("-f", "lavfi", "-i", f"sine=frequency=400:duration={sound}"),
        *("-c:v", "libx264" if container == "flv" else "mpeg4", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac" if container == "flv" else "wmav2"),
    )
    wanted = output(Video=TINY, MergeList=[part("green.mp4")])
    made = run(tmp_path, source, wanted, objects=files)
    assert MediaInfo.of(made[0]).duration == pytest.approx(3, abs=0.15)
    early, late, after = colours(made[0], 0.5, 1.85, 2.2)
    assert near(early, RED) and near(late, RED) and not near(after, RED)
    assert [tone(made[0], at) for at in (0.5, 1.5, 2.2, 2.8)] == [
        *(400, 400 if sound == 2 else 0, 800, 800)
    ]


@pytest.mark.proves("MergeList.Start", "MergeList.Duration", by="frame numbers")
def test_a_stretch_of_a_part(tmp_path, media_dir, files):
    source = media.with_sound(media.numbered(media_dir, 2), "mp4", sound=2)
    parts = [part("numbered.mp4", Start="00:00:00.52", Duration="0.4")]
    parts += [part("numbered.mp4", Start="1.6")]
    made = run(tmp_path, source, output(Video=TINY, MergeList=parts), objects=files)
    assert frame_numbers(made[0]) == [*range(50), *range(13, 23), *range(40, 50)]
    assert sound_seconds(made[0]) == pytest.approx(2.8, abs=0.05)


@pytest.mark.proves("MergeConfigUrl", by="colours and tones at times")
def test_parts_out_of_a_file(tmp_path, red, files):
    listed = tmp_path / "parts.json"
    parts = [part("green.mp4", Start="0.5")] + [part("blue.mkv", Duration="0.2")] * 9
    listed.write_text(json.dumps({"MergeList": parts}))
    wanted = output(Video=TINY, MergeConfigUrl="http://side.oss-cn-x.aliyuncs.com/parts.json")
    made = run(tmp_path / "run", red, wanted, objects=files | {"side/parts.json": listed})
    assert len(packets(made[0])) == 25 + 12 + 45  # 12.5 frames: to the even one
    assert [tone(made[0], at) for at in (0.85, 1.1, 1.55, 3.1)] == [400, 800, 1200, 1200]
    assert near(colours(made[0], 3.2)[0], BLUE)


@pytest.mark.proves("Clip.ConfigToClipFirstPart", by="frame numbers")
@pytest.mark.parametrize(
    ("first", "span", "numbers"),
    [
        (True, {"Seek": "1.2", "Duration": "0.4"}, [*range(30, 40), *range(25)]),
        (False, {"Seek": "1.8", "Duration": "0.6"}, [*range(45, 50), *range(10)]),
        (False, {"Seek": "2.2", "End": "0.4"}, [*range(5, 15)]),
    ],
)
def test_clip_before_and_behind_merging(tmp_path, media_dir, files, first, span, numbers):
    source = media.with_sound(media.numbered(media_dir, 2), "mp4", sound=2)
    parts = [part("numbered.mp4", Duration="1")]
    wanted = output(Video=TINY, MergeList=parts, **clip(first, **span))
    made = run(tmp_path, source, wanted, objects=files)
    assert frame_numbers(made[0]) == numbers
    assert sound_seconds(made[0]) == pytest.approx(len(numbers) / 25, abs=0.05)


def test_sound_alone_and_picture_alone(tmp_path, red, files):
    wanted = [
        output(MP3, MergeList=[part("song.m4a")]),
        output(Video=TINY, Audio={"Remove": "true"}, MergeList=[part("silent.mp4")]),
    ]
    made = run(tmp_path, red, *wanted, objects=files)
    assert MediaInfo.of(made[0]).duration == pytest.approx(2, abs=0.1)
    assert len(packets(made[1])) == 50 and near(colours(made[1], 1.5)[0], BLUE)


def test_a_silent_input_is_silence_before_parts_with_sound(tmp_path, media_dir, files):
    source = files["side/silent.mp4"]
    both = [output(Video=TINY, MergeList=[part(name)]) for name in ("green.mp4", "silent.mp4")]
    made = run(tmp_path, source, *both, objects=files)
    assert [tone(made[0], at) for at in (0.1, 0.85, 1.05)] == [0, 0, 800]
    assert len(packets(made[1])) == 50 and not MediaInfo.of(made[1]).audios


def test_pixels_that_are_not_square_and_turned_parts(tmp_path, media_dir, red):
    turned = media.rotated(media_dir, 90)
    wide = media.coloured(media_dir, "green", 800, 1, "80x90", extra=("-vf", "setsar=2"))
    sides = {"side/turned.mp4": turned, "side/wide.mp4": wide}
    parts = [part("wide.mp4"), part("turned.mp4", Duration="0.2")]
    silent = {"Audio": {"Remove": "true"}}
    made = run(tmp_path, red, output(Video=TINY, MergeList=parts, **silent), objects=sides)
    # 80x90 of double width fills 160x90
    assert near(colours(made[0], 1.5)[0], GREEN)
    last = tmp_path / "last.png"
    media.make(last, "-ss", "2.1", "-i", str(made[0]), "-frames:v", "1")
    # upright, it is 50 pixels wide
    assert near(pixel(last, 40, 45), (0, 0, 0)) and not near(pixel(last, 60, 20), (0, 0, 0))


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        (
            {"MergeList": [part("green.mp4"), part("silent.mp4")]},
            Code.MERGE_FILE,
            "/MergeList/1/MergeURL",
        ),
        ({"MergeList": [part("song.m4a")]}, Code.MERGE_FILE, "/MergeList/0/MergeURL"),
        (
            {"MergeList": [part("green.mp4", Start="1.5")]},
            Code.OUT_OF_RANGE,
            "/MergeList/0/Start",
        ),
        (
            {"MergeList": [part("green.mp4")], **clip(Seek="2.5")},
            Code.OUT_OF_RANGE,
            "/Clip/TimeSpan/Seek",
        ),
    ],
)
def test_parts_that_do_not_fit(red, files, fields, code, pointer):
    with pytest.raises(ActivityError) as caught:
        planned(red, output(**fields), objects=files)
    assert (caught.value.code, caught.value.pointer) == (code, f"/Outputs/0{pointer}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[", Code.JSON_FORMAT),
        ('{"MergeList": []}', Code.EMPTY_VALUE),
        (json.dumps({"MergeList": [part("green.mp4")] * 51}), Code.OUT_OF_RANGE),
        ('{"MergeList": [{"MergeURL": "http://example.com/a.mp4"}]}', Code.RESOURCE_NOT_SUPPORTED),
    ],
)
def test_files_of_parts_that_cannot_be_used(tmp_path, red, text, code):
    listed = tmp_path / "parts.json"
    listed.write_text(text)
    with pytest.raises(ActivityError) as caught:
        planned(red, output(MergeConfigUrl="oss://side/l"), objects={"side/l": listed})
    assert caught.value.code == code


def test_a_part_that_was_cut_off(tmp_path, red, files):
    short = tmp_path / "short.mkv"
    whole = files["side/blue.mkv"].read_bytes()
    short.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ActivityError, match="cut off") as caught:
        planned(red, output(MergeList=[part("short.mkv")]), objects={"side/short.mkv": short})
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD


def test_cuts_and_palettes_go_over_all_parts(tmp_path, red, files):
    parts = {"MergeList": [part("green.mp4")]}
    cuts = {"MuxConfig": {"Segment": {"ForceSegTime": "0.6,1.4"}}}
    gif = {"Container": {"Format": "gif"}, "Video": {"Codec": "GIF", "Width": "160"}}
    wanted = [output(HLS, Video=TINY, **parts, **cuts), {"TemplateId": MP4} | gif | parts]
    made = run(tmp_path, red, *wanted, objects=files)
    assert [len(packets(one.path)) for one in made.segments(0)] == [15, 20, 15]
    assert len(packets(made[1])) == 50


@pytest.mark.parametrize("mix", [{}, {"Amix": [{"AmixURL": "oss://side/song.m4a"}]}])
def test_sound_of_unknown_length_is_not_cut(tmp_path, media_dir, files, mix):
    source = media.growing(media_dir)
    wanted = output(MP3, MergeList=[part("song.m4a")], **mix)
    made = run(tmp_path, source, wanted, objects=files)
    assert MediaInfo.of(made[0]).duration == pytest.approx(31, abs=0.3)
    with pytest.raises(ActivityError) as caught:
        planned(source, wanted | clip(Seek="1"), objects=files)
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_the_content_of_a_part_counts(red, files, media_dir):
    wanted = output(MergeList=[part("green.mp4")])
    other = files | {"side/green.mp4": media.coloured(media_dir, "white", 800)}
    one, two = (planned(red, wanted, objects=each)[0].identity for each in (files, other))
    assert one != two
