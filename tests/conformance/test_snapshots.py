"""What Snapshot makes: sprites, WebVTT, pictures that are not black, kinds of files, extensions."""

import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from activities.ffmpeg import ffmpeg_path
from activities.probe import MediaInfo
from activities.snapshot import Snapshot
from tests.support import media
from tests.support.snapshots import SPRITES, TARGET, files, frame_at, pixel, planned, take
from workflow_engine.activity import ActivityError, Step, StepResult
from workflow_engine.errors import Code
from workflow_engine.records import Digests, Output

RED, WHITE = (254, 0, 0), (255, 255, 255)
SMALL: dict[str, Any] = {"Lines": 2, "Columns": "3", "CellWidth": "41", "CellHeight": "23"}


def near(found: tuple[int, ...], wanted: tuple[int, ...], by: int = 4) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


@pytest.fixture(scope="session")
def numbers(media_dir: Path) -> Path:
    """Two seconds of frames that tell their number, with a key frame every 12."""
    return media.numbered(media_dir)


@pytest.fixture(scope="session")
def late(media_dir: Path) -> Path:
    """Two seconds of black, then grey that brightens, one key frame."""
    return media.make(
        media_dir / "black-then-grey.mp4",
        *("-f", "lavfi", "-i", "color=black:size=160x90:rate=25:duration=2"),
        *("-i", str(media.numbered(media_dir))),
        *("-filter_complex", "[1]select=gte(n\\,20),setpts=N/25/TB[b];[0][b]concat"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv420p"),
    )


# --- sprites -------------------------------------------------------------------------------------


@pytest.mark.proves(
    "TileOut.Lines",
    "TileOut.Columns",
    "TileOut.CellWidth",
    "TileOut.CellHeight",
    "TileOut.Margin",
    "TileOut.Padding",
    "TileOutputFile {TileCount}",
    by="the frame in each cell and the colour around it",
)
def test_every_picture_has_its_cell(tmp_path: Path, numbers: Path):
    layout = SMALL | {"Margin": "7", "Padding": "3", "Color": "Red"}
    result = take(
        *(tmp_path, numbers),
        **{"Interval": "0.2", "FrameType": "normal", "TileOut": layout, "TileOutputFile": SPRITES},
    )
    assert (result.data["Count"], result.data["TileCount"]) == (10, 2)
    made = files(result)
    first, second = made["s/sprites/t 00001.png"], made["s/sprites/t 00002.png"]
    assert len(made) == 12, "the pictures are kept"
    for sheet in (first, second):
        with Image.open(sheet) as image:
            assert image.size == (3 * 41 + 2 * 3 + 2 * 7, 2 * 23 + 3 + 2 * 7)
    boxes = [(7 + 44 * x, 7 + 26 * y, 41, 23) for y in (0, 1) for x in (0, 1, 2)]
    shown = [frame_at(sheet, box) for sheet in (first, second) for box in boxes]
    assert shown[:10] == [5 * k for k in range(10)]
    # the colour begins where the cells end, and fills the rest of the last sprite
    beside = [
        (6, 20),
        (48, 20),
        (50, 20),
        (92, 20),
        (136, 20),
        (20, 6),
        (20, 30),
        (20, 32),
        (20, 56),
    ]
    assert all(near(pixel(first, *place), RED) for place in beside)
    assert near(pixel(second, 7 + 44 * 2 + 20, 7 + 26 + 11), RED)


@pytest.mark.proves(
    "TileOut.IsKeepCellPic", "TileOut.CellSelStep", by="the objects, and the frame in each cell"
)
def test_sprites_alone_of_every_second_picture(tmp_path: Path, numbers: Path):
    layout = SMALL | {"IsKeepCellPic": "false", "CellSelStep": "2", "Lines": 1}
    result = take(
        *(tmp_path, numbers),
        **{"Interval": "0.4", "FrameType": "normal", "TileOut": layout, "TileOutputFile": SPRITES},
    )
    (sprite,) = result.outputs
    assert (result.data["Count"], result.data["TileCount"]) == (5, 1)
    assert [frame_at(sprite.path, (41 * k, 0, 41, 23)) for k in range(3)] == [0, 20, 40]


def drawn(step: Step) -> tuple[int, ...]:
    """Return the colour of the sprites of a plan: red, green, blue."""
    (color,) = re.findall(r"color=0x([0-9a-f]{6})", " ".join(step.commands[-1]))
    return tuple(bytes.fromhex(color))


@pytest.mark.proves("TileOut.Color", by="a pixel that no picture covers")
@pytest.mark.parametrize(
    ("color", "wanted"), [("White", WHITE), ("white", WHITE), ("#FF0000", RED), ("random", None)]
)
def test_colours_in_every_spelling(tmp_path: Path, numbers: Path, color: str, wanted: Any):
    layout = {"Lines": 1, "Columns": 2, "CellWidth": 40, "Color": color, "IsKeepCellPic": "false"}
    given = {"Num": "1", "TileOut": layout, "TileOutputFile": SPRITES}
    if wanted is None:
        # drawn once for each source: a plan, a resumed run and a reused result agree
        assert planned(numbers, **given).commands == planned(numbers, **given).commands
        other = drawn(planned(numbers, digest="1" * 64, **given))
        wanted = drawn(planned(numbers, **given))
        assert wanted != other
    (sprite,) = take(tmp_path, numbers, **given).outputs
    assert near(pixel(sprite.path, 60, 11), wanted, 6)


@pytest.mark.parametrize(
    "layout",
    [
        {"Columns": "10000", "CellWidth": "160"},
        {"Lines": "3000", "CellWidth": "8", "CellHeight": "22"},
        {"Lines": "200", "Columns": "200", "CellWidth": "160"},
    ],
)
def test_sprites_that_no_file_holds_are_refused_by_the_plan(numbers: Path, layout: Any):
    with pytest.raises(ActivityError) as caught:
        planned(numbers, Interval="1", TileOut=layout, TileOutputFile=SPRITES)
    assert caught.value.code == Code.OUT_OF_RANGE and "sprites would have" in caught.value.message


TURNS = (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)


def decoded(film: Path, second: int) -> Image.Image:
    """Return the frame at a second as it is stored, not turned."""
    command = [str(ffmpeg_path()), "-v", "error", "-noautorotate", "-ss", str(second)]
    command += ["-i", str(film), "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"]
    return Image.open(BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return by how much pixels differ in the mean, of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other)).mean) / 3


