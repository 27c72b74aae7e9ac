"""The store on real databases: what is committed stays, and only the owner of a run writes.

`stores.py` says on which databases.
"""

import signal
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.stores import (
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
from workflow_engine.errors import (
    Code,
    DuplicateExecutionError,
    InstallationError,
    InvalidInputError,
    LeaseLostError,
    MediaflowError,
)
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionState,
    ObjectRef,
)
from workflow_engine.store import Claim, Store
from workflow_engine.store.database import Database
from workflow_engine.store.schema import metadata

MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mediaflow.db"


class TestRecords:
    def test_everything_comes_back(self, url: str) -> None:
        done = ActivityRecord(
            name="Act 🎬 \"'\\ é",
            type="Snapshot",
            state=ActivityState.SUCCESS,
            job_id="2" * 32,
            started=MOMENT,
            ended=MOMENT + timedelta(microseconds=1),
            code="C",
            message="m\n",
            detail="ffmpeg: 中\t",
            progress=1.0,
            reused=True,
            outputs=(
                replace(
                    output("b", size=1 << 40), media={"Duration": 1.5, "Ü": [None, {"a": "b"}]}
                ),
                output("a 🎬%2F+"),
            ),
            data={"Streams": [{"Codec": "h264", "Fps": 25.0}], "中": True},
            commands=(("ffmpeg", "-i", "a b"), ()),
            warnings=("w1", "w2"),
            message_result={"ErrorCode": "E"},
        )
        record = execution(
            topology='{"Activities": "☃"}' * 5000,
            input=ObjectRef(bucket="in", object="ä/🎬 100%.flv", location="oss-cn-hangzhou"),
            user_data="ü" * 512,
            state=ExecutionState.COMPLETED,
            code="X",
            message="y",
            created=MOMENT,
            ended=MOMENT,
            report="/r",
            prefect_url="http://p",
            kind=ExecutionKind.SNAPSHOT,
            pipeline_id="7" * 32,
            priority=10,
            request={"Input": {"Object": "ä"}, "N": [1, None]},
            message_result={"MessageId": "1"},
            activities=(done, activity("last")),
        )
        store = Store.open(url)
        claim = store.add_execution(record, owner="me", lease_seconds=60)
        store.finish_activity(claim, done, step_key="k")
        store.close()

        store = Store.open(url)
        assert store.execution(record.run_id) == record
        assert store.executions() == [record]
        store.close()

    def test_times_are_utc_whatever_was_given(self, store: Store) -> None:
        tokyo = MOMENT.astimezone(timezone(timedelta(hours=9)))
        claim = store.add_execution(execution(created=tokyo), owner="me", lease_seconds=60)
        created = load(store, claim).created
        assert (created, created.tzinfo) == (MOMENT, UTC)

    def test_text_that_no_database_takes(self, store: Store) -> None:
        claim = add(store, "a")
        store.save_activity(claim, activity("a", detail="x\0y\udcffz🎬", data={"t": "\ud800 \0"}))
        saved = load(store, claim).activity("a")
        assert saved.detail == "x\ufffdy\ufffdz🎬"
        assert saved.data == {"t": "\ufffd \0"}

    def test_unknown_execution(self, store: Store) -> None:
        assert store.execution("0" * 32) is None
        assert store.executions() == []

    def test_many_activities_in_order(self, store: Store) -> None:
        names = [f"a{number * 7919 % 10_000}" for number in range(10_000)]
        claim = add(store, *names)
        assert [a.name for a in load(store, claim).activities] == names

    def test_newest_first(self, store: Store) -> None:
        records = [execution("a", created=MOMENT + timedelta(microseconds=n)) for n in range(5)]
        for n in (2, 0, 4, 1, 3):
            store.add_execution(records[n], owner="me", lease_seconds=60)
        assert store.executions(limit=3) == [records[4], records[3], records[2]]
        assert len(store.executions()) == 5

    def test_outputs_stay_with_their_execution(self, store: Store) -> None:
        claims = [add(store, "a", "b") for _ in range(3)]
        for number, claim in enumerate(claims):
            for name in ("b", "a"):
                store.finish_activity(
                    claim, success(name, output(f"{number}{name}")), step_key=None
                )
        for number, found in enumerate(reversed(store.executions())):
            keys = [o.ref.object for a in found.activities for o in a.outputs]
            assert keys == [f"{number}a", f"{number}b"]


