"""Records and processes for the tests of the store.

Everything there runs on SQLite; with MEDIAFLOW_TEST_POSTGRES set to the URL of a PostgreSQL
database (and psycopg installed) on that, too.
"""

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    Json,
    ObjectRef,
    Output,
    StepResult,
    new_id,
    utc_now,
)
from workflow_engine.records.catalog import PipelineRecord
from workflow_engine.store import Claim, Store

POSTGRES = os.environ.get("MEDIAFLOW_TEST_POSTGRES", "")


def activity(name: str, **changes: object) -> ActivityRecord:
    return replace(ActivityRecord(name=name, type="Transcode"), **changes)


def execution(*activities: str, **changes: object) -> ExecutionRecord:
    record = ExecutionRecord(
        run_id=new_id(),
        workflow_id="9" * 32,
        workflow="wf",
        topology="{}",
        input=ObjectRef(bucket="in", object="a/b/c.flv"),
        media_id="5" * 32,
        created=utc_now(),
        activities=tuple(activity(name) for name in activities),
    )
    return replace(record, **changes)


def output(key: str, *, bucket: str = "out", size: int = 3) -> Output:
    return Output(
        ref=ObjectRef(bucket=bucket, object=key),
        place=f"/{bucket}/{key}",
        digests=Digests(size=size, sha256="5" * 64, md5="d" * 32),
    )


def add(store: Store, *activities: str) -> Claim:
    return store.queue.add_claimed(execution(*activities), owner="me", lease_seconds=60)


def load(store: Store, claim: Claim) -> ExecutionRecord:
    found = store.executions.get(claim.run_id)
    assert found is not None
    return found


def success(
    name: str,
    *outputs: Output,
    data: Mapping[str, Json] | None = None,
    commands: tuple[tuple[str, ...], ...] = (),
    warnings: tuple[str, ...] = (),
    **changes: object,
) -> ActivityRecord:
    fields = {
        "state": ActivityState.SUCCESS,
        "ended": utc_now(),
        "result": StepResult(
            data=data or {}, outputs=outputs, commands=commands, warnings=warnings
        ),
    }
    return activity(name, **(fields | changes))


def process(url: str, script: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a process that has `store` open and runs a script."""
    head = f"""
        import os, sys, threading
        from tests.support.stores import *
        from workflow_engine.errors import *
        from workflow_engine.records import *
        store = Store.open({url!r})
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_of(*processes: "subprocess.Popen[str]") -> list[str]:
    """Wait for processes and return what they printed."""
    lines: list[str] = []
    for running in processes:
        printed, _ = running.communicate(timeout=120)
        assert running.returncode == 0
        lines += printed.split("\n")[:-1]
    return lines


def queue(store: Store, *, dedupe_key: str | None = None, **changes: object) -> str:
    """Queue an execution and return its RunId."""
    record = execution("a", **changes)
    store.queue.add(record, dedupe_key=dedupe_key)
    return record.run_id


def take(store: Store, *, lease_seconds: float = 60) -> str:
    """Claim what runs next and return its RunId, "" when there is nothing."""
    claim = store.queue.claim_next(owner="me", lease_seconds=lease_seconds)
    return claim.run_id if claim else ""


def pipeline(store: Store, **changes: object) -> str:
    """Add a pipeline and return its id."""
    record = replace(PipelineRecord(id=new_id(), name="p", created=utc_now()), **changes)
    store.pipelines.add(record)
    return record.id


def let_claims_lapse(data: Path) -> None:
    """Make every claim look like that of a process that was suspended, or killed, long ago."""
    with closing(sqlite3.connect(data / "mediaflow.db")) as database, database:
        database.execute(
            "UPDATE executions SET lease_until = '2000-01-01 00:00:00.000000'"
            " WHERE lease_until IS NOT NULL"
        )
