"""The database under the store: many writers at a time, and what is there when it is opened."""

import os
import resource
import signal
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.stores import (
    POSTGRES,
    activity,
    add,
    execution,
    lines_of,
    load,
    output,
    process,
    success,
)
from workflow_engine.engine import Engine
from workflow_engine.errors import (
    Code,
    DuplicateExecutionError,
    InstallationError,
    InvalidInputError,
    LeaseLostError,
    MediaflowError,
    StoreError,
)
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionState
from workflow_engine.settings import load_settings
from workflow_engine.store import Store
from workflow_engine.store.database import Database
from workflow_engine.store.expressions import BeginsWith
from workflow_engine.store.schema import metadata


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mediaflow.db"


class TestManyWriters:
    def test_threads_and_processes_lose_nothing(self, url: str, store: Store) -> None:
        script = """
            def work(thread):
                claim = add(store, *(f"a{n}" for n in range(10)))
                for n in range(10):
                    store.steps.save(claim, activity(f"a{n}", state=ActivityState.RUNNING))
                    store.steps.save_progress(claim, {f"a{n}": 0.5})
                    store.steps.intend(claim, success(f"a{n}", output(f"{claim.run_id}/{n}")))
                    store.steps.finish(
                        claim, success(f"a{n}", output(f"{claim.run_id}/{n}")), step_key=None
                    )
                    store.digests.save("/in/shared", str(n), output("k").digests)
                store.executions.save(claim, state=ExecutionState.COMPLETED)
                done.append(claim.run_id)

            done = []
            threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for run_id in done:
                print(run_id)
            """
        run_ids = lines_of(*(process(url, script) for _ in range(3)))
        assert len(run_ids) == 18
        found = store.executions.newest()
        assert sorted(record.run_id for record in found) == sorted(run_ids)
        for record in found:
            assert record.state is ExecutionState.COMPLETED
            for number, one in enumerate(record.activities):
                assert one.state is ActivityState.SUCCESS
                assert [o.ref.object for o in one.outputs] == [f"{record.run_id}/{number}"]
            assert store.steps.intents(record.run_id) == []

    def test_threads_of_one_execution(self, store: Store) -> None:
        names = [f"a{number}" for number in range(24)]
        claim = add(store, *names)
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                store.steps.save(claim, activity(name, state=ActivityState.RUNNING))
                for step in range(5):
                    store.steps.save_progress(claim, {name: step / 5})
                    store.executions.get(claim.run_id)
                store.steps.finish(claim, success(name, output(name)), step_key=name)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [a.outputs[0].ref.object for a in load(store, claim).activities] == names

    def test_readers_see_one_state(self, store: Store) -> None:
        claim = add(store, "a")
        done = threading.Event()
        torn: list[ActivityRecord] = []

        def look() -> None:
            while not done.is_set():
                (found,) = load(store, claim).activities
                if (
                    found.result.data.get("n")
                    and found.result.data["n"] != found.outputs[0].digests.size
                ):
                    torn.append(found)

        reader = threading.Thread(target=look)
        reader.start()
        for n in range(1, 150):
            finished = success("a", output("k", size=n), data={"n": n})
            store.steps.finish(claim, finished, step_key=None)
        done.set()
        reader.join()
        assert torn == []

    @pytest.mark.parametrize("delay", [0.0, 0.013, 0.05, 0.11, 0.2])
    def test_killed_writer(self, url: str, store: Store, delay: float) -> None:
        writer = process(
            url,
            """
            while True:
                claim = add(store, "a", "b")
                print("added", claim.run_id, flush=True)
                for name in ("a", "b"):
                    new = output(f"{claim.run_id}/{name}")
                    store.steps.save(claim, activity(name, state=ActivityState.RUNNING))
                    store.steps.intend(claim, success(name, new))
                    print("intended", claim.run_id, name, flush=True)
                    store.steps.finish(claim, success(name, new), step_key=claim.run_id + name)
                    print("finished", claim.run_id, name, flush=True)
            """,
        )
        assert writer.stdout is not None
        first = writer.stdout.readline()
        threading.Event().wait(delay)
        writer.send_signal(signal.SIGKILL)
        promised = [first, *writer.communicate()[0].splitlines(keepends=True)]
        promised = [line for line in promised if line.endswith("\n")]

        for line in promised:
            what, run_id, *names = line.split()
            found = store.executions.get(run_id)
            assert found is not None
            assert [a.name for a in found.activities] == ["a", "b"]
            for name in names:
                assert store.intake.outputs_at("out", [f"{run_id}/{name}"])
                if what == "finished":
                    assert found.activity(name).state is ActivityState.SUCCESS
        for found in store.executions.newest(limit=100_000):
            intended = {intent.activity for intent in store.steps.intents(found.run_id)}
            for one in found.activities:
                # all of a finish, or none of it
                ended = one.state is ActivityState.SUCCESS
                assert bool(one.outputs) is ended
                assert (store.steps.find(found.run_id + one.name) is not None) is ended
                assert not (ended and one.name in intended)
            # nothing stays locked: the next owner takes over when the lease is over
            with pytest.raises(LeaseLostError):
                store.queue.claim(found.run_id, owner="next", lease_seconds=60)
        assert promised


