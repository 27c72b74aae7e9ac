"""kill -9 at every commit of an execution: the next process ends it as if nothing had been."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUCCESS = {"start": "Success", "a": "Success", "b": "Success", "report": "Success"}
#: no execution commits less often than this
COMMITS = 15


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_dying_at_any_commit_loses_nothing(tmp_path: Path, every: int):
    """With `every` 4 at half of the commits, before one and after the next."""
    module = (sys.executable, "-m", "tests.support.commits")
    processes = {
        when: subprocess.Popen(
            [*module, tmp_path / when, when, str(every), str(min(first, every))],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first, when in enumerate(("before", "after"), 1)
    }
    for when, process in processes.items():
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0
        trials = [json.loads(line) for line in out.splitlines()]
        assert [told["died"] for told in trials] == [True] * (len(trials) - 1) + [False]
        assert len(trials) > COMMITS // every
        for told in trials:
            assert told["state"] == "Completed", (when, told)
            assert told["activities"] == SUCCESS, (when, told)
            assert told["contents"] == ["content A", "content B"], (when, told)
            assert (told["parts"], told["intents"], told["work"]) == ([], 0, []), (when, told)
            # each at least once, and twice only if its delivery was not written down
            assert told["messages"] in (
                ["Start", "Report"],
                ["Start", "Start", "Report"],
                ["Start", "Report", "Report"],
            ), (when, told)
