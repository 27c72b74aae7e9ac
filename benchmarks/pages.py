"""What pages cost: lists of 100,000 executions beside `/healthz`, and open pages that are live.

8 clients with connections that stay, on the machine of the server: the figures that count are the
ratios to `/healthz` of the same moment. A live page is measured by the processor time of the
server while 20 of them are open on an execution that does not change.
"""

import http.client
import os
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.full_store import EXECUTIONS, fill, run_id
from benchmarks.overhead import line
from benchmarks.service import HEALTH, percentile, timed
from tests.support.service import Service

#: no keys: pages are seen without signing in
CONFIGURATION = """
[service]
port = 0
[buckets.uploads]
path = "buckets/uploads"
[buckets.renditions]
path = "buckets/renditions"
"""
PAGES = {
    "/executions, first page": "/executions",
    "... in the middle": f"/executions?before={run_id(EXECUTIONS // 2)}",
    "... last page": "/executions?last=1",
    "... of one workflow, last page": "/executions?workflow=workflow-7&last=1",
    "... that failed": "/executions?state=failed",
    "... of one input": "/executions?object=uploads/incoming/77.mp4",
    "... of inputs that begin alike": "/executions?object=uploads/incoming/77*",
    "/executions/RUNID": f"/executions/{run_id(7)}",
    "/media": "/media",
    "/workflows": "/workflows",
}
LIVE, LIVE_SECONDS = 20, 20


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def live(service: Service) -> None:
    assert service.process
    shares: list[float] = []
    for count in (0, LIVE):
        with ExitStack() as open_pages:
            for _ in range(count):
                connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
                open_pages.enter_context(closing(connection))
                connection.request("GET", f"/live?run={run_id(7)}&run=new")
                connection.getresponse().readline()
            before = processor_seconds(service.process.pid)
            time.sleep(LIVE_SECONDS)
            shares.append((processor_seconds(service.process.pid) - before) / LIVE_SECONDS)
    line(f"{LIVE} live pages, of a core", (shares[1] - shares[0]) * 100, "%")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        service = Service(Path(directory))
        (service.home / "mediaflow.toml").write_text(CONFIGURATION)
        os.environ["MEDIAFLOW_DATA"] = str(service.data)
        try:
            service.start().stop()
            fill(f"sqlite:///{service.data}/mediaflow.db")
            service.start()
            for what, path in PAGES.items():
                idle = timed(service.port, lambda n: HEALTH)
                mine = timed(service.port, lambda n, path=path: path)
                ratio = statistics.median(mine) / statistics.median(idle)
                note = f"p99 {percentile(mine, 0.99):6.1f} ms, {ratio:5.1f} x {HEALTH}"
                line(what, percentile(mine, 0.5), "ms", note)
            live(service)
        finally:
            service.close()


if __name__ == "__main__":
    main()
