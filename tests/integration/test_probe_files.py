"""Real files: what ffprobe tells of them, and what is refused."""

import json
import os
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from activities.ffmpeg import probe_json
from activities.probe import MediaInfo, missing_bytes
from tests.support import media
from workflow_engine.errors import ActivityError, Code, InterruptedRunError


def refused(path: Path) -> ActivityError:
    with pytest.raises(ActivityError) as caught:
        MediaInfo.of(path)
    return caught.value


def test_a_real_clip(bunny: Path) -> None:
    info = MediaInfo.of(bunny)
    assert info.duration == pytest.approx(5.312)
    assert info.size == bunny.stat().st_size == 1055736
    assert info.video and info.video.codec == "h264"
    assert info.video.display_size == (1280, 720) and info.video.fps == Fraction(25)
    assert info.video.bitrate_kbps == pytest.approx(1205.959)
    assert info.video.duration == pytest.approx(5.28) and not info.video.interlaced
    assert info.default_audio and info.default_audio.channels == 6
    properties = info.properties()
    assert properties["Streams"]["VideoStreamList"][0]["NumFrames"] == "132"
    assert properties["FileFormat"] == "QuickTime / MOV"
    assert json.loads(json.dumps(info.to_json()))["Properties"] == properties
    assert str(bunny) not in json.dumps(info.to_json())


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "avi", "webm", "flv"])
def test_containers(media_dir: Path, container: str) -> None:
    info = MediaInfo.of(media.clip(media_dir, 2, "320x180", container=container))
    assert info.video and info.video.display_size == (320, 180)
    assert info.video.fps == 25
    # mkv and ts give their streams no bit rate: what is left of the container's
    assert info.video.bitrate_kbps and 20 < info.video.bitrate_kbps < 2000
    assert info.duration == pytest.approx(2, abs=0.15)
    assert info.audios[0].channels == 1
    assert missing_bytes(media.clip(media_dir, 2, "320x180", container=container)) == 0


@pytest.mark.parametrize("container", ["m4a", "mp3", "flac", "wav", "ogg"])
def test_sound_alone(media_dir: Path, container: str) -> None:
    info = MediaInfo.of(media.audio_only(media_dir, container=container))
    assert info.video is None and len(info.audios) == 1
    assert info.duration == pytest.approx(4, abs=0.1)


def test_cover_art_is_not_a_video(media_dir: Path) -> None:
    info = MediaInfo.of(media.with_cover(media_dir))
    assert info.video is None and info.default_audio is not None
    assert info.properties()["Streams"]["VideoStreamList"] == []


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation(media_dir: Path, degrees: int) -> None:
    video = MediaInfo.of(media.rotated(media_dir, degrees)).video
    assert video and video.rotation == degrees
    assert video.display_size == ((320, 180) if degrees == 180 else (180, 320))


def test_pixels_that_are_not_square(media_dir: Path) -> None:
    video = MediaInfo.of(media.anamorphic(media_dir)).video
    assert video and video.sar == Fraction(16, 15)
    assert video.upright_size == (360, 288) and video.display_size == (384, 288)


def test_the_marked_sound_is_the_default(media_dir: Path, clip: Path) -> None:
    two = media.make(
        media_dir / "two-sounds.mkv",
        *("-i", str(clip), "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default"),
        *("-metadata:s:a:1", "language=fre"),
    )
    chosen = MediaInfo.of(two).default_audio
    assert chosen and chosen.position == 1 and chosen.language == "fre"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (media.empty_file, "the file is empty"),
        (media.text_named_video, "not a media file"),
    ],
)
def test_what_is_no_media(tmp_path: Path, make: object, reason: str) -> None:
    error = refused(make(tmp_path))
    assert error.code == Code.RESOURCE_CONTENT_BAD
    assert error.message == f'The resource operated "InputFile" is bad: {reason}.'


@pytest.mark.parametrize("make", [media.ffconcat_named_video, media.playlist_named_video])
def test_lists_of_other_files(tmp_path: Path, clip: Path, make: object) -> None:
    os.symlink(clip, tmp_path / "beside.mp4")
    error = refused(make(tmp_path, "beside.mp4"))
    assert error.code == Code.RESOURCE_NOT_SUPPORTED
    assert "list of other files" in error.message


def test_text_is_not_rendered(tmp_path: Path) -> None:
    assert refused(media.text_named_video(tmp_path, "a.txt")).code == Code.RESOURCE_CONTENT_BAD


def test_a_directory_a_pipe_and_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "directory" in refused(tmp_path).message
    assert "regular file" in refused(tmp_path / "pipe.mp4").message
    assert refused(tmp_path / "gone.mp4").code == Code.RESOURCE_NOT_FOUND


def test_an_index_that_never_came(media_dir: Path, clip: Path) -> None:
    cut = media.truncated(clip)
    assert "moov atom not found" in refused(cut).message
    assert str(media_dir) not in refused(cut).detail


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_cut_that_the_index_hides(media_dir: Path, container: str) -> None:
    clip = media.clip(media_dir, container=container)
    whole = media.faststart(clip) if container == "mp4" else clip
    cut = media.truncated(whole, 0.5)
    MediaInfo.of(cut)  # nothing amiss, by ffprobe
    assert missing_bytes(cut) == pytest.approx(whole.stat().st_size / 2, abs=2)
    assert missing_bytes(whole) == 0


@pytest.mark.parametrize("container", ["avi", "flv", "wav", "mp3"])
def test_a_cut_that_no_index_tells(media_dir: Path, container: str) -> None:
    make = media.audio_only if container in ("wav", "mp3") else media.clip
    whole = make(media_dir, 2, container=container)
    cut = media.truncated(whole, 0.6)
    assert missing_bytes(whole) == 0
    # an avi has its index behind the frames
    assert missing_bytes(cut) == pytest.approx(whole.stat().st_size * 0.4, rel=0.1)
    assert not MediaInfo.of(whole).guessed


def test_matroska_tells_the_length_of_each_stream(media_dir: Path) -> None:
    info = MediaInfo.of(media.uneven(media_dir, 3, 5, "mkv"))
    assert info.video and info.video.duration == pytest.approx(3, abs=0.05)
    assert info.audios[0].duration == pytest.approx(5, abs=0.05)


def test_only_subtitles(tmp_path: Path) -> None:
    file = tmp_path / "words.srt"
    file.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    assert "neither a video nor an audio stream" in refused(file).message


def test_playlists_of_our_own_are_read(media_dir: Path, clip: Path) -> None:
    folder = media_dir / "hls"
    folder.mkdir(exist_ok=True)
    options = ("-f", "hls", "-hls_time", "1", "-hls_list_size", "0")
    playlist = media.make(
        folder / "list.m3u8",
        "-i",
        str(clip),
        "-c",
        "copy",
        *options,
        *("-hls_segment_filename", str(folder / "s%05d.ts")),
    )
    assert MediaInfo.of(playlist, playlists=True).duration == pytest.approx(4, abs=0.1)
    assert refused(playlist).code == Code.RESOURCE_NOT_SUPPORTED


def test_probing_can_be_cancelled_and_has_a_limit(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "ffprobe"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("MEDIAFLOW_FFPROBE", str(slow))
    with pytest.raises(ActivityError) as caught:
        probe_json(clip, timeout=0.3)
    assert caught.value.code == Code.TIMEOUT
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(InterruptedRunError):
        probe_json(clip, cancel=cancel)
