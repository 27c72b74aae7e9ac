"""Packages in real players, in a real browser: what is decoded, heard and read is what was made.

The players come from npm: `npm ci --ignore-scripts --prefix tests/players`.
"""

import math
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import PLAYERS, played
from tests.support.package_files import CUES, SIZES, TONES, Package, package, with_images

FPS = 25


@pytest.fixture(scope="module", autouse=True)
def players():
    if not (PLAYERS / "node_modules").is_dir():
        pytest.skip("The players are not installed: npm ci --ignore-scripts --prefix tests/players")


@pytest.fixture(scope="module")
def fmp4(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return with_images(package(tmp_path_factory.mktemp("fmp4"), video=("-bf", "2")))


@pytest.fixture(scope="module")
def ts(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package(tmp_path_factory.mktemp("ts"), fmp4=False, video=("-bf", "2"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("player", "name"),
    [
        ("hls.js", "master.m3u8"),
        ("shaka", "master.m3u8"),
        ("shaka", "master.mpd"),
        ("dash.js", "master.mpd"),
    ],
)
def test_a_package_of_fragments_plays(
    player: str, name: str, fmp4: Package, chromium: str, tmp_path: Path
):
    seen = played(chromium, fmp4.folder, player, name, tmp_path)
    check(seen, late=0)
    if player != "hls.js":  # which has no pictures for its time line
        assert seen["thumbnail"]["url"].endswith("/sheet-00002.jpg")
        assert (seen["thumbnail"]["x"], seen["thumbnail"]["y"]) == (0, 0)


@pytest.mark.long
@pytest.mark.parametrize("player", ["hls.js", "shaka"])
def test_a_package_of_transport_streams_plays(
    player: str, ts: Package, chromium: str, tmp_path: Path
):
    seen = played(chromium, ts.folder, player, "master.m3u8", tmp_path)
    # these players begin to count when the first frame is decoded, two before it is shown
    check(seen, late=2)


def check(seen: dict[str, Any], *, late: int) -> None:
    """Check what a page has seen; the player shows the film so many frames late."""

    def number(time: float) -> int:
        return math.floor(time * FPS + 0.1) - late

    assert seen["errors"] == []
    assert seen["missing"] == []
    assert seen["duration"] == pytest.approx(6, abs=0.1)
    assert len(seen["frames"]) > 20
    for frame in seen["seeks"].values():
        assert frame["number"] == number(frame["time"]), frame
    for frame in seen["frames"]:
        # the next frame may have come before the page has read this one
        assert frame["number"] - number(frame["time"]) in (0, 1, 2), frame
    numbers = [frame["number"] for frame in seen["borders"]]
    assert numbers == sorted(numbers) and numbers[0] < 2 * FPS < numbers[-1]
    widths = {int(height): frame["width"] for height, frame in seen["rungs"].items()}
    assert widths == {height: width for width, height in SIZES.values()}
    assert seen["sounds"] == {name: pytest.approx(tone, abs=30) for name, tone in TONES.items()}
    assert list(seen["texts"].values()) == list(CUES)
