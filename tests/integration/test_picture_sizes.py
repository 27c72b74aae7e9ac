"""Pictures without a size, too large, or of changing sizes: refused, or what plays plays."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from activities.ffmpeg import MAX_PIXELS
from activities.probe import MediaInfo
from activities.snapshot import Snapshot
from activities.start import Start
from tests.support import media, transcodes
from tests.support.context import make_context, make_plan_context
from workflow_engine.activity import ActivityResult, Step
from workflow_engine.errors import ActivityError, Code

FILM = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1")
HUGE = ("-f", "lavfi", "-i", "color=size=9000x9000:rate=1:duration=1")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
MJPEG = ("-c:v", "mjpeg", "-q:v", "31", "-pix_fmt", "yuvj420p")


def start(directory: Path, source: Path) -> ActivityResult:
    return Start().run(Step(), make_context(directory, source))


def snap(directory: Path, source: Path, **fields: object) -> list[Path]:
    """Take pictures of a source; return their files."""
    target = {"Bucket": "out", "Object": "{Count}.jpg"}
    wire = {"SnapshotConfig": {"OutputFile": target, "Time": "0"} | fields}
    data = MediaInfo.of(source, ends=True).to_json()
    parameters = Snapshot.parameters.model_validate(wire)
    step = Snapshot().plan(parameters, make_plan_context(source, media=data))
    result = Snapshot().run(step, make_context(directory, source))
    return [produced.path for produced in result.outputs]


def huge(directory: Path, container: str, *sound: str) -> Path:
    name = f"huge-{len(sound)}.{container}"
    return media.make(directory / name, *HUGE, *sound, *MJPEG)


def lying_flv(directory: Path) -> Path:
    """A header that announces a picture, and bytes that are none."""
    path = directory / "lying.flv"
    path.write_bytes(b"FLV\1\5\0\0\0\x09\0\0\0\0\x09\xff\xff\xff" + bytes(7) + b"\x17" * 5000)
    return path


def noise(directory: Path) -> Path:
    """Random bytes behind a start code and the type of a sequence header."""
    path = directory / "noise.h264"
    path.write_bytes(b"\0\0\0\1\x67" + random.Random(1).randbytes(20_000))
    return path


def packets_of(stream: bytes, keep: Sequence[int]) -> bytes:
    """The packets of a transport stream with these PIDs."""
    packets = (stream[n : n + 188] for n in range(0, len(stream), 188))
    return b"".join(p for p in packets if int.from_bytes(p[1:3]) & 0x1FFF in keep)


def test_a_film_without_a_size_is_refused_at_the_start(tmp_path: Path, media_dir: Path) -> None:
    bad = {
        huge(media_dir, "avi"): f"more than {MAX_PIXELS} pixels",
        huge(media_dir, "mkv"): "no size",
        # a film is missing, even if its sound could be played
        huge(media_dir, "avi", *TONE): "no size",
        lying_flv(tmp_path): "no pictures",
        noise(tmp_path): "no size",
    }
    for number, (source, words) in enumerate(bad.items()):
        with pytest.raises(ActivityError, match=words) as caught:
            start(tmp_path / str(number), source)
        assert caught.value.code == Code.RESOURCE_CONTENT_BAD, source


def test_a_broken_cover_does_not_keep_the_sound_from_playing(
    tmp_path: Path, media_dir: Path
) -> None:
    whole = media.with_cover(media_dir)
    content = bytearray(whole.read_bytes())
    picture = content.index(b"\xff\xd8\xff")
    content[picture : picture + 600] = bytes(600)
    broken = tmp_path / "broken-cover.m4a"
    broken.write_bytes(content)
    start(tmp_path / "start", broken)
    made = transcodes.run(tmp_path / "mp3", broken, transcodes.output(transcodes.MP3))
    assert MediaInfo.of(made[0]).audios


def test_the_film_beside_a_broken_one_is_taken(tmp_path: Path, media_dir: Path) -> None:
    source = media.make(
        media_dir / "huge-and-film.mkv",
        *(*HUGE, *FILM, *TONE, "-map", "0", "-map", "1", "-map", "2"),
        *("-c:v:0", "mjpeg", "-q:v", "31", *H264[2:], "-c:v:1", "libx264", "-c:a", "aac"),
    )
    start(tmp_path / "start", source)
    video = transcodes.video(Width="160")
    made = transcodes.run(tmp_path / "mp4", source, video)
    assert transcodes.stream(made[0])["width"] == 160
    assert len(snap(tmp_path / "jpg", source)) == 1
    with pytest.raises(ActivityError, match="no usable size") as caught:
        transcodes.run(tmp_path / "first", source, video | {"VideoStreamMap": "0:v:0"})
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD


def test_a_film_that_is_only_announced_is_none(tmp_path: Path, media_dir: Path) -> None:
    whole = media.make(media_dir / "announced.ts", *FILM, *TONE, *H264, "-c:a", "aac")
    source = tmp_path / "sound.ts"
    # tables and sound: what a recorder writes whose camera is off
    source.write_bytes(packets_of(whole.read_bytes(), (0, 0x11, 0x1000, 0x101)))
    start(tmp_path / "start", source)
    made = transcodes.run(tmp_path / "mp3", source, transcodes.output(transcodes.MP3))
    assert MediaInfo.of(made[0]).audios
    with pytest.raises(ActivityError, match="no video stream") as caught:
        transcodes.run(tmp_path / "mp4", source, transcodes.output())
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_a_size_that_comes_late_is_found(tmp_path: Path, media_dir: Path) -> None:
    whole = media.make(
        media_dir / "late.ts",
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=12"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=12", *H264, "-c:a", "aac"),
        *("-g", "200", "-keyint_min", "200", "-sc_threshold", "0"),
    )
    content, source = whole.read_bytes(), tmp_path / "late.ts"
    # joined behind its first key frame; the next one comes after 8 s
    source.write_bytes(content[: 188 * 3] + content[len(content) // 20 // 188 * 188 :])
    info = MediaInfo.from_json(start(tmp_path / "start", source).data)
    assert info.video is not None and info.video.display_size == (160, 120)
    made = transcodes.run(tmp_path / "copy", source, transcodes.output(transcodes.MP4_COPY))
    assert transcodes.stream(made[0])["width"] == 160


def test_a_very_narrow_film(tmp_path: Path, media_dir: Path) -> None:
    source = media.make(
        media_dir / "narrow.mkv",
        *("-f", "lavfi", "-i", "color=size=16x16000:rate=5:duration=1"),
        *("-c:v", "ffv1", "-pix_fmt", "yuv420p"),
    )
    start(tmp_path / "start", source)
    with pytest.raises(ActivityError) as caught:
        transcodes.run(tmp_path / "wide", source, transcodes.video(Width="640"))
    assert caught.value.code == Code.OUT_OF_RANGE and "16x16000" in caught.value.message
    made = transcodes.run(tmp_path / "low", source, transcodes.video(Width="", Height="1600"))
    assert transcodes.stream(made[0])["height"] == 1600
    assert len(snap(tmp_path / "jpg", source)) == 1


def test_a_film_whose_size_changes(tmp_path: Path, media_dir: Path) -> None:
    parts = [
        media.make(
            media_dir / f"part-{size}.ts",
            *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=1"),
            *(*TONE, *H264, "-c:a", "aac", "-output_ts_offset", str(second)),
        )
        for second, size in enumerate(("160x120", "320x180"))
    ]
    source = tmp_path / "changing.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    start(tmp_path / "start", source)
    made = transcodes.run(
        tmp_path / "both",
        source,
        transcodes.video(Width="160"),
        transcodes.output(transcodes.MP3),
        transcodes.output(transcodes.MP4_COPY),
    )
    assert transcodes.stream(made[0])["width"] == 160
    assert MediaInfo.of(made[0]).duration == pytest.approx(2, abs=0.2)
    assert len(snap(tmp_path / "jpg", source, Interval="0.5", FrameType="normal")) == 4
