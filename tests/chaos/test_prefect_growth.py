"""The database of the local Prefect server: what is old goes, and the file shrinks."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.support.prefect_runs import asked
from tests.support.waiting import wait_for
from workflow_engine.executor.prefect_server import LocalServer, running_server, stop_server

RUNS = 300
#: bytes of the parameters of each run
LARGE = 20_000


SCRIPT = """
import sys
from pathlib import Path
from workflow_engine.executor import prefect_process
from workflow_engine.executor.prefect_server import ensure_server

prefect_process._WORTH_SHRINKING = 1 << 20
every = "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS"
prefect_process._ENVIRONMENT[every] = sys.argv[2]
ensure_server(Path(sys.argv[1]), 0, print, kept_days=7)
"""


def started(data: Path, *, every: int = 3600) -> LocalServer:
    """Start a server that looks for old runs every so many seconds."""
    subprocess.run([sys.executable, "-c", SCRIPT, data, str(every)], check=True)
    server = running_server(data)
    assert server is not None
    return server


def made(server: LocalServer, path: str, body: dict[str, Any]) -> str:
    """Return the id of what a server was asked to make; a busy one is asked again."""

    def id_of() -> str:
        try:
            return asked(server.api_url, path, body)["id"]
        except HTTPError as error:
            assert error.code == 503
            return ""

    return wait_for(id_of, 60)


def count(data: Path, condition: str = "1") -> int:
    with closing(sqlite3.connect(data / "prefect/prefect.db", timeout=30)) as connection:
        query = f"SELECT count(*) FROM flow_run WHERE {condition}"
        return connection.execute(query).fetchone()[0]


@pytest.mark.long
def test_300_old_runs_make_the_file_smaller(tmp_path: Path):
    database = tmp_path / "prefect/prefect.db"
    try:
        server = started(tmp_path)
        flow = made(server, "/flows/", {"name": "old"})
        for number in range(RUNS):
            body = {"flow_id": flow, "name": f"{number}", "parameters": {"x": "y" * LARGE}}
            made(server, "/flow_runs/", {**body, "state": {"type": "COMPLETED"}})
        stop_server(tmp_path)
        with closing(sqlite3.connect(database)) as connection:
            old = "UPDATE flow_run SET end_time = '2020-01-01 00:00:00.000000' WHERE name != '7'"
            connection.execute(old)
            connection.commit()
        size = database.stat().st_size
        assert size > RUNS * LARGE and count(tmp_path) == RUNS
        started(tmp_path, every=1)
        wait_for(lambda: count(tmp_path) == 1, 120)
        stop_server(tmp_path)
        started(tmp_path)  # gives the space back
        assert count(tmp_path, "name = '7'") == 1
        assert database.stat().st_size < size / 3
    finally:
        stop_server(tmp_path)
