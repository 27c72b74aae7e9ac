"""An engine with real buckets, and its intake, for the tests of what lands."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.topologies import report, start, text, topology, transcode
from workflow_engine.buckets import Bucket
from workflow_engine.engine import Engine
from workflow_engine.records import ExecutionRecord, utc_now
from workflow_engine.records.ingest import Notice
from workflow_engine.settings import load_settings
from workflow_engine.store import Store

SETTLE = 0.3  # seconds
CONFIGURATION = """
[store]
url = "{url}"
[buckets.uploads]
path = "uploads"
events = "watch"
settle_seconds = {settle}
[buckets.everything]
path = "everything"
events = "poll"
existing = "process"
settle_seconds = {settle}
"""


def flow(bucket: str = "uploads", prefix: str = "", **parameters: Any) -> str:
    bound = {"Bucket": bucket, "Location": "oss-cn-hangzhou", "ObjectPrefix": prefix}
    activities = {"start": start(InputFile=bound), "sd": transcode(**parameters)}
    return text(topology(activities | {"report": report()}))


class Home:
    """An engine with real buckets, and its intake."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self._configuration = CONFIGURATION.format(url=url, settle=SETTLE)
        (path / "mediaflow.toml").write_text(self._configuration)
        for folder in ("uploads", "everything"):
            (path / folder).mkdir()
        self.engine = Engine(load_settings(None))
        self.intake = self.engine.intake

    def configure(self, more: str) -> None:
        """Begin again with further lines of configuration."""
        (self.path / "mediaflow.toml").write_text(self._configuration + more)
        self.engine.close()
        self.engine = Engine(load_settings(None))
        self.intake = self.engine.intake

    @property
    def store(self) -> Store:
        return self.engine.store

    def put(
        self, key: str, content: str = "x", *, age: float | None = None, bucket: str = "uploads"
    ) -> Path:
        """Write an object that was changed `age` seconds ago."""
        path = self.path / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if age is not None:
            moment = time.time() - age
            os.utime(path, (moment, moment))
        return path

    def watch(self) -> None:
        """Begin to watch; what was put before is older."""
        time.sleep(0.02)
        self.intake.begin()

    def note(self, *keys: str, source: str = "watch", bucket: str = "uploads") -> None:
        self.intake.note([Notice(bucket=bucket, key=key, source=source) for key in keys])

    def settle(self, seconds: float = 20) -> None:
        """Settle until nothing waits any more."""
        deadline = time.monotonic() + seconds
        while self.store.arrivals.count():
            assert time.monotonic() < deadline, self.waiting()
            time.sleep(min(self.intake.settle(), 0.05))

    def settle_for(self, seconds: float) -> None:
        """Settle for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(min(self.intake.settle(), 0.02))

    def settle_until(self, condition: Callable[[], bool]) -> None:
        """Settle until a condition holds."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.keys()
            self.settle_for(SETTLE)

    def waiting(self) -> list[str]:
        due = self.store.arrivals.due(
            now=utc_now() + timedelta(days=1), limit=1000, places=self.engine.buckets.locations
        )
        return sorted(arrival.key for arrival in due)

    def land(self, key: str, content: str = "x", **options: Any) -> None:
        """Write an object, notice it and take it in."""
        self.put(key, content, **options)
        self.note(key, bucket=options.get("bucket", "uploads"))
        self.settle()

    def runs(self) -> list[ExecutionRecord]:
        return self.store.executions.newest(limit=10_000)

    def keys(self) -> list[str]:
        """The inputs of all runs."""
        return sorted(record.input.object for record in self.runs())

    def version(self, key: str, bucket: str = "uploads") -> str:
        info = self.engine.buckets.get(bucket).head(key)
        assert info is not None
        return info.version


def replace_buckets(engine: Engine, **doubles: Bucket) -> Callable[[], None]:
    """Let single buckets of an engine be others, until what this returns is called."""
    buckets, real = engine.buckets, engine.buckets.get

    def get(name: str) -> Bucket:
        return doubles.get(name) or real(name)

    def undo() -> None:
        buckets.get = real

    buckets.get = get
    return undo
