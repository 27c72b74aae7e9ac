"""The page that a Report publishes, of real runs: what is in it, and that no run fails by it."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from activities import report as report_activity
from activities.probe import MediaInfo
from activities.snapshot.pictures import jpeg_size
from tests.support import media
from tests.support.pages import Page, read
from tests.support.topologies import report, snapshot, start, text, topology, transcode
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord
from workflow_engine.run.journal import Observer
from workflow_engine.settings import load_settings

#: a name that no page may take for markup; it turns what follows it
NAME = "\"><img src=x onerror=owned()>'\u202e&amp;<script>owned()<.mp4"
#: as a page shows it
SHOWN = NAME.replace("\u202e", "[U+202E]")

Run = Callable[..., ExecutionRecord]


@pytest.fixture(scope="module")
def source(media_dir: Path) -> Path:
    return media.clip(media_dir, 3, "160x90")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Run:
    def start_run(
        key: str = "incoming/clip.mp4", observers: Sequence[Observer] = (), **activities: Any
    ) -> ExecutionRecord:
        folder = tmp_path_factory.mktemp("report-page")
        flow = folder / "flow.json"
        flow.write_text(text(topology({"start": start(), **activities, "report": report()})))
        settings = load_settings().kept_in(folder / "data")
        with closing(Engine(settings, output_dir=folder / "out")) as engine:
            workflow = engine.load(flow)
            opened = engine.open_input(workflow, str(source), key)
            return engine.run(
                workflow,
                opened,
                executor=InlineExecutor(),
                user_data=NAME,
                observers=observers,
            )

    return start_run


def page_file(made: ExecutionRecord) -> Path:
    return Path(made.report).with_name("report.html")


def page_of(made: ExecutionRecord) -> Page:
    return read(page_file(made).read_text(encoding="utf-8"))


def small(template: str = "S00000001-200010"):
    return transcode("{FileName}-ld", template, Video={"Width": "128", "Preset": "veryfast"})


@pytest.fixture(scope="module")
def made(run: Run) -> ExecutionRecord:
    """Renditions, pictures and a failure, of an input with a hostile name."""
    tiles = {"Lines": 2, "Columns": 2, "CellWidth": 80, "CellHeight": 45}
    sheet = {"Bucket": "out", "Location": "local", "Object": "{FileName}/sheet-{TileCount}.jpg"}
    shots = snapshot(
        "{FileName}/shot-{Count}.jpg",
        **{"Num": "3", "Interval": "1", "TileOut": tiles, "TileOutputFile": sheet},
    )
    measured = small()
    measured["Parameters"]["Outputs"][0]["Quality"] = {"Metric": "ssim"}
    late = transcode("late", Clip={"TimeSpan": {"Seek": "00:10:00.000"}})
    return run(f"incoming/{NAME}", ld=measured, shots=shots, late=late)


def test_names_are_shown_as_they_are_and_are_never_markup(made: ExecutionRecord):
    page = page_of(made)
    assert made.input.object == f"incoming/{NAME}"
    assert page.text.count(SHOWN) >= 3  # the heading, the input, UserData
    assert len(page.all("script")) == 1
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))


def test_links_lead_to_the_outputs_and_pictures_are_small_copies(made: ExecutionRecord, tmp_path):
    page, folder = page_of(made), page_file(made).parent
    links = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    linked = {(folder / unquote(link)).resolve() for link in links}
    places = {Path(output.place) for one in made.activities for output in one.outputs}
    assert places - {page_file(made)} == linked
    played = [(folder / unquote(one["src"])).resolve() for one in page.all("source")]
    assert played == [Path(made.activity("ld").outputs[0].place)]
    sizes: list[tuple[int, int]] = []
    for image in page.all("img"):
        (tmp_path / "one.jpg").write_bytes(base64.b64decode(image["src"].partition(",")[2]))
        found = jpeg_size(tmp_path / "one.jpg")
        assert found == (int(image["width"]), int(image["height"]))
        sizes.append((int(image["width"]), int(image["height"])))
    # three pictures and a sprite of four, and both sides of the worst moment
    assert sorted(sizes) == [(160, 90)] * 4 + [(320, 90)]


def test_what_was_asked_stands_beside_what_a_probe_says(made: ExecutionRecord):
    ld = made.activity("ld")
    probed = MediaInfo.of(Path(ld.outputs[0].place))
    rows = {row["What"]: row for row in ld.result.data["Outputs"][0]["Checked"]}
    assert probed.video and rows["Picture"]["Asked"] == rows["Picture"]["Made"] == "h264, 128x72"
    assert (probed.video.width, probed.video.height) == (128, 72)
    assert rows["Sound"]["Made"].startswith(f"aac, {probed.audios[0].sample_rate} Hz")
    cells = " ".join(page_of(made).text.split())
    assert f"Length 3.000 s {probed.duration:.3f} s" in cells


def test_the_rate_over_time_adds_up_to_the_bytes_of_the_picture(made: ExecutionRecord):
    ld = made.activity("ld")
    curve = ld.result.data["Outputs"][0]["Curve"]
    probed = MediaInfo.of(Path(ld.outputs[0].place)).counted(Path(ld.outputs[0].place))
    assert probed.video
    size = probed.probe["packets"][str(probed.video.index)]["Bytes"]
    assert curve["Step"] == 0.5 and len(curve["Rates"]) == 6
    assert sum(curve["Rates"]) * curve["Step"] * 1000 / 8 == pytest.approx(size, rel=0.01)
    assert len([p for p in page_of(made).all("polyline") if p["points"].count(",") == 6]) == 1


def test_a_failure_is_told_with_code_sentence_and_remedy(made: ExecutionRecord):
    late = made.activity("late")
    told = " ".join(page_of(made).text.split())
    assert late.state is ActivityState.FAIL
    assert f"late failed: {late.code} {late.message}" in told
    assert f"mediaflow execution resume {made.run_id}" in told
    assert "Completed, 1 failed" in told


def test_commands_versions_and_side_inputs_are_there(made: ExecutionRecord):
    page = page_of(made)
    tools = json.loads(Path(made.report).read_text())["Tools"]
    assert all(f"{name} {version}" in page.text for name, version in tools.items())
    assert "-c:v libx264" in page.text and "scale=h=72:w=128" in page.text
    assert {"href": "report.json"} in page.all("a")


class Breaking:
    """Writes over the first picture as soon as it is published."""

    def activity_changed(self, record: ActivityRecord) -> None:
        if record.name == "shots" and record.state is ActivityState.SUCCESS:
            Path(record.outputs[0].place).write_bytes(b"no picture at all")

    def progressed(self, name: str, fraction: float) -> None:
        pass


def test_a_picture_that_cannot_be_had_is_left_out_with_a_warning(run: Run):
    shots = snapshot("{FileName}-{Count}.jpg", Num="2", Interval="1")
    made = run(observers=[Breaking()], shots=shots)
    last = made.activity("report")
    assert last.state is ActivityState.SUCCESS
    (warning,) = last.result.warnings
    assert warning.startswith('The page does not show "clip-00001.jpg": ')
    assert len(page_of(made).all("img")) == 1 and warning[:40] in page_of(made).text


def test_a_page_that_would_be_too_large_has_no_pictures_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(report_activity, "MOST_BYTES", 10_000)
    page = page_of(run(shot=snapshot()))
    assert not page.all("img") and "over 3 MB" in page.text


def test_a_page_that_cannot_be_made_fails_nothing(run: Run, monkeypatch: pytest.MonkeyPatch):
    def fails(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr(report_activity, "thumbnails", fails)
    made = run(shot=snapshot())
    last = made.activity("report")
    assert last.state is ActivityState.SUCCESS and not page_file(made).exists()
    assert [output.ref.object.rpartition("/")[2] for output in last.outputs] == ["report.json"]
    assert re.search("page of the report cannot be made.*no ink", last.result.warnings[0])


def test_a_reused_step_shows_what_the_first_one_did(run: Run, tmp_path: Path, source: Path):
    flow = tmp_path / "flow.json"
    flow.write_text(text(topology({"start": start(), "ld": small(), "report": report()})))
    settings = load_settings().kept_in(tmp_path / "data")
    pages: list[str] = []
    with closing(Engine(settings, output_dir=tmp_path / "out")) as engine:
        workflow = engine.load(flow)
        for _ in range(2):
            opened = engine.open_input(workflow, str(source))
            pages.append(
                page_file(engine.run(workflow, opened, executor=InlineExecutor())).read_text()
            )
    first, again = map(read, pages)
    assert "Transcode · reused" in again.text and "· reused" not in first.text
    assert again.all("polyline") == first.all("polyline") != []
    assert again.all("video") == first.all("video") != []
