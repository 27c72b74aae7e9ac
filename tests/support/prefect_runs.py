"""What a Prefect server tells about its runs."""

import json
import urllib.request
from typing import Any

from workflow_engine.executor.prefect_ends import UNFINISHED


def asked(api: str, path: str, body: Any = None) -> Any:
    """Ask a Prefect server."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def open_runs(api: str) -> list[str]:
    """Return the flow runs and task runs that have not ended, by name and state."""
    state = {"state": {"type": {"any_": UNFINISHED}}}
    found = [
        *asked(api, "/flow_runs/filter", {"flow_runs": state}),
        *asked(api, "/task_runs/filter", {"task_runs": state}),
    ]
    return [f"{one['name']}: {one['state']['name']}" for one in found]


def task_states(api: str, flow_run: str) -> dict[str, str]:
    """Return the names of the states of the last task run of each activity."""
    wanted = {"flow_runs": {"id": {"any_": [flow_run]}}, "sort": "EXPECTED_START_TIME_ASC"}
    found = asked(api, "/task_runs/filter", wanted)
    return {task["name"]: task["state"]["name"] for task in found}
