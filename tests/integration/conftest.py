"""The bench of the execution tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Bench(tmp_path)
    yield made
    made.engine.close()