@pytest.mark.proves("TileOut of turned sources", by="a square in the cells")
def test_cells_are_upright_and_keep_the_shape(tmp_path: Path, media_dir: Path):
    turned = media.rotated(media_dir, 90)
    layout = {"Lines": 1, "Columns": 2, "CellWidth": "90", "IsKeepCellPic": "false"}
    given = {"Num": 2, "Interval": 1, "FrameType": "normal"}
    given |= {"TileOut": layout, "TileOutputFile": SPRITES}
    (sprite,) = take(tmp_path, turned, **given).outputs
    with Image.open(sprite.path) as image:
        assert image.size == (180, 160)
        found = image.convert("RGB")
    for number in (0, 1):
        cell = found.crop((90 * number, 0, 90 * number + 90, 160))
        stored = decoded(turned, number)
        wanted = stored.transpose(Image.Transpose.ROTATE_270).resize((90, 160))
        off = [difference(wanted.transpose(turn), cell) for turn in TURNS]
        assert difference(wanted, cell) < 8 and min(off) > 16, off


# --- WebVTT --------------------------------------------------------------------------------------

CUE = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})")


def cues(file: Path) -> list[tuple[int, int, str]]:
    """Read an index as strictly as players do: begin and end in milliseconds, and the body."""
    head, *blocks = file.read_text(encoding="utf-8").strip().split("\n\n")
    assert head == "WEBVTT"
    found: list[tuple[int, int, str]] = []
    for block in blocks:
        timing, body = block.split("\n")
        match = CUE.fullmatch(timing)
        assert match, timing
        h1, m1, s1, t1, h2, m2, s2, t2 = map(int, match.groups())
        begin, end = ((h * 60 + m) * 60 + s for h, m, s in ((h1, m1, s1), (h2, m2, s2)))
        found.append((1000 * begin + t1, 1000 * end + t2, body))
    return found


