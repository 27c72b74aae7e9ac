"""Rotate, DeWatermark, Crop border, doubling and narrow band, by pixels and packets."""

import pytest

from tests.support import media
from tests.support.transcodes import (
    MP4_COPY,
    decoded,
    frame_numbers,
    kbps,
    near,
    output,
    packets,
    pixel,
    plan,
    run,
    stream,
)
from workflow_engine.errors import ActivityError, Code

RED, GREEN, BLUE, WHITE, BLACK = (
    (254, 0, 0),
    (0, 128, 0),
    (0, 0, 254),
    (255, 255, 255),
    (0, 0, 0),
)
CUSTOM = "c" * 32
PLAIN = {CUSTOM: {"Video": {"Preset": "veryfast"}}}.get


def plain(**fields):
    """An output in the size of its source."""
    return output(CUSTOM, **fields)


@pytest.fixture(scope="module")
def quarters(media_dir):
    """Red and green above, blue and white below: 160x96, one second."""
    colours = ("red", "green", "blue", "white")
    inputs = [
        part for c in colours for part in ("-f", "lavfi", "-i", f"color={c}:s=80x48:d=1:r=10")
    ]
    graph = "[0][1]hstack[a];[2][3]hstack[b];[a][b]vstack"
    return media.make(
        media_dir / "quarters.mp4", *inputs, "-filter_complex", graph, "-pix_fmt", "yuv420p"
    )


def corners(path):
    found = stream(path)
    width, height = found["width"], found["height"]
    places = [(x, y) for y in (0.2, 0.8) for x in (0.2, 0.8)]
    return [pixel(path, int(x * width), int(y * height)) for x, y in places]


@pytest.mark.proves("Rotate", by="pixels")
def test_rotate(tmp_path, quarters):
    degrees = ("0", "90", "180", "270")
    made = run(tmp_path, quarters, *(plain(Rotate=d) for d in degrees), templates=PLAIN)
    expected = [
        (RED, GREEN, BLUE, WHITE),
        (BLUE, RED, WHITE, GREEN),
        (WHITE, BLUE, GREEN, RED),
        (GREEN, WHITE, RED, BLUE),
    ]
    for n, wanted in enumerate(expected):
        assert all(map(near, corners(made[n]), wanted)), degrees[n]
        size = (stream(made[n])["width"], stream(made[n])["height"])
        assert size == ((160, 96) if n % 2 == 0 else (96, 160))


def test_any_angle_gets_a_black_canvas(tmp_path, quarters):
    made = run(tmp_path, quarters, plain(Rotate="30"), templates=PLAIN)
    found = stream(made[0])
    # 160 cos 30 + 96 sin 30, 160 sin 30 + 96 cos 30
    assert (found["width"], found["height"]) == (188, 164)
    assert near(pixel(made[0], 2, 2), BLACK) and near(pixel(made[0], 185, 161), BLACK)
    # clockwise: what was right of the centre and above comes down, to the right of it
    assert near(pixel(made[0], 94 + 40, 82 - 5), GREEN)
    assert near(pixel(made[0], 94 - 40, 82 + 5), BLUE)


def test_rotate_of_a_phone_s_video_and_of_a_copy(tmp_path, media_dir):
    phone = media.rotated(media_dir, 90)
    made = run(tmp_path, phone, output(Video={"Width": "320"}, Rotate="90"))
    assert (stream(made[0])["width"], stream(made[0])["height"]) == (320, 180)
    with pytest.raises(ActivityError) as caught:
        plan(phone, output(MP4_COPY, Rotate="90"))
    assert (caught.value.code, caught.value.pointer) == (Code.NOT_SUPPORTED, "/Outputs/0/Rotate")


@pytest.fixture(scope="module")
def marked(media_dir):
    """A grey picture of 320x180 with a white mark of 40x20 at 200, 40; two seconds."""
    return media.make(
        media_dir / "marked.mp4",
        *("-f", "lavfi", "-i", "color=gray:s=320x180:d=2:r=10"),
        *("-vf", "drawbox=x=200:y=40:w=40:h=20:color=white:t=fill", "-pix_fmt", "yuv420p"),
    )


def brightness(path, x, y):
    """The luma of one place in every frame."""
    shape = ("-vf", f"crop=8:8:{x}:{y},scale=1:1:flags=area,format=gray", "-f", "rawvideo")
    return list(decoded(path, *shape))


