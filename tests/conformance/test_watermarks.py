"""Watermarks: where they are, how large, when, in which colour, by the pixels of the output."""

import base64

import pytest

from activities.transcode import Transcode
from tests.support import media
from tests.support.context import make_context
from tests.support.transcodes import box_of, frames, output, planned, run

SIZE = (320, 180)
RED = (254, 0, 0)
TINY = {"Width": "320", "Crf": "10"}
LOGO = {"Bucket": "side", "Location": "local", "Object": "logo.png"}


@pytest.fixture
def side(media_dir):
    """The bucket `side`: a red logo of 40x20, a blue one, a film that turns from red to blue."""
    red, blue = (
        media.make(
            media_dir / f"{name}-logo.png",
            *("-f", "lavfi", "-i", f"color={name}:s=40x20,format=rgba", "-frames:v", "1"),
        )
        for name in ("red", "blue")
    )
    film = media.make(
        media_dir / "film.mov",
        *("-f", "lavfi", "-i", "color=red:s=40x20:r=25:d=0.2,format=argb"),
        *("-f", "lavfi", "-i", "color=blue:s=40x20:r=25:d=0.2,format=argb"),
        *("-filter_complex", "[0][1]concat", "-c:v", "qtrle"),
    )
    return {"side/logo.png": red, "side/blue.png": blue, "side/film.mov": film}


def marked(*marks, **fields):
    return output(Video=TINY, WaterMarks=list(marks), **fields)


def mark(name="logo.png", **fields):
    return {"InputFile": LOGO | {"Object": name}} | fields


def boxes(made, count, colour=RED):
    """Where the colour is in the first frame of each output."""
    return [box_of(frames(made[n], SIZE)[0], SIZE[0], colour) for n in range(count)]


def close(found, wanted):
    # 4:2:0 knows every second pixel only
    return found and all(abs(a - b) <= 2 for a, b in zip(found, wanted, strict=True))


@pytest.mark.proves(
    "WaterMarks.InputFile png",
    "WaterMarks.Width",
    "WaterMarks.Height",
    "WaterMarks.Dx",
    "WaterMarks.Dy",
    "WaterMarks.ReferPos",
    by="pixels",
)
def test_sizes_and_places(tmp_path, wall, side):
    wanted = {
        # 0.12 of 320, its height by the ratio, in the corner at the top right
        (): (282, 0, 38, 19),
        (("Width", "80"), ("Dx", "10"), ("Dy", "20")): (230, 20, 80, 40),
        (("Height", "0.5"), ("ReferPos", "TopLeft"), ("Dx", 0.1)): (32, 0, 180, 90),
        (
            ("Width", "0.25"),
            ("Height", "60px"),
            ("ReferPos", "BottomLeft"),
            ("Dx", "8px"),
            ("Dy", "0.1"),
        ): (8, 102, 80, 60),
        (("Width", 64), ("ReferPos", "BottomRight"), ("Dx", -32), ("Dy", 4)): (288, 144, 32, 32),
        # decimals count to the fourth: 0.1249 of 320
        (("Width", "0.124999"), ("Height", 40)): (280, 0, 40, 40),
    }
    outputs = [marked(mark(**dict(fields))) for fields in wanted]
    made = run(tmp_path, wall, *outputs, objects=side)
    assert len(made.result.commands) == 1
    for found, place in zip(boxes(made, len(wanted)), wanted.values(), strict=True):
        assert close(found, place), (found, place)


@pytest.mark.proves("WaterMarks.InputFile mov", "WaterMarks.Timeline", by="pixels of each frame")
def test_times(tmp_path, wall, side):
    made = run(
        tmp_path,
        wall,
        marked(mark(Timeline={"Start": "0.2", "Duration": "0.4"})),
        marked(mark(Timeline={"Start": "0.6", "Duration": "ToEND"})),
        marked(mark("film.mov")),
        marked(mark("film.mov", Timeline={"Start": "0.2", "Duration": "0.6"})),
        marked(mark(Timeline={"Duration": "0.2"}), Clip={"TimeSpan": {"Seek": "0.4"}}),
        objects=side,
    )

    def seen(n):
        pictures = frames(made[n], SIZE)
        at = [(SIZE[0] * 8 + 300) * 3 for _ in pictures]
        colours = {(1, 0): "r", (0, 1): "b"}
        return "".join(
            colours.get((int(p[a] > 200), int(p[a + 2] > 200)), "-")
            for p, a in zip(pictures, at, strict=True)
        )

    assert seen(0) == "-" * 5 + "r" * 10 + "-" * 10
    assert seen(1) == "-" * 15 + "r" * 10
    # it begins again when it ends, and ends with the picture
    assert seen(2) == ("r" * 5 + "b" * 5) * 2 + "r" * 5
    assert seen(3) == "-" * 5 + "r" * 5 + "b" * 5 + "r" * 5 + "-" * 5
    assert seen(4) == "r" * 5 + "-" * 10


