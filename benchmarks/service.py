"""What the service costs: start-up, idle memory, and queries on a full store beside `/healthz`.

100,000 executions of four activities, 10,000 media (`full_store.py`); 8 clients with connections
that stay and requests that were signed before. They share the machine with the server, so the
figures that count are the ratios to `/healthz` of the same moment.
"""

import http.client
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.full_store import EXECUTIONS, MEDIA, WORKFLOWS, fill, input_of, run_id
from benchmarks.overhead import EXAMPLES, line
from tests.support.api_requests import v1_parameters
from tests.support.service import KEY, SECRET, Service
from workflow_engine.buckets import object_url
from workflow_engine.catalog.media import media_id
from workflow_engine.records import stable_id

CLIENTS, CALLS = 8, 150
NO_LIMITS = "\n[service.rate_limits]\ndefault = 0\n"
HEALTH = "/healthz"

#: the path and query of a client's n-th request
Request = Callable[[int], str]


def signed(action: str, **parameters: str) -> str:
    given = v1_parameters(action, secret=SECRET, AccessKeyId=KEY, **parameters)
    return "/?" + urlencode(given)


class Client:
    """One client with one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str) -> bytes:
        """Return the body of a good answer."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body


def timed(port: int, request: Request) -> list[float]:
    """Return the seconds of every call of all clients, each a process of its own."""
    context = multiprocessing.get_context("fork")
    results: Any = context.SimpleQueue()
    together = context.Barrier(CLIENTS)

    def work(seed: int) -> None:
        mine: list[float] = []
        try:
            client = Client(port)
            client.get(HEALTH)
            paths = [request(seed * CALLS + number) for number in range(CALLS)]
            together.wait(30)
            for path in paths:
                began = time.perf_counter()
                client.get(path)
                mine.append(time.perf_counter() - began)
        finally:
            results.put(mine)

    clients = [context.Process(target=work, args=(seed,)) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    found = sorted(seconds for _ in clients for seconds in results.get())
    for client in clients:
        client.join()
    assert len(found) == CLIENTS * CALLS
    return found


def requests() -> dict[str, Request]:
    """What is asked for; identifiers are other ones at each call."""

    def listed(**parameters: str) -> Request:
        return lambda n: signed("ListMediaWorkflowExecutions", **parameters)

    def behind(number: int) -> dict[str, str]:
        """The page behind the execution with a number."""
        return {"NextPageToken": run_id(number)}

    def ids(count: int, name: Callable[[int], str]) -> Request:
        return lambda n: ",".join(name((n * 7919 + k * 104_729) % count) for k in range(10))

    runs = ids(EXECUTIONS, run_id)
    media = ids(MEDIA, lambda n: media_id(input_of(n)))
    name, workflow = (
        {"MediaWorkflowName": "workflow-7"},
        {"MediaWorkflowId": stable_id("workflow", "7")},
    )
    everything = dict.fromkeys(
        ("IncludePlayList", "IncludeSnapshotList", "IncludeMediaInfo"), "true"
    )
    middle, last = behind(EXECUTIONS // 2), behind(EXECUTIONS - 20)
    return {
        "QueryMediaWorkflowExecutionList, 10 runs": lambda n: signed(
            "QueryMediaWorkflowExecutionList", RunIds=runs(n)
        ),
        "ListMediaWorkflowExecutions, first page": listed(),
        "... middle page": listed(**middle),
        "... last page": listed(**last),
        "... by name, first page": listed(**name),
        "... by name, middle page": listed(**name, **middle),
        "... by name, last page": listed(**name, **behind(EXECUTIONS - 400)),
        "... by workflow, middle page": listed(**workflow, **middle),
        "... by input file": listed(InputFileURL=object_url(input_of(77))),
        "SearchMediaWorkflow, first page": lambda n: signed("SearchMediaWorkflow"),
        "SearchMediaWorkflow, last page": lambda n: signed(
            "SearchMediaWorkflow", PageNumber=str(WORKFLOWS // 10)
        ),
        "QueryMediaList, 10 media": lambda n: signed("QueryMediaList", MediaIds=media(n)),
        "... with everything that 100 runs made": lambda n: signed(
            "QueryMediaList", MediaIds=media(n), **everything
        ),
    }


def percentile(found: Sequence[float], share: float) -> float:
    return found[int(len(found) * share)] * 1000


def queries(port: int) -> None:
    idle: list[float] = []
    for what, request in requests().items():
        answer = json.loads(Client(port).get(request(0)))
        assert all(any(each.values()) for each in answer.values() if isinstance(each, dict)), what
        idle = timed(port, lambda n: HEALTH)
        mine = timed(port, request)
        ratio = statistics.median(mine) / statistics.median(idle)
        p99 = percentile(mine, 0.99)
        line(what, percentile(mine, 0.5), "ms", f"p99 {p99:6.1f} ms, {ratio:5.1f} x /healthz")
    line("/healthz", percentile(idle, 0.5), "ms", f"p99 {percentile(idle, 0.99):6.1f} ms")


def memory(process: subprocess.Popen[str]) -> float:
    """Resident memory in MB, the server's own process alone."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (row,) = (row for row in status.splitlines() if row.startswith("VmRSS"))
    return int(row.split()[1]) / 1000


def start_up(service: Service) -> None:
    began = time.perf_counter()
    service.start()
    line("serve, new Prefect database: ready after", time.perf_counter() - began)
    service.stop()
    began = time.perf_counter()
    service.start()
    line("serve, warm Prefect database: ready after", time.perf_counter() - began)
    service.kill()
    began = time.perf_counter()
    service.start()
    line(
        "serve after kill -9, Prefect server still there: ready after", time.perf_counter() - began
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        home = Path(directory)
        service = Service(home, NO_LIMITS)
        shutil.copy(EXAMPLES / "minimal.json", home / "workflows")
        os.environ["MEDIAFLOW_DATA"] = str(service.data)
        try:
            start_up(service)
            time.sleep(5)
            assert service.process
            line("serve, idle, own process", memory(service.process), "MB")
            service.stop()
            fill(f"sqlite:///{service.data}/mediaflow.db")
            service.start()
            queries(service.port)
            line("serve after the queries, own process", memory(service.process), "MB")
        finally:
            service.close()


if __name__ == "__main__":
    main()