class TestDuplicates:
    def test_second_of_a_dedupe_key_adds_nothing(self, store: Store) -> None:
        first = store.add_execution(execution("a"), owner="me", lease_seconds=60, dedupe_key="k")
        second = execution("a")
        with pytest.raises(DuplicateExecutionError) as caught:
            store.add_execution(second, owner="me", lease_seconds=60, dedupe_key="k")
        assert caught.value.run_id == first.run_id
        assert store.execution(second.run_id) is None
        store.add_execution(execution(), owner="me", lease_seconds=60, dedupe_key="other")
        for _ in range(2):
            store.add_execution(execution(), owner="me", lease_seconds=60)

    def test_second_of_a_run_id(self, store: Store) -> None:
        record = execution("a", message="first")
        store.add_execution(record, owner="me", lease_seconds=60)
        with pytest.raises(DuplicateExecutionError) as caught:
            store.add_execution(replace(record, message="second"), owner="you", lease_seconds=60)
        assert caught.value.run_id == record.run_id
        assert store.execution(record.run_id) == record

    def test_many_processes_add_the_same(self, url: str, store: Store) -> None:
        script = """
            for number in range(20):
                try:
                    record = execution("a", "b")
                    store.add_execution(record, owner="p", lease_seconds=60, dedupe_key=str(number))
                    print(record.run_id)
                except DuplicateExecutionError:
                    pass
            """
        added = lines_of(*(process(url, script) for _ in range(4)))
        assert sorted(added) == sorted(found.run_id for found in store.executions())
        assert len(added) == 20


WRITES: list[Callable[[Store, Claim], object]] = [
    lambda store, claim: store.renew(claim, 60),
    lambda store, claim: store.save_activity(claim, activity("a", message="stolen")),
    lambda store, claim: store.save_progress(claim, "a", 0.9),
    lambda store, claim: store.intend(claim, "a", [output("stolen")]),
    lambda store, claim: store.finish_activity(claim, success("a", output("stolen")), step_key="s"),
    lambda store, claim: store.save_execution(claim, message="stolen"),
]


class TestOwnership:
    def test_a_claim_keeps_others_out(self, store: Store) -> None:
        claim = add(store, "a")
        for owner in ("you", "me"):
            with pytest.raises(LeaseLostError, match='"me"'):
                store.claim(claim.run_id, owner=owner, lease_seconds=60)
        store.save_execution(claim, message="still mine")

    def test_an_expired_lease_is_taken_over(self, store: Store) -> None:
        old = store.add_execution(execution("a"), owner="me", lease_seconds=0)
        new = store.claim(old.run_id, owner="you", lease_seconds=60)
        assert new == Claim(run_id=old.run_id, owner="you", fence=old.fence + 1)
        with pytest.raises(LeaseLostError):
            store.claim(old.run_id, owner="third", lease_seconds=60)

    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("owner", ["you", "me"])
    def test_the_old_owner_is_fenced(
        self, store: Store, write: Callable[[Store, Claim], object], owner: str
    ) -> None:
        old = store.add_execution(execution("a"), owner="me", lease_seconds=0)
        new = store.claim(old.run_id, owner=owner, lease_seconds=60)
        store.save_activity(new, activity("a", state=ActivityState.RUNNING, progress=0.5))
        before = store.execution(old.run_id)
        with pytest.raises(LeaseLostError):
            write(store, old)
        assert store.execution(old.run_id) == before
        assert store.intents(old.run_id) == []
        assert store.find_step("s") is None
        write(store, new)

    @pytest.mark.parametrize("write", WRITES)
    def test_nobody_writes_after_a_release(
        self, store: Store, write: Callable[[Store, Claim], object]
    ) -> None:
        claim = add(store, "a")
        store.release(claim)
        with pytest.raises(LeaseLostError):
            write(store, claim)

    def test_an_expired_lease_that_nobody_took_still_writes(self, store: Store) -> None:
        claim = store.add_execution(execution("a"), owner="me", lease_seconds=0)
        store.save_execution(claim, message="m")
        store.renew(claim, 60)
        with pytest.raises(LeaseLostError):
            store.claim(claim.run_id, owner="you", lease_seconds=60)

    def test_release(self, store: Store) -> None:
        old = add(store)
        store.release(old)
        new = store.claim(old.run_id, owner="you", lease_seconds=60)
        store.release(old)  # not its own any more
        store.save_execution(new, message="m")

    def test_unknown_execution(self, store: Store) -> None:
        with pytest.raises(InvalidInputError, match="0000") as caught:
            store.claim("0" * 32, owner="me", lease_seconds=60)
        assert caught.value.code == Code.RESOURCE_NOT_FOUND

    def test_of_many_processes_one_takes_over(self, url: str, store: Store) -> None:
        script = """
            for run_id in sys.argv[1:]:
                try:
                    claim = store.claim(run_id, owner=str(os.getpid()), lease_seconds=60)
                    print(run_id, claim.fence)
                except LeaseLostError:
                    pass
            """
        claims = [store.add_execution(execution(), owner="x", lease_seconds=0) for _ in range(30)]
        run_ids = [claim.run_id for claim in claims]
        taken = lines_of(*(process(url, script, *run_ids) for _ in range(4)))
        assert sorted(taken) == sorted(f"{run_id} 2" for run_id in run_ids)


