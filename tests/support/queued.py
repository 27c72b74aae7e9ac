"""An engine with fake activities, two folders as buckets, and what it takes to run its queue."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_for
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionKind, ExecutionRecord, ObjectRef, new_id, utc_now
from workflow_engine.records.catalog import PipelineRecord
from workflow_engine.run.submission import buckets_of, new_execution
from workflow_engine.service.dispatcher import Dispatcher
from workflow_engine.settings import load_settings
from workflow_engine.store import Store
from workflow_engine.testing import FakeRegistry

CONFIGURATION = """
[runner]
concurrency = 2
[buckets.in]
path = "in"
[buckets.out]
path = "out"
[queues.q]
file = "messages.jsonl"
"""
INPUT = ObjectRef(bucket="in", object="clip.txt")


class Queue:
    """An engine with fakes, two folders as buckets, and what it takes to run its queue."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fakes = FakeRegistry()
        if not (path / "in").exists():
            (path / "mediaflow.toml").write_text(CONFIGURATION)
            (path / "in").mkdir()
            (path / "in" / "clip.txt").write_text("content ")
        self.engine = Engine(load_settings(None), registry=self.fakes.registry)

    @property
    def store(self) -> Store:
        return self.engine.store

    def workflow(self, **works: dict[str, Any]) -> str:
        """Return a chain of works, with a Report; its messages go to the queue `q`."""
        return _chain({**_works(works), "report": {"Type": "Report"}})

    def submit(self, **works: dict[str, Any]) -> str:
        """Queue a run of a workflow."""
        record = self.engine.workflows.add(new_id(), self.workflow(**works))
        return self.engine.submit(record, INPUT).run_id

    def job(self, **works: dict[str, Any]) -> str:
        """Queue a job whose pipeline tells the queue `q`."""
        pipeline = PipelineRecord(id=new_id(), name="p", queue="q", created=utc_now())
        self.store.pipelines.add(pipeline)
        graph = self.engine.parse(_chain(_works(works)))
        job = new_execution(
            graph,
            INPUT,
            kind=ExecutionKind.MEDIA_INFO,
            name="job",
            pipeline_id=pipeline.id,
            buckets=buckets_of(graph, INPUT.bucket, self.engine.buckets.locations),
        )
        return self.engine.queue.add(job).run_id

    def record(self, run_id: str) -> ExecutionRecord:
        found = self.store.executions.get(run_id)
        assert found is not None
        return found

    def states(self, run_id: str) -> dict[str, str]:
        return {a.name: str(a.state) for a in self.record(run_id).activities}

    def ended(self, run_id: str, seconds: float = 20) -> ExecutionRecord:
        wait_for(lambda: self.record(run_id).state.ended, seconds)
        return self.record(run_id)

    @contextmanager
    def running(self) -> Iterator[Dispatcher]:
        made = Dispatcher(self.engine, InlineExecutor)
        made.start()
        try:
            yield made
        finally:
            made.leave()
            assert made.join(10)

    def let_claims_lapse(self) -> None:
        """Make every claim look like that of a process that was suspended, or killed, long ago."""
        database = sqlite3.connect(self.path / "data" / "mediaflow.db")
        with database:
            for column in ("executions SET lease_until", "messages SET next_attempt"):
                name = column.rpartition(" ")[2]
                database.execute(
                    f"UPDATE {column} = '2000-01-01 00:00:00.000000' WHERE {name} IS NOT NULL"
                )
        database.close()


def _works(works: dict[str, dict[str, Any]]) -> dict[str, Any]:
    start = {"InputFile": {"Bucket": "in"}, "QueueName": "q"}
    return {
        "start": {"Type": "Start", "Parameters": start},
        **{name: {"Type": "Work", "Parameters": told} for name, told in works.items()},
    }


def _chain(activities: dict[str, Any]) -> str:
    names = list(activities)
    edges = {name: names[n : n + 1] for n, name in enumerate(names, 1)}
    return json.dumps({"Activities": activities, "Dependencies": edges})
