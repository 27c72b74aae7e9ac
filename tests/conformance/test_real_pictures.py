"""Picture files: what moves in one is a film, what stands still is refused by its name."""

from pathlib import Path

import pytest

from activities.analysis.samples import samples
from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from activities.start import Start
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.transcodes import decoded, frame_numbers, packets, run, video
from workflow_engine.activity import Step
from workflow_engine.errors import ActivityError, Code

FRAMES, SIZE = 15, "160x90"
#: seconds between two frames
STEP = 0.2
MOVING = {
    "gif": ("film.gif", ()),
    "png": ("film.png", ("-f", "apng")),
    "apng": ("film.apng", ("-f", "apng", "-plays", "0")),
    "webp": ("film.webp", ("-c:v", "libwebp_anim", "-lossless", "1", "-loop", "0")),
    "avif": (
        "film.avif",
        ("-c:v", "libaom-av1", "-cpu-used", "8", "-crf", "10", "-pix_fmt", "yuv420p"),
    ),
    "jpeg": ("film.mjpeg", ("-c:v", "mjpeg", "-q:v", "2", "-f", "mjpeg")),
}
STILL = {
    "JPEG": ("one.jpg", ("-update", "1")),
    "PNG": ("one.png", ("-update", "1")),
    "GIF": ("one.gif", ()),
    "WebP": ("one.webp", ("-c:v", "libwebp_anim")),
    "AVIF": ("one.avif", ("-c:v", "libaom-av1", "-still-picture", "1", "-pix_fmt", "yuv420p")),
    "BMP": ("one.bmp", ("-update", "1")),
    "TIFF": ("one.tiff", ("-update", "1")),
    "JPEGXL": ("one.jxl", ("-update", "1")),
}


def moving(directory: Path, form: str) -> Path:
    """Frames that tell their number, five a second, in grey."""
    name, options = MOVING[form]
    grey = f"geq=lum='16+{media.STEP}*N':cb=128:cr=128"
    return media.make(
        directory / name,
        *("-f", "lavfi", "-i", f"color=size={SIZE}:rate=5:duration={FRAMES * STEP:g}"),
        *("-vf", grey, *options),
    )


def still(directory: Path, kind: str) -> Path:
    name, options = STILL[kind]
    source = ("-f", "lavfi", "-i", f"testsrc2=size={SIZE}", "-frames:v", "1")
    return media.make(directory / name, *source, *options)


@pytest.mark.proves("picture: GIF, PNG, WebP, AVIF, JPEG that move", by="decoded frames, times")
@pytest.mark.parametrize("form", MOVING)
def test_what_moves_is_a_film(tmp_path, media_dir, form):
    source = moving(media_dir, form)
    # a bare motion JPEG tells no times: 25 frames a second
    step = 0.04 if form == "jpeg" else STEP
    made = run(tmp_path, source, video(Crf="4", Width="160"))
    found = frame_numbers(made[0])
    shown = len(found) // FRAMES
    expected = [number for number in range(FRAMES) for _ in range(shown)]
    assert all(abs(a - b) <= 1 for a, b in zip(found, expected, strict=True)), found
    times = [float(packet["pts_time"]) for packet in packets(made[0])]
    assert max(times) - min(times) == pytest.approx(FRAMES * step - step / shown, abs=0.01)


@pytest.mark.proves("picture: snapshots of moving pictures", by="decoded frames")
@pytest.mark.parametrize("form", ["gif", "png", "webp", "avif"])
def test_pictures_of_a_moving_picture(tmp_path, media_dir, form):
    source = moving(media_dir, form)
    info = MediaInfo.of(source, ends=True).to_json()
    for kind, time, wanted in (("normal", 0, 0), ("normal", 1700, 8), ("normal", 2950, 14)):
        target = {"Bucket": "out-bucket", "Object": "{FileName}.jpg"}
        config = {"OutputFile": target, "Time": str(time), "FrameType": kind}
        parameters = SnapshotParameters.model_validate({"SnapshotConfig": config})
        step = Snapshot().plan(parameters, make_plan_context(source, media=info))
        work = tmp_path / f"{kind}-{time}"
        (picture,) = Snapshot().run(step, make_context(work, source)).outputs
        assert abs(media.frame_number(picture.path) - wanted) <= 1, (kind, time)
    # key frames too, where there are some
    config = {"OutputFile": target, "Time": "1700"}
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": config})
    step = Snapshot().plan(parameters, make_plan_context(source, media=info))
    assert Snapshot().run(step, make_context(tmp_path / "intra", source)).outputs


@pytest.mark.proves("picture: Clip of moving pictures", by="decoded frames")
@pytest.mark.parametrize("form", ["gif", "png", "avif"])
def test_a_clip_of_a_moving_picture(tmp_path, media_dir, form):
    clip = {"Clip": {"TimeSpan": {"Seek": "1", "Duration": "1"}}}
    made = run(tmp_path, moving(media_dir, form), video(Crf="4", Width="160") | clip)
    found = frame_numbers(made[0])
    assert (abs(found[0] - 5) <= 1, abs(found[-1] - 9) <= 1) == (True, True), found


