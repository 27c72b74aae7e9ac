"""The store on real databases: what is committed stays, and only the owner of a run writes.

`stores.py` says on which databases.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.support.stores import (
    activity,
    add,
    execution,
    lines_of,
    load,
    output,
    process,
    success,
)
from workflow_engine.errors import Code, DuplicateExecutionError, InvalidInputError, LeaseLostError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionState,
    FailedAttempt,
    ObjectRef,
    StepResult,
)
from workflow_engine.store import Claim, Store

MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)


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
            result=StepResult(
                outputs=(
                    replace(
                        output("b", size=1 << 40), media={"Duration": 1.5, "Ü": [None, {"a": "b"}]}
                    ),
                    output("a 🎬%2F+"),
                ),
                data={"Streams": [{"Codec": "h264", "Fps": 25.0}], "中": True},
                commands=(("ffmpeg", "-i", "a b"), ()),
                warnings=("w1", "w2"),
            ),
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
        claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
        store.steps.finish(claim, done, step_key="k")
        store.close()

        store = Store.open(url)
        assert store.executions.get(record.run_id) == record
        assert store.executions.newest() == [record]
        store.close()

    def test_times_are_utc_whatever_was_given(self, store: Store) -> None:
        tokyo = MOMENT.astimezone(timezone(timedelta(hours=9)))
        claim = store.queue.add_claimed(execution(created=tokyo), owner="me", lease_seconds=60)
        created = load(store, claim).created
        assert (created, created.tzinfo) == (MOMENT, UTC)

    def test_text_that_no_database_takes(self, store: Store) -> None:
        claim = add(store, "a")
        hostile = activity("a", detail="x\0y\udcffz🎬", result=StepResult(data={"t": "\ud800 \0"}))
        store.steps.save(claim, hostile)
        saved = load(store, claim).activity("a")
        assert saved.detail == "x\ufffdy\ufffdz🎬"
        assert saved.result.data == {"t": "\ufffd \0"}

    def test_unknown_execution(self, store: Store) -> None:
        assert store.executions.get("0" * 32) is None
        assert store.executions.newest() == []

    def test_many_activities_in_order(self, store: Store) -> None:
        names = [f"a{number * 7919 % 10_000}" for number in range(10_000)]
        claim = add(store, *names)
        assert [a.name for a in load(store, claim).activities] == names

    def test_newest_first(self, store: Store) -> None:
        records = [execution("a", created=MOMENT + timedelta(microseconds=n)) for n in range(5)]
        for n in (2, 0, 4, 1, 3):
            store.queue.add_claimed(records[n], owner="me", lease_seconds=60)
        assert store.executions.newest(limit=3) == [records[4], records[3], records[2]]
        assert len(store.executions.newest()) == 5

    def test_outputs_stay_with_their_execution(self, store: Store) -> None:
        claims = [add(store, "a", "b") for _ in range(3)]
        for number, claim in enumerate(claims):
            for name in ("b", "a"):
                store.steps.finish(claim, success(name, output(f"{number}{name}")), step_key=None)
        for number, found in enumerate(reversed(store.executions.newest())):
            keys = [o.ref.object for a in found.activities for o in a.outputs]
            assert keys == [f"{number}a", f"{number}b"]


class TestDuplicates:
    def test_second_of_a_dedupe_key_adds_nothing(self, store: Store) -> None:
        first = store.queue.add_claimed(
            execution("a"), owner="me", lease_seconds=60, dedupe_key="k"
        )
        second = execution("a")
        with pytest.raises(DuplicateExecutionError) as caught:
            store.queue.add_claimed(second, owner="me", lease_seconds=60, dedupe_key="k")
        assert caught.value.run_id == first.run_id
        assert store.executions.get(second.run_id) is None
        store.queue.add_claimed(execution(), owner="me", lease_seconds=60, dedupe_key="other")
        for _ in range(2):
            store.queue.add_claimed(execution(), owner="me", lease_seconds=60)

    def test_second_of_a_run_id(self, store: Store) -> None:
        record = execution("a", message="first")
        store.queue.add_claimed(record, owner="me", lease_seconds=60)
        with pytest.raises(DuplicateExecutionError) as caught:
            store.queue.add_claimed(
                replace(record, message="second"), owner="you", lease_seconds=60
            )
        assert caught.value.run_id == record.run_id
        assert store.executions.get(record.run_id) == record

    def test_many_processes_add_the_same(self, url: str, store: Store) -> None:
        script = """
            for number in range(20):
                try:
                    record = execution("a", "b")
                    key = str(number)
                    store.queue.add_claimed(record, owner="p", lease_seconds=60, dedupe_key=key)
                    print(record.run_id)
                except DuplicateExecutionError:
                    pass
            """
        added = lines_of(*(process(url, script) for _ in range(4)))
        assert sorted(added) == sorted(found.run_id for found in store.executions.newest())
        assert len(added) == 20


WRITES: list[Callable[[Store, Claim], object]] = [
    lambda store, claim: store.queue.renew(claim, 60),
    lambda store, claim: store.steps.save(claim, activity("a", message="stolen")),
    lambda store, claim: store.steps.save_progress(claim, {"a": 0.9}),
    lambda store, claim: store.steps.intend(claim, success("a", output("stolen"))),
    lambda store, claim: store.steps.finish(claim, success("a", output("stolen")), step_key="s"),
    lambda store, claim: store.executions.save(claim, message="stolen"),
]


class TestOwnership:
    def test_a_claim_keeps_others_out(self, store: Store) -> None:
        claim = add(store, "a")
        for owner in ("you", "me"):
            with pytest.raises(LeaseLostError, match='"me"'):
                store.queue.claim(claim.run_id, owner=owner, lease_seconds=60)
        store.executions.save(claim, message="still mine")

    def test_an_expired_lease_is_taken_over(self, store: Store) -> None:
        old = store.queue.add_claimed(execution("a"), owner="me", lease_seconds=0)
        new = store.queue.claim(old.run_id, owner="you", lease_seconds=60)
        assert new == Claim(run_id=old.run_id, owner="you", fence=old.fence + 1)
        with pytest.raises(LeaseLostError):
            store.queue.claim(old.run_id, owner="third", lease_seconds=60)

    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("owner", ["you", "me"])
    def test_the_old_owner_is_fenced(
        self, store: Store, write: Callable[[Store, Claim], object], owner: str
    ) -> None:
        old = store.queue.add_claimed(execution("a"), owner="me", lease_seconds=0)
        new = store.queue.claim(old.run_id, owner=owner, lease_seconds=60)
        store.steps.save(new, activity("a", state=ActivityState.RUNNING, progress=0.5))
        before = store.executions.get(old.run_id)
        with pytest.raises(LeaseLostError):
            write(store, old)
        assert store.executions.get(old.run_id) == before
        assert store.steps.intents(old.run_id) == []
        assert store.steps.find("s") is None
        write(store, new)

    @pytest.mark.parametrize("write", WRITES)
    def test_nobody_writes_after_a_release(
        self, store: Store, write: Callable[[Store, Claim], object]
    ) -> None:
        claim = add(store, "a")
        store.queue.release(claim)
        with pytest.raises(LeaseLostError):
            write(store, claim)

    def test_an_expired_lease_that_nobody_took_still_writes(self, store: Store) -> None:
        claim = store.queue.add_claimed(execution("a"), owner="me", lease_seconds=0)
        store.executions.save(claim, message="m")
        store.queue.renew(claim, 60)
        with pytest.raises(LeaseLostError):
            store.queue.claim(claim.run_id, owner="you", lease_seconds=60)

    def test_release(self, store: Store) -> None:
        old = add(store)
        store.queue.release(old)
        new = store.queue.claim(old.run_id, owner="you", lease_seconds=60)
        store.queue.release(old)  # not its own any more
        store.executions.save(new, message="m")

    def test_unknown_execution(self, store: Store) -> None:
        with pytest.raises(InvalidInputError, match="0000") as caught:
            store.queue.claim("0" * 32, owner="me", lease_seconds=60)
        assert caught.value.code == Code.RESOURCE_NOT_FOUND

    def test_of_many_processes_one_takes_over(self, url: str, store: Store) -> None:
        script = """
            for run_id in sys.argv[1:]:
                try:
                    claim = store.queue.claim(run_id, owner=str(os.getpid()), lease_seconds=60)
                    print(run_id, claim.fence)
                except LeaseLostError:
                    pass
            """
        claims = [
            store.queue.add_claimed(execution(), owner="x", lease_seconds=0) for _ in range(30)
        ]
        run_ids = [claim.run_id for claim in claims]
        taken = lines_of(*(process(url, script, *run_ids) for _ in range(4)))
        assert sorted(taken) == sorted(f"{run_id} 2" for run_id in run_ids)


class TestActivities:
    def test_saving_leaves_outputs_and_other_activities_alone(self, store: Store) -> None:
        claim = add(store, "a", "b")
        done = success("a", output("k"))
        store.steps.finish(claim, done, step_key="s")
        told = replace(done, message_result={"MessageId": "1"})
        store.steps.save(claim, replace(told, result=StepResult()))
        assert load(store, claim).activities == (told, activity("b"))
        assert store.steps.find("s") is not None

    def test_progress_of_a_running_activity(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.steps.save(claim, activity("a", state=ActivityState.RUNNING))
        store.steps.save_progress(claim, {"a": 0.25})
        store.steps.save_progress(claim, {"b": 0.25})  # not running
        assert [a.progress for a in load(store, claim).activities] == [0.25, 0.0]
        store.steps.finish(claim, success("a", progress=1.0), step_key=None)
        store.steps.save_progress(claim, {"a": 0.75})  # late
        assert load(store, claim).activity("a").progress == 1.0

    def test_unknown_activity(self, store: Store) -> None:
        claim = add(store, "a")
        with pytest.raises(KeyError):
            store.steps.save(claim, activity("x"))
        with pytest.raises(KeyError):
            store.steps.finish(claim, success("x"), step_key=None)

    def test_execution_fields(self, store: Store) -> None:
        claim = add(store)
        store.executions.save(claim, state=ExecutionState.FAIL, code="C", message="m", ended=MOMENT)
        store.executions.save(claim, report="r", prefect_url="p")
        store.executions.save(claim, message_result={"MessageId": "1"})
        store.executions.save(claim, message_result={})  # says nothing
        found = load(store, claim)
        assert (found.state, found.code, found.message) == (ExecutionState.FAIL, "C", "m")
        assert found.message_result == {"MessageId": "1"}
        assert (found.ended, found.report, found.prefect_url) == (MOMENT, "r", "p")
        store.executions.save(claim, state=ExecutionState.RUNNING, code="", message="")
        found = load(store, claim)
        assert (found.state, found.code, found.message) == (ExecutionState.RUNNING, "", "")
        assert (found.ended, found.report) == (None, "r")


class TestPublishing:
    def test_intents_are_replaced_and_cleared(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.steps.intend(claim, success("a", output("old"), output("k2"), output("k1")))
        store.steps.intend(claim, success("a", output("k2"), output("k1")))
        store.steps.intend(claim, success("b", output("k3")))
        assert [i.output.ref.object for i in store.steps.intents(claim.run_id)] == [
            "k2",
            "k1",
            "k3",
        ]
        (only,) = store.steps.intents(claim.run_id, "b")
        assert (only.activity, only.output) == ("b", output("k3"))
        store.steps.finish(claim, success("a", output("k2"), output("k1")), step_key=None)
        assert [i.activity for i in store.steps.intents(claim.run_id)] == ["b"]
        store.steps.retract(claim, "b")
        assert store.steps.intents(claim.run_id) == []

    def test_an_activity_can_be_finished_from_its_intent(self, store: Store) -> None:
        claim = add(store, "a", "b")
        running = activity("a", state=ActivityState.RUNNING, job_id="j", message="Attempt 2 of 3")
        store.steps.save(claim, running)
        will = success(
            "a",
            output("k1"),
            output("k2"),
            job_id="j",
            progress=1.0,
            reused=True,
            data={"Streams": [1, "ä"]},
            commands=(("ffmpeg", "-i", "x"),),
            warnings=("careful",),
        )
        store.steps.intend(claim, will, step_key="key", handles=["", "h2"])
        (found,) = store.steps.intended(claim.run_id)
        assert found.record == replace(will, ended=None)
        assert (found.step_key, found.handles) == ("key", ("", "h2"))
        assert load(store, claim).activity("a") == running  # nothing is seen of it yet
        assert store.steps.find("key") is None
        store.steps.retract(claim, "a")
        assert store.steps.intended(claim.run_id) == [] == store.steps.intents(claim.run_id)
        store.steps.intend(claim, will)
        store.steps.reset(claim, "a")
        assert store.steps.intended(claim.run_id) == []
        store.steps.intend(claim, will)
        store.steps.finish(claim, will, step_key="key")
        assert store.steps.intended(claim.run_id) == []

    def test_failed_attempts_are_kept(self, store: Store) -> None:
        claim = add(store, "a")
        one = FailedAttempt(ended=MOMENT, code="StorageUnavailable", message="away ☃")
        running = activity("a", state=ActivityState.RUNNING, attempts=(one, one))
        store.steps.save(claim, running)
        assert load(store, claim).activity("a") == running
        store.steps.reset(claim, "a")
        assert load(store, claim).activity("a").attempts == ()

    def test_own_outputs_are_known_from_the_intent_on(self, store: Store) -> None:
        claim = add(store, "a", "b")
        assert not store.intake.outputs_at("out", ["k"])
        store.steps.intend(claim, success("a", output("k")))
        assert store.intake.outputs_at("out", ["k"])
        assert not store.intake.outputs_at("in", ["k"])
        assert not store.intake.outputs_at("out", ["K"])
        store.steps.finish(claim, success("a", output("k")), step_key=None)
        assert store.intake.outputs_at("out", ["k"])
        store.steps.intend(claim, success("b", output("taken back")))
        store.steps.retract(claim, "b")
        assert not store.intake.outputs_at("out", ["taken back"])

    def test_a_new_attempt_replaces_the_outputs(self, store: Store) -> None:
        claim = add(store, "a")
        store.steps.finish(claim, success("a", output("k1"), output("k2")), step_key=None)
        again = success("a", output("k3"))
        store.steps.finish(claim, again, step_key=None)
        assert load(store, claim).activities == (again,)

    def test_the_same_object_twice(self, store: Store) -> None:
        for _ in range(2):
            claim = add(store, "a")
            store.steps.intend(claim, success("a", output("k"), output("k")))
            store.steps.finish(claim, success("a", output("k")), step_key=None)
        assert store.intake.outputs_at("out", ["k"])


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
            store.steps.finish(add(store, "x", "a"), done, step_key="key")
        found = store.steps.find("key")
        assert found is not None
        assert found.data == {"n": 3}
        assert found.outputs == (output("b3"), output("a3"))
        assert (found.commands, found.warnings) == ((("ffmpeg", "3"),), ("w",))

    def test_what_is_no_result(self, store: Store) -> None:
        claim = add(store, "a", "b")
        store.steps.finish(claim, success("a"), step_key=None)
        store.steps.finish(claim, success("b"), step_key="key")
        assert store.steps.find("other") is None
        assert store.steps.find("") is None
        store.steps.save(claim, activity("b", state=ActivityState.RUNNING))
        assert store.steps.find("key") is None


def test_digests_are_kept_for_one_version(store: Store) -> None:
    first, second = output("k", size=1).digests, output("k", size=2).digests
    assert store.digests.get("/in/a", "1-1") is None
    store.digests.save("/in/a", "1-1", first)
    store.digests.save("/in/a", "1-1", first)
    assert store.digests.get("/in/a", "1-1") == first
    assert store.digests.get("/in/b", "1-1") is None
    store.digests.save("/in/a", "2-2", second, "inode 1")
    assert store.digests.get("/in/a", "2-2") is None
    assert store.digests.get("/in/a", "2-2", "inode 1") == second
    store.digests.save("/in/a", "2-2", second)
    assert store.digests.get("/in/a", "2-2") == second
    assert store.digests.get("/in/a", "1-1") is None
