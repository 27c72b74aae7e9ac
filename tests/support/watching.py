"""An engine that only takes in what lands: triggers on a folder, without API, runner and Prefect.

In this process, or as one of its own, which can be killed:

    watching = Watching(tmp_path)
    watching.start()    # or: with watching.process() as process: ...
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import topologies
from tests.support.waiting import wait_for
from triggers.listener import ListenerFactory
from triggers.service import Triggers
from triggers.watch import WatchListener
from workflow_engine.engine import Engine
from workflow_engine.settings import load_settings
from workflow_engine.testing import FakeRegistry

ROOT = Path(__file__).parents[2]
#: seconds after which a file that was changed before has an older time than the present
TICK = 0.02
FACTORIES: dict[str, ListenerFactory] = {"watch": WatchListener}

CONFIGURATION = """
[store]
url = "sqlite:///{home}/mediaflow.db"
[buckets.uploads]
path = "{root}"
events = "watch"
settle_seconds = {settle}
{more}
"""


class Watching:
    """A bucket "uploads" in a folder, and a workflow that takes everything in it."""

    def __init__(
        self, home: Path, *, root: Path | None = None, settle: float = 0.2, more: str = ""
    ) -> None:
        self.home = home
        self.root = root or home / "uploads"
        self.config = home / "mediaflow.toml"
        self.config.write_text(
            CONFIGURATION.format(home=home, root=self.root, settle=settle, more=more)
        )
        if root is None:
            self.root.mkdir(exist_ok=True)
        self.engine = engine(self.config)
        self.triggers: Triggers | None = None
        self.workflow = self.engine.workflows.add("ingest", topology())

    def start(self) -> "Watching":
        """Begin to watch in this process; returns after the first listing."""
        before = self.reconciled()
        time.sleep(TICK)
        self.triggers = Triggers(self.engine, factories=FACTORIES)
        self.triggers.start()
        if self.root.is_dir():
            wait_for(lambda: self.reconciled() != before)
        return self

    def stop(self) -> None:
        if self.triggers is not None:
            self.triggers.stop()
            self.triggers = None

    def close(self) -> None:
        self.stop()
        self.engine.close()

    def process(self, *command: str) -> "Process":
        """Watch in a process of its own, below `command`; see `Process`."""
        return Process(*command, sys.executable, "-m", "tests.support.watching", self.config)

    # --- what there is to see ------------------------------------------------------------

    def reconciled(self) -> Any:
        return [record.last_reconcile for record in self.engine.store.listeners.all()]

    @property
    def problem(self) -> str:
        return self.triggers.status() if self.triggers else ""

    def put(self, key: str, content: bytes | str = "content") -> Path:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def put_old(self, key: str) -> Path:
        """Put a file that has lain there for an hour."""
        path = self.put(key)
        os.utime(path, (time.time() - 3600,) * 2)
        return path

    def taken(self) -> list[str]:
        """The keys of all executions, sorted; one that ran twice stands there twice."""
        return sorted(key for key, _ in self.versions())

    def versions(self) -> list[tuple[str, str]]:
        """Key and version of all executions."""
        records = self.engine.store.executions.newest(limit=1_000_000)
        return [(record.input.object, record.version) for record in records]

    def count(self) -> int:
        """How many executions there are."""
        with contextlib.closing(sqlite3.connect(self.home / "mediaflow.db")) as connection:
            return connection.execute("SELECT count(*) FROM executions").fetchone()[0]

    def idle(self) -> bool:
        return not self.engine.store.arrivals.count()

    def settle(self, seconds: float = 20) -> list[str]:
        """Wait until nothing more happens; return the keys of all executions."""
        quiet = 0.0
        deadline = time.monotonic() + seconds
        before: object = None
        while quiet < 0.4:
            assert time.monotonic() < deadline, (self.problem, self.taken()[:20])
            time.sleep(0.1)
            now = (self.idle(), self.count())
            quiet = quiet + 0.1 if now == before and now[0] else 0.0
            before = now
        return self.taken()


class Process:
    """Watches in a process of its own, whose command comes to `watch`."""

    def __init__(self, *command: str | Path) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> "Process":
        """Begin; returns when the listener has been started."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=os.environ | {"PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        answer = self.ask("")
        if answer != "watching":
            self.kill()
        assert answer == "watching"
        return self

    def ask(self, command: str) -> str:
        """Have a shell command run where the process runs; return a line with what is wrong."""
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it, if it runs."""
        self.signal(signal.SIGKILL)
        self.__exit__(None, None, None)

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def dies(self, seconds: float) -> bool:
        """Let it live for a while; whether it dies by itself."""
        assert self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def __enter__(self) -> "Process":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process and self._process.stdin and self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


def engine(config: Path) -> Engine:
    return Engine(load_settings(config), registry=FakeRegistry().registry)


def topology(prefix: str = "", *, bucket: str = "uploads", **activities: Any) -> str:
    bound = {"Bucket": bucket, "Location": "local", "ObjectPrefix": prefix}
    start = {"Type": "Start", "Parameters": {"InputFile": bound}}
    report = {"Type": "Report"}
    return topologies.text(topologies.topology({"start": start, **activities, "report": report}))


def watch(
    config: Path,
    factories: Mapping[str, ListenerFactory] = FACTORIES,
    began: Callable[[], None] = lambda: None,
) -> None:
    """Watch until the standard input ends; each line of it is a shell command to run here."""
    watched = engine(config)
    triggers = Triggers(watched, factories=factories)
    triggers.start()
    print("watching", flush=True)
    began()
    for number, line in enumerate(sys.stdin):
        if number:
            subprocess.run(line, shell=True, check=True, stdout=sys.stderr)
            print(triggers.status(), flush=True)
    triggers.stop()
    watched.close()


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
