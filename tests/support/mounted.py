"""Runs with outputs on a file system that comes and goes; see `test_mounted_buckets.py`.

    unshare --user --map-root-user --mount python -m tests.support.mounted SCENE FOLDER

Prints, as JSON, what a user would see.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.bench import Bench, states
from tests.support.waiting import wait_for
from workflow_engine.records import ExecutionRecord, Progress


class Scene:
    """An engine whose output buckets lie in a folder where something may be mounted."""

    def __init__(self, home: Path) -> None:
        os.environ["MEDIAFLOW_DATA"] = str(home / "data")
        os.environ["MEDIAFLOW_RETRY__FIRST_PAUSE"] = "0.1"
        os.environ["MEDIAFLOW_RETRY__LONGEST_PAUSE"] = "0.2"
        os.environ["MEDIAFLOW_RETRY__ATTEMPTS"] = "1000"
        os.chdir(home)
        self.bench = Bench(home)
        self.point = home / "outputs"
        self.point.mkdir()

    def mount(self, options: str = "size=1m") -> None:
        self.point.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "share", self.point], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.point], check=True)

    def run(self, **work: str) -> ExecutionRecord:
        return self.bench.run({"a": {"Text": "A", **work}}, fresh=True)

    def another_process(self) -> None:
        """Forget what an engine keeps in memory."""
        self.bench.engine.close()
        self.bench = Bench(self.bench.path)

    def message(self) -> str:
        """Return what the newest execution says of its activity."""
        found = self.bench.engine.store.executions.newest(limit=1)
        return found[0].activity("a").message if found else ""

    def run_while(self, mend: Callable[[], None], **work: str) -> dict[str, Any]:
        """Run until the activity waits, look around, mend what is wrong, and wait for the end."""
        ended: list[ExecutionRecord] = []
        thread = threading.Thread(target=lambda: ended.append(self.run(**work)))
        thread.start()
        wait_for(lambda: "Attempt" in self.message())
        told = {
            "message": self.message(),
            "below": sorted(str(p.relative_to(self.point)) for p in self.point.rglob("*")),
        }
        mend()
        thread.join(30)
        (record,) = ended
        return told | {
            "states": states(record),
            "ran": self.bench.ran,
            "content": (self.bench.out / "a").read_text(),
        }


def unmounted(scene: Scene) -> Any:
    """Unmounted between two processes, then again with the folder itself gone."""
    scene.mount()
    scene.run()
    scene.unmount()
    scene.another_process()
    told = [scene.run_while(scene.mount)]
    scene.unmount()
    scene.point.rmdir()
    scene.another_process()
    return [*told, scene.run_while(scene.mount)]


def under_the_run(scene: Scene) -> Any:
    """Unmounted while an activity works."""
    scene.mount()
    scene.run()

    class Unmount:
        def activity_changed(self, record: Any) -> None:
            if record.name == "a" and str(record.state) == "Running" and not record.message:
                scene.unmount()

        def progressed(self, name: str, progress: Progress) -> None:
            pass

    plain = scene.bench.run

    def observed(*given: Any, **more: Any) -> ExecutionRecord:
        return plain(*given, **more, observers=[Unmount()])

    scene.bench.run = observed
    return [scene.run_while(scene.mount, Seconds="0.2")]


def made_again(scene: Scene) -> Any:
    """A folder that is deleted and made again on the same file system is no trouble."""
    scene.run()
    shutil.rmtree(scene.point)
    scene.another_process()
    return [states(scene.run())]


def full(scene: Scene) -> Any:
    """A disk that is full, until somebody makes room."""
    scene.mount("size=64k")
    filler = scene.point / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return [scene.run_while(filler.unlink)]


if __name__ == "__main__":
    act = {one.__name__: one for one in (unmounted, under_the_run, made_again, full)}[sys.argv[1]]
    print(json.dumps(act(Scene(Path(sys.argv[2])))))
