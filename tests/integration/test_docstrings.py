"""Every example in a docstring runs as it stands, in a folder with a clip and the examples."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from tests.support.places import EXAMPLES

ROOT = Path(__file__).parents[2]
PACKAGES = ("workflow_engine", "activities", "triggers")
#: an indented line behind an empty one at the top of a module: an example that does not run
SKETCH = re.compile(r'\A"""(?:[^"]|"(?!""))*?\n\n    \w')


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
EXAMPLED = [module_of(path) for path in SOURCES if ">>> " in path.read_text()]


@pytest.mark.parametrize("name", EXAMPLED)
def test_the_examples_of(
    name: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    (tmp_path / "clip.mp4").symlink_to(clip)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "topologies").symlink_to(EXAMPLES)
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted and not done.failed


def test_examples_are_written_so_that_they_run():
    assert [path for path in SOURCES if SKETCH.match(path.read_text())] == []