def without_gaps(found: list[tuple[int, int, str]], first: int, last: int) -> bool:
    edges = [begin for begin, _, _ in found] + [last]
    return edges[0] == first and [end for _, end, _ in found] == edges[1:]


@pytest.mark.proves("Format vtt", "SubOut.IsSptFrag", by="parsed cues, and the frame in each box")
def test_cues_lead_to_the_picture_of_their_time(tmp_path: Path, numbers: Path):
    layout = SMALL | {"Margin": "5", "Padding": "2"}
    result = take(
        *(tmp_path, numbers),
        **{"Interval": "0.2", "FrameType": "normal", "TileOut": layout, "TileOutputFile": SPRITES},
        **{"Format": "vtt", "SubOut": {"IsSptFrag": "true"}},
    )
    made = files(result)
    found = cues(made["s/numbered-2s-25-12-160x90-.vtt"])
    assert len(found) == 10 and without_gaps(found, 0, 2000)
    for begin, _, body in found:
        name, _, box = body.partition("#xywh=")
        x, y, w, h = map(int, box.split(","))
        assert " " not in name
        sprite = made["s/" + unquote(name)]
        assert frame_at(sprite, (x, y, w, h)) == begin // 40
    assert result.outputs[-1].last, "the index appears after what it names"


def test_cues_without_sprites_name_the_pictures(tmp_path: Path, numbers: Path):
    sound = media.with_sound(numbers, "mp4", sound=4)
    result = take(tmp_path, sound, Time="100", Interval="0.5", Num="3", Format="vtt")
    made = files(result)
    assert list(made)[-1].endswith("-.vtt")
    found = cues(result.outputs[-1].path)
    # the last cue stands until the film ends, which its sound does
    end = MediaInfo.of(sound).duration or 0
    assert without_gaps(found, 0, round(1000 * end)) and end > 3.9
    assert [f"s/{unquote(body)}" for _, _, body in found] == list(made)[:-1]


def test_an_index_into_sprites_is_another_one(numbers: Path):
    # the names differ by what each has of its own, in placeholders alone
    given: dict[str, Any] = {"Interval": "1", "Format": "vtt", "TileOut": SMALL}
    given |= {"TileOutputFile": SPRITES, "OutputFile": TARGET | {"Object": "s/{Count}.jpg"}}
    pictures = planned(numbers, **given).identity
    into_sprites = planned(numbers, **given, SubOut={"IsSptFrag": "true"}).identity
    assert pictures["Index"] == [False, "{Count}.jpg"]
    assert into_sprites["Index"] == [True, "sprites/t {TileCount}.png"]


def test_an_equal_step_under_other_names_has_an_index_of_its_own(tmp_path: Path, numbers: Path):
    given = {"Interval": "1", "Format": "vtt"}
    first = planned(numbers, **given)
    beside = planned(numbers, OutputFile=TARGET | {"Object": "t/{FileName}-{Count}.jpg"}, **given)
    other = planned(numbers, OutputFile=TARGET | {"Object": "s/x-{Count}.jpg"}, **given)
    assert first.identity == beside.identity != other.identity
    result = take(tmp_path, numbers, **given)
    none = Digests(size=1, sha256="", md5="")
    outputs = tuple(Output(ref=one.ref, place="", digests=none) for one in result.outputs)
    names = Snapshot().renamed(beside, StepResult(data=result.data, outputs=outputs))
    stem = "t/numbered-2s-25-12-160x90-"
    expected = [f"{stem}00001.jpg", f"{stem}00002.jpg", f"{stem}.vtt"]
    assert [ref.object for ref in names] == expected


# --- black ---------------------------------------------------------------------------------------


def light(picture: Path) -> float:
    with Image.open(picture) as image:
        return ImageStat.Stat(image.convert("L")).mean[0]


