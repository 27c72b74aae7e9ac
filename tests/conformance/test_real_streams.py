"""Files of several streams, of which some cannot be decoded or are no film; shapes that change."""

import pytest

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.transcodes import HLS, MP3, MP4_COPY, decoded, heard, joined, output, run, stream
from workflow_engine.errors import ActivityError, Code

SMALL = {"Width": "160"}
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")


def two_sounds(directory, container, *, first="aac", languages=("und", "und")):
    """A film with two tracks of sound: 440 Hz, the default, and 880 Hz."""
    tracks = [("-f", "lavfi", "-i", f"sine=f={hertz}:d=2") for hertz in (440, 880)]
    return media.make(
        directory / f"two-{first}-{'-'.join(languages)}.{container}",
        *("-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=2", *tracks[0], *tracks[1]),
        *("-map", "0", "-map", "1", "-map", "2", *X264, "-c:a:0", first, "-c:a:1", "aac"),
        *("-metadata:s:a:0", f"language={languages[0]}"),
        *("-metadata:s:a:1", f"language={languages[1]}", "-disposition:a:0", "default"),
    )


def spoilt(source, old: bytes, new: bytes):
    """The file with the codec of its first sound changed to one that nobody decodes."""
    made = source.with_name(f"spoilt-{new.decode()}-{source.name}")
    data = bytearray(source.read_bytes())
    sound = max(0, data.find(b"soun"))
    at = data.index(old, sound)
    data[at : at + len(old)] = new
    if new == b"apac":
        # what would tell the codec once more
        at = data.index(b"esds", at)
        data[at : at + 4] = b"dapa"
    made.write_bytes(data)
    return made


@pytest.mark.proves("streams: no decoder", by="the frequency that is heard, and warnings")
@pytest.mark.parametrize(
    ("container", "old", "new"),
    [
        ("mov", b"mp4a", b"apac"),  # Apple's spatial sound
        ("mp4", b"mp4a", b"enca"),  # encrypted
        ("mkv", b"A_AAC", b"A_XYZ"),
    ],
)
def test_sound_without_a_decoder_is_passed_over(tmp_path, media_dir, container, old, new):
    source = spoilt(two_sounds(media_dir, container), old, new)
    assert MediaInfo.of(source).audios[0].default
    made = run(
        tmp_path,
        source,
        output(Video=SMALL),
        output(HLS, Video=SMALL),
        output(MP3),
        output(MP4_COPY),
    )
    for path in (made[0], joined(made, 1), made[2], made[3]):
        assert heard_most(path) == 880
    assert [one.message for one in made.step.warnings if "stream 1" in one.message]


@pytest.mark.proves("streams: no decoder at all", by="the code of the error")
def test_only_sound_without_a_decoder(tmp_path, media_dir):
    source = spoilt(
        media.make(
            media_dir / "alone.mov",
            *("-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1"),
            *(*X264, "-c:a", "aac"),
        ),
        b"mp4a",
        b"apac",
    )
    for wanted in (output(), output(MP3)):
        with pytest.raises(ActivityError) as caught:
            run(tmp_path, source, wanted)
        assert caught.value.code == Code.NO_AUDIO_STREAM and "decoded" in caught.value.message
    silent = run(tmp_path / "silent", source, output(Video=SMALL, Audio={"Remove": "true"}))
    assert not MediaInfo.of(silent[0]).audios


@pytest.mark.proves("streams: a cover that says it is a film", by="size and pictures of outputs")
@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "mjpeg"), ("mkv", "mjpeg"), ("mkv", "png")]
)
def test_a_cover_is_not_the_film(tmp_path, media_dir, container, codec):
    source = media.make(
        media_dir / f"cover-{codec}.{container}",
        *("-f", "lavfi", "-i", "color=orange:s=300x300:r=25:d=0.04"),
        *("-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=2"),
        *("-f", "lavfi", "-i", "sine=d=2", "-map", "0", "-map", "1", "-map", "2"),
        *("-c:v:0", codec, "-c:v:1", "libx264", "-pix_fmt:v:1", "yuv420p", "-c:a", "aac"),
        *("-disposition:v:0", "0"),
    )
    assert len(MediaInfo.of(source).videos) == 2
    made = run(tmp_path, source, output(Video=SMALL), output(MP4_COPY))
    assert [stream(made[n])["height"] for n in (0, 1)] == [90, 180]
    assert int(stream(made[0])["nb_frames"]) in (50, 51)
    # a picture that is alone is what there is
    alone = media.make(
        media_dir / f"alone-{codec}.{container}",
        *("-i", str(source), "-map", "0:v:0", "-map", "0:a", "-c", "copy", "-disposition:v", "0"),
    )
    assert stream(run(tmp_path / "alone", alone, output(Video=SMALL))[0])["height"] == 160


