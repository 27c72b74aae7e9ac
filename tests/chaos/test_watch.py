"""Files land in every way at once while the process that watches is killed again and again.

In the end each file has one run, of the version that it has in the end.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tests.support.watching import Watching

#: files that land in each way, in how many seconds, and how often the process is killed
QUICK = (100, 5, 4)
FULL = (625, 20, 12)

LANDER = """
import os, sys, threading, time
way, root, outside, count, seconds = sys.argv[1:4] + [int(sys.argv[4]), float(sys.argv[5])]
base = os.path.join(root, way)
os.makedirs(base, exist_ok=True)
os.makedirs(outside, exist_ok=True)
CONTENT = b"x" * 3000

def write(path, parts=1, pause=0.0):
    with open(path, "wb") as file:
        for part in range(parts):
            file.write(CONTENT)
            file.flush()
            time.sleep(pause)

def flat(n):
    write(f"{base}/{n}.mp4")

def nested(n):
    folder = f"{base}/{n % 97}/{n}/" + "e/" * (n % 5)
    os.makedirs(folder)
    write(folder + "f.mp4")

def renamed(n):
    write(f"{outside}/{n}.mp4")
    os.rename(f"{outside}/{n}.mp4", f"{base}/{n}.mp4")

def part(n):
    write(f"{base}/{n}.mp4.part")
    os.rename(f"{base}/{n}.mp4.part", f"{base}/{n}.mp4")

def linked(n):
    write(f"{outside}/{n}.mp4")
    os.link(f"{outside}/{n}.mp4", f"{base}/{n}.mp4")

def trees(n):
    folder = f"{outside}/{n // 20}"
    os.makedirs(folder + "/d", exist_ok=True)
    write(f"{folder}/d/{n}.mp4")
    if n % 20 == 19 or n == count - 1:
        os.rename(folder, f"{base}/{n // 20}")

def twice(n):
    write(f"{base}/{n}.mp4", parts=1)
    write(f"{base}/{n}.mp4", parts=2)

def slow(n):
    thread = threading.Thread(target=write, args=(f"{base}/{n}.mp4", 8, seconds / 16))
    thread.start()

began = time.monotonic()
for n in range(count):
    globals()[way](n)
    time.sleep(max(0.0, began + n * seconds / count - time.monotonic()))
"""

WAYS = ("flat", "nested", "renamed", "part", "linked", "trees", "twice", "slow")


@pytest.mark.parametrize(
    ("share", "seconds", "kills"),
    [pytest.param(*QUICK, id="quick"), pytest.param(*FULL, marks=pytest.mark.long, id="full")],
)
def test_kill_9_while_files_land(tmp_path: Path, share: int, seconds: int, kills: int):
    watching = Watching(tmp_path)
    process = watching.process().start()
    wait_for(watching.reconciled)
    landers = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", LANDER, way),
                *(watching.root, tmp_path / "outside" / way, str(share), str(seconds)),
            ]
        )
        for way in WAYS
    ]
    try:
        began = time.monotonic()
        for number in range(1, kills + 1):
            until = began + seconds * number / (kills + 1)
            time.sleep(max(0.1, until - time.monotonic() + random.uniform(-0.3, 0.3)))
            process.kill()
            process = watching.process().start()
        assert [lander.wait(60) for lander in landers] == [0] * len(WAYS)
        wait_for(lambda: watching.count() >= share * len(WAYS) and watching.idle(), 120)
        time.sleep(1)  # for runs that there must not be
    finally:
        process.kill()
        for lander in landers:
            lander.kill()
            lander.wait()
    compare(watching, share)
    watching.close()


def compare(watching: Watching, share: int) -> None:
    """Each file has one run, of the version that it has now."""
    landed = {
        (str(path.relative_to(watching.root)), f"{found.st_size}-{found.st_mtime_ns}")
        for path in watching.root.rglob("*.mp4")
        for found in (path.stat(),)
    }
    assert len(landed) == share * len(WAYS)
    runs = Counter(watching.versions())
    assert [one for one, count in runs.items() if count > 1] == []
    assert sorted(landed - runs.keys()) == []
    assert sorted(runs.keys() - landed) == []
