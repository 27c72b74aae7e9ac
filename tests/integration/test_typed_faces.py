"""The types of the public faces, as a strict type checker sees them from outside."""

import json
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
REFUSED = TESTS / "typed" / "refused.py"


def test_what_pyright_accepts_and_refuses():
    ended = subprocess.run(
        [Path(sys.executable).parent / "pyright", "-p", TESTS / "typed", "--outputjson"],
        capture_output=True,
        text=True,
    )
    answer = json.loads(ended.stdout)
    assert answer["summary"]["filesAnalyzed"] == 3
    found = [
        (Path(one["file"]), one["range"]["start"]["line"] + 1, one["message"])
        for one in answer["generalDiagnostics"]
    ]
    assert [one for one in found if one[0] != REFUSED] == []
    lines = REFUSED.read_text().splitlines()
    marked = {n for n, line in enumerate(lines, 1) if line.endswith("# refused")}
    assert {line for _, line, _ in found} == marked