class TestQueries:
    def scenario(self, store: Store, executions: int) -> None:
        for number in range(executions):
            claim = store.queue.add_claimed(
                execution("a", "b"), owner="me", lease_seconds=0, dedupe_key=str(number)
            )
            claim = store.queue.claim(claim.run_id, owner="me", lease_seconds=60)
            store.queue.renew(claim, 60)
            store.steps.save(claim, activity("a", state=ActivityState.RUNNING))
            store.steps.save_progress(claim, {"a": 0.5})
            store.steps.intend(claim, success("a", output("k")))
            store.steps.intents(claim.run_id, "a")
            store.steps.finish(claim, success("a", output("k")), step_key=f"s{number}")
            store.executions.save(claim, message="m")
            store.steps.find("s1")
            store.intake.outputs_at("out", ["k"])
            store.digests.save("/in/a", str(number), output("k").digests)
            store.digests.get("/in/a", str(number))
            store.queue.release(claim)
            store.executions.get(claim.run_id)
        with pytest.raises(DuplicateExecutionError):
            store.queue.add_claimed(execution(), owner="me", lease_seconds=60, dedupe_key="0")
        store.executions.newest()

    def test_every_statement_uses_an_index(self, sqlite_url: str) -> None:
        statements: dict[str, object] = {}

        def note(
            connection: object, cursor: object, statement: str, parameters: object, *_: object
        ) -> None:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "sqlite_" not in statement:
                statements[statement] = parameters

        store = Store.open(sqlite_url)
        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            self.scenario(store, 2)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        store.close()
        assert len(statements) > 15
        database = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        for statement, parameters in statements.items():
            plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            for *_, step in plan:
                assert step.removeprefix("SCAN ") not in metadata.tables, statement
        database.close()

    def test_a_beginning_is_looked_up(self, sqlite_url: str) -> None:
        store = Store.open(sqlite_url)
        plans: list[str] = []

        def explain(connection: sa.Connection, clause: object, *_: object) -> None:
            compiled = clause.compile(  # type: ignore[attr-defined]
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
            plans.extend(step for *_, step in plan)

        sa.event.listen(sa.Engine, "before_execute", explain)
        try:
            assert store.executions.starting_with("48e3", limit=5) == []
        finally:
            sa.event.remove(sa.Engine, "before_execute", explain)
        assert any(plan.startswith("SEARCH executions") for plan in plans), plans
        with store.executions._database.read() as connection:
            other = sa.not_(BeginsWith(sa.literal("b"), sa.literal("a")))
            assert connection.scalar(sa.select(other)) == 1
        store.close()

    def test_a_list_takes_as_many_queries_as_one(self, store: Store) -> None:
        counts: list[int] = []
        count = 0

        def note(*_: object) -> None:
            nonlocal count
            count += 1

        for executions in (1, 20):
            for _ in range(executions):
                claim = add(store, "a", "b")
                store.steps.finish(claim, success("a", output("k")), step_key=None)
            count = 0
            sa.event.listen(sa.Engine, "before_cursor_execute", note)
            try:
                assert len(store.executions.newest()) == (1 if executions == 1 else 21)
            finally:
                sa.event.remove(sa.Engine, "before_cursor_execute", note)
            counts.append(count)
        assert counts[0] == counts[1]


class TestOpening:
    def test_creates_folder_and_tables_once(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/a/b/m.db"
        first = Store.open(url)
        claim = add(first)
        second = Store.open(url)
        assert second.executions.get(claim.run_id) is not None
        first.close()
        second.close()

    def test_many_processes_open_a_new_store(self, url: str) -> None:
        lines = lines_of(*(process(url, "print(add(store, 'a').run_id)") for _ in range(6)))
        store = Store.open(url)
        assert sorted(r.run_id for r in store.executions.newest()) == sorted(lines)
        store.close()

    def test_commits_reach_the_disk(self, sqlite_url: str) -> None:
        database = Database(sqlite_url)
        with database.read() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        database.close()
        full = 2
        assert pragmas["journal_mode"] == "wal"
        assert pragmas["synchronous"] == full
        assert pragmas["foreign_keys"] == 1
        assert int(pragmas["busy_timeout"]) >= 10_000

    def test_newer_version(self, store: Store, url: str) -> None:
        store.close()
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE meta SET value = '99' WHERE key = 'schema_version'"))
        engine.dispose()
        with pytest.raises(MediaflowError, match="version 99") as caught:
            Store.open(url)
        assert "Update mediaflow" in caught.value.remedy

    def test_older_version(self, store: Store, url: str) -> None:
        store.close()
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE meta SET value = '1' WHERE key = 'schema_version'"))
        engine.dispose()
        with pytest.raises(MediaflowError, match="version 1,") as caught:
            Store.open(url)
        assert "Move the database away" in caught.value.remedy

    def test_file_that_is_no_database(self, tmp_path: Path) -> None:
        file = tmp_path / "m.db"
        file.write_bytes(b"this is no database at all" * 100)
        before = file.read_bytes()
        with pytest.raises(MediaflowError, match=r"m\.db") as caught:
            Store.open(f"sqlite:///{file}")
        assert caught.value.code == Code.RESOURCE_CONTENT_BAD
        assert file.read_bytes() == before

    def test_damaged_database(self, sqlite_url: str) -> None:
        store = Store.open(sqlite_url)
        add(store, *(f"a{n}" for n in range(500)))
        store.close()
        file = Path(sqlite_url.removeprefix("sqlite:///"))
        content = bytearray(file.read_bytes())
        content[100:] = b"\x55" * (len(content) - 100)
        file.write_bytes(content)
        with pytest.raises(MediaflowError) as caught:
            Store.open(sqlite_url)
        assert caught.value.code == Code.RESOURCE_CONTENT_BAD
        assert "backup" in caught.value.remedy

    def test_somebody_elses_database(self, tmp_path: Path) -> None:
        file = tmp_path / "m.db"
        other = sqlite3.connect(file)
        other.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        other.commit()
        other.close()
        with pytest.raises(MediaflowError, match="not a store"):
            Store.open(f"sqlite:///{file}")

    def test_places_where_no_store_can_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
        for path in (tmp_path / "file" / "m.db", tmp_path / "folder"):
            with pytest.raises(MediaflowError, match=str(tmp_path)) as caught:
                Store.open(f"sqlite:///{path}")
            assert caught.value.code == Code.RESOURCE_ACCESS

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "m.db", "nosuch://x", ""])
    def test_urls_that_are_none(self, url: str) -> None:
        with pytest.raises(InvalidInputError, match="store"):
            Store.open(url)

    def test_driver_that_is_missing(self) -> None:
        with pytest.raises(InstallationError, match="oracledb"):
            Store.open("oracle+oracledb://u@h/d")

    @pytest.mark.skipif(not POSTGRES, reason="MEDIAFLOW_TEST_POSTGRES is not set")
    def test_passwords_are_not_shown(self) -> None:
        with pytest.raises(MediaflowError) as caught:
            Store.open("postgresql+psycopg://u:hunter2@127.0.0.1:1/d")
        assert "hunter2" not in str(caught.value)
        assert "\n" not in str(caught.value)