@pytest.mark.proves("Time 0 with Num 1", "MediaCover of a black opening", by="decoded pictures")
@pytest.mark.parametrize("frame_type", ["intra", "normal"])
def test_a_cover_is_not_black(tmp_path: Path, late: Path, frame_type: str):
    for number, (cover, given) in enumerate([(True, {}), (False, {"Num": "1", "Interval": "3"})]):
        # even where the level asks for nothing
        given = {"FrameType": frame_type, "BlackLevel": "30", **given}
        (picture,) = take(tmp_path / f"{number}", late, cover, **given).outputs
        assert frame_at(picture.path, (0, 0, 160, 90)) == 20, "the first that is not black"
    (picture,) = take(tmp_path / "as asked", late, FrameType=frame_type).outputs
    assert light(picture.path) < 2


@pytest.mark.proves("BlackLevel", "PixelBlackThreshold", by="decoded pictures")
def test_the_black_filter_is_for_the_first_picture(tmp_path: Path, late: Path):
    # frames 20, 21, ... of luma 16 + 4n: below 136 they count as black
    given = {"Interval": "0.5", "Num": "3", "BlackLevel": "100", "PixelBlackThreshold": "136"}
    for number, frame_type in enumerate(("intra", "normal")):
        result = take(tmp_path / f"{number}", late, FrameType=frame_type, **given)
        shown = [frame_at(one.path, (0, 0, 160, 90)) for one in result.outputs]
        assert shown == [30, 0, 0] and result.data["Times"] == [0, 500, 1000]
    (picture,) = take(tmp_path / "later", late, Time="40", Num="1", FrameType="normal").outputs
    assert light(picture.path) < 2, "behind the beginning nothing is filtered"


def test_half_black_is_judged_by_the_level(tmp_path: Path, media_dir: Path):
    # two thirds of the first second are black
    source = media.make(
        media_dir / "two-thirds.mp4",
        *("-f", "lavfi", "-i", "color=white:size=120x90:rate=10:duration=2"),
        *("-vf", "drawbox=w=80:h=90:c=black:t=fill:enable='lt(t,1)'", "-c:v", "libx264"),
    )
    for level, shade in (("30", 255), ("60", 255), ("75", 85)):
        (picture, *_) = take(
            tmp_path / level, source, Num="2", Interval="1", BlackLevel=level, FrameType="normal"
        ).outputs
        assert abs(light(picture.path) - shade) < 8, level


def test_a_black_film_keeps_its_first_frame(tmp_path: Path, media_dir: Path):
    source = media.make(
        media_dir / "all-black.mp4", "-f", "lavfi", "-i", "color=black:size=64x36:duration=1"
    )
    (picture,) = take(tmp_path, source, True).outputs
    assert light(picture.path) < 2


# --- kinds of files and extensions of ours -------------------------------------------------------


@pytest.mark.proves("OutputFile .png and .webp", by="decoded pictures")
def test_the_extension_says_which_kind(tmp_path: Path, numbers: Path):
    kinds = {"p.png": "PNG", "p.WEBP": "WEBP", "p.jpeg": "JPEG", "p.gif": "JPEG", "p": "JPEG"}
    for number, (name, kind) in enumerate(kinds.items()):
        target = TARGET | {"Object": name}
        given = {"OutputFile": target, "Time": "400", "FrameType": "normal", "Width": "81"}
        (picture,) = take(tmp_path / f"{number}", numbers, **given).outputs
        with Image.open(picture.path) as image:
            assert image.format == kind and image.size == (81, 46)
            red, green, blue = image.convert("RGB").getpixel((40, 20))  # type: ignore[misc]
        # frame 10 has luma 56 in limited range
        assert max(abs(value - 40 * 255 / 219) for value in (red, green, blue)) <= 2, name


