"""Key frames that are easily mistaken: many, close together, and without a picture of their own."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import media
from tests.support.snapshots import frame_at, take
from workflow_engine.activity import ActivityResult

SIZE = (64, 36)
#: without them, x264 makes no B-frames here
B_FRAMES = "bframes=3:b-adapt=1:scenecut=0:keyint=50"


def clip(directory: Path, name: str, seconds: float, *codec: str, fps: int = 25) -> Path:
    """Return a clip that tells the numbers of its frames: see `media.numbered`."""
    grey = f"geq=lum='16+{media.STEP}*mod(N,{media.PERIOD})':cb=128:cr=128"
    return media.make(
        directory / name,
        *("-f", "lavfi", "-i", f"color=size={SIZE[0]}x{SIZE[1]}:rate={fps}:duration={seconds}"),
        *("-vf", grey, *codec),
    )


def x264(parameters: str) -> tuple[str, ...]:
    return ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-x264-params", parameters)


def shown(result: ActivityResult) -> list[int]:
    return [frame_at(one.path, (0, 0, *SIZE)) for one in result.outputs]


def frames(numbers: Sequence[int]) -> list[int]:
    return [number % media.PERIOD for number in numbers]


def test_more_key_frames_than_one_expression_holds(tmp_path: Path, media_dir: Path):
    source = clip(media_dir, "130-keys.mp4", 5.2, *x264("keyint=1"), "-pix_fmt", "yuv420p")
    result = take(tmp_path, source, Interval="0.04")
    assert shown(result) == frames(range(130))
    assert len(result.commands) == 3, "three rows"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("closed.mp4", B_FRAMES),
        ("open.mkv", f"{B_FRAMES}:open-gop=1"),
        ("open.ts", f"{B_FRAMES}:open-gop=1"),
    ],
)
def test_key_frames_among_b_frames(tmp_path: Path, media_dir: Path, name: str, parameters: str):
    source = clip(media_dir, f"b-frames-{name}", 20, *x264(parameters), "-pix_fmt", "yuv420p")
    result = take(tmp_path, source, Interval="2")
    assert shown(result) == frames(range(0, 500, 50))
    assert (len(result.commands) == 1) == (name == "closed.mp4"), "one pass where that is safe"
    assert not result.warnings


@pytest.mark.parametrize("container", ["mkv", "ts"])
def test_key_frames_from_which_the_picture_builds_up(
    tmp_path: Path, media_dir: Path, container: str
):
    parameters = "intra-refresh=1:keyint=10:bframes=0:scenecut=0"
    source = clip(media_dir, f"refresh.{container}", 4, *x264(parameters), "-pix_fmt", "yuv420p")
    result = take(tmp_path, source, Interval="0.8")
    assert len(result.outputs) == 5
    # with an index, a seek lands where the picture begins to build up
    assert container == "mkv" or shown(result) == frames(range(0, 100, 20))


def test_key_frames_that_follow_closely(tmp_path: Path, media_dir: Path):
    source = clip(media_dir, "240.mkv", 0.2, "-c:v", "mjpeg", "-q:v", "1", fps=240)
    result = take(tmp_path, source, Interval="0.0125", Num="10")
    assert shown(result) == list(range(0, 30, 3))
