"""What the Prefect UI gets to show, asked of a real Prefect server."""

import base64
import io
import json
import logging
import re
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.command_line import CommandLine
from tests.support.places import EXAMPLES
from tests.support.waiting import wait_for


class Shown:
    """A finished ladder run on a real clip and what the server knows of it."""

    def __init__(self, mediaflow: CommandLine, clip: Path) -> None:
        ended = mediaflow.run("ladder", clip, "--json", "--fresh")
        assert ended.code == 0, ended.err
        self.record = ended.json
        self.url: str = self.record["PrefectUrl"]
        base, _, self.flow_run = self.url.partition("/runs/flow-run/")
        self.api = base + "/api"

    def get(self, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.api + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def tasks(self) -> dict[str, dict[str, Any]]:
        wanted = {"flow_runs": {"id": {"any_": [self.flow_run]}}}
        return {task["name"]: task for task in self.get("/task_runs/filter", wanted)}


@pytest.fixture(scope="module")
def shown(data: Path, tmp_path_factory: pytest.TempPathFactory, bunny: Path) -> Shown:
    return Shown(CommandLine(data, tmp_path_factory.mktemp("prefect")), bunny)


def test_the_flow_run_carries_workflow_object_and_run_id(shown: Shown):
    run = shown.get(f"/flow_runs/{shown.flow_run}")
    assert run["state"]["type"] == "COMPLETED"
    assert set(run["tags"]) == {"ladder", shown.record["RunId"]}
    assert run["idempotency_key"] == shown.record["RunId"]
    assert run["parameters"]["object"] == "incoming/bigbuckbunny.mp4"
    assert run["name"].startswith("bigbuckbunny.mp4 ")


def test_tasks_have_the_names_and_states_of_the_activities(shown: Shown):
    states = {name: task["state"]["name"] for name, task in shown.tasks().items()}
    expected = {
        a["Name"]: {"Success": "Completed"}.get(a["State"], a["State"])
        for a in shown.record["ActivityList"]
    }
    assert states == expected
    assert states["fhd"] == "Skipped"


def test_the_graph_is_that_of_the_topology(shown: Shown):
    nodes = [node for _, node in shown.get(f"/flow_runs/{shown.flow_run}/graph-v2")["nodes"]]
    names = {node["id"]: node["label"] for node in nodes}
    edges = {(names[n["id"]], names[p["id"]]) for n in nodes for p in n["parents"]}
    renditions = ("fhd", "hd", "sd", "ld")
    assert edges == {
        ("analysis", "start"),
        ("cover", "start"),
        *((name, "analysis") for name in renditions),
        *(("report", name) for name in (*renditions, "cover")),
    }


def test_media_info_progress_outputs_and_report_are_artifacts(shown: Shown):
    wanted = {"flow_runs": {"id": {"any_": [shown.flow_run]}}}
    artifacts = shown.get("/artifacts/filter", wanted)
    by_task: dict[str, set[str]] = {}
    names = {task["id"]: name for name, task in shown.tasks().items()}
    for artifact in artifacts:
        if artifact["task_run_id"]:  # those of the flow run tell of all
            by_task.setdefault(names[artifact["task_run_id"]], set()).add(artifact["type"])
    assert "table" in by_task["start"] and "1280" in json.dumps(artifacts)
    assert "table" in by_task["analysis"]
    assert {"progress", "table"} <= by_task["hd"]
    (progress,) = (
        a for a in artifacts if a["type"] == "progress" and names.get(a["task_run_id"]) == "hd"
    )
    assert progress["data"] == 100
    assert shown.record["Report"] in json.dumps(artifacts)


def test_the_log_and_the_artifacts_tell_the_run_without_its_files(shown: Shown):
    wanted = {"flow_runs": {"id": {"any_": [shown.flow_run]}}}
    texts = {
        one["description"]: one["data"]
        for one in shown.get("/artifacts/filter", wanted)
        if one["type"] == "markdown"
    }
    assert "start [Start] -> analysis, cover" in texts["Workflow"]
    assert "`uploads/incoming/`" in texts["Workflow"]
    pictures = re.findall(r"data:image/jpeg;base64,([^)]*)", texts["Pictures"])
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]))) as picture:
        assert max(picture.size) == 360
    # no browser goes from a page to a file
    assert "file:///" in texts["Report"] and "](file" not in texts["Report"]
    lines = logged(
        shown, shown.flow_run, lambda lines: any("report.json" in one["message"] for one in lines)
    )
    names = {task["id"]: name for name, task in shown.tasks().items()}
    of_hd = [one["message"] for one in lines if names.get(one["task_run_id"]) == "hd"]
    assert sum(text.startswith("$ ") and "libx264" in text for text in of_hd) == 2  # two passes
    assert any(
        re.fullmatch(r"renditions/.*hd.mp4: [\d,]+ bytes, 5.3 s, 1280x720", t) for t in of_hd
    )


