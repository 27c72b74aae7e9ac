"""Stores of older versions: opening them brings them up to date, and they keep what they hold."""

import re
from collections.abc import Sequence

import sqlalchemy as sa

from tests.integration.test_store_landing import NOW, after, new, note, taking
from tests.support.stores import activity, add, lines_of, process, queue
from workflow_engine.records import ActivityState, ExecutionState, new_id, utc_now
from workflow_engine.records.catalog import TemplateKind, TemplateRecord
from workflow_engine.records.ingest import Watched
from workflow_engine.store import ExecutionFilter, Store
from workflow_engine.store.schema import SCHEMA_VERSION, UPGRADES

#: in the words of both databases
OLD_QUEUE = (
    "CREATE INDEX executions_queued ON executions (pipeline_id, priority DESC, created, run_id) "
    "WHERE state = 'Queued' AND output_root = ''"
)


def make_old(url: str, version: int, tables: Sequence[str]) -> None:
    """Make a store what an older version made."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for index in ("executions_failed", "executions_queued"):
            connection.execute(sa.text(f"DROP INDEX {index}"))
        connection.execute(sa.text(OLD_QUEUE))
        for table in tables:
            connection.execute(sa.text(f"DROP TABLE {table}"))
        for statement in (one for n in UPGRADES if n >= version for one in UPGRADES[n]):
            added = re.fullmatch(r"ALTER TABLE (\w+) ADD COLUMN (\w+) .*", statement)
            if added is not None and added[1] not in tables:
                table, column = added.groups()
                connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(
            sa.text(f"UPDATE meta SET value = '{version}' WHERE key = 'schema_version'")
        )
    engine.dispose()


def shape(url: str) -> dict[str, set[str]]:
    """Return columns and indexes by table."""
    engine = sa.create_engine(url)
    found = sa.inspect(engine)
    shapes = {
        table: {column["name"] for column in found.get_columns(table)}
        | {f"{index['name']} {index['column_names']}" for index in found.get_indexes(table)}
        for table in found.get_table_names()
    }
    engine.dispose()
    return shapes


class TestUpgrade:
    LATER = ("bucket_sets", "services", "past_runs", "past_outputs", "template_files")
    TABLES = ("arrivals", "intake", "watched", "listeners", *LATER)

    def test_version_3_keeps_its_rows_and_its_queue(self, url: str, store: Store):
        fresh = shape(url)
        claim = add(store, "a", "b")
        store.steps.save(claim, activity("a", state=ActivityState.FAIL))
        store.executions.save(claim, state=ExecutionState.COMPLETED)
        store.queue.release(claim)
        waiting = queue(store)
        template = TemplateRecord(
            id=new_id(), kind=TemplateKind.WATERMARK, name="corner", content={}, created=utc_now()
        )
        store.templates.add(template)
        store.intake.watch(["in"], NOW)
        store.intake.complete("in", after(5), "/")
        before = store.executions.newest()
        store.close()
        make_old(url, 3, self.LATER)
        assert shape(url) != fresh
        upgraded = Store.open(url)
        assert shape(url) == fresh
        assert upgraded.executions.newest() == before
        assert upgraded.intake.watched("in") == Watched(bucket="in", since=NOW, listed=after(5))
        # templates of version 3 were all added by hand
        assert upgraded.templates.get(template.id) == template
        assert upgraded.templates.files() == []
        # any process may take what was queued before anybody knew what it needs
        taken = upgraded.queue.claim_next(owner="me", lease_seconds=60, buckets={"other": "/x"})
        assert taken is not None and taken.run_id == waiting
        (failed,) = upgraded.executions.line_page(ExecutionFilter(failed=True), limit=9).items
        assert (failed.run_id, failed.failed) == (claim.run_id, 1)
        upgraded.close()

    def test_a_store_without_intake_gets_one(self, url: str, store: Store):
        claim = add(store, "a")
        before = store.executions.get(claim.run_id)
        store.close()
        make_old(url, 2, self.TABLES)
        upgraded = Store.open(url)
        assert upgraded.executions.get(claim.run_id) == before
        note(upgraded, "a")
        assert new(upgraded, taking("a", runs=1)) == [True]
        upgraded.close()
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            version = sa.text("SELECT value FROM meta WHERE key = 'schema_version'")
            assert connection.scalar(version) == str(SCHEMA_VERSION)
        engine.dispose()
        Store.open(url).close()

    def test_many_processes_upgrade_it(self, url: str, store: Store):
        store.close()
        make_old(url, 2, self.TABLES)
        script = "print(store.intake.take([]).runs, store.arrivals.count())"
        assert lines_of(*(process(url, script) for _ in range(5))) == ["0 0"] * 5
