"""The store as a file: copies of it while others write, checks, and its size."""

import sqlite3
from pathlib import Path

import pytest

from tests.support.stores import POSTGRES, activity, add, execution, process, success
from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.records import ActivityState, ExecutionState
from workflow_engine.store import Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m.db"


@pytest.fixture
def made(file: Path) -> "Store":
    store = Store.open(f"sqlite:///{file}")
    yield store
    store.close()


class TestBackup:
    def test_while_others_write(self, file: Path, made: Store, tmp_path: Path) -> None:
        writer = process(
            f"sqlite:///{file}",
            """
            while True:
                claim = add(store, "a")
                store.steps.finish(claim, success("a", output(claim.run_id)), step_key=None)
                store.executions.save(claim, state=ExecutionState.COMPLETED)
                print(claim.run_id, flush=True)
            """,
        )
        try:
            assert writer.stdout is not None
            before = [writer.stdout.readline().strip() for _ in range(20)]
            copy = tmp_path / "backup.db"
            size = made.upkeep.backup(copy)
            # it was written on meanwhile
            assert writer.stdout.readline().strip() and writer.poll() is None
        finally:
            writer.kill()
            writer.communicate()
        assert size == copy.stat().st_size
        assert copy.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup.db"]
        restored = Store.open(f"sqlite:///{copy}")
        assert restored.upkeep.check().problems == ()
        found = {record.run_id: record for record in restored.executions.newest(limit=100_000)}
        restored.close()
        assert set(before) <= found.keys()
        for run_id in before:
            assert found[run_id].state is ExecutionState.COMPLETED
            assert [o.ref.object for o in found[run_id].activity("a").outputs] == [run_id]

    def test_a_plain_copy_of_the_file_lacks_what_stands_in_the_log(
        self, file: Path, made: Store, tmp_path: Path
    ) -> None:
        claim = add(made, "a")
        made.upkeep.backup(tmp_path / "whole.db")
        (tmp_path / "plain.db").write_bytes(file.read_bytes())
        stores = [Store.open(f"sqlite:///{tmp_path}/{name}.db") for name in ("whole", "plain")]
        found = [store.executions.get(claim.run_id) for store in stores]
        for store in stores:
            store.close()
        assert found[0] is not None
        assert found[1] is None

    def test_it_writes_over_nothing_and_leaves_no_part(self, made: Store, tmp_path: Path) -> None:
        there = tmp_path / "there"
        there.write_text("mine")
        with pytest.raises(InvalidInputError, match="exists already"):
            made.upkeep.backup(there)
        assert there.read_text() == "mine"
        for name in ("missing/b.db", "there/b.db"):
            with pytest.raises(MediaflowError, match="cannot be written") as caught:
                made.upkeep.backup(tmp_path / name)
            assert caught.value.code == Code.RESOURCE_ACCESS
        assert not list(tmp_path.glob("*.part"))

    @pytest.mark.skipif(not POSTGRES, reason="MEDIAFLOW_TEST_POSTGRES is not set")
    def test_a_server_has_its_own_tool(self, tmp_path: Path) -> None:
        store = Store.open(POSTGRES.replace("://postgres@", "://postgres:hunter2@"))
        with pytest.raises(InvalidInputError) as caught:
            store.upkeep.backup(tmp_path / "b.dump")
        store.close()
        assert f"pg_dump --format=custom --file={tmp_path}/b.dump" in caught.value.remedy
        assert "postgresql://postgres@127.0.0.1" in caught.value.remedy
        assert "hunter2" not in str(caught.value) + caught.value.remedy


class TestCheck:
    def test_what_is_in_it(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.steps.save(claim, activity("a", state=ActivityState.FAIL))
        store.executions.save(claim, state=ExecutionState.COMPLETED)
        store.queue.add(execution("a"))
        found = store.upkeep.check()
        assert found.problems == ()
        assert found.rows["activities"] == 3
        assert found.outcomes == {"Completed": 1, "Queued": 1}
        assert found.oldest is not None
        assert found.sizes.database > 0
        assert found.shrinks

    def test_rows_that_refer_to_nothing(self, file: Path, made: Store) -> None:
        claim = add(made, "a")
        made.steps.finish(claim, success("a"), step_key=None)
        other = sqlite3.connect(file)
        other.execute("DELETE FROM executions")
        other.commit()
        other.close()
        (problem,) = made.upkeep.check().problems
        assert "activities" in problem and "executions" in problem

    def test_a_damaged_index(self, file: Path, made: Store) -> None:
        add(made, "a")
        other = sqlite3.connect(file)
        other.execute("PRAGMA writable_schema=ON")
        other.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'workflow_id', 'media_id') "
            "WHERE name = 'executions_by_workflow'"
        )
        other.commit()
        other.close()
        made.close()
        again = Store.open(f"sqlite:///{file}")
        assert any("executions_by_workflow" in text for text in again.upkeep.check().problems)
        again.close()


def test_a_store_of_an_older_version_shrinks_once_it_was_rewritten(file: Path) -> None:
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")  # without what new stores begin with
    database.close()
    store = Store.open(f"sqlite:///{file}")
    assert not store.upkeep.shrinks()
    claims = [add(store, *(f"a{n}" for n in range(50))) for _ in range(60)]
    store.upkeep.give_back(1)
    large = file.stat().st_size
    with store._database.write() as connection:
        for table in ("activities", "executions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    assert store.upkeep.give_back(1000) > 0  # in vain
    assert file.stat().st_size >= large
    store.upkeep.rewrite()
    assert file.stat().st_size < large / 2
    assert store.upkeep.shrinks()
    assert store.executions.get(claims[0].run_id) is None
    assert add(store, "a")
    store.close()
