"""Tells a Prefect server which executions have ended, where their own runs could not.

A process that was killed, or a server that was away, leaves flow runs and task runs that stay
Running or Pending for ever, for Prefect cannot know better. The store does: `tell_ends` asks the
server for its unfinished runs and ends those whose executions have ended. Runs of other stores
and of other programs are left alone, and so are executions that still run (decision 19).
"""

import http.client
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from urllib.error import HTTPError

from workflow_engine.errors import MediaflowError
from workflow_engine.executor.prefect_api import post
from workflow_engine.executor.prefect_states import (
    EndState,
    cancelled,
    flow_state,
    task_state,
)
from workflow_engine.records import ExecutionRecord, Json, utc_now

log = logging.getLogger(__name__)

#: finds those of some executions that a store has, by their RunIds
Lookup = Callable[[Collection[str]], Sequence[ExecutionRecord]]

#: types of the states that are not final
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING", "SCHEDULED", "PAUSED")
#: runs that are asked for at once, the most that a server gives
_PAGE = 200
#: how long after its end an execution is left to its own run, which is about to tell it
_GRACE = timedelta(seconds=10)
#: what `post` raises
_FAILURES = (OSError, ValueError, http.client.HTTPException)
#: a RunId
_RUN_ID = re.compile("[0-9a-f]{32}")


def tell_ends(api_url: str, lookup: Lookup) -> bool:
    """End the unfinished runs of executions that have ended; False when not all could be told."""
    try:
        told = _tell_ends(api_url, lookup)
    except (*_FAILURES, MediaflowError) as error:
        log.info("Prefect cannot be told now which runs have ended, it will be later: %s", error)
        return False
    if told:
        log.info("%d runs of ended executions were still open in Prefect", told)
    return True


def _tell_ends(api_url: str, lookup: Lookup) -> int:
    """End them; return how many flow runs and task runs. Raises what `post` and `lookup` do."""
    unfinished = {"state": {"type": {"any_": UNFINISHED}}}
    open_tasks = list(_pages(api_url, "/task_runs/filter", {"task_runs": unfinished}))
    flows = _by_id(_pages(api_url, "/flow_runs/filter", {"flow_runs": unfinished}))
    open_flows = flows.keys()
    # task runs may have been forgotten in flow runs that have ended
    others = sorted({task["flow_run_id"] for task in open_tasks} - open_flows - {None})
    flows = flows | _by_id(_of_flows(api_url, "/flow_runs/filter", others))
    ended = _ended(flows, lookup)
    told = sorted(open_flows & ended.keys())
    tasks = _by_id(task for task in open_tasks if task["flow_run_id"] in ended)
    tasks |= _by_id(_wrong(_of_flows(api_url, "/task_runs/filter", told), ended))
    for task in tasks.values():
        _set(api_url, f"/task_runs/{task['id']}", _task_state(ended, task))
    for flow_id in told:
        _set(api_url, f"/flow_runs/{flow_id}", flow_state(ended[flow_id]))
    return len(told) + len(tasks)


def leave_open(api_url: str, flow_run_id: str) -> None:
    """Make a flow run Pending again whose execution continues without it: its end is told later."""
    state = {"type": "PENDING", "message": "It continues without being shown."}
    body = {"state": state, "force": True}
    with suppress(*_FAILURES):
        post(api_url, f"/flow_runs/{flow_run_id}/set_state", body)


def _by_id(found: Iterable[Json]) -> dict[str, Json]:
    return {one["id"]: one for one in found}


def _of_flows(api_url: str, path: str, flow_ids: Sequence[str]) -> Iterator[Json]:
    """Yield what a filter finds of some flow runs."""
    for chosen in _portions(flow_ids):
        yield from _pages(api_url, path, {"flow_runs": {"id": {"any_": chosen}}})


def _wrong(found: Iterable[Json], ended: Mapping[str, ExecutionRecord]) -> list[Json]:
    """Return the last task run of each activity, where it does not show how that ended."""
    found = sorted(found, key=lambda task: task["expected_start_time"] or "")
    last = {(task["flow_run_id"], task["name"]): task for task in found}
    return [task for task in last.values() if task["state_type"] != _task_state(ended, task).type]


def _pages(api_url: str, path: str, wanted: Json) -> Iterator[Json]:
    """Yield what a filter finds, page by page."""
    offset = 0
    while True:
        body = {**wanted, "sort": "ID_DESC", "limit": _PAGE, "offset": offset}
        found = post(api_url, path, body)
        yield from found
        if len(found) < _PAGE:
            return
        offset += _PAGE


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(names), _PAGE):
        yield names[begin : begin + _PAGE]


def _ended(flows: Mapping[str, Json], lookup: Lookup) -> Mapping[str, ExecutionRecord]:
    """Return the executions of flow runs that have ended here, by the id of the flow run."""
    run_ids = {
        flow_id: key
        for flow_id, flow in flows.items()
        if _RUN_ID.fullmatch(key := flow["idempotency_key"] or "") and key in flow["tags"]
    }
    known: dict[str, ExecutionRecord] = {}
    for chosen in _portions(sorted(set(run_ids.values()))):
        known |= {record.run_id: record for record in lookup(chosen)}
    return {
        flow_id: known[run_id]
        for flow_id, run_id in run_ids.items()
        if run_id in known and _is_over(known[run_id])
    }


def _is_over(record: ExecutionRecord) -> bool:
    ended = record.ended or record.created
    return record.state.ended and ended < utc_now() - _GRACE


def _task_state(ended: Mapping[str, ExecutionRecord], task: Json) -> EndState:
    """Return how the activity of a task run ended."""
    activities = {one.name: one for one in ended[task["flow_run_id"]].activities}
    # until it runs, Prefect adds a number to its name
    for name in (task["name"], task["name"].rpartition("-")[0]):
        if name in activities:
            return task_state(activities[name])
    return cancelled("The execution has ended.")


def _set(api_url: str, path: str, state: EndState) -> None:
    body = {"type": state.type, "name": state.name, "message": state.message or None}
    try:
        # forced: no rule about transitions applies to what is over
        post(api_url, f"{path}/set_state", {"state": body, "force": True})
    except HTTPError as error:  # of this one; the others get their ends
        log.info("Prefect does not take the end of %s: %s", path, error)
