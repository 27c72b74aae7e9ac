"""What is outside of a limit is refused before any media tool starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.limits.judging import placed, side_by_side
from tests.support.limits.outputs import OUTPUTS, PLACEMENT, SECTIONS
from tests.support.topologies import minimal

LIMITS = [*SECTIONS, *PLACEMENT, *OUTPUTS]


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, str]:
    """Tools that note that they were called, and do nothing else."""
    tool = tmp_path / "tool"
    tool.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/calls\nexit 1\n')
    tool.chmod(0o755)
    return {"MEDIAFLOW_FFMPEG": str(tool), "MEDIAFLOW_FFPROBE": str(tool)}


def written(path: Path, topology: Any) -> Path:
    path.write_text(json.dumps(topology))
    return path


@pytest.mark.parametrize("command", ["run", "plan"])
def test_one_value_outside_of_each_limit(
    mediaflow: CommandLine, clip: Path, tmp_path: Path, tools: dict[str, str], command: str
):
    values = [next(iter(limit.rule.bad.items())) for limit in LIMITS]
    bad = [("Transcode", placed(one, v[0])) for one, (_, v) in zip(LIMITS, values, strict=True)]
    path = written(tmp_path / "bad.json", side_by_side(bad))
    ended = mediaflow(command, path, clip, env=tools)
    assert ended.code == 2 and ended.out == ""
    lines = [line for line in ended.err.splitlines() if "warning: " not in line]
    assert len(lines) == len(LIMITS) > 90
    for n, (limit, (code, _), line) in enumerate(zip(LIMITS, values, lines, strict=True)):
        assert line.startswith(f"{path}:1:") and f" {code}: " in line
        assert f" (/Activities/a{n}/Parameters{limit.at})" in line
    assert not (tmp_path / "calls").exists() and not (mediaflow.cwd / "mediaflow-out").exists()


def test_an_override_that_nothing_takes(
    mediaflow: CommandLine, clip: Path, tmp_path: Path, tools: dict[str, str]
):
    config = {"Format": "vtt", "InputFile": {"URL": "http://example.com/a.vtt"}}
    path = written(tmp_path / "good.json", minimal())
    override = written(tmp_path / "override.json", {"sd": {"InputConfig": config}})
    ended = mediaflow("run", path, clip, "--override", override, env=tools)
    assert ended.code == 2 and not (tmp_path / "calls").exists()
    assert "is not a subtitle stream" in ended.err and "(/sd)" in ended.err


def test_the_tools_would_have_been_noticed(
    mediaflow: CommandLine, clip: Path, tmp_path: Path, tools: dict[str, str]
):
    path = written(tmp_path / "good.json", minimal())
    ended = mediaflow("run", path, clip, "--executor", "inline", env=tools)
    assert ended.code == 1 and (tmp_path / "calls").exists()
