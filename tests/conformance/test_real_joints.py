"""Joined sound files, and sound that begins before its picture in a playlist."""

import re

import pytest

from tests.support import media
from tests.support.transcodes import HLS_COPY, MP3, heard, output, run, sound_seconds


def song(directory, name, frequency, *options, seconds=2):
    return media.make(
        directory / name,
        *(
            "-f",
            "lavfi",
            "-i",
            f"sine=frequency={frequency}:duration={seconds}",
            "-b:a",
            "64k",
            *options,
        ),
    )


def joined(directory, *parts):
    path = directory / f"joined-{'-'.join(part.stem for part in parts)}.mp3"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.proves("sound: joined mp3 files", by="seconds and tones of the decoded sound")
@pytest.mark.parametrize("tags", [("-metadata", "title=a"), ("-write_id3v1", "1")])
def test_joined_files_are_whole(tmp_path, media_dir, tags):
    name = tags[0].strip("-")
    parts = [song(media_dir, f"{name}-{n}.mp3", n, *tags) for n in (400, 800, 1200)]
    made = run(tmp_path, joined(tmp_path, *parts), output(MP3))
    assert not made.result.warnings
    assert sound_seconds(made[0]) == pytest.approx(6, abs=0.2)
    tones = [heard(made[0], at, 400, 800, 1200) for at in (1, 3.1, 5.1)]
    assert [max(range(3), key=found.__getitem__) for found in tones] == [0, 1, 2]


def test_damage_of_joined_files_is_told(tmp_path, media_dir):
    parts = [song(media_dir, f"damage-{n}.mp3", n, seconds=12) for n in (400, 800)]
    whole = joined(tmp_path, *parts)
    made = run(tmp_path, media.damaged(whole, 1, 300), output(MP3))
    assert any("could not be decoded" in warning for warning in made.result.warnings)


@pytest.mark.proves("HLS copy of a late picture", by="EXTINF")
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_playlist_tells_the_sound_before_its_picture(tmp_path, media_dir, container):
    source = media.uneven(media_dir, video=4, audio=7, video_from=3, container=container)
    made = run(tmp_path, source, output(HLS_COPY))
    text = made[0].read_text()
    lengths = [float(found) for found in re.findall(r"#EXTINF:([\d.]+)", text)]
    assert sum(lengths) == pytest.approx(7, abs=0.1)
    (target,) = re.findall(r"#EXT-X-TARGETDURATION:(\d+)", text)
    assert max(lengths) < int(target) + 0.5
    assert not made.result.warnings
