"""Outputs are held against what their own streams promise, not against the longest of the file."""

from dataclasses import replace

import pytest

from activities.probe import MediaInfo
from activities.transcode.result.verify import verify
from tests.support import media
from tests.support.transcodes import (
    FLV,
    HLS,
    HLS_COPY,
    MP3,
    MP4,
    extinf,
    frame_numbers,
    output,
    packets,
    run,
)
from workflow_engine.errors import ActivityError, Code

TINY = {"Width": "128"}
FORCED = {"Segment": {"ForceSegTime": "1,2"}}


@pytest.mark.parametrize(
    ("video", "audio", "late", "container"),
    [
        (3, 5, 0, "mp4"),  # the sound outlasts the picture
        (3, 5, 0, "mkv"),
        (3, 5, 0, "flv"),
        (2, 4, 2, "mkv"),  # the picture comes late
        (2, 4, 1, "ts"),
        (5, 3, 0, "mp4"),
    ],
)
def test_streams_of_different_length(tmp_path, media_dir, video, audio, late, container):
    source = media.uneven(media_dir, video, audio, container, late)
    made = run(
        tmp_path,
        source,
        output(HLS, Video=TINY),
        output(HLS_COPY),
        output(HLS, Video=TINY, MuxConfig=FORCED),
        output(MP4, Video=TINY),
        output(MP4, Video=TINY, Container={"Format": "ts"}),
        output(FLV, Video=TINY),
        output(MP3),
        output(MP4, Video=TINY, Audio={"Remove": "true"}),
    )
    whole = max(late + video, audio)
    for n in (0, 1, 2):
        content = [segment.path for segment in made.segments(n)]
        # what is encoded is held from the beginning to the end; a copy keeps its packets
        shown = video if n == 1 else whole
        assert sum(len(packets(path)) for path in content) == pytest.approx(shown * 25, abs=4)
        sound = sum(len(packets(path, "a")) for path in content)
        assert sound * 1024 / 44100 == pytest.approx(audio, abs=0.2)
    assert MediaInfo.of(made[6]).duration == pytest.approx(audio, abs=0.2)
    assert len(packets(made[7])) == pytest.approx((late + video) * 25, abs=1)
    assert extinf(made[0]) == pytest.approx(whole, abs=0.2)
    told = [one for one in made.result.warnings if 'container "m3u8" tells' in one]
    assert len(told) == (abs(extinf(made[1]) - whole) > 0.5)


def test_an_hls_output_that_breaks_off_is_found_in_its_sound(tmp_path, media_dir):
    made = run(tmp_path, media.uneven(media_dir, 3, 5), output(HLS, Video=TINY))
    planned = made.step.resolved[0].rendition
    playlist = made[0]
    # neutral names, as they were when it was verified
    playlist.write_text(playlist.read_text().replace("0-uneven-3-5-0-", "0-"))
    assert verify(playlist, planned).duration == pytest.approx(5, abs=0.1)
    with pytest.raises(ActivityError, match=r"ends after 5\.\d+ of 7\.000 seconds"):
        verify(playlist, replace(planned, duration=7.0))
    with pytest.raises(ActivityError, match="longer than"):
        verify(playlist, replace(planned, limit=5.7))


@pytest.mark.parametrize("container", ["mp3", "aac"])
def test_a_guessed_duration_cuts_nothing(tmp_path, media_dir, container):
    source = media.growing(media_dir, container)
    guess = MediaInfo.of(source)
    assert guess.guessed and guess.duration and guess.duration < 15
    made = run(tmp_path, source, output(MP3))
    assert MediaInfo.of(made[0]).duration == pytest.approx(30, abs=0.3)


def test_a_source_without_any_duration(tmp_path, media_dir):
    piped = media.make(
        media_dir / "piped.mkv",
        *("-i", str(media.uneven(media_dir, 3, 5)), "-c", "copy"),
        *("-f", "matroska", "-live", "1"),
    )
    assert MediaInfo.of(piped).duration is None
    made = run(tmp_path, piped, output(HLS, Video=TINY), output(MP3))
    assert MediaInfo.of(made[1]).duration == pytest.approx(5, abs=0.2)


def test_an_output_at_its_byte_limit_is_refused(tmp_path, media_dir, monkeypatch):
    made = run(tmp_path, media.growing(media_dir), output(MP3))
    planned = made.step.resolved[0].rendition
    monkeypatch.setattr("activities.transcode.result.verify.most_bytes", lambda rendition: 1000)
    with pytest.raises(ActivityError) as caught:
        verify(made[0], planned)
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD


def test_forced_cuts_that_do_not_come_out_are_told(tmp_path, media_dir):
    source = media.uneven(media_dir, 5, 3)
    late = {"Segment": {"ForceSegTime": "2,60"}}
    made = run(
        tmp_path,
        source,
        output(HLS, Video=TINY, MuxConfig=FORCED),
        output(HLS, Video=TINY, MuxConfig=late),
    )
    (warning,) = made.result.warnings
    assert "asks for 3 segments, and 2 came out" in warning
    for n in (0, 1):
        assert "#EXT-X-MEDIA-SEQUENCE:1\n" in made[n].read_text()
    both = {"Segment": {"ForceSegTime": "1.5", "Duration": "2"}}
    assert not run(tmp_path / "b", source, output(HLS, Video=TINY, MuxConfig=both)).result.warnings


def test_a_clip_behind_the_end_of_the_sound_is_silent_and_says_so(tmp_path, media_dir):
    source = media.with_sound(media.numbered(media_dir, 3), "mp4", sound=1)
    cut = {"Clip": {"TimeSpan": {"Seek": "2", "Duration": "0.4"}}}
    made = run(tmp_path, source, output(Video={"Width": "160"}, **cut))
    assert frame_numbers(made[0]) == [n % media.PERIOD for n in range(50, 60)]
    assert not MediaInfo.of(made[0]).audios
    assert "/Outputs/0/Clip/TimeSpan/Seek" in [one.pointer for one in made.step.warnings]
