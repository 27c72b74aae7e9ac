"""Amix by the tones that are heard at times, and by lengths."""

import pytest

from activities.probe import MediaInfo
from tests.support import media
from tests.support.transcodes import (
    MP3,
    colours,
    heard,
    near,
    output,
    packets,
    planned,
    run,
    sound_seconds,
)
from workflow_engine.errors import ActivityError, Code

TINY = {"Width": "160"}
SONG = "oss://side/song.m4a"


@pytest.fixture
def red(media_dir):
    return media.coloured(media_dir, "red", 400)


@pytest.fixture
def files(media_dir):
    """A song of two tones, each a second; another with two tracks."""
    song = media.make(
        media_dir / "song-of-two.m4a",
        *("-f", "lavfi", "-i", "sine=frequency=800:sample_rate=48000:duration=1"),
        *("-f", "lavfi", "-i", "sine=frequency=1200:sample_rate=48000:duration=1"),
        *("-filter_complex", "[0][1]concat=n=2:v=0:a=1", "-c:a", "aac"),
    )
    return {"side/song.m4a": song, "side/tracks.mp4": tracks(media_dir)}


def tracks(directory):
    """A red clip of two seconds with tracks of 800, 1200 and 2000 Hz."""
    tones = [
        word
        for frequency in (800, 1200, 2000)
        for word in ("-f", "lavfi", "-i", f"sine=frequency={frequency}:duration=2")
    ]
    return media.make(
        directory / "tracks.mp4",
        *("-f", "lavfi", "-i", "color=c=red:size=160x90:rate=25:duration=2", *tones),
        *("-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:a", "aac", "-c:v", "libx264"),
        *("-pix_fmt", "yuv420p", "-disposition:a:0", "default"),
    )


def mix(url=SONG, **fields):
    return {"Amix": [{"AmixURL": url} | fields]}


def audible(path, at, *frequencies):
    return [level > 0.02 for level in heard(path, at, *frequencies)]


@pytest.mark.proves("Amix.AmixURL", "Amix.MixDurMode", by="tones at times, and lengths")
def test_a_song_is_mixed_in(tmp_path, red, files):
    wanted = [
        output(Video=TINY, **mix()),
        output(Video=TINY, **mix(MixDurMode="long")),
        output(Video=TINY, **mix(MixDurMode="first")),
    ]
    made = run(tmp_path, red, *wanted, objects=files)
    for n in (0, 1):
        assert len(packets(made[n])) == 50 and sound_seconds(made[n]) == pytest.approx(2, abs=0.05)
        assert near(colours(made[n], 1.9)[0], (254, 0, 0))
        assert audible(made[n], 0.5, 400, 800, 1200) == [True, True, False]
        assert audible(made[n], 1.5, 400, 800, 1200) == [False, False, True]
    assert len(packets(made[2])) == 25 and sound_seconds(made[2]) == pytest.approx(1, abs=0.05)
    assert audible(made[2], 0.5, 400, 800, 1200) == [True, True, False]
    # the levels are those of the files
    (level,) = heard(made[2], 0.5, 400)
    assert level == pytest.approx(heard(red, 0.5, 400)[0], rel=0.1)


@pytest.mark.proves("Amix.Start", "Amix.Duration", by="tones at times")
def test_a_stretch_of_the_song(tmp_path, red, files):
    made = run(tmp_path, red, output(Video=TINY, **mix(Start="1.1", Duration="0.5")), objects=files)
    assert len(packets(made[0])) == 25
    assert audible(made[0], 0.1, 400, 800, 1200) == [True, False, True]
    assert audible(made[0], 0.7, 400, 800, 1200) == [True, False, False]


@pytest.mark.proves("Amix.Map", "Amix.AmixURL", by="tones")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (mix("input"), [True, True, False]),
        (mix("input", Map="0:a:2"), [True, False, True]),
        (mix("input", Map="0:a:0") | {"AudioStreamMap": "0:a:1"}, [True, True, False]),
        (mix("oss://side/tracks.mp4", Map="0:a:1"), [True, True, False]),
    ],
)
def test_tracks(tmp_path, media_dir, files, fields, expected):
    cut = {"Clip": {"TimeSpan": {"Seek": "0.5", "Duration": "1"}}}
    fields = fields if "oss" in str(fields) else fields | cut
    made = run(tmp_path, tracks(media_dir), output(Video=TINY, **fields), objects=files)
    assert len(packets(made[0])) == (50 if "oss" in str(fields) else 25)
    assert audible(made[0], 0.5, 800, 1200, 2000) == expected


def test_music_for_a_silent_clip_and_for_sound_alone(tmp_path, media_dir, red, files):
    silent = media.coloured(media_dir, "blue", 0)
    made = run(tmp_path / "a", silent, output(Video=TINY, **mix(MixDurMode="first")), objects=files)
    assert audible(made[0], 0.5, 400, 800) == [False, True]
    assert len(packets(made[0])) == 25 and sound_seconds(made[0]) == pytest.approx(1, abs=0.05)
    made = run(tmp_path / "b", red, output(MP3, **mix()), objects=files)
    assert MediaInfo.of(made[0]).duration == pytest.approx(2, abs=0.1)
    assert audible(made[0], 0.5, 400, 800, 1200) == [True, True, False]


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        (mix("input"), Code.NO_AUDIO_STREAM, "/Amix/0/AmixURL"),
        (mix(Map="0:a:1"), Code.NO_AUDIO_STREAM, "/Amix/0/Map"),
        (mix(Start="2.5"), Code.OUT_OF_RANGE, "/Amix/0/Start"),
        (mix() | {"Audio": {"Remove": "true"}}, Code.NOT_SUPPORTED, "/Amix"),
    ],
)
def test_sound_that_cannot_be_mixed_in(red, files, fields, code, pointer):
    with pytest.raises(ActivityError) as caught:
        planned(red, output(**fields), objects=files)
    assert (caught.value.code, caught.value.pointer) == (code, f"/Outputs/0{pointer}")
