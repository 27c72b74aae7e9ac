"""What a Prefect server tells about its runs."""

import json
import time
import urllib.request
from typing import Any
from urllib.error import HTTPError

from workflow_engine.executor.prefect_ends import UNFINISHED


def asked(api: str, path: str, body: Any = None) -> Any:
    """Ask a Prefect server, again while another request keeps its database locked (503)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + path, data, {"Content-Type": "application/json"})
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


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
