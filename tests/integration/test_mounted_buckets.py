"""Output folders on file systems that are not mounted, or full: waited for, never written below."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workflow_engine.buckets import LocalBucket, Mounts
from workflow_engine.errors import MediaflowError, Transient

NAME_SPACES = ("unshare", "--user", "--map-root-user", "--mount")
SUCCESS = {"start": "Success", "a": "Success", "report": "Success"}


def scene(name: str, home: Path) -> Any:
    if subprocess.run([*NAME_SPACES, "true"], capture_output=True).returncode:
        pytest.skip("needs user name spaces")
    command = (*NAME_SPACES, sys.executable, "-m", "tests.support.mounted", name, home)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", ["unmounted", "under_the_run"])
def test_nothing_is_written_below_what_is_not_mounted(name: str, tmp_path: Path):
    for told in scene(name, tmp_path):
        assert "is not mounted" in told["message"] and str(tmp_path) in told["message"]
        assert told["below"] == []
        assert told["states"] == SUCCESS and told["content"] == "content A"
        assert told["ran"] == [["a"]]


def test_a_folder_that_is_made_again_is_no_trouble(tmp_path: Path):
    assert scene("made_again", tmp_path) == [SUCCESS]


def test_a_full_disk_is_waited_for(tmp_path: Path):
    (told,) = scene("full", tmp_path)
    assert "No space left on device" in told["message"]
    assert told["states"] == SUCCESS and told["content"] == "content A"
    assert told["ran"] == [["a"]]  # what was made is kept until there is room


def test_mount_points_are_kept_for_the_next_process(tmp_path: Path):
    kept, point = tmp_path / "mount-points", tmp_path / "mnt"
    kept.write_text(f"{point}\n")
    other = LocalBucket("other", tmp_path / "mnt-2", Mounts(kept))
    assert other.head("a") is None
    for bucket in (
        LocalBucket("out", point, Mounts(kept)),
        LocalBucket("out", point / "deep" / "down", Mounts(kept)),
    ):
        for use in (bucket.head, lambda key, bucket=bucket: list(bucket.list(key))):
            with pytest.raises(MediaflowError, match="not mounted") as caught:
                use("a")
            assert caught.value.transient is Transient.STORAGE
            assert str(kept) in caught.value.remedy
    kept.write_text("")  # as the remedy says
    assert LocalBucket("out", point, Mounts(kept)).head("a") is None
