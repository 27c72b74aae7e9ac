"""The page of a report, from disk in a real browser: it fits, it plays, it is accessible.

The checks of accessibility come from npm: `make players`.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.browser import PLAYERS
from tests.support.command_line import CommandLine
from tests.support.topologies import report, snapshot, start, text, topology, transcode

pytestmark = pytest.mark.long

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

AXE = PLAYERS / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
#: markup in a name, which is a file name as well, of more letters than a telephone is wide
NAME = "<b onclick=owned()>\u202egpj " + "very-long-" * 12 + ".mp4"


@pytest.fixture(scope="module")
def page_url(tmp_path_factory: pytest.TempPathFactory, media_dir: Path) -> str:
    """A page with everything on it: a player, a sprite, the worst moment, a failure."""
    folder = tmp_path_factory.mktemp("browser")
    tiles = {"Lines": 1, "Columns": 2, "CellWidth": 80, "CellHeight": 45}
    sheet = {"Bucket": "out", "Location": "local", "Object": "sheet-{TileCount}.jpg"}
    shots = {"Num": "2", "Interval": "1", "TileOut": tiles, "TileOutputFile": sheet}
    flow = topology(
        {
            "start": start(),
            "ld": transcode("ld #1", "S00000001-200010", Quality={"Metric": "ssim"}),
            "shots": snapshot("shot-{Count}.jpg", **shots),
            "late": transcode("late", Clip={"TimeSpan": {"Seek": "00:10:00.000"}}),
            "report": report(),
        }
    )
    (folder / "flow.json").write_text(text(flow))
    clip = folder / NAME
    clip.symlink_to(media.clip(media_dir, 3, "160x90"))
    with closing(CommandLine(folder / "data", folder)) as mediaflow:
        ended = mediaflow("run", "flow.json", clip, "--executor", "inline", "--json")
    assert ended.code == 1, ended.err  # one activity fails
    return Path(ended.json["Report"]).with_name("report.html").as_uri()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, page_url: str) -> Iterator[Any]:
    """The page on a desk; nothing may be said on the console, nothing asked of a network."""
    context = browser.new_context(viewport=DESK, offline=True)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda one: said.append(one.url) if one.url[:4] == "http" else None)
    opened.goto(page_url)
    yield opened
    context.close()
    assert said == []


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_nothing_is_wider_than_the_window(page: Any, size: dict[str, int]):
    page.set_viewport_size(size)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= size["width"]
    # what is in the place of pictures and drawings, too
    for name in ("img", "video", "svg.timeline", ".plot svg"):
        for box in page.locator(name).all():
            place = box.bounding_box()
            if place:
                assert place["x"] >= 0 and place["x"] + place["width"] <= size["width"] + 1


def test_names_are_text(page: Any):
    assert page.locator("h1").inner_text() == NAME.replace("\u202e", "[U+202E]")
    assert page.locator("h1 b").count() == 0
    assert "\u202e" not in page.title()


def test_the_output_plays_from_disk(page: Any):
    video = page.locator("video").first
    played = video.evaluate(
        """async (video) => {
            video.muted = true;
            await video.play();
            while (video.currentTime < 0.3) await new Promise(requestAnimationFrame);
            return [video.videoWidth, video.videoHeight, video.duration];
        }"""
    )
    assert played[:2] == [640, 360] and played[2] == pytest.approx(3, abs=0.1)


def test_a_sprite_shows_the_picture_under_the_pointer(page: Any):
    sprite = page.locator("figure[data-cells]")
    assert sprite.locator("output").inner_text() == "0 s"
    width = sprite.locator("svg").bounding_box()["width"]
    sprite.locator("svg").hover(position={"x": width * 0.9, "y": 5})
    assert sprite.locator("output").inner_text() == "1 s"
    # the second of two cells
    left, _, width, _ = map(float, sprite.locator("svg").get_attribute("viewBox").split())
    assert left == width > 0


def test_it_can_be_read_without_scripts(browser: Any, page_url: str):
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(page_url)
    assert page.locator("figure[data-cells] img").is_visible()
    assert page.locator("button:visible").count() == 0
    assert page.get_by_text("late failed:").is_visible()
    context.close()


def test_it_prints_without_controls(page: Any, tmp_path: Path):
    page.emulate_media(media="print")
    assert not page.locator("video").first.is_visible()
    assert not page.locator("button").first.is_visible()
    page.pdf(path=str(tmp_path / "report.pdf"))
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: make players")
def test_it_is_accessible(page: Any, colours: str):
    page.emulate_media(color_scheme=colours)
    page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    told = [
        (one["id"], one["help"], [node["html"][:120] for node in one["nodes"]])
        for one in found["violations"]
    ]
    assert told == [] and len(found["passes"]) > 20
