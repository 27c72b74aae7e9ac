"""OpeningList and TailSlateList by colours and tones at times."""

import pytest

from activities.probe import MediaInfo
from tests.support import media
from tests.support.transcodes import (
    MP3,
    colours,
    decoded,
    frame_numbers,
    near,
    output,
    packets,
    planned,
    run,
    sound_seconds,
    tone,
)
from workflow_engine.errors import ActivityError, Code

TINY = {"Width": "160"}
RED, GREEN, BLUE, WHITE, BLACK = (254, 0, 0), (0, 128, 0), (0, 0, 254), (255, 255, 255), (0, 0, 0)


@pytest.fixture
def red(media_dir):
    return media.coloured(media_dir, "red", 400)


@pytest.fixture
def files(media_dir):
    return {
        "side/blue.mp4": media.coloured(media_dir, "blue", 800, 1, "160x90", 30, 48000),
        "side/green.mp4": media.coloured(media_dir, "green", 1200, 0.4, "80x44"),
        "side/large.mp4": media.coloured(media_dir, "green", 1200, 0.4, "320x90"),
        "side/song.m4a": media.audio_only(media_dir, 1),
        "side/numbered.mp4": media.numbered(media_dir, 1),
    }


def tail(name="blue.mp4", **fields):
    return {"TailSlateList": [{"TailUrl": f"oss://side/{name}"} | fields]}


def opening(name="green.mp4", url="OpenUrl", **fields):
    return {"OpeningList": [{url: f"oss://side/{name}"} | fields]}


def frame(path, at):
    """The pixels of the frame at a time, as a function of x and y."""
    data = decoded(path, "-ss", str(at), "-vf", "format=rgb24", "-frames:v", "1", "-f", "rawvideo")
    return lambda x, y: tuple(data[3 * (160 * y + x) :][:3])


@pytest.mark.proves("TailSlateList.TailUrl", by="colours and tones at times")
@pytest.mark.proves("TailSlateList.IsMergeAudio", by="tones at times")
def test_a_tail_comes_behind_the_end(tmp_path, red, files):
    wanted = [
        output(Video=TINY, **tail()),
        output(Video=TINY, **tail(IsMergeAudio="false")),
        output(Video=TINY, Audio={"Remove": "true"}, **tail("numbered.mp4")),
    ]
    made = run(tmp_path, red, *wanted, objects=files)
    for n, last in ((0, 800), (1, 0)):
        assert len(packets(made[n])) == 50
        assert all(
            near(a, b)
            for a, b in zip(colours(made[n], 0.96, 1, 1.96), (RED, BLUE, BLUE), strict=True)
        )
        assert [tone(made[n], at) for at in (0.05, 0.85, 1.1, 1.85)] == [400, 400, last, last]
        assert sound_seconds(made[n]) == pytest.approx(2, abs=0.05)
        assert made.step.resolved[n].rendition.duration == 2
    assert frame_numbers(made[2])[25:] == list(range(25))


@pytest.mark.proves("TailSlateList.BlendDuration", by="frame numbers, colours and tones at times")
def test_a_tail_is_faded_over_to(tmp_path, red, files, media_dir):
    made = run(tmp_path, red, output(Video=TINY, **tail(BlendDuration="0.4")), objects=files)
    assert len(packets(made[0])) == 50
    before, early, late, after = colours(made[0], 0.96, 1.08, 1.32, 1.44)
    assert near(before, RED) and near(after, BLUE)
    assert early[0] > 150 > early[2] > 20 and late[2] > 150 > late[0] > 20
    assert [tone(made[0], at) for at in (0.85, 1.05, 1.85)] == [400, 800, 800]
    source = media.numbered(media_dir, 1)
    # the last frame, 24, is held: half of the tail's frame 5 after half of the blending
    wanted = output(Video=TINY, **tail("numbered.mp4", BlendDuration="0.4"))
    found = frame_numbers(run(tmp_path / "b", source, wanted, objects=files)[0])
    assert found[:25] == list(range(25)) and found[35:] == list(range(10, 25))
    assert found[30] in (14, 15) and found[28] > found[30] > found[33]


@pytest.mark.proves(
    "TailSlateList.Width", "TailSlateList.Height", "TailSlateList.BgColor", by="pixels"
)
@pytest.mark.parametrize(
    ("fields", "width", "height", "colour"),
    [
        ({}, 80, 44, WHITE),
        ({"BgColor": "red"}, 80, 44, RED),
        ({"Width": "120", "Height": "60"}, 120, 60, WHITE),
        ({"Width": "full"}, 160, 44, WHITE),
        ({"Width": "-1", "Height": "full"}, 80, 90, WHITE),
        ({"Width": "320", "Height": "90", "BgColor": "Black"}, 160, 44, BLACK),
    ],
)
def test_size_and_surroundings_of_a_tail(tmp_path, red, files, fields, width, height, colour):
    made = run(tmp_path, red, output(Video=TINY, **tail("green.mp4", **fields)), objects=files)
    assert len(packets(made[0])) == 35
    require_box(frame(made[0], 1.2), width, height, colour)


