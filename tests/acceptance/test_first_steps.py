"""What a reader does first: the commands of README and `docs/start.md`, literally."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import media
from tests.support.command_line import CommandLine
from tests.support.places import COMMAND, ROOT
from workflow_engine.settings import load_settings

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
#: the RunId of the page, and its beginning
_RUN_ID = re.compile(r"\b3ff8c70b\b")
#: before the commands: the RunId of this run in its place, and an end without a service left over
_BEFORE = """\
set -e
newest() { mediaflow execution list --limit 1 | awk 'NR == 2 { print substr($1, 1, 8) }'; }
trap 'kill $(jobs -p); wait' EXIT
"""


def commands(page: Path, section: str = "") -> list[str]:
    text = page.read_text()
    if section:
        text = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = "".join(_BLOCK.findall(text)).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.fixture
def home(tmp_path: Path, media_dir: Path) -> CommandLine:
    """A home directory with a clip and nothing else."""
    clip = media.clip(media_dir, seconds=1, size="160x90")
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    return CommandLine(tmp_path / "data", tmp_path)


def shell(home: CommandLine, lines: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = home.environment | {
        "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        "MEDIAFLOW_SERVICE__PORT": "0",
        # nothing answers there: the runs are not shown, and no server is started for them
        "MEDIAFLOW_PREFECT__API_URL": "http://127.0.0.1:1/api",
    }
    return subprocess.run(
        ["bash", "-c", _BEFORE + "\n".join(lines)],
        cwd=home.cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_service_of_the_readme(home: CommandLine):
    given = commands(ROOT / "README.md", "As a service")
    ended = shell(home, given)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "State     Completed\n" in ended.stdout
    assert 'workflow "web": takes it' in ended.stdout  # trigger why
    made = sorted(path.name for path in (home.cwd / "media/renditions/clip").iterdir())
    assert {"cover.jpg", "hd.mp4", "ld.mp4"} < set(made)
    # from nothing to renditions: no more than five
    watched = next(n for n, line in enumerate(given, 1) if "execution watch" in line)
    assert watched <= 5


@pytest.mark.long
def test_the_page_for_beginners(home: CommandLine):
    given = commands(ROOT / "docs/start.md")
    lines = [_RUN_ID.sub("$(newest)", line) for line in given]
    # the server of Prefect is not what is tried here
    lines = [line + " --executor inline" * line.startswith("mediaflow run") for line in lines]
    ended = shell(home, lines)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("State     Completed\n") == 3  # watched, shown, run again
    assert "workflows/web.json: valid, 4 activities" in ended.stdout
    assert "reused" in ended.stdout


def test_what_is_there_stays(home: CommandLine):
    (home.cwd / "workflows").mkdir()
    (home.cwd / "mediaflow.toml").write_text("[runner]\nconcurrency = 1\n")
    told = home("init", "--json").json
    assert told["Kept"] == ["mediaflow.toml"]
    assert (home.cwd / "mediaflow.toml").read_text() == "[runner]\nconcurrency = 1\n"
    assert home("init", "--json").json["Made"] == []
    (home.cwd / "other/mediaflow.toml").mkdir(parents=True)
    refused = home("init", "other")
    assert refused.code == 2 and 'mediaflow.toml" is no file' in refused.err
    refused = home("init", "mediaflow.toml")
    assert refused.code == 2 and '"mediaflow.toml" is a file' in refused.err


def test_the_settings_are_those_that_apply(
    home: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file with all of its comments removed sets every key to what it is without a file."""
    monkeypatch.setenv("MEDIAFLOW_DATA", str(home.data))
    assert home("init").code == 0
    text = (home.cwd / "mediaflow.toml").read_text()
    assert str(home.data) not in text  # whoever gets the file has another place
    sections = text[text.index("# [service]") :]
    plain = [line.removeprefix("# ") for line in sections.splitlines()]
    kept = [line for line in plain if not re.match(r"\w+ =\s*(#|$)", line)]
    tables = "\n".join(kept).split("\n\n")
    written = "\n".join(table for table in tables if "NAME]" not in table.partition("\n")[0])
    file = home.cwd / "all.toml"
    file.write_text(written)
    loaded, default = load_settings(file).model_dump(), load_settings(home.cwd / "mediaflow.toml")
    assert json.dumps(loaded | {"buckets": 0}, default=str) == json.dumps(
        default.model_dump() | {"buckets": 0}, default=str
    )
    for name in type(default).model_fields:
        assert f"# [{name}" in sections