@pytest.mark.proves("picture: merged moving pictures", by="decoded frames")
def test_moving_pictures_as_parts(tmp_path, media_dir):
    parts = {f"uploads/{form}": moving(media_dir, form) for form in ("png", "webp", "gif")}
    merged = {"MergeList": [{"MergeURL": f"oss://{name}"} for name in parts]}
    late = {"MergeList": [{"MergeURL": "oss://uploads/webp", "Start": "1"}]}
    source = media.numbered(media_dir, 1, fps=5)
    made = run(tmp_path, source, video(Width="160", Crf="4") | merged, objects=parts)
    # no output has fewer than ten pictures a second
    found = frame_numbers(made[0])[::2]
    assert len(found) == 5 + 3 * FRAMES
    for n in range(3):
        part = found[5 + n * FRAMES :][:FRAMES]
        assert all(abs(a - b) <= 1 for a, b in zip(part, range(FRAMES), strict=True)), part
    with pytest.raises(ActivityError, match="from its beginning only"):
        run(tmp_path / "late", source, video(Width="160") | late, objects=parts)


def test_a_webp_is_not_opened_later(tmp_path, media_dir):
    clip = {"Clip": {"TimeSpan": {"Seek": "1", "Duration": "1"}}}
    with pytest.raises(ActivityError, match="from its beginning only") as caught:
        run(tmp_path, moving(media_dir, "webp"), video(Width="160") | clip)
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
    assert caught.value.pointer == "/Outputs/0/Clip/TimeSpan/Seek"


def test_a_long_webp(tmp_path, media_dir):
    """Longer than what is opened at its beginning anyhow."""
    source = media.make(
        media_dir / "long.webp",
        *("-f", "lavfi", "-i", "color=size=64x64:rate=2:duration=20"),
        *("-vf", f"geq=lum='16+{media.STEP}*N':cb=128:cr=128", "-c:v", "libwebp_anim"),
        *("-lossless", "1"),
    )
    info = MediaInfo.of(source, ends=True)
    wanted = {"OutputFile": {"Bucket": "out-bucket", "Object": "a.jpg"}, "Time": "18100"}
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": wanted})
    step = Snapshot().plan(parameters, make_plan_context(source, media=info.to_json()))
    (picture,) = Snapshot().run(step, make_context(tmp_path, source)).outputs
    assert media.frame_number(picture.path) == 36
    (whole,) = samples((), info.duration)
    assert (whole.start, whole.length) == (0, info.duration)


@pytest.mark.proves("picture: one that stands still", by="its errors")
@pytest.mark.parametrize("kind", STILL)
def test_a_still_picture_is_refused_by_name(tmp_path, media_dir, kind):
    for n, source in enumerate((still(media_dir, kind), tmp_path / "renamed.mp4")):
        if n:
            source.write_bytes(still(media_dir, kind).read_bytes())
        with pytest.raises(ActivityError) as caught:
            Start().run(Step(), make_context(tmp_path / str(n), source))
        assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
        assert f"is a still picture ({kind})" in caught.value.message
        assert "animated" in (caught.value.remedy or "")


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_a_photo_of_a_phone_is_refused_by_name(tmp_path, media_dir, brand):
    photo = tmp_path / "photo.heic"
    content = still(media_dir, "AVIF").read_bytes()
    # ffmpeg writes no HEIC: its boxes are those of AVIF, under other brands
    photo.write_bytes(content.replace(b"avif", brand).replace(b"av01", b"hvc1"))
    with pytest.raises(ActivityError, match=r"still picture \(HEI[CF]\)") as caught:
        Start().run(Step(), make_context(tmp_path, photo))
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_a_photo_with_a_preview_stands_still(tmp_path, media_dir):
    photo, preview = still(media_dir, "JPEG").read_bytes(), still(media_dir, "JPEG").read_bytes()
    # an index of further pictures (APP2), as phones write it
    index = b"\xff\xe2\x00\x08MPF\0\0\0"
    source = tmp_path / "photo.jpg"
    source.write_bytes(photo[:2] + index + photo[2:] + preview)
    with pytest.raises(ActivityError, match="still picture"):
        MediaInfo.of(source, ends=True)


@pytest.mark.parametrize("form", ["webp", "png"])
def test_a_moving_picture_that_was_cut_off(tmp_path, media_dir, form):
    source = media.truncated(moving(media_dir, form))
    with pytest.raises(ActivityError) as caught:
        Start().run(Step(), make_context(tmp_path, source))
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD
    assert "bytes are missing" in caught.value.message


def test_lengths_are_those_that_ffmpeg_shows(media_dir):
    for form in ("gif", "png", "webp"):
        source = moving(media_dir, form)
        info = MediaInfo.of(source, ends=True)
        count = len(decoded(source, "-vf", "scale=1:1,format=gray", "-f", "rawvideo"))
        assert (info.duration, count) == (pytest.approx(FRAMES * STEP), FRAMES)
