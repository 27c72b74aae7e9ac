"""Stores of older versions: opening them brings them up to date, and they keep what they hold."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.test_store_ingest import new, note, taking
from tests.support.stores import lines_of, process
from workflow_engine.records import (
    ActivityState,
    Digests,
    ExecutionKind,
    ExecutionState,
    StepResult,
)
from workflow_engine.records.catalog import TemplateKind
from workflow_engine.store import ExecutionFilter, Store
from workflow_engine.store.schema import SCHEMA_VERSION

#: a store of the oldest version that can be brought up to date, with rows in it
OLDEST = Path(__file__).parents[1] / "support" / "store_version_2.sql"
MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
DONE, WAITING, WORKFLOW, TEMPLATE = ("1" * 32, "2" * 32, "9" * 32, "7" * 32)


@pytest.fixture
def old(url: str) -> str:
    """Make a store of the oldest version and return its URL."""
    text = OLDEST.read_text(encoding="utf-8")
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir()
    else:
        text = text.replace(" DATETIME", " TIMESTAMP WITH TIME ZONE")
    with engine.begin() as connection:
        if engine.dialect.name != "sqlite":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        for statement in text.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    return url


def shape(url: str) -> dict[str, set[str]]:
    """Return columns and indexes by table."""
    engine = sa.create_engine(url)
    found = sa.inspect(engine)
    shapes = {
        table: {
            f"{column['name']} {column['type']} {column['nullable']}"
            for column in found.get_columns(table)
        }
        | {f"{index['name']} {index['column_names']}" for index in found.get_indexes(table)}
        | {str(found.get_pk_constraint(table)["constrained_columns"])}
        for table in found.get_table_names()
    }
    engine.dispose()
    return shapes


def test_it_gets_the_shape_of_a_new_one(old: str):
    Store.open(old).close()
    upgraded = shape(old)
    engine = sa.create_engine(old)
    with engine.begin() as connection:
        for query in (
            "SELECT value FROM meta WHERE key = 'schema_version'",
            "SELECT version_num FROM alembic_version",
        ):
            assert connection.scalar(sa.text(query)) == str(SCHEMA_VERSION)
        tables = sa.MetaData()
        tables.reflect(connection)
        tables.drop_all(connection)
    engine.dispose()
    Store.open(old).close()
    assert upgraded == shape(old)


@pytest.mark.parametrize("gone", [(), ("rates", "notifications", "notification_targets")])
def test_a_development_store_gets_what_version_8_did_not_have(url: str, gone: tuple[str, ...]):
    Store.open(url).close()
    new = shape(url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for table in gone:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("DROP INDEX executions_by_end")
        connection.exec_driver_sql("UPDATE meta SET value = '8' WHERE key = 'schema_version'")
    engine.dispose()
    Store.open(url).close()
    assert shape(url) == new


def test_it_keeps_its_rows(old: str):
    store = Store.open(old)
    done = store.executions.get(DONE)
    assert done is not None
    assert (done.state, done.created, done.input.object) == (
        ExecutionState.COMPLETED,
        MOMENT,
        "a/ä 1.flv",
    )
    start, hd, sd = done.activities
    assert start.result.data == {"Properties": {"Width": "640"}}
    assert (sd.state, sd.detail, sd.attempts) == (ActivityState.FAIL, "tail", ())
    (made,) = hd.outputs
    assert (made.place, made.media) == ("/out/hd.mp4", {"Duration": "1.5", "Ü": [None]})
    assert (hd.ended, hd.message_result) == (MOMENT + timedelta(seconds=1), {"MessageId": "1"})
    # a finished step is still found
    assert store.steps.find("key of hd") == hd.result
    assert hd.result == StepResult(
        data={"n": 1}, outputs=(made,), commands=(("ffmpeg", "-i", "x"),), warnings=("w",)
    )
    digests = Digests(size=3, sha256="5" * 64)
    assert store.digests.get("/in/a/ä 1.flv", "3-17") == digests
    (workflow,) = store.workflows.bound_to("in")
    assert (workflow.id, workflow.prefix) == (WORKFLOW, "a/")
    template = store.templates.get(TEMPLATE)
    assert template is not None
    assert (template.kind, template.content) == (TemplateKind.WATERMARK, {"Config": {"Dx": "1"}})
    assert (template.file, store.templates.files()) == ("", [])  # added by hand
    media = store.media.get("5" * 32)
    assert media is not None and media.properties == {"Width": "640"}
    (message,) = store.messages.due(limit=9, lock_seconds=60)
    assert (message.receiver, message.created) == ("queue:q", MOMENT)
    assert [one.bucket for one in store.media_buckets.all()] == ["in"]
    store.close()


def test_its_activities_become_jobs(old: str):
    store = Store.open(old)
    ids = [letter * 32 for letter in "abc"]
    (probe,) = store.activity_jobs.by_ids(ExecutionKind.MEDIA_INFO, ids)
    assert (probe.job_id, probe.activity, probe.created) == (ids[0], "start", MOMENT)
    found = store.activity_jobs.by_ids(ExecutionKind.TRANSCODE, ids)
    assert {(one.run_id, one.activity, one.state) for one in found} == {
        (DONE, "hd", ExecutionState.COMPLETED),
        (DONE, "sd", ExecutionState.FAIL),
    }
    failed = ExecutionFilter(kind=ExecutionKind.TRANSCODE, state=ExecutionState.FAIL)
    assert store.activity_jobs.page(failed, limit=9).items == [ids[2]]
    store.close()


def test_it_works(old: str):
    store = Store.open(old)
    (failed,) = store.executions.line_page(ExecutionFilter(failed=True), limit=9).items
    assert (failed.run_id, failed.failed) == (DONE, 1)
    # any process may take what was queued before anybody knew what it needs
    taken = store.queue.claim_next(owner="me", lease_seconds=60, buckets={"other": "/x"})
    assert taken is not None and taken.run_id == WAITING
    note(store, "a")
    assert new(store, taking("a", runs=1)) == [True]
    store.close()
    Store.open(old).close()


def test_many_processes_upgrade_it(old: str):
    script = "print(store.intake.take([]).runs, store.arrivals.count())"
    assert lines_of(*(process(old, script) for _ in range(5))) == ["0 0"] * 5


def test_a_store_that_is_new_or_up_to_date_needs_no_alembic(tmp_path: Path):
    script = f"""
import sys
from workflow_engine.store import Store
for _ in range(2):
    Store.open("sqlite:///{tmp_path}/m.db").close()
assert not [name for name in sys.modules if name.startswith(("alembic", "mako"))]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
