"""Which pictures, how large, under which names; and what the parameters refuse."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activities.snapshot import Snapshot, SnapshotParameters
from activities.snapshot.config import SnapshotConfig
from activities.snapshot.moments import moments, picture_size
from activities.snapshot.names import fill
from activities.snapshot.pictures import JPEG, jpeg_size
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