class TestActivities:
    def test_saving_leaves_outputs_and_other_activities_alone(self, store: Store) -> None:
        claim = add(store, "a", "b")
        done = success("a", output("k"))
        store.finish_activity(claim, done, step_key="s")
        told = replace(done, message_result={"MessageId": "1"})
        store.save_activity(claim, replace(told, outputs=()))
        assert load(store, claim).activities == (told, activity("b"))
        assert store.find_step("s") is not None

    def test_progress_of_a_running_activity(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.save_activity(claim, activity("a", state=ActivityState.RUNNING))
        store.save_progress(claim, "a", 0.25)
        store.save_progress(claim, "b", 0.25)  # not running
        assert [a.progress for a in load(store, claim).activities] == [0.25, 0.0]
        store.finish_activity(claim, success("a", progress=1.0), step_key=None)
        store.save_progress(claim, "a", 0.75)  # late
        assert load(store, claim).activity("a").progress == 1.0

    def test_unknown_activity(self, store: Store) -> None:
        claim = add(store, "a")
        with pytest.raises(KeyError):
            store.save_activity(claim, activity("x"))
        with pytest.raises(KeyError):
            store.finish_activity(claim, success("x"), step_key=None)

    def test_execution_fields(self, store: Store) -> None:
        claim = add(store)
        store.save_execution(claim, state=ExecutionState.FAIL, code="C", message="m", ended=MOMENT)
        store.save_execution(claim, report="r", prefect_url="p")
        store.save_execution(claim, message_result={"MessageId": "1"})
        store.save_execution(claim, message_result={})  # says nothing
        found = load(store, claim)
        assert (found.state, found.code, found.message) == (ExecutionState.FAIL, "C", "m")
        assert found.message_result == {"MessageId": "1"}
        assert (found.ended, found.report, found.prefect_url) == (MOMENT, "r", "p")
        store.save_execution(claim, state=ExecutionState.RUNNING, code="", message="")
        found = load(store, claim)
        assert (found.state, found.code, found.message) == (ExecutionState.RUNNING, "", "")
        assert (found.ended, found.report) == (None, "r")


class TestPublishing:
    def test_intents_are_replaced_and_cleared(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.intend(claim, "a", [output("old"), output("k2"), output("k1")])
        store.intend(claim, "a", [output("k2"), output("k1")])
        store.intend(claim, "b", [output("k3")])
        assert [i.output.ref.object for i in store.intents(claim.run_id)] == ["k2", "k1", "k3"]
        (only,) = store.intents(claim.run_id, "b")
        assert (only.activity, only.output) == ("b", output("k3"))
        store.finish_activity(claim, success("a", output("k2"), output("k1")), step_key=None)
        assert [i.activity for i in store.intents(claim.run_id)] == ["b"]
        store.intend(claim, "b", [])
        assert store.intents(claim.run_id) == []

    def test_own_outputs_are_known_from_the_intent_on(self, store: Store) -> None:
        claim = add(store, "a", "b")
        assert not store.is_own_output("out", "k")
        store.intend(claim, "a", [output("k")])
        assert store.is_own_output("out", "k")
        assert not store.is_own_output("in", "k")
        assert not store.is_own_output("out", "K")
        store.finish_activity(claim, success("a", output("k")), step_key=None)
        assert store.is_own_output("out", "k")
        store.intend(claim, "b", [output("taken back")])
        store.intend(claim, "b", [])
        assert not store.is_own_output("out", "taken back")

    def test_a_new_attempt_replaces_the_outputs(self, store: Store) -> None:
        claim = add(store, "a")
        store.finish_activity(claim, success("a", output("k1"), output("k2")), step_key=None)
        again = success("a", output("k3"))
        store.finish_activity(claim, again, step_key=None)
        assert load(store, claim).activities == (again,)

    def test_the_same_object_twice(self, store: Store) -> None:
        for _ in range(2):
            claim = add(store, "a")
            store.intend(claim, "a", [output("k"), output("k")])
            store.finish_activity(claim, success("a", output("k")), step_key=None)
        assert store.is_own_output("out", "k")


class TestSteps:
    def test_newest_result_of_a_key(self, store: Store) -> None:
        for number in (1, 3, 2):
            done = success(
                "a",
                output(f"b{number}"),
                output(f"a{number}"),
                ended=MOMENT + timedelta(microseconds=number),
                data={"n": number},
                commands=(("ffmpeg", str(number)),),
                warnings=("w",),
            )
            store.finish_activity(add(store, "x", "a"), done, step_key="key")
        found = store.find_step("key")
        assert found is not None
        assert found.data == {"n": 3}
        assert found.outputs == (output("b3"), output("a3"))
        assert (found.commands, found.warnings) == ((("ffmpeg", "3"),), ("w",))

    def test_what_is_no_result(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.finish_activity(claim, success("a"), step_key=None)
        store.finish_activity(claim, success("b"), step_key="key")
        assert store.find_step("other") is None
        assert store.find_step("") is None
        store.save_activity(claim, activity("b", state=ActivityState.RUNNING))
        assert store.find_step("key") is None


def test_digests_are_kept_for_one_version(store: Store) -> None:
    first, second = output("k", size=1).digests, output("k", size=2).digests
    assert store.cached_digests("/in/a", "1-1") is None
    store.cache_digests("/in/a", "1-1", first)
    store.cache_digests("/in/a", "1-1", first)
    assert store.cached_digests("/in/a", "1-1") == first
    assert store.cached_digests("/in/b", "1-1") is None
    store.cache_digests("/in/a", "2-2", second)
    assert store.cached_digests("/in/a", "2-2") == second
    assert store.cached_digests("/in/a", "1-1") is None


class TestManyWriters:
    def test_threads_and_processes_lose_nothing(self, url: str, store: Store) -> None:
        script = """
            def work(thread):
                claim = add(store, *(f"a{n}" for n in range(10)))
                for n in range(10):
                    store.save_activity(claim, activity(f"a{n}", state=ActivityState.RUNNING))
                    store.save_progress(claim, f"a{n}", 0.5)
                    store.intend(claim, f"a{n}", [output(f"{claim.run_id}/{n}")])
                    store.finish_activity(
                        claim, success(f"a{n}", output(f"{claim.run_id}/{n}")), step_key=None
                    )
                    store.cache_digests("/in/shared", str(n), output("k").digests)
                store.save_execution(claim, state=ExecutionState.COMPLETED)
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
        found = store.executions()
        assert sorted(record.run_id for record in found) == sorted(run_ids)
        for record in found:
            assert record.state is ExecutionState.COMPLETED
            for number, one in enumerate(record.activities):
                assert one.state is ActivityState.SUCCESS
                assert [o.ref.object for o in one.outputs] == [f"{record.run_id}/{number}"]
            assert store.intents(record.run_id) == []

    def test_threads_of_one_execution(self, store: Store) -> None:
        names = [f"a{number}" for number in range(24)]
        claim = add(store, *names)
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                store.save_activity(claim, activity(name, state=ActivityState.RUNNING))
                for step in range(5):
                    store.save_progress(claim, name, step / 5)
                    store.execution(claim.run_id)
                store.finish_activity(claim, success(name, output(name)), step_key=name)
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
                if found.data.get("n") and found.data["n"] != found.outputs[0].digests.size:
                    torn.append(found)

        reader = threading.Thread(target=look)
        reader.start()
        for n in range(1, 150):
            finished = success("a", output("k", size=n), data={"n": n})
            store.finish_activity(claim, finished, step_key=None)
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
                    store.save_activity(claim, activity(name, state=ActivityState.RUNNING))
                    store.intend(claim, name, [new])
                    print("intended", claim.run_id, name, flush=True)
                    store.finish_activity(claim, success(name, new), step_key=claim.run_id + name)
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
            found = store.execution(run_id)
            assert found is not None
            assert [a.name for a in found.activities] == ["a", "b"]
            for name in names:
                assert store.is_own_output("out", f"{run_id}/{name}")
                if what == "finished":
                    assert found.activity(name).state is ActivityState.SUCCESS
        for found in store.executions(limit=100_000):
            intended = {intent.activity for intent in store.intents(found.run_id)}
            for one in found.activities:
                # all of a finish, or none of it
                ended = one.state is ActivityState.SUCCESS
                assert bool(one.outputs) is ended
                assert (store.find_step(found.run_id + one.name) is not None) is ended
                assert not (ended and one.name in intended)
            # nothing stays locked: the next owner takes over when the lease is over
            with pytest.raises(LeaseLostError):
                store.claim(found.run_id, owner="next", lease_seconds=60)
        assert promised


class TestQueries:
    def scenario(self, store: Store, executions: int) -> None:
        for number in range(executions):
            claim = store.add_execution(
                execution("a", "b"), owner="me", lease_seconds=0, dedupe_key=str(number)
            )
            claim = store.claim(claim.run_id, owner="me", lease_seconds=60)
            store.renew(claim, 60)
            store.save_activity(claim, activity("a", state=ActivityState.RUNNING))
            store.save_progress(claim, "a", 0.5)
            store.intend(claim, "a", [output("k")])
            store.intents(claim.run_id, "a")
            store.finish_activity(claim, success("a", output("k")), step_key=f"s{number}")
            store.save_execution(claim, message="m")
            store.find_step("s1")
            store.is_own_output("out", "k")
            store.cache_digests("/in/a", str(number), output("k").digests)
            store.cached_digests("/in/a", str(number))
            store.release(claim)
            store.execution(claim.run_id)
        with pytest.raises(DuplicateExecutionError):
            store.add_execution(execution(), owner="me", lease_seconds=60, dedupe_key="0")
        store.executions()

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

    def test_a_list_takes_as_many_queries_as_one(self, store: Store) -> None:
        counts: list[int] = []
        count = 0

        def note(*_: object) -> None:
            nonlocal count
            count += 1

        for executions in (1, 20):
            for _ in range(executions):
                claim = add(store, "a", "b")
                store.finish_activity(claim, success("a", output("k")), step_key=None)
            count = 0
            sa.event.listen(sa.Engine, "before_cursor_execute", note)
            try:
                assert len(store.executions()) == (1 if executions == 1 else 21)
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
        assert second.execution(claim.run_id) is not None
        first.close()
        second.close()

    def test_many_processes_open_a_new_store(self, url: str) -> None:
        lines = lines_of(*(process(url, "print(add(store, 'a').run_id)") for _ in range(6)))
        store = Store.open(url)
        assert sorted(r.run_id for r in store.executions()) == sorted(lines)
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