@pytest.mark.proves("streams: several programs", by="size, and the frequency that is heard")
def test_picture_and_sound_belong_to_one_program(tmp_path, media_dir):
    sizes = ("160x90", "320x180")
    given = [
        one
        for n in (0, 1)
        for one in (
            *("-f", "lavfi", "-i", f"testsrc=s={sizes[n]}:r=25:d=2"),
            *("-f", "lavfi", "-i", f"sine=f={(440, 880)[n]}:d=2"),
        )
    ]
    source = media.make(
        media_dir / "two-programs.ts",
        *given,
        *("-map", "0", "-map", "1", "-map", "2", "-map", "3", *X264, "-c:a", "aac"),
        *("-program", "program_num=1:st=0:st=1", "-program", "program_num=2:st=2:st=3"),
    )
    made = run(tmp_path, source, output(Video={"Width": "320"}), output(MP4_COPY))
    for n in (0, 1):
        assert stream(made[n])["height"] == 180
        assert heard_most(made[n]) == 880


def heard_most(path) -> int:
    return max((440, 880), key=lambda hertz: heard(path, 1.0, hertz)[0])


def square(directory, size, name, *options, seconds=2):
    """Grey with a white square in the middle, a quarter of the shorter side."""
    width, height = size
    side = min(size) // 4
    box = f"drawbox=(iw-{side})/2:(ih-{side})/2:{side}:{side}:white:fill"
    return media.make(
        directory / name,
        *(
            "-f",
            "lavfi",
            "-i",
            f"color=gray:s={width}x{height}:r=25:d={seconds},format=yuv420p,{box}",
        ),
        *options,
    )


