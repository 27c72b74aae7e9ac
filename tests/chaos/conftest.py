"""One Prefect server for all, and services that use it or have to start their own."""

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.service_home import COVER, REPORT, START, enlarged, topology
from workflow_engine.executor.prefect_server import LocalServer, running_server, stop_server


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


@pytest.fixture
def home(tmp_path: Path, clip: Path) -> Path:
    """The directory of a service: a clip in its bucket, and three workflows."""
    (tmp_path / "buckets/uploads").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "buckets/uploads/clip.mp4")
    (tmp_path / "workflows").mkdir()
    head = {"start": START, "cover": COVER}
    workflows = {
        "quick": topology(**head, report=REPORT),
        "slow": topology(**head, large=enlarged("S00000001-200040"), report=REPORT),
        "very slow": topology(**head, large=enlarged("S00000001-200070"), report=REPORT),
    }
    for name, text in workflows.items():
        (tmp_path / f"workflows/{name}.json").write_text(text)
    return tmp_path


@pytest.fixture
def service(home: Path, prefect: LocalServer) -> Iterator[Service]:
    service = Service(home, f'[prefect]\napi_url = "{prefect.api_url}"\n')
    try:
        yield service.start().shown()
    finally:
        service.close()


@pytest.fixture
def own_prefect(home: Path, prefect: LocalServer) -> Iterator[Service]:
    """A service that has to start its Prefect server, on a database that is made already."""
    service = Service(home)
    (service.data / "prefect").mkdir(parents=True)
    made = Path(f"/proc/{prefect.pid}/cwd/prefect.db")
    with (
        closing(sqlite3.connect(made)) as source,
        closing(sqlite3.connect(service.data / "prefect/prefect.db")) as target,
    ):
        source.backup(target)
    try:
        yield service
    finally:
        service.close()
