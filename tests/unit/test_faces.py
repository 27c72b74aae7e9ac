"""The public faces: each complete, its lists of names in agreement, every name there."""

import ast
import importlib
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import workflow_engine
from workflow_engine import activity, listening, testing

FACES = (workflow_engine, activity, listening, testing)


def imported(face: str) -> set[str]:
    """The names that a face takes from its modules, also those for type checkers only."""
    tree = ast.parse(Path(importlib.import_module(face).__file__ or "").read_text())
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {
        alias.name
        for node in froms
        if (node.module or "").startswith("workflow_engine.")
        for alias in node.names
    }


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_the_lists_of_names_agree(face) -> None:
    names = {name for name in face.__all__ if name != "__version__"}
    assert imported(face.__name__) == names
    assert len(face.__all__) == len(set(face.__all__))
    for name in face.__all__:
        assert getattr(face, name) is not None


def test_the_lazy_names_are_those_of_the_list():
    assert set(workflow_engine._HOME_OF) == set(workflow_engine.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="Activityy"):
        workflow_engine.Activityy  # noqa: B018


def test_the_bare_package_loads_nothing():
    script = "import sys, workflow_engine; print({'pydantic', 'sqlalchemy'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.stdout == "set()\n", ended.stderr


@pytest.mark.parametrize("package", ["workflow_engine", "activities", "triggers"])
def test_type_checkers_read_the_annotations(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()