@pytest.mark.proves("Best", by="decoded pictures")
def test_the_best_picture_is_neither_black_nor_white_nor_blurred(tmp_path: Path, media_dir: Path):
    # a second each of black, blurred, sharp, white and one colour
    pattern = "testsrc2=size=160x90:rate=25:duration=1"
    looks = ["color=black:s=160x90:d=1", f"{pattern},gblur=9", pattern]
    looks += ["color=white:s=160x90:d=1", "color=blue:s=160x90:d=1"]
    inputs = [word for look in looks for word in ("-f", "lavfi", "-i", look)]
    source = media.make(
        media_dir / "one-good-second.mp4",
        *(*inputs, "-filter_complex", "concat=n=5", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
    )
    result = take(tmp_path, source, True, Best="true")
    # a candidate is the typical frame of the second behind its moment
    (moment,) = result.data["Times"]
    assert 1000 < moment < 3000 and result.data["MediaCover"]
    with Image.open(result.outputs[0].path) as image:
        edges = ImageStat.Stat(image.convert("L").filter(ImageFilter.FIND_EDGES)).mean[0]
    assert edges > 8, "the blurred ones have next to none"


def test_the_best_picture_may_have_begun_before(tmp_path: Path, media_dir: Path):
    # slides that stand for two seconds, and black between them where the candidates' seconds are
    source = media.make(
        media_dir / "slides.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=1:duration=36"),
        *("-vf", "select='mod(n,3)-1',drawbox=t=fill:c=black:enable='eq(mod(t,3),2)'"),
        *("-fps_mode", "passthrough", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
    )
    (picture,) = take(tmp_path, source, Best="true").outputs
    assert light(picture.path) > 40


def numbers_in(film: Path) -> list[int]:
    """Return which frame of a `numbered` clip each frame of a film is."""
    command = [str(ffmpeg_path()), "-v", "error", "-i", str(film), "-f", "rawvideo"]
    # four values of light and two of colour for each frame
    small = ["-vf", "scale=2:2:flags=area", "-pix_fmt", "yuv420p", "-"]
    decoded = subprocess.run([*command, *small], check=True, capture_output=True)
    return [round((value - 16) / media.STEP) for value in decoded.stdout[::6]]


@pytest.mark.proves("Preview", by="probed and decoded frames")
@pytest.mark.parametrize("extension", ["mp4", "webp"])
def test_a_preview_shows_parts_of_the_whole(tmp_path: Path, media_dir: Path, extension: str):
    source = media.with_sound(media.numbered(media_dir, 4, gop=25), "mp4", sound=4)
    target = TARGET | {"Object": f"prev.{extension}"}
    given = {"Parts": "2", "Seconds": "0.5", "Fps": "10"}
    (made,) = take(tmp_path, source, OutputFile=target, Preview=given, Width="120").outputs
    info = MediaInfo.of(made.path)
    assert info.video and (info.video.width, info.video.height) == (120, 68) and not info.audios
    shown = numbers_in(made.path)
    # parts of half a second in the middle of each half: frames 18 to 30, and 68 to 80 (12 to 24)
    expected = [18, 21, 23, 26, 28, 12, 15, 17, 20, 22]
    assert len(shown) == 10
    assert all(abs(a - b) <= 1 for a, b in zip(shown, expected, strict=True)), shown


# --- sources that are not as one thinks ----------------------------------------------------------


@pytest.mark.proves("TileOut, Best and Preview of broken sources", by="the error's code")
def test_broken_sources(tmp_path: Path, media_dir: Path, audio_clip: Path):
    ways: dict[str, dict[str, Any]] = {
        "sprites": {"Interval": "0.5", "TileOut": SMALL, "TileOutputFile": SPRITES},
        "best": {"Best": "true"},
        "preview": {"Preview": {}, "OutputFile": TARGET | {"Object": "p.webp"}},
    }
    for given in ways.values():
        for silent in (audio_clip, media.with_cover(media_dir)):
            with pytest.raises(ActivityError) as caught:
                planned(silent, **given)
            assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
        with pytest.raises(ActivityError) as caught:
            planned(media.numbered(media_dir), **{**given, "Time": "60000"})
        assert caught.value.code == Code.OUT_OF_RANGE
    ts = media.truncated(media.numbered(media_dir, container="ts"))
    for name, given in ways.items():
        result = take(tmp_path / name, ts, **given)
        assert result.outputs, "what is there is shown"