def test_times_of_frames_are_as_exact_as_they_are_written(tmp_path, media_dir, side):
    thirty = media.make(
        media_dir / "thirty.mp4",
        *("-f", "lavfi", "-i", "color=gray:size=320x180:rate=30:duration=4"),
        *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
        *("-video_track_timescale", "15360"),
    )
    times = {"Start": "3.7", "Duration": "0.2"}
    made = run(tmp_path, thirty, marked(mark(Timeline=times)), objects=side)
    at = (SIZE[0] * 8 + 300) * 3
    seen = [n for n, picture in enumerate(frames(made[0], SIZE)) if picture[at] > 200]
    assert seen == list(range(111, 117))


@pytest.mark.proves("WaterMarks.WaterMarkTemplateId", by="pixels")
def test_templates(tmp_path, wall, side):
    given = {
        "Width": "60",
        "Dx": "20",
        "ReferPos": "BottomLeft",
        "Timeline": {"Start": "0.2", "Duration": "0.4"},
    }
    templates = {"w" * 32: {"Name": "logo", "Config": given}}.get
    named = {"WaterMarkTemplateId": "w" * 32}
    made = run(
        tmp_path,
        wall,
        marked(mark(**named)),
        marked(mark(**named, Width="80", ReferPos="TopLeft", Timeline={"Start": "0"})),
        templates=templates,
        objects=side,
    )
    first, other = (frames(made[n], SIZE) for n in range(2))
    assert box_of(first[4], 320, RED) is None
    assert close(box_of(first[5], 320, RED), (20, 150, 60, 30))
    assert close(box_of(other[0], 320, RED), (20, 0, 80, 40))
    assert close(box_of(other[9], 320, RED), (20, 0, 80, 40)) and not box_of(other[10], 320, RED)


def test_several_and_their_order(tmp_path, wall, side):
    corner = {"Width": "40", "ReferPos": "TopLeft"}
    made = run(
        tmp_path,
        wall,
        marked(mark(**corner), mark("blue.png", **corner, Dx="20", Dy=10)),
        marked(mark("blue.png", **corner), *[mark(**corner, Dx=80 * n) for n in (1, 2, 3)]),
        marked(),
        objects=side,
    )
    pixels = frames(made[0], SIZE)[0]
    assert close(box_of(pixels, 320, (0, 0, 254)), (20, 10, 40, 20))
    assert close(box_of(pixels, 320, RED), (0, 0, 40, 20))
    assert close(boxes(made, 3)[1], (80, 0, 200, 20)) and boxes(made, 3)[2] is None


def test_transparency(tmp_path, media_dir, wall):
    half = media.make(
        media_dir / "half.png",
        *("-f", "lavfi", "-i", "color=red@0.5:s=40x20,format=rgba", "-frames:v", "1"),
    )
    made = run(tmp_path, wall, marked(mark(Width=80)), objects={"side/logo.png": half})
    red, green, blue = frames(made[0], SIZE)[0][(320 * 10 + 280) * 3 :][:3]
    assert abs(red - 191) < 12 and abs(green - 64) < 12 and abs(blue - 64) < 12


def text(content="MMM", **fields):
    encoded = base64.b64encode(content.encode()).decode()
    return {
        "Type": "Text",
        "TextWaterMark": {"Content": encoded, "FontColor": "Red", "FontSize": 60} | fields,
    }