def require_box(pixel, width, height, around):
    """The green box lies in the middle of 160x90, and has this size."""
    for x, y, inside in (
        (80, 45, True),
        (80 - width // 2 + 4, 45, True),
        (80 + width // 2 - 5, 45, True),
        (80, 45 - height // 2 + 4, True),
        (80, 45 + height // 2 - 5, True),
        (80 - width // 2 - 6, 45, False),
        (80 + width // 2 + 5, 45, False),
        (80, 45 - height // 2 - 6, False),
        (80, 45 + height // 2 + 5, False),
    ):
        if 0 <= x < 160 and 0 <= y < 90:
            assert near(pixel(x, y), GREEN if inside else around), (x, y)


@pytest.mark.proves("OpeningList.OpenUrl", "OpeningList.Start", by="pixels at times")
@pytest.mark.parametrize(("url", "start"), [("OpenUrl", None), ("openUrl", "0.4")])
def test_an_opening_is_seen_over_the_picture(tmp_path, red, files, url, start):
    given = opening(url=url) | ({} if start is None else opening(url=url, Start=start))
    made = run(tmp_path, red, output(Video=TINY, **given), objects=files)
    begin = float(start or 0)
    assert len(packets(made[0])) == 25 and tone(made[0], begin + 0.1) == 400
    middles = decoded(made[0], "-vf", "crop=2:2:80:44,format=rgb24", "-f", "rawvideo")
    shown = [near(tuple(middles[12 * n : 12 * n + 3]), GREEN) for n in range(25)]
    first = round(begin * 25)
    assert shown == [first <= n < first + 10 for n in range(25)]


def test_an_opening_begins_at_its_frame_at_rates_that_are_no_whole_numbers(tmp_path, media_dir):
    ntsc = media.coloured(media_dir, "red", 400, 2, fps="30000/1001")
    flash = media.coloured(media_dir, "green", 0, 0.1, fps="30000/1001")
    given = opening("flash.mp4", Start="1", Width="full", Height="full")
    made = run(tmp_path, ntsc, output(Video=TINY, **given), objects={"side/flash.mp4": flash})
    middles = decoded(made[0], "-vf", "crop=2:2:80:44,format=rgb24", "-f", "rawvideo")
    shown = [n for n in range(60) if near(tuple(middles[12 * n : 12 * n + 3]), GREEN)]
    assert shown == [30, 31, 32]


@pytest.mark.proves("OpeningList.Width", "OpeningList.Height", by="pixels")
@pytest.mark.parametrize(
    ("fields", "width", "height"),
    [
        ({}, 80, 44),
        ({"Width": "120", "Height": "60"}, 120, 60),
        ({"Width": "full", "Height": "full"}, 160, 90),
        ({"Height": "20"}, 80, 20),
    ],
)
def test_size_of_an_opening(tmp_path, red, files, fields, width, height):
    made = run(tmp_path, red, output(Video=TINY, **opening(**fields)), objects=files)
    require_box(frame(made[0], 0.2), width, height, RED)


def test_all_of_it_together(tmp_path, red, files):
    """Merged, clipped, opened, mixed and closed."""
    fields = opening(Start="0.2") | tail(BlendDuration="0.2")
    fields |= {
        "MergeList": [{"MergeURL": "oss://side/blue.mp4"}],
        "Clip": {"TimeSpan": {"Seek": "0.4", "Duration": "1.2"}},
        "Amix": [{"AmixURL": "oss://side/large.mp4", "MixDurMode": "first"}],
    }
    made = run(tmp_path, red, output(Video=TINY, **fields), objects=files)
    assert len(packets(made[0])) == 30 + 25
    assert sound_seconds(made[0]) == pytest.approx(2.2, abs=0.05)
    assert near(frame(made[0], 0.3)(80, 45), GREEN) and near(colours(made[0], 0.12)[0], RED)
    assert near(colours(made[0], 0.7)[0], BLUE) and near(colours(made[0], 2.1)[0], BLUE)
    assert [tone(made[0], at) for at in (0.45, 0.7, 1.3)] == [400, 800, 800]


def test_an_opening_longer_than_the_main_video(tmp_path, red, media_dir):
    long = media.coloured(media_dir, "green", 800, 2)
    given = opening("long.mp4", Start="0.5")
    made = run(tmp_path, red, output(Video=TINY, **given), objects={"side/long.mp4": long})
    assert len(packets(made[0])) == 25
    assert MediaInfo.of(made[0]).duration == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        (tail("song.m4a"), Code.RESOURCE_NOT_SUPPORTED, "/TailSlateList/0/TailUrl"),
        (tail(BlendDuration="1.5"), Code.OUT_OF_RANGE, "/TailSlateList/0/BlendDuration"),
        (opening("song.m4a"), Code.RESOURCE_NOT_SUPPORTED, "/OpeningList/0/OpenUrl"),
        (opening(Start="1"), Code.OUT_OF_RANGE, "/OpeningList/0/Start"),
    ],
)
def test_slates_that_do_not_fit(red, files, fields, code, pointer):
    with pytest.raises(ActivityError) as caught:
        planned(red, output(**fields), objects=files)
    assert (caught.value.code, caught.value.pointer) == (code, f"/Outputs/0{pointer}")


@pytest.mark.parametrize("fields", [tail(), opening()])
def test_sound_alone_has_no_slates(red, files, fields):
    with pytest.raises(ActivityError) as caught:
        planned(red, output(MP3, **fields), objects=files)
    assert caught.value.code == Code.NOT_SUPPORTED
