"""Killed between the first name and the success: published once, encoded once."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.published import NAMES
from tests.support.s3 import ENVIRONMENT, S3Server

FOLDER = '[buckets.out]\npath = "out"\n'
STORE = """
[buckets.out]
url = "s3://{bucket}"
endpoint_url = "{url}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
"""


def resumed(folder: Path, clip: Path, names: int, configuration: str, *more: str) -> Any:
    """Let a process die behind so many names and return what the next one did."""
    (folder / "mediaflow.toml").write_text(configuration)
    command = (sys.executable, "-m", "tests.support.published", folder, clip, str(names), *more)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def check(told: Any, names: int) -> None:
    assert len(told["before"]) == names and told["staged"] == 3
    assert told["ran"] == []  # nothing was made again
    assert told["after"].keys() == set(NAMES)
    assert told["before"].items() <= told["after"].items()  # nor published again
    assert told["states"] == ["Success"] * 3 and told["outputs"] == list(NAMES)
    assert told["commands"] == 1 and told["again"]
    assert (told["intents"], told["parts"], told["work"]) == (0, [], [])


@pytest.mark.parametrize("names", [3, 1, 0])
def test_in_a_folder(tmp_path: Path, clip: Path, names: int):
    check(resumed(tmp_path, clip, names, FOLDER), names)


@pytest.fixture
def versioned(
    s3_servers: Callable[[str], S3Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Give the configuration of a bucket in a store that keeps versions."""
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    server = s3_servers("seaweedfs")
    bucket = re.sub(r"[^a-z0-9]+", "-", tmp_path.name.lower()).strip("-")
    server.create(bucket)
    with server.client() as client:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return STORE.format(bucket=bucket, url=server.url)


@pytest.mark.parametrize(
    ("names", "more"),
    [(3, ()), pytest.param(1, (), marks=pytest.mark.long), (1, ("parts",))],
)
def test_in_a_store(tmp_path: Path, clip: Path, versioned: str, names: int, more: tuple[str, ...]):
    """Small objects are published from the directory of the process that is gone."""
    check(resumed(tmp_path, clip, names, versioned, *more), names)


@pytest.mark.parametrize("stored", [False, True])
def test_what_cannot_be_completed_is_made_again(
    tmp_path: Path, clip: Path, stored: bool, request: pytest.FixtureRequest
):
    """The second picture has neither its name nor its staged content any more."""
    (tmp_path / "lose").touch()
    told = resumed(tmp_path, clip, 1, request.getfixturevalue("versioned") if stored else FOLDER)
    assert told["ran"] == ["work"] and told["states"] == ["Success"] * 3
    assert told["after"].keys() == set(NAMES)
    assert (told["intents"], told["parts"]) == (0, [])