class TestModes:
    """Topologies may hold keys, so others on the machine must not read the store."""

    @pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct, autouse=True)
    def umask(self, request: pytest.FixtureRequest) -> Iterator[None]:
        before = os.umask(request.param)
        yield
        os.umask(before)

    def test_a_new_store_is_private(self, tmp_path: Path) -> None:
        file = tmp_path / "data/mediaflow.db"
        with closing(Store.open(f"sqlite:///{file}")) as store:
            add(store, "a")
            assert modes(file) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    def test_an_old_store_is_closed(self, tmp_path: Path) -> None:
        file = tmp_path / "mediaflow.db"
        with closing(Store.open(f"sqlite:///{file}")) as before:
            add(before, "a")
            for suffix in SUFFIXES:
                Path(f"{file}{suffix}").chmod(0o644)
            with closing(Store.open(f"sqlite:///{file}")):
                assert modes(file) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}

    def test_a_group_that_was_let_in_stays(self, tmp_path: Path) -> None:
        file = tmp_path / "mediaflow.db"
        Store.open(f"sqlite:///{file}").close()
        file.chmod(0o640)
        with closing(Store.open(f"sqlite:///{file}")) as store:
            add(store, "a")
            assert modes(file) == {"": 0o640, "-wal": 0o640, "-shm": 0o640}

    @pytest.mark.parametrize(
        ("before", "after"), [(0o755, 0o700), (0o750, 0o750), (0o1777, 0o1777)]
    )
    def test_the_data_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int
    ) -> None:
        data = tmp_path / "data"
        data.mkdir()
        data.chmod(before)
        monkeypatch.setenv("MEDIAFLOW_DATA", str(data))
        engine = Engine(load_settings(None))
        assert engine.store
        engine.close()
        assert stat.S_IMODE(data.stat().st_mode) == after


SUFFIXES = ("", "-wal", "-shm")


def modes(file: Path) -> dict[str, int]:
    return {one: stat.S_IMODE(Path(f"{file}{one}").stat().st_mode) for one in SUFFIXES}


def test_too_many_open_files_are_told_as_what_they_are(sqlite_url: str) -> None:
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    Store.open(sqlite_url).close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, kept[1]))
    try:
        with pytest.raises(StoreError, match="too many open files") as caught:
            Store.open(sqlite_url)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)
    assert "ulimit -n" in caught.value.remedy
