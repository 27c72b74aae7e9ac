"""What it takes until a file that landed is queued, and until what landed unheard is found.

Latencies count from the end of settling. Each is measured in turn with a bare watchdog observer
on the same kind of folder, in a process of its own, so that figures hold on a noisy machine; the
bare observer only hears, it stores nothing. `listings.py` measures listings.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from benchmarks import listings
from benchmarks.overhead import line
from tests.support import watching
from tests.support.watching import FACTORIES, ROOT, Watching
from triggers.service import Triggers

BURST, PACED, ROUNDS = 5_000, 100, 5
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
        bare: list[list[float]] = []
        ours: list[list[float]] = []
        for _ in range(ROUNDS):
            bare.append(sorted(latencies("observe", count, pause, 0.0)))
            ours.append(sorted(latencies("take_in", count, pause, SETTLE)))
        show(f"bare watchdog, {count} files {what}", bare)
        show(f"end of settling to queued, {count} files {what}", ours)
        share = middle(ours, 0.5) - middle(bare, 0.5)
        line(f"own share, median, {count} files {what}", share * 1000, "ms")
    listings.folder()
    listings.store()


def show(what: str, rounds: list[list[float]]) -> None:
    p99, longest = middle(rounds, 0.99) * 1000, max(found[-1] for found in rounds)
    line(what, middle(rounds, 0.5) * 1000, "ms", f"p99 {p99:.0f} ms, max {longest:.3f} s")


def middle(rounds: list[list[float]], share: float) -> float:
    """Return a quantile of latencies in order: of each round, and of these the median."""
    return statistics.median(found[int(len(found) * share)] for found in rounds)


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
        [sys.executable, "-m", "benchmarks.ingest", child, str(home)],
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


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"observe": observe, "take_in": take_in}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
