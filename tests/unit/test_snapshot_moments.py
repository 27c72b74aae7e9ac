"""Which pictures, how large, under which names; and what the parameters refuse."""

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activities.snapshot import Snapshot, SnapshotParameters
from activities.snapshot.best import choose
from activities.snapshot.config import Preview, SnapshotConfig, TileOut
from activities.snapshot.moments import moments, picture_size
from activities.snapshot.names import fill, index_key
from activities.snapshot.pictures import JPEG, jpeg_size
from activities.snapshot.preview import parts
from activities.snapshot.sprites import sprite_sheet
from activities.snapshot.webvtt import relative, webvtt
from workflow_engine.activity import Neighbourhood
from workflow_engine.errors import ActivityError, Code

AROUND = Neighbourhood(name="shots", ancestor_types={"Start"})


def parameters(cover: Any = None, **config: Any) -> SnapshotParameters:
    target = {"Bucket": "out-bucket", "Location": "local", "Object": "s/{Count}.jpg"}
    given = {"SnapshotConfig": {"OutputFile": target, "Time": "0", **config}, "MediaCover": cover}
    return SnapshotParameters.model_validate(given)


def config(**values: Any) -> SnapshotConfig:
    return parameters(**values).snapshot_config


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [0]),
        ({"Num": "1", "Interval": "2"}, [0]),
        ({"Num": "3", "Interval": "2"}, [0, 2000, 4000]),
        ({"Num": "3"}, [0]),  # 10 s apart, 5 s long
        ({"Interval": "2"}, [0, 2000, 4000]),
        ({"Interval": "2", "Time": "1500"}, [1500, 3500]),
        ({"Interval": "0", "Num": "4", "Time": "1000"}, [1000, 2000, 3000, 4000]),
        ({"Interval": "0.5", "Num": "2"}, [0, 500]),
        ({"Interval": "2.5", "Num": "9"}, [0, 2500]),
        ({"Time": "4999"}, [4999]),
    ],
)
def test_times_of_a_video_of_five_seconds(given: dict[str, str], expected: list[int]) -> None:
    assert moments(config(**given), 5.0) == expected


@pytest.mark.parametrize(
    ("given", "duration"), [({"Time": "5000"}, 5.0), ({"Interval": "0.001"}, 60.0)]
)
def test_no_picture_or_too_many_is_out_of_range(given: Any, duration: float) -> None:
    with pytest.raises(ActivityError) as caught:
        moments(config(**given), duration)
    assert caught.value.code == Code.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (640, 360)),
        ({"Width": "320"}, (320, 180)),
        ({"Height": "100"}, (178, 100)),
        ({"Width": "99", "Height": "77"}, (99, 77)),
    ],
)
def test_size_of_the_pictures(given: dict[str, str], expected: tuple[int, int]) -> None:
    assert picture_size((640, 360), config(**given), JPEG) == expected


def test_a_size_that_jpeg_cannot_have_is_refused() -> None:
    with pytest.raises(ActivityError) as caught:
        picture_size((90_000, 16), config(), JPEG)
    assert caught.value.code == Code.OUT_OF_RANGE


def test_names_of_single_pictures() -> None:
    assert fill("s/{Count}-{SnapshotTime}.jpg", 7, 12345) == "s/00007-12345.jpg"


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("s/x.jpg", {"Num": "2"}, Code.FORMAT),
        ("s/x.jpg", {"Interval": "2"}, Code.FORMAT),
        ("s/{TileCount}.jpg", {}, Code.INVALID),
        ("s/../{Count}.jpg", {}, Code.OBJECT_KEY),
        ("s/%FF.jpg", {}, Code.OBJECT_KEY),
    ],
)
def test_bad_names_are_problems(name: str, given: dict[str, str], code: str) -> None:
    target = {"Bucket": "out-bucket", "Object": name}
    (problem,) = Snapshot().check(parameters(OutputFile=target, **given), AROUND)
    assert problem.code == code
    assert problem.pointer == "/SnapshotConfig/OutputFile/Object"


@pytest.mark.parametrize("name", ["s/{Count}.jpg", "s%2F%7BCount%7D.jpg"])
def test_a_counted_sequence_is_right(name: str) -> None:
    target = {"Bucket": "out-bucket", "Object": name}
    assert list(Snapshot().check(parameters(OutputFile=target, Num=3), AROUND)) == []


