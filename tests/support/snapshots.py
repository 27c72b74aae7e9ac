"""Take pictures without a workflow, and read what they show."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests.support import media
from tests.support.context import make_context, make_plan_context
from workflow_engine.activity import ActivityResult, Step
from workflow_engine.records import Digests

TARGET = {"Bucket": "out", "Location": "local", "Object": "s/{FileName}-{Count}.jpg"}
#: PNG, so that edges are where they are
SPRITES = {"Bucket": "out", "Location": "local", "Object": "s/sprites/t {TileCount}.png"}


def planned(source: Path, cover: bool = False, digest: str = "0" * 64, **config: Any) -> Step:
    """Plan a Snapshot of a file, as if its SHA-256 were `digest`."""
    wire = {"OutputFile": TARGET, "Time": "0", **config}
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": wire, "MediaCover": cover})
    context = make_plan_context(source, media=MediaInfo.of(source, ends=True).to_json())
    context = replace(context, digests=Digests(size=0, sha256=digest, md5="0" * 32))
    step = Snapshot().plan(parameters, context)
    assert isinstance(step, Step)
    return step


def take(work: Path, source: Path, cover: bool = False, **config: Any) -> ActivityResult:
    """Plan and run it in a directory."""
    step = planned(source, cover, **config)
    return Snapshot().run(step, make_context(work, source))


def files(result: ActivityResult) -> dict[str, Path]:
    """The files by their object keys."""
    return {one.ref.object: one.path for one in result.outputs}


def pixel(picture: Path, x: int, y: int) -> tuple[int, int, int]:
    """Return a pixel as red, green and blue."""
    with Image.open(picture) as image:
        found = image.convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


def frame_at(picture: Path, box: tuple[int, int, int, int]) -> int:
    """Return which frame of a `numbered` clip fills a box (left, top, width, height) evenly.

    -1 when the box, its edges included, is not of one grey, give or take what JPEG does.
    """
    left, top, width, height = box
    with Image.open(picture) as image:
        grey = image.convert("L").crop((left, top, left + width, top + height))
    darkest, brightest = grey.getextrema()
    # a JPEG is full range: 16..235 of the clip became 0..255
    number = round(darkest * 219 / 255 / media.STEP)
    return number if brightest - darkest <= 6 else -1