def test_a_plan_tells_how_long_what_has_run_would_take_again(
    mediaflow: CommandLine, shown: Shown, bunny: Path
):
    plan = mediaflow("plan", EXAMPLES / "ladder.json", bunny, "--fresh", "--json").json
    times = {one["Name"]: one.get("Seconds") for one in plan["Activities"]}
    assert plan["EarlierRuns"] >= 1
    assert times["start"] and times["analysis"] > times["start"]
    assert plan["Seconds"] >= times["analysis"]


def test_a_reused_activity_still_shows_its_media_info(
    mediaflow: CommandLine, shown: Shown, bunny: Path
):
    ended = mediaflow.run("minimal", bunny, "--json")
    start = ended.json["ActivityList"][0]
    assert start["Reused"]
    run = ended.json["PrefectUrl"].rpartition("/")[2]
    artifacts = shown.get("/artifacts/filter", {"flow_runs": {"id": {"any_": [run]}}})
    assert "Media info" in json.dumps(artifacts)


def test_a_failed_activity_shows_as_failed_with_its_code(
    mediaflow: CommandLine, shown: Shown, audio_clip: Path
):
    ended = mediaflow.run("minimal", audio_clip, "--json")
    assert ended.code == 1
    run = ended.json["PrefectUrl"].rpartition("/")[2]
    tasks = shown.get("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    (failed,) = (t["state"] for t in tasks if t["name"] == "sd")
    assert failed["type"] == "FAILED"
    assert failed["message"].startswith("InvalidParameter.ResourceNotSupported")
    # the execution is Completed, for MPS; people see that something failed
    assert ended.json["State"] == "Completed"
    state = shown.get(f"/flow_runs/{run}")["state"]
    assert state["type"] == "FAILED"
    assert state["message"].startswith("1 of 3 activities failed: sd (InvalidParameter.Resource")
    lines = logged(shown, run, lambda lines: any("Failed" in line["message"] for line in lines))
    errors = [line["message"] for line in lines if line["level"] >= logging.ERROR]
    assert len(errors) == 1 and "no video stream" in errors[0]
    assert "NoneType" not in errors[0]


def logged(
    shown: Shown, run: str, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """Return the log of a flow run once it holds enough: it comes some seconds late."""

    def lines() -> list[dict[str, Any]]:
        found = shown.get("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        return found if enough(found) else []

    return wait_for(lines, 20)


def test_what_was_skipped_is_neither_a_success_nor_an_error(shown: Shown):
    assert shown.tasks()["fhd"]["state"]["type"] == "CANCELLED"
    assert shown.tasks()["report"]["state"]["type"] == "COMPLETED"
    run = shown.flow_run
    lines = logged(shown, run, lambda lines: any("Skipped" in line["message"] for line in lines))
    assert [line for line in lines if line["level"] >= logging.ERROR] == []


def test_names_that_prefect_would_read_otherwise(
    mediaflow: CommandLine, shown: Shown, audio_clip: Path, tmp_path: Path
):
    value = json.loads((EXAMPLES / "audio.json").read_text())
    activities, edges = value["Activities"], value["Dependencies"]
    activities["mp3 {x} %"] = activities.pop("mp3")
    edges |= {"start": ["mp3 {x} %", "aac"], "mp3 {x} %": edges.pop("mp3")}
    path = tmp_path / "R&D 50%.json"
    path.write_text(json.dumps(value))
    ended = mediaflow.run(path, audio_clip, "--json")
    assert ended.code == 0, ended.err
    run = shown.get("/flow_runs/" + ended.json["PrefectUrl"].rpartition("/")[2])
    assert run["state"]["type"] == "COMPLETED" and "R&D 50%" in run["tags"]
    wanted = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    names = {task["name"] for task in shown.get("/task_runs/filter", wanted)}
    assert "mp3 {x} %" in names


def test_the_ui_draws_the_run(shown: Shown, chromium: str, tmp_path: Path):
    picture = tmp_path / "ui.png"
    subprocess.run(
        [
            chromium,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1600,1100",
            "--virtual-time-budget=20000",
            f"--screenshot={picture}",
            shown.url,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with Image.open(io.BytesIO(picture.read_bytes())) as image:
        pixels = image.convert("RGB").resize((400, 275)).tobytes()
    colours = zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True)
    green = sum(1 for r, g, b in colours if g > 120 and r < 90 and b < 120)
    assert green > 300, "the task runs are not drawn"