def test_one_picture_needs_no_count() -> None:
    target = {"Bucket": "out-bucket", "Object": "s/{FileName}.jpg"}
    assert list(Snapshot().check(parameters(OutputFile=target, Num="1"), AROUND)) == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Time": "-1"}, Code.OUT_OF_RANGE),
        ({"Time": "soon"}, Code.NUMBER_FORMAT),
        ({"Num": "0"}, Code.OUT_OF_RANGE),
        ({"Width": "7"}, Code.OUT_OF_RANGE),
        ({"FrameType": "exact"}, Code.INVALID),
        ({"Interval": "0"}, Code.INVALID),
        ({"OutputFile": {"Bucket": "-no-", "Object": "a"}}, Code.BUCKET_NAME),
        ({"cover": "true", "Num": "2"}, Code.NOT_SUPPORTED),
    ],
)
def test_bad_parameters_have_their_code(given: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parameters(**given)
    assert [error["type"] for error in caught.value.errors()] == [code]


def test_a_cover_is_one_picture() -> None:
    assert parameters(cover="true").media_cover


def test_pictures_are_told_from_other_files(tmp_path: Path) -> None:
    file = tmp_path / "x.jpg"
    start = b"\xff\xd8" + b"\xff\xe0\x00\x04ab" + b"\xff\xc0\x00\x0b\x08\x00\x24\x00\x40\x01"
    for content, size in [
        (start + b"....\xff\xd9", (64, 36)),
        (start + b"....", None),
        (b"\x89PNG....", None),
        (b"", None),
    ]:
        file.write_bytes(content)
        assert jpeg_size(file) == size


# --- what contradicts itself -------------------------------------------------------------------

SPRITES = {"Bucket": "out-bucket", "Location": "local", "Object": "s/t-{TileCount}.jpg"}
FRAGMENTS = {"Format": "vtt", "SubOut": {"IsSptFrag": "true"}}


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"TileOut": {}}, Code.NULL_VALUE, "TileOut needs a TileOutputFile"),
        (FRAGMENTS, Code.NULL_VALUE, "IsSptFrag"),
        ({"TileOutputFile": SPRITES}, Code.INVALID, "there is no TileOut"),
        ({"SubOut": {"IsSptFrag": "true"}}, Code.NULL_VALUE, "TileOutputFile"),
        ({"SubOut": {}}, Code.INVALID, "SubOut"),
        (
            {"Format": "vtt", "TileOut": {"IsKeepCellPic": "false"}, "TileOutputFile": SPRITES},
            Code.INVALID,
            "IsKeepCellPic",
        ),
        (
            {**FRAGMENTS, "TileOutputFile": {**SPRITES, "Bucket": "another"}},
            Code.NOT_SUPPORTED,
            "no relative name",
        ),
        ({"TileOut": {"Color": "blurple"}, "TileOutputFile": SPRITES}, Code.INVALID, '"blurple"'),
        ({"TileOut": {"Color": "#12345"}, "TileOutputFile": SPRITES}, Code.INVALID, "colour"),
        ({"Best": "true", "Num": "3"}, Code.NOT_SUPPORTED, "Num asks for several"),
        ({"Best": "true", "BlackLevel": "50"}, Code.NOT_SUPPORTED, "Best and BlackLevel"),
        ({"Best": "true", "FrameType": "normal"}, Code.NOT_SUPPORTED, "Best and FrameType"),
        ({"Interval": "0.0000001"}, Code.OUT_OF_RANGE, "1e-07 s is shorter than 0.001 s"),
        ({"Best": "true", "Interval": "5"}, Code.NOT_SUPPORTED, "Best and Interval"),
        ({"Preview": {}, "Num": "1"}, Code.NOT_SUPPORTED, "Preview and Num"),
        ({"Preview": {}, "FrameType": "intra"}, Code.NOT_SUPPORTED, "Preview and FrameType"),
        (
            {"Preview": {}, "TileOut": {}, "TileOutputFile": SPRITES},
            Code.NOT_SUPPORTED,
            "Preview and TileOut",
        ),
        ({"Preview": {"Parts": "20", "Seconds": "9"}}, Code.OUT_OF_RANGE, "180 s"),
        ({"Preview": {}, "cover": "true"}, Code.NOT_SUPPORTED, "a Preview"),
        (
            {"cover": "true", "TileOut": {"IsKeepCellPic": "false"}} | {"TileOutputFile": SPRITES},
            Code.NOT_SUPPORTED,
            "sprites only",
        ),
    ],
)
def test_contradictions_are_named(given: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parameters(**given)
    (error,) = caught.value.errors()
    assert error["type"] == code and words in error["msg"]


def test_cues_of_sprites_need_no_layout() -> None:
    usual = config(**FRAGMENTS, TileOutputFile=SPRITES).tiles
    assert usual is not None and (usual.lines, usual.columns) == (10, 10)


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ({}, None),
        ({"BlackLevel": "60"}, 60),
        ({"BlackLevel": "60", "Num": "4"}, 60),
        ({"BlackLevel": "60", "Num": "1"}, 100),
        ({"Num": "1"}, 100),
        ({"Num": "4"}, None),
        ({"BlackLevel": "60", "Time": "1"}, None),
        ({"Num": "1", "Time": "1"}, None),
        ({"Best": "true"}, None),
    ],
)
def test_when_black_is_filtered(given: dict[str, str], level: int | None) -> None:
    assert config(**given).black(cover=False) == level


def test_a_cover_is_always_filtered_at_the_beginning() -> None:
    assert config().black(cover=True) == 100
    assert config(Time="5").black(cover=True) is None


# --- names -------------------------------------------------------------------------------------


def problems(**given: Any) -> list[tuple[str, str]]:
    found = Snapshot().check(parameters(**given), AROUND)
    return [(problem.code, problem.pointer.split("/")[2]) for problem in found]