def shape(path, at, size) -> float:
    """Width over height of the white square, `at` seconds in a picture of `size`."""
    width, height = size
    scale = f"scale={width}:{height},format=gray"
    frame = decoded(path, "-ss", str(at), "-vf", scale, "-frames:v", "1", "-f", "rawvideo")
    rows = [frame[n * width : (n + 1) * width] for n in range(height)]
    wide = sum(level > 200 for level in rows[height // 2])
    high = sum(row[width // 2] > 200 for row in rows)
    return wide / high


@pytest.fixture(params=["h264 in ts", "mpeg-2 in ts", "vp8 in webm"])
def turned(request, media_dir):
    """A film that stands upright after 2 of 4 seconds."""
    kind = request.param
    suffix = "webm" if "webm" in kind else "ts"
    codec = {"h264 in ts": X264, "mpeg-2 in ts": ("-c:v", "mpeg2video", "-q:v", "3")}
    options = codec.get(kind, ("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M"))
    target = media_dir / f"turned-{kind.replace(' ', '-')}.{suffix}"
    if target.exists():
        return target
    if suffix == "ts":
        parts = [
            square(
                media_dir,
                size,
                f"part-{kind[:4]}-{n}.ts",
                *options,
                "-output_ts_offset",
                f"{2 * n}",
            )
            for n, size in enumerate(((320, 180), (180, 320)))
        ]
        target.write_bytes(b"".join(part.read_bytes() for part in parts))
        return target
    parts = [
        square(media_dir, size, f"part-{n}.ivf", *options).read_bytes()
        for n, size in enumerate(((320, 180), (180, 320)))
    ]
    ivf = media_dir / "turned.ivf"
    ivf.write_bytes(parts[0] + _later(parts[1], 50))
    return media.make(target, "-i", str(ivf), "-c", "copy")


def _later(ivf: bytes, frames: int) -> bytes:
    """The frames of an IVF file without its header, so many frames later."""
    at, made = 32, bytearray()
    while at < len(ivf):
        size = int.from_bytes(ivf[at : at + 4], "little")
        time = int.from_bytes(ivf[at + 4 : at + 12], "little") + frames
        made += ivf[at : at + 4] + time.to_bytes(8, "little") + ivf[at + 12 : at + 12 + size]
        at += 12 + size
    return bytes(made)


@pytest.mark.proves("shape: a size that changes", by="a square before and after the change")
def test_a_turned_picture_is_fitted_in(tmp_path, turned):
    made = run(tmp_path, turned, output(Video={"Width": "320"}), output(HLS, Video=SMALL))
    assert float(made.produced(0).media["Duration"]) == pytest.approx(4, abs=0.2)
    for at in (1, 3):
        assert shape(made[0], at, (320, 180)) == pytest.approx(1, abs=0.08)


@pytest.mark.proves("shape: snapshots of a size that changes", by="a square in the picture")
def test_a_snapshot_behind_the_change_has_the_shape(tmp_path, turned):
    info = MediaInfo.of(turned, ends=True)
    config = {
        "OutputFile": {"Bucket": "b", "Location": "local", "Object": "a.jpg"},
        "Time": "3000",
        "FrameType": "normal",
    }
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": config})
    step = Snapshot().plan(parameters, make_plan_context(turned, media=info.to_json()))
    result = Snapshot().run(step, make_context(tmp_path, turned))
    assert shape(result.outputs[0].path, 0, (320, 180)) == pytest.approx(1, abs=0.08)


@pytest.fixture(params=[(3, "mpeg2video"), (40, "mpeg2video"), (3, "libx264")])
def broadcast(request, media_dir):
    """A film in frames of 352x288 that are 4:3, and 16:9 in its second half."""
    seconds, codec = request.param
    extra = ("-preset", "ultrafast") if codec == "libx264" else ("-q:v", "3")
    parts = [
        square(
            *(media_dir, (352, 288), f"{codec}-{seconds}-{n}.ts"),
            *("-vf", f"setsar={sar}", "-c:v", codec, "-g", "25", *extra),
            *("-output_ts_offset", str(seconds * n)),
            seconds=seconds,
        )
        for n, sar in enumerate(("12/11", "16/11"))
    ]
    source = media_dir / f"broadcast-{codec}-{seconds}.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    return source, seconds


@pytest.mark.proves("shape: from 4:3 to 16:9", by="a square before and after the change")
def test_a_broadcast_from_4_3_to_16_9(tmp_path, broadcast):
    source, seconds = broadcast
    clip = {"Clip": {"TimeSpan": {"Seek": str(seconds - 1), "Duration": "2"}}}
    made = run(tmp_path, source, output(Video={"Width": "384"}), output(Video=SMALL, **clip))
    for path, size, times in (
        (made[0], (384, 288), (seconds - 1, seconds + 1)),
        (made[1], (160, 120), (0.5, 1.5)),
    ):
        # drawn square in points that are shown 12/11 and 16/11 as wide as they are high
        assert shape(path, times[0], size) == pytest.approx(12 / 11, abs=0.08)
        assert shape(path, times[1], size) == pytest.approx(16 / 11, abs=0.12)


@pytest.mark.proves("shape: copies of a size that changes", by="the warning")
@pytest.mark.parametrize("container", ["mp4", "m3u8", "flv"])
def test_a_copy_of_a_turned_picture_warns(tmp_path, media_dir, container):
    parts = [
        square(
            *(media_dir, size, f"copied-{n}.ts"),
            *(*X264, "-g", "10", "-output_ts_offset", f"{2 * n}"),
        )
        for n, size in enumerate(((320, 180), (180, 320)))
    ]
    source = media_dir / "copied.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    cut = {"MuxConfig": {"Segment": {"Duration": "1"}}} if container == "m3u8" else {}
    wanted = output(MP4_COPY, Container={"Format": container}, **cut)
    (warning,) = run(tmp_path, source, wanted).result.warnings
    assert "180x320, 320x180" in warning
    steady = square(media_dir, (320, 180), "steady.ts", *X264, "-g", "10")
    assert not run(tmp_path / "steady", steady, wanted).result.warnings
