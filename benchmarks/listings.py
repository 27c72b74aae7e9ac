"""What a listing of 100,000 objects costs: of a folder, and of a bucket on a real S3 server.

    python -m benchmarks.listings [folder|store]

A folder is compared with a bare walk that looks at every file. A bucket is compared with boto3's
own paginator, which only lists; each runs in a process of its own, in turn.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.overhead import line
from tests.support import s3, watching
from tests.support.watching import ROOT, Watching

OBJECTS, FOLDERS = 100_000, 1_000
NEW, ROUNDS = 10, 3
#: connections that fill the bucket
_AT_ONCE = 8
_BUCKET = "bench"

_CONFIGURATION = """
[store]
url = "sqlite:///{home}/mediaflow.db"
[buckets.uploads]
url = "s3://{bucket}"
endpoint_url = "{url}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
events = "poll"
settle_seconds = 0
"""


def child(name: str, home: Path) -> dict[str, Any]:
    """Run one of the functions below in a process of its own and return what it found."""
    command = [sys.executable, "-m", "benchmarks.listings", name, str(home)]
    environment = {**os.environ, **s3.ENVIRONMENT}
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(found.stdout)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def peak() -> float:
    """Peak resident memory in MB."""
    status = Path("/proc/self/status").read_text()
    (row,) = (row for row in status.splitlines() if row.startswith("VmHWM"))
    return int(row.split()[1]) / 1000


# --- a folder ----------------------------------------------------------------------------


def folder() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        home = Path(directory)
        made = Watching(home)
        for number in range(FOLDERS):
            path = made.root / f"{number:04}"
            path.mkdir()
            for file in range(OBJECTS // FOLDERS):
                (path / f"{file:04}.mp4").write_bytes(b"x")
        made.close()
        figures = child("reconcile_folder", home)
        line(f"bare walk with stat, {OBJECTS} files", figures["walk"])
        line("the bucket's listing alone", figures["list"])
        for what in ("first", "again", "ten new"):
            seconds, found, megabytes = figures[what]
            note = f"{seconds / figures['walk']:.1f} x the walk; {found} new; "
            line(f"reconcile, {what}", seconds, "s", f"{note}{megabytes:.0f} MB more at the peak")


def reconcile_folder(home: Path) -> dict[str, Any]:
    """Time a walk and reconciles of the same folder."""
    engine = watching.engine(home / "mediaflow.toml")
    root = home / "uploads"

    def reconcile() -> tuple[float, int, float]:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
        before = peak()
        seconds, found = timed(lambda: engine.intake.reconcile("uploads"))
        return seconds, found.new, peak() - before

    engine.store.executions.newest()
    walk(root)
    figures: dict[str, Any] = {"walk": timed(lambda: walk(root))[0]}
    bucket = engine.buckets.get("uploads")
    figures["list"] = timed(lambda: sum(1 for _ in bucket.list("")))[0]
    figures["first"] = reconcile()
    figures["again"] = reconcile()
    for number in range(NEW):
        (root / f"{number:04}" / "new.mp4").write_bytes(b"x")
    figures["ten new"] = reconcile()
    engine.close()
    return figures


def walk(root: Path) -> int:
    """Look at every file once, as little as a listing can do."""
    count = 0
    folders = [os.fspath(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return count


# --- a bucket of an object store ---------------------------------------------------------


def store() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        home = Path(directory)
        (home / "server").mkdir()
        filer = s3.free_port()
        with s3.running("seaweedfs", home / "server", f"-filer.port={filer}") as server:
            server.create(_BUCKET)
            line(f"filling a bucket with {OBJECTS} objects", timed(lambda: fill(filer))[0])
            settings = _CONFIGURATION.format(home=home, bucket=_BUCKET, url=server.url)
            (home / "mediaflow.toml").write_text(settings)
            bare = [child("list_bare", home)]
            first = child("reconcile_store", home)
            again: list[dict[str, Any]] = []
            for number in range(ROUNDS):
                with server.client() as client:
                    for name in range(NEW):
                        key = f"{name:04}/new-{number}.mp4"
                        client.put_object(Bucket=_BUCKET, Key=key, Body=b"x")
                bare.append(child("list_bare", home))
                again.append(child("reconcile_store", home))
        show("boto3's paginator alone", bare[1:], bare[1:])
        show("reconcile, first", [first], bare[:1])
        show(f"reconcile, {NEW} new", again, bare[1:])


def show(what: str, measured: list[dict[str, Any]], bare: list[dict[str, Any]]) -> None:
    """Print the median of some rounds, and that of the ratios to the bare listings beside them."""
    seconds = statistics.median(one["seconds"] for one in measured)
    pairs = zip(measured, bare, strict=True)
    ratio = statistics.median(one["seconds"] / other["seconds"] for one, other in pairs)
    cpu = statistics.median(one["cpu"] for one in measured)
    last = measured[-1]
    note = f"{ratio:.2f} x boto3; {cpu:.1f} s of CPU; {last['requests']} requests; "
    memory = max(one["memory"] for one in measured)
    line(what, seconds, "s", f"{note}{last['new']} new; peak memory {memory:.0f} MB")


def fill(port: int) -> None:
    """Make the objects, by the interface below S3, which needs no signatures."""

    def put(numbers: range) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for number in numbers:
            name, file = divmod(number, OBJECTS // FOLDERS)
            connection.request("PUT", f"/buckets/{_BUCKET}/{name:04}/{file:04}.mp4", b"x")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201, answer.status
        connection.close()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(put, (range(first, OBJECTS, _AT_ONCE) for first in range(_AT_ONCE))))


def list_bare(home: Path) -> dict[str, Any]:
    """List the bucket by boto3, as boto3 comes."""
    url = watching.engine(home / "mediaflow.toml").settings.buckets["uploads"].endpoint_url
    assert url is not None
    with s3.S3Server("seaweedfs", url).client() as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        figures, listed = measured(client, lambda: sum(len(page["Contents"]) for page in pages))
    assert listed >= OBJECTS
    return {**figures, "new": 0}


def reconcile_store(home: Path) -> dict[str, Any]:
    """Reconcile, and take in what is new."""
    engine = watching.engine(home / "mediaflow.toml")
    bucket: Any = engine.buckets.get("uploads")
    figures, found = measured(bucket.client.boto3(), lambda: engine.intake.reconcile("uploads"))
    assert found.listed >= OBJECTS
    while engine.store.arrivals.count():
        engine.intake.settle()
    engine.close()
    return {**figures, "new": found.new}


def measured(client: Any, work: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    """Return what some work needs that goes through a client, which is connected first."""
    client.list_objects_v2(Bucket=_BUCKET, MaxKeys=1)
    sent: list[str] = []
    client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.url))
    before = time.process_time()
    seconds, result = timed(work)
    figures = {
        "seconds": seconds,
        "cpu": time.process_time() - before,
        "requests": len(sent),
        "memory": peak(),
    }
    return figures, result


def main() -> None:
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    if len(sys.argv) == 3:
        children = {one.__name__: one for one in (reconcile_folder, list_bare, reconcile_store)}
        print(json.dumps(children[chosen](Path(sys.argv[2]))))
        return
    for one in (folder, store):
        if chosen in ("", one.__name__):
            one()


if __name__ == "__main__":
    main()
