"""The command line, as in the acceptance tests, and one Prefect server for all."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import alone, data, mediaflow
from workflow_engine.executor.prefect_server import LocalServer, running_server, stop_server

__all__ = ["alone", "data", "mediaflow"]


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    data = tmp_path_factory.mktemp("prefect")
    script = """
        import pathlib, sys
        from workflow_engine.executor.prefect_server import ensure_server
        ensure_server(pathlib.Path(sys.argv[1]), 0, print)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), data], check=True)
    server = running_server(data)
    assert server is not None
    yield server
    stop_server(data)
