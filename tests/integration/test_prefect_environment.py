"""What the local Prefect server is told, as Prefect itself understands it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workflow_engine.executor.prefect_process import ServerOptions, environment

SETTINGS = """
import json
from prefect.settings import get_current_settings
server = get_current_settings().server
vacuum = server.services.db_vacuum
print(json.dumps({
    "vacuum": sorted(vacuum.enabled_vacuum_types),
    "days": vacuum.retention_period.total_seconds() / 86400,
    "event days": server.events.retention_period.total_seconds() / 86400,
    "scheduler": server.services.scheduler.enabled,
    "origins": server.api.cors_allowed_origins,
    "analytics": server.analytics_enabled,
    "batch": server.services.task_run_recorder.batch_size,
}))
"""


def understood(home: Path, kept_days: int) -> dict[str, Any]:
    options = ServerOptions(port=4300, kept_days=kept_days, batches=True)
    told = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        env=environment(home, options),
        check=True,
        capture_output=True,
    )
    return json.loads(told.stdout)


def test_old_runs_are_removed_and_nothing_is_told_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "true")  # the user's own server's
    assert understood(tmp_path, 30) == {
        "vacuum": ["events", "flow_runs", "orphans"],
        "days": 30,
        "event days": 1,
        "scheduler": False,
        "origins": "http://127.0.0.1:4300,http://localhost:4300",
        "analytics": False,
        "batch": 50,
    }


def test_without_retention_runs_are_kept_for_ever(tmp_path: Path):
    assert understood(tmp_path, 0)["vacuum"] == ["events"]
