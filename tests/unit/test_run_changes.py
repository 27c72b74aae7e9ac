"""`run --watch`: what starts the next run, whatever becomes of the runs and of the bucket."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from workflow_engine.cli import changes
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.settings import load_settings


class _EndError(Exception):
    """Ends the watching, as Ctrl-C would."""


def refused() -> NoReturn:
    raise InvalidInputError(Code.RESOURCE_CONTENT_BAD, "It is no media.")


@pytest.fixture
def topology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(changes, "_PAUSE", 0.0)
    (tmp_path / "t.json").write_text("{}")
    return tmp_path / "t.json"


def runs(topology: Path, present: Callable[[], str | None], looks: int) -> int:
    """Return how many runs, all of which are refused, that many looks at the input start."""
    count = left = 0

    def once() -> Any:
        nonlocal count
        count += 1
        refused()

    def look() -> str | None:
        nonlocal left
        left += 1
        if left > looks:
            raise _EndError
        return present()

    with pytest.raises(_EndError):
        changes.run_on_changes(once, [topology], "in/clip.mp4", look)
    return count


def test_each_version_runs_once_even_where_it_is_refused(topology: Path):
    assert runs(topology, lambda: "v1", looks=20) == 1
    versions = iter([None] * 5 + ["v1"] * 10 + ["v2"] * 10)
    assert runs(topology, lambda: next(versions), looks=25) == 3


def test_a_bucket_that_does_not_answer_is_asked_again(topology: Path):
    answers = iter([lambda: "v1", refused, refused, lambda: "v1"] + [lambda: "v2"] * 4)
    assert runs(topology, lambda: next(answers)(), looks=8) == 2


def test_an_object_in_a_folder_has_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mediaflow.toml").write_text('[buckets.in]\npath = "in"\n')
    (tmp_path / "in").mkdir()
    engine = Engine(load_settings(None), output_dir=tmp_path / "out")
    found = [engine.input_version("oss://in/a.mp4")]
    for content in ("a", "bc"):
        (tmp_path / "in/a.mp4").write_text(content)
        found.append(engine.input_version("oss://in/a.mp4"))
    found.append(engine.input_version("a.mp4"))
    engine.close()
    assert found[0] is found[3] is None and len(set(found)) == 3
