"""The list of actions, against the names that the official libraries know."""

import importlib.util
from pathlib import Path

import pytest

from workflow_engine.api.action import DEFAULT_RATE
from workflow_engine.api.actions import ACTIONS
from workflow_engine.api.actions.unsupported import UNSUPPORTED


def library_actions() -> set[str]:
    spec = importlib.util.find_spec("aliyunsdkmts")
    assert spec and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "request", "v20140618")
    return {file.stem.removesuffix("Request") for file in folder.glob("*Request.py")}


def test_every_action_of_the_libraries_is_offered_or_declined() -> None:
    names = library_actions()
    assert len(names) > 90
    assert names - UNSUPPORTED == ACTIONS.keys() & names
    assert not UNSUPPORTED & ACTIONS.keys()


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("ListAllMediaBucket", 10),
        ("SubmitMediaInfoJob", 50),
        ("SubmitSnapshotJob", 50),
        ("SubmitJobs", DEFAULT_RATE),
    ],
)
def test_rates_of_the_specification(name: str, rate: int) -> None:
    assert ACTIONS[name].rate == rate