def file(name: str, bucket: str = "out-bucket") -> dict[str, str]:
    return {"Bucket": bucket, "Location": "local", "Object": name}


def test_names_of_sprites() -> None:
    tiled = {"Interval": "1", "TileOut": {"Lines": "2", "Columns": "2"}}
    assert problems(**tiled, TileOutputFile=SPRITES) == []
    wrong = problems(**tiled, TileOutputFile=file("t.jpg"))
    assert wrong == [(Code.FORMAT, "TileOutputFile")]
    # one sprite holds them all
    assert problems(**tiled | {"Num": "4"}, TileOutputFile=file("t.jpg")) == []
    assert problems(**tiled | {"Num": "5"}, TileOutputFile=file("t.jpg")) == wrong
    alone = {**tiled["TileOut"], "IsKeepCellPic": "false"}
    named = {"OutputFile": file("p.jpg"), "TileOutputFile": SPRITES}
    assert problems(**tiled | {"TileOut": alone}, **named) == []


def test_outputs_of_one_name_are_refused() -> None:
    tiled: dict[str, Any] = {"Num": "3", "TileOut": {}}
    same = file("s/{TileCount}.jpg")
    assert problems(**tiled, TileOutputFile=same) == [(Code.FORMAT, "TileOutputFile")]
    assert problems(**tiled, TileOutputFile=file("s/{TileCount}.jpg", "other")) == []
    index = {"Format": "vtt", "Num": "1", "OutputFile": file("a.vtt")}
    assert problems(**index) == [(Code.FORMAT, "OutputFile")]
    sprites = {**FRAGMENTS, "Num": "3", "TileOutputFile": file("s/p-.vtt")}
    named = {"OutputFile": file("s/p-{Count}.jpg")}
    assert problems(**sprites, **named) == [(Code.FORMAT, "OutputFile")]


def test_a_preview_is_webp_or_mp4() -> None:
    for name in ("p.webp", "{FileName}.MP4"):
        assert problems(Preview={}, OutputFile=file(name)) == []
    assert problems(Preview={}, OutputFile=file("p.gif")) == [(Code.FORMAT, "OutputFile")]


@pytest.mark.parametrize(
    ("picture", "index"),
    [
        ("s/film-{Count}.jpg", "s/film-.vtt"),
        ("s/{Count}.jpg", "s/.vtt"),
        ("s/film.jpg", "s/film.vtt"),
        ("s/film-{SnapshotTime}-{Count}.jpg", "s/film-.vtt"),
        ("s.d/film", "s.d/film.vtt"),
    ],
)
def test_the_index_is_named_by_the_pictures(picture: str, index: str) -> None:
    assert index_key(picture) == index


# --- the text of the index, places in sprites, choosing ------------------------------------------


def test_the_text_of_an_index() -> None:
    names = [relative(f"s/p#{n} ü.jpg", "s/i/x.vtt") for n in (1, 2, 3)]
    assert webvtt([500, 61_000, 61_000], 3_661_001.4, names) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:01:01.000\n../p%231%20%C3%BC.jpg\n\n"
        "00:01:01.000 --> 01:01:01.001\n../p%233%20%C3%BC.jpg\n"
    )


def test_places_in_sprites() -> None:
    tiles = TileOut(Lines=2, Columns=3, CellWidth=64, CellHeight=36, Margin=4, Padding=2)
    sheet = sprite_sheet(tiles, (640, 360), JPEG, "")
    assert sheet.size == (204, 82)
    assert sheet.place(0) == (0, (4, 4, 64, 36))
    assert sheet.place(5) == (0, (136, 42, 64, 36))
    assert sheet.place(6) == (1, (4, 4, 64, 36))
    assert (sheet.count(6), sheet.count(7)) == (1, 2)
    ratio = sprite_sheet(TileOut(CellWidth=100), (640, 360), JPEG, "")
    assert ratio.cell == (100, 56)


def notes(**values: float) -> dict[str, float]:
    return {"YAVG": 110, "YLOW": 40, "YHIGH": 200, "SATAVG": 40, "blur": 4} | values


@pytest.mark.parametrize(
    "worse",
    [
        {"blur": 12},
        {"YAVG": 245, "YLOW": 235, "YHIGH": 250},
        {"YAVG": 4, "YLOW": 0, "YHIGH": 12, "blur": math.inf},
        {"YAVG": 30, "YLOW": 5, "YHIGH": 80},
        {"SATAVG": 150},
    ],
)
def test_the_better_of_pictures(worse: dict[str, float]) -> None:
    others = [notes(**worse), notes(), notes(blur=5), notes(blur=5)]
    assert choose(others, 4) == 1
    assert choose([notes(**worse)] * 2, 2) == 0


def test_parts_of_a_preview() -> None:
    four = Preview(Parts=4, Seconds=1)
    assert parts(four, 0, 40) == [(n * 10_000 + 4500, 1000) for n in range(4)]
    assert parts(four, 1000, 4) == [(1000, 3000)]