@pytest.mark.proves("DeWatermark", by="pixels of every frame")
def test_regions_are_blurred_in_their_time(tmp_path, marked):
    box = {"l": 196, "t": 36, "w": 48, "h": 28}
    share = {"l": 0.6125, "t": 0.2, "w": 0.15, "h": 0.1556}
    made = run(
        tmp_path,
        marked,
        plain(DeWatermark={"0": [box]}),
        plain(DeWatermark={"500": [share], "1500": []}),
        plain(DeWatermark={"500": [box], "1500": []}, Clip={"TimeSpan": {"Seek": "1"}}),
        plain(DeWatermark={"0": [box]}, Video={"Width": "160"}, Rotate="180"),
        templates=PLAIN,
    )
    assert set(brightness(marked, 216, 46)) == {255}
    grey = brightness(marked, 20, 100)[0]
    seen = [[abs(v - grey) < 16 for v in brightness(made[n], 216, 46)] for n in range(3)]
    assert seen[0] == [True] * 20
    assert seen[1] == [False] * 5 + [True] * 10 + [False] * 5
    assert seen[2] == [True] * 5 + [False] * 5
    assert max(abs(v - grey) for v in brightness(made[3], 45, 62)) < 16


def test_regions_at_the_edge_and_outside(tmp_path, marked):
    whole = {"l": 0, "t": 0, "w": 1, "h": 1}
    made = run(tmp_path, marked, plain(DeWatermark={"0": [whole]}), templates=PLAIN)
    assert len(packets(made[0])) == 20
    outside = plain(DeWatermark={"0": [], "9": [{"l": 400, "t": 10, "w": 10, "h": 10}]})
    with pytest.raises(ActivityError) as caught:
        plan(marked, outside, templates=PLAIN)
    assert caught.value.code == Code.OUT_OF_RANGE
    assert caught.value.pointer == "/Outputs/0/DeWatermark/9/0"


@pytest.mark.proves("Video.Crop border", by="pixels, ffprobe")
def test_black_borders_are_cut_off(tmp_path, media_dir):
    inner = media.clip(media_dir, 5, "256x120", picture="smptebars", audio=False)
    boxed = media.make(
        media_dir / "boxed.mp4",
        *("-i", str(inner), "-vf", "pad=320:180:32:40:black", "-crf", "10"),
    )
    border = {"Video": {"Crop": "border"}}
    made = run(
        tmp_path,
        boxed,
        plain(**border),
        output(Video={"Crop": "border", "Width": "128"}),
        plain(**border, Rotate="90"),
        templates=PLAIN,
    )
    sizes = [(stream(made[n])["width"], stream(made[n])["height"]) for n in range(3)]
    assert sizes == [(256, 120), (128, 60), (120, 256)]
    for x, y in ((6, 10), (60, 20), (250, 60)):
        assert near(pixel(made[0], x, y), pixel(inner, x, y))


def test_without_borders_the_picture_stays_whole(tmp_path, quarters, media_dir):
    black = media.make(
        media_dir / "black-160x96.mp4", "-f", "lavfi", "-i", "color=black:s=160x96:d=1:r=10"
    )
    for n, source in enumerate((quarters, black)):
        made = run(tmp_path / str(n), source, plain(Video={"Crop": "border"}), templates=PLAIN)
        assert (stream(made[0])["width"], stream(made[0])["height"]) == (160, 96)


@pytest.mark.proves("TemplateId doubling", by="ffprobe, packets")
def test_doubling(tmp_path, media_dir):
    small = media.clip(media_dir, 1, "320x180")
    wide = media.flat(media_dir, 1, "800x400")
    doubling = output("S00000001-400040")
    made = run(tmp_path / "small", small, doubling)
    assert (stream(made[0])["width"], stream(made[0])["height"]) == (640, 360)
    assert not made.step.warnings and len(packets(made[0])) == 25
    made = run(tmp_path / "wide", wide, doubling)
    assert (stream(made[0])["width"], stream(made[0])["height"]) == (1280, 640)


@pytest.mark.proves("TemplateId narrow band", by="packets")
def test_narrow_band(tmp_path, media_dir):
    """The quality is constant where that is cheap, the rate is limited where it is not."""
    grain, easy = media.noisy(media_dir, 4, "640x360"), media.clip(media_dir, 4, audio=False)
    rates = [
        kbps(run(tmp_path / str(n), source, output("S00000002-200020"))[0])
        for n, source in enumerate((grain, easy, media.flat(media_dir, 4, "640x360")))
    ]
    # four seconds at 400 kbit/s and the buffer of two seconds
    assert rates[0] * 4 <= 400 * 4 + 800 + 100 and rates[0] > 250
    assert rates[2] < 40


def test_stages_before_the_size_stand_together(tmp_path, media_dir):
    source = media.numbered(media_dir, 2)
    both = plain(Rotate="180", Video={"Fps": "5"}, Clip={"TimeSpan": {"Seek": "0.4"}})
    made = run(tmp_path, source, both, templates=PLAIN)
    assert [abs(a - b) <= 3 for a, b in zip(frame_numbers(made[0]), range(10, 50, 5), strict=True)]
