"""An activity type of one's own, from the package that docs/activities.md builds."""

import hashlib
import importlib
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.places import ROOT
from workflow_engine import ActivityError, ActivityState, TopologyError
from workflow_engine.activity import load_registry
from workflow_engine.testing import try_activity

PACKAGE = ROOT / "tests" / "plugin"
MODULE = PACKAGE / "mediaflow_checksum" / "__init__.py"
PAGE = (ROOT / "docs" / "activities.md").read_text()
PARAMETERS = {"OutputBucket": "sums", "OutputObject": "{FileName}.sha256"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(PACKAGE)
    yield importlib.import_module("mediaflow_checksum")
    del sys.modules["mediaflow_checksum"]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of packages with the plug-in in it."""
    source, target = tmp_path / "source", tmp_path / "packages"
    shutil.copytree(PACKAGE, source)  # a build leaves files beside what it builds
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    how = ["--no-index", "--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*pip, *how, source], check=True)
    return target


def test_the_page_holds_the_package():
    def bare(text: str) -> str:
        return "".join(text.split())  # a method alone is indented and wrapped in another way

    *pieces, test = map(bare, blocks("python"))
    source = bare(MODULE.read_text())
    for piece in pieces:
        assert piece in source
    assert len("".join(pieces)) == len(source)
    assert blocks("toml") == [(PACKAGE / "pyproject.toml").read_text()]
    assert test.startswith("deftest_")


def test_the_test_of_the_page(module: ModuleType, tmp_path: Path) -> None:
    names: dict[str, Any] = {
        "hashlib": hashlib,
        "ActivityState": ActivityState,
        "Checksum": module.Checksum,
        "try_activity": try_activity,
    }
    exec(textwrap.dedent(blocks("python")[-1]), names)
    names["test_the_checksum"](tmp_path)


def test_problems_name_the_parameter(module: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "in.txt"
    file.write_text("abc")
    for name in ("{Nobody}", ""):
        with pytest.raises(TopologyError) as caught:
            try_activity(module.Checksum(), PARAMETERS | {"OutputObject": name}, file, tmp_path)
        (problem,) = caught.value.problems
        assert problem.pointer == "/Activities/activity/Parameters/OutputObject"
        assert problem.line


def test_it_may_see_real_media_info(module: ModuleType, tmp_path: Path, clip: Path) -> None:
    trial = try_activity(
        module.Checksum(), PARAMETERS, clip, tmp_path, start=load_registry()["Start"]
    )
    assert trial.record.result.data["Checksum"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert trial.planned.step and trial.planned.step.identity == {"Algorithm": "sha256"}
    text = tmp_path / "no-media.txt"
    text.write_text("no media")
    with pytest.raises(ActivityError):
        try_activity(module.Checksum(), PARAMETERS, text, tmp_path, start=load_registry()["Start"])


def test_the_installed_package_on_the_command_line(
    installed: Path, tmp_path: Path, clip: Path
) -> None:
    (topology,) = blocks("json")
    (tmp_path / "sums.json").write_text(topology)
    mediaflow = CommandLine(tmp_path / "data", tmp_path)
    assert mediaflow("validate", "sums.json").code == 2
    # an interpreter of its own: it looks for packages in one more folder
    call = ("run", "sums.json", clip, "--executor", "inline", "--json")
    with mediaflow.start(*call, env={"PYTHONPATH": str(installed)}) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    execution = json.loads(out)
    done = {one["Name"]: one for one in execution["ActivityList"]}
    assert (done["sum"]["Type"], done["sum"]["State"]) == ("Checksum", "Success")
    made = tmp_path / "mediaflow-out" / "sums" / f"{clip.stem}.sha256"
    assert made.read_text().strip() == hashlib.sha256(clip.read_bytes()).hexdigest()
    report = json.loads(Path(execution["Report"]).read_text())
    assert "Checksum" in [one["Type"] for one in report["Activities"]]
