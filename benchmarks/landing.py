"""What it takes until a file that landed is queued, and until a large folder is listed.

Latencies count from the end of settling. Each is measured in turn with a bare watchdog observer
on the same kind of folder, in a process of its own, so that figures hold on a noisy machine; the
bare observer only hears, it stores nothing.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from benchmarks.overhead import line
from tests import watching
from tests.watching import FACTORIES, ROOT, Watching
from triggers.service import Triggers

BURST, PACED, ROUNDS = 5_000, 100, 3
FILES, FOLDERS = 100_000, 1_000
SETTLE = 0.5

#: writes files, and prints when each was closed
WRITER = """
import json, sys, time
root, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
closed = {}
for n in range(count):
    with open(f"{root}/{n}.mp4", "wb") as file:
        file.write(b"x" * 1000)
    closed[f"{n}.mp4"] = time.time()
    time.sleep(pause)
print(json.dumps(closed))
"""


def main() -> None:
    for what, count, pause in (("paced", PACED, 0.05), ("burst", BURST, 0.0)):
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            bare += latencies("observe", count, pause, 0.0)
            ours += latencies("take_in", count, pause, SETTLE)
        show(f"bare watchdog, {count} files {what}", bare)
        show(f"end of settling to queued, {count} files {what}", ours)
        share = statistics.median(ours) - statistics.median(bare)
        line(f"own share, median, {count} files {what}", share * 1000, "ms")
    listings()


def show(what: str, found: list[float]) -> None:
    found = sorted(found)
    p99 = found[int(len(found) * 0.99)] * 1000
    line(what, statistics.median(found) * 1000, "ms", f"p99 {p99:.0f} ms, max {found[-1]:.3f} s")


def latencies(child: str, count: int, pause: float, settle: float) -> list[float]:
    """Return the seconds of each file, from its close and `settle` on to the moment of `child`."""
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        home = Path(directory)
        Watching(home, settle=SETTLE).close()
        process = start(child, home)
        writer = [sys.executable, "-c", WRITER, str(home / "uploads"), str(count), str(pause)]
        written = subprocess.run(writer, check=True, capture_output=True)
        closed: dict[str, float] = json.loads(written.stdout)
        assert process.stdin
        process.stdin.write(f"{count}\n")
        moments = json.loads(process.communicate()[0])
        assert moments.keys() == closed.keys()
        return [moments[key] - closed[key] - settle for key in closed]


def start(child: str, home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.landing", child, str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.readline()
    return process


# --- what runs in processes of their own -------------------------------------------------


def observe(home: Path) -> None:
    """Remember when a bare observer hears that a file was closed."""
    moments: dict[str, float] = {}

    class Handler(FileSystemEventHandler):
        def dispatch(self, event: FileSystemEvent) -> None:
            moments[os.path.basename(os.fsdecode(event.src_path))] = time.time()

    observer = InotifyObserver(generate_full_events=True)
    observer.schedule(
        Handler(), str(home / "uploads"), recursive=True, event_filter=[FileClosedEvent]
    )
    observer.start()
    answer(moments)
    observer.stop()
    observer.join()


def take_in(home: Path) -> None:
    """Remember when the execution of a file is in the store."""
    moments: dict[str, float] = {}
    engine = watching.engine(home / "mediaflow.toml")
    intake = engine.store.intake
    take = intake.take

    def timed(takings: Any) -> Any:
        result = take(takings)
        moments.update({one.key: time.time() for one in takings if one.executions})
        return result

    intake.take = timed
    triggers = Triggers(engine, factories=FACTORIES)
    triggers.start()
    watching.wait(lambda: [one.last_reconcile for one in engine.store.listeners.all()])
    answer(moments)
    triggers.stop()
    engine.close()


def answer(moments: dict[str, float]) -> None:
    print("ready", flush=True)
    count = int(sys.stdin.readline())
    watching.wait(lambda: len(moments) >= count, 120)
    print(json.dumps(moments))


# --- listings ----------------------------------------------------------------------------


def listings() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        home = Path(directory)
        made = Watching(home)
        for folder in range(FOLDERS):
            path = made.root / f"{folder:04}"
            path.mkdir()
            for number in range(FILES // FOLDERS):
                (path / f"{number:04}.mp4").write_bytes(b"x")
        made.close()
        figures: dict[str, Any] = json.loads(start("listing", home).communicate()[0])
        line(f"bare walk with stat, {FILES} files", figures["walk"])
        line("the bucket's listing alone", figures["list"])
        for what in ("first", "again", "ten new"):
            seconds, found, megabytes = figures[what]
            note = f"{seconds / figures['walk']:.1f} x the walk; {found} new; "
            line(f"reconcile, {what}", seconds, "s", f"{note}{megabytes:.0f} MB more at the peak")


def listing(home: Path) -> None:
    """Time a walk and reconciles of the same folder."""
    print("ready", flush=True)
    engine = watching.engine(home / "mediaflow.toml")
    root = home / "uploads"

    def reconcile() -> tuple[float, int, float]:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
        before = peak()
        seconds, found = timed(lambda: engine.landing.reconcile("uploads"))
        return seconds, found.new, peak() - before

    engine.store.executions()
    walk(root)
    figures: dict[str, Any] = {"walk": timed(lambda: walk(root))[0]}
    bucket = engine.buckets.get("uploads")
    figures["list"] = timed(lambda: sum(1 for _ in bucket.list("")))[0]
    figures["first"] = reconcile()
    figures["again"] = reconcile()
    for number in range(10):
        (root / f"{number:04}" / "new.mp4").write_bytes(b"x")
    figures["ten new"] = reconcile()
    engine.close()
    print(json.dumps(figures))


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


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def peak() -> float:
    """Peak resident memory in MB."""
    status = Path("/proc/self/status").read_text()
    (row,) = (row for row in status.splitlines() if row.startswith("VmHWM"))
    return int(row.split()[1]) / 1000


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"observe": observe, "take_in": take_in, "listing": listing}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
