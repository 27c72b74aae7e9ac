"""What the commands print, kept beside the tests: a change of a screen is seen in review.

`pytest tests/acceptance/test_screens.py --snapshot-update` writes what they print now.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from syrupy.assertion import SnapshotAssertion
from typer.testing import CliRunner

from tests.support.command_line import CommandLine
from tests.support.places import EXAMPLES
from workflow_engine.cli import app

#: what differs from run to run, and what stands for it
VARYING = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (s|ms|min|KB|MB|B)\b"), r"N \2"),
    (re.compile(r"\$ \S+ffmpeg\S+"), "$ ffmpeg"),
    (re.compile(r"(?<=\S) {2,}"), "  "),
)


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and group, by the words that call it."""
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop(0)
        yield words
        members = getattr(command, "commands", {})
        waiting += [((*words, name), member) for name, member in members.items()]


@pytest.fixture
def screen(tmp_path: Path, clip: Path) -> Callable[..., str]:
    """Runs a command in a folder with a clip and a topology; returns what it printed."""
    shutil.copy(clip, tmp_path / "clip.mp4")
    shutil.copy(EXAMPLES / "minimal.json", tmp_path / "minimal.json")
    call = CommandLine(tmp_path / "data", tmp_path)

    def shown(*arguments: str) -> str:
        ended = call(*arguments)
        text = f"{ended.out}{ended.err}[exit code {ended.code}]\n"
        text = text.replace(str(tmp_path), "HOME")
        for pattern, instead in VARYING:
            text = pattern.sub(instead, text)
        return "\n".join(line.rstrip() for line in text.splitlines())

    return shown


@pytest.mark.parametrize("words", [*commands()], ids=lambda words: " ".join(words) or "mediaflow")
def test_the_help_of(
    words: tuple[str, ...], snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    ended = CliRunner().invoke(app, [*words, "--help"], prog_name="mediaflow", terminal_width=100)
    assert ended.exit_code == 0
    assert ended.output == snapshot


def test_a_run_and_what_is_told_of_it(
    screen: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    run = ("run", "minimal.json", "clip.mp4", "--output-dir", "out", "--executor", "inline")
    assert screen("plan", *run[1:5]) == snapshot(name="plan")
    assert screen(*run) == snapshot(name="run")
    assert screen(*run) == snapshot(name="run again")
    assert screen("execution", "list") == snapshot(name="list")
    assert screen("execution", "list", "--failed") == snapshot(name="list failed")
    assert screen("trigger", "status") == snapshot(name="trigger status")
    assert screen("media", "info", "clip.mp4") == snapshot(name="media info")


def test_what_is_said_of_faults(
    screen: Callable[..., str], snapshot: SnapshotAssertion, tmp_path: Path
) -> None:
    topology = json.loads((tmp_path / "minimal.json").read_text())
    topology["Dependencies"]["sd"] = ["repotr"]
    (tmp_path / "broken.json").write_text(json.dumps(topology, indent=2))
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "bad.toml").write_text('[service]\nport = "many"\n')
    assert screen("validate", "broken.json") == snapshot(name="broken topology")
    assert screen("run", "minimal.json", "missing.mp4") == snapshot(name="no such file")
    assert screen("run", "minimal.json", "text.mp4", "--executor", "inline") == snapshot(
        name="no media"
    )
    assert screen("--config", "bad.toml", "doctor") == snapshot(name="bad configuration")
    assert screen("execution", "show", "0" * 32) == snapshot(name="no such execution")