@pytest.mark.proves(
    "WaterMarks.TextWaterMark.Content",
    "WaterMarks.TextWaterMark.FontSize",
    "WaterMarks.TextWaterMark.FontColor",
    "WaterMarks.TextWaterMark.FontAlpha",
    "WaterMarks.TextWaterMark.Top",
    "WaterMarks.TextWaterMark.Left",
    by="pixels",
)
def test_texts(tmp_path, wall):
    made = run(
        tmp_path,
        wall,
        marked(text("■", Top=40, Left="100")),
        marked(text("■", Top=40, Left="100", FontSize="30")),
        marked(text("■", FontAlpha="0.5")),
        marked(text("■", FontColor="blue") | {"Timeline": {"Start": "0.2", "Duration": "0.2"}}),
        marked(text("■\n■")),
    )
    pictures = [frames(made[n], SIZE) for n in range(5)]
    left, top, width, height = box_of(pictures[0][0], 320, RED)
    # the square of the font does not reach the edge of its cell
    assert top in (39, 40, 41) and 100 <= left <= 106 and 45 <= width <= 60
    small = box_of(pictures[1][0], 320, RED)
    assert small[1] in (39, 40, 41) and abs(small[2] - width / 2) <= 2
    assert abs(small[3] - height / 2) <= 2
    assert box_of(pictures[2][0], 320, (191, 64, 64)) and not box_of(pictures[2][0], 320, RED)
    blue = [bool(box_of(picture, 320, (0, 0, 254))) for picture in pictures[3]]
    assert blue == [False] * 5 + [True] * 5 + [False] * 15
    assert box_of(pictures[4][0], 320, RED)[3] > 1.8 * height


@pytest.mark.proves(
    "WaterMarks.TextWaterMark.FontName",
    "WaterMarks.TextWaterMark.BorderWidth",
    "WaterMarks.TextWaterMark.BorderColor",
    by="pixels",
)
def test_outlines_and_fonts(tmp_path, wall):
    place = {"Top": 40, "Left": 40}
    made = run(
        tmp_path,
        wall,
        marked(text("■", **place)),
        marked(text("■", **place, BorderWidth="10", BorderColor="Lime")),
        *[
            marked(text(letters, FontSize=40, FontName=font))
            for font in ("SimSun", "WenQuanYi Zen Hei Mono")
            for letters in ("iiii", "MMMM")
        ],
    )
    found = [frames(made[n], SIZE)[0] for n in range(6)]
    plain, outline = box_of(found[0], 320, RED), box_of(found[1], 320, (0, 254, 0))
    assert all(abs(a - b - 20) <= 3 for a, b in zip(outline[2:], plain[2:], strict=True))
    assert box_of(found[0], 320, (0, 254, 0)) is None
    narrow, wide, mono, mono_wide = (box_of(picture, 320, RED)[2] for picture in found[2:])
    assert wide > 2.5 * narrow
    # from the first to the last letter it is three cells, however wide the letters are
    assert mono > 1.3 * narrow and mono_wide < 0.8 * wide


def test_chinese_characters_are_drawn(tmp_path, wall):
    texts = ("水", "印", "\U0010fffd", "\U0010fffc")
    made = run(tmp_path, wall, *[marked(text(one)) for one in texts])
    water, seal, one, other = (frames(made[n], SIZE)[0] for n in range(4))
    ink = [sum(a != b for a, b in zip(water, picture, strict=True)) for picture in (seal, one)]
    assert min(ink) > 1000
    # what no font has is the same empty box
    assert one == other


def test_no_text_is_ever_part_of_a_filter(tmp_path, wall):
    hostile = "%{n} %{eif\\:n\\:d} ':,;[a]=\\ %Y\n$(touch x) `id`"
    made = run(tmp_path, wall, marked(text(hostile, FontSize=16)))
    (command,) = made.result.commands
    assert "touch" not in " ".join(command)
    pictures = frames(made[0], SIZE)
    assert box_of(pictures[0], 320, RED) == box_of(pictures[20], 320, RED)
    assert box_of(pictures[0], 320, RED)[3] > 20


def test_two_activities_with_marks_of_their_own_share_a_process(tmp_path, wall, side):
    steps = [planned(wall, marked(one), objects=side) for one in (mark(), text("■"))]
    assert steps[0][0].share == steps[1][0].share != ""
    members = []
    for n, (step, files) in enumerate(steps):
        context = make_context(tmp_path / str(n), wall)
        for name, path in files.items():
            (context.work / name).symlink_to(path)
        members.append((step, context))
    logo, square = Transcode().run_shared(members)
    assert len(logo.commands) == 1 and logo.commands == square.commands
    first, other = (frames(one.outputs[0].path, SIZE)[0] for one in (logo, square))
    assert close(box_of(first, 320, RED), (282, 0, 38, 19))
    assert box_of(other, 320, RED)[0] < 10
