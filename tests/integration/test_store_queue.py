"""The queue on real databases: what runs next, who runs it, and how it is cancelled."""

import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
import sqlalchemy as sa

from tests.support.stores import (
    activity,
    execution,
    lines_of,
    load,
    output,
    pipeline,
    process,
    queue,
    success,
    take,
)
from workflow_engine.errors import (
    Code,
    DuplicateExecutionError,
    InvalidInputError,
    LeaseLostError,
)
from workflow_engine.records import (
    ActivityState,
    ExecutionKind,
    ExecutionState,
    ObjectRef,
    utc_now,
)
from workflow_engine.records.catalog import (
    DEFAULT_PIPELINE_ID,
    MediaRecord,
    PipelineState,
    PublishState,
)
from workflow_engine.store import Claim, ExecutionFilter, Store, Waiting
from workflow_engine.store.queue import MOST_LAPSES

MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def state_of(store: Store, run_id: str) -> tuple[ExecutionState, str]:
    found = store.executions.get(run_id)
    assert found is not None
    return found.state, found.code


def leave(store: Store, **changes: object) -> str:
    """Add an execution whose process was killed while it ran, and return its RunId."""
    record = execution("a", state=ExecutionState.RUNNING, **changes)
    return store.queue.add_claimed(record, owner="me", lease_seconds=0).run_id


class TestQueueing:
    def test_it_waits_as_it_is(self, store: Store) -> None:
        record = execution(
            "a",
            kind=ExecutionKind.TRANSCODE,
            pipeline_id=pipeline(store),
            priority=3,
            request={"Input": {"Object": "ä"}},
        )
        store.queue.add(record)
        assert store.executions.get(record.run_id) == record
        assert record.state is ExecutionState.QUEUED
        assert not store.queue.is_running(record.run_id)

    def test_a_second_of_its_dedupe_key_adds_nothing(self, store: Store) -> None:
        first = queue(store, dedupe_key="k")
        second = execution("a", media_id="6" * 32)
        with pytest.raises(DuplicateExecutionError) as caught:
            store.queue.add(second, dedupe_key="k")
        assert caught.value.run_id == first
        assert store.executions.get(second.run_id) is None
        assert store.media.get(second.media_id) is None
        with pytest.raises(DuplicateExecutionError):
            store.queue.add_claimed(second, owner="me", lease_seconds=60, dedupe_key="k")

    def test_a_pipeline_that_is_not_known_is_the_default_one(self, store: Store) -> None:
        queued = store.executions.get(queue(store, pipeline_id="0" * 32))
        assert queued is not None
        assert queued.pipeline_id == DEFAULT_PIPELINE_ID

    def test_the_queue_of_a_deleted_pipeline_moves_to_the_default_one(self, store: Store) -> None:
        old = pipeline(store, state=PipelineState.PAUSED)
        run_id = queue(store, pipeline_id=old)
        assert take(store) == ""
        assert store.pipelines.delete(old)
        assert take(store) == run_id


class TestMedia:
    def test_the_input_of_a_workflow_becomes_a_media(self, store: Store) -> None:
        ref = ObjectRef(bucket="in", object="ä/🎬.flv", location="oss-cn-hangzhou")
        record = execution(input=ref, media_id="6" * 32, created=MOMENT)
        store.queue.add(record)
        new = MediaRecord(id="6" * 32, file=ref, created=MOMENT)
        assert store.media.get("6" * 32) == new
        other = execution(input=ref, media_id="7" * 32, created=MOMENT)
        store.queue.add_claimed(other, owner="me", lease_seconds=60)
        assert store.media.get("7" * 32) == replace(new, id="7" * 32)

    def test_one_that_is_there_stays_as_it_is(self, store: Store) -> None:
        record = execution()
        known = MediaRecord(
            id=record.media_id,
            file=record.input,
            title="t",
            publish_state=PublishState.PUBLISHED,
            created=MOMENT,
        )
        store.media.add(known)
        store.queue.add(record)
        assert store.media.get(known.id) == known

    def test_a_deleted_one_is_as_new(self, store: Store) -> None:
        first, second = execution(created=MOMENT), execution(created=after(1))
        store.queue.add(first)
        store.media.set_cover(first.media_id, "http://c")
        store.media.set_publish_state(first.media_id, PublishState.PUBLISHED)
        store.media.mark_deleted([first.media_id])
        store.queue.add(second)
        assert store.media.get(first.media_id) == MediaRecord(
            id=first.media_id, file=second.input, created=after(1)
        )

    def test_jobs_have_none(self, store: Store) -> None:
        record = execution(kind=ExecutionKind.TRANSCODE)
        store.queue.add(record)
        assert store.media.get(record.media_id) is None

    def test_it_is_known_what_an_activity_found(self, store: Store) -> None:
        record = execution("start", "hd")
        claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
        found = {"Width": "1920", "Streams": [1]}
        store.steps.finish(claim, success("start"), step_key=None, properties=found)
        media = store.media.get(record.media_id)
        assert media is not None
        assert media.properties == found


class TestOrder:
    def test_nothing_to_do(self, store: Store) -> None:
        assert store.queue.claim_next(owner="me", lease_seconds=60) is None

    def test_a_claim_is_one(self, store: Store) -> None:
        run_id = queue(store)
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim == Claim(run_id=run_id, owner="me", fence=1)
        assert store.queue.is_running(run_id)
        store.executions.save(claim, message="m")
        assert take(store) == ""

    def test_priority_then_age(self, store: Store) -> None:
        other = pipeline(store)
        late = queue(store, created=after(3))
        early = queue(store, created=after(1), pipeline_id=other)
        middle = queue(store, created=after(2))
        urgent = queue(store, created=after(9), priority=10, pipeline_id=other)
        patient = queue(store, created=after(0), priority=1)
        taken = [take(store) for _ in range(6)]
        assert taken == [urgent, early, middle, late, patient, ""]

    def test_what_was_left_goes_first(self, store: Store) -> None:
        paused = pipeline(store, state=PipelineState.PAUSED)
        late, early = (leave(store, created=after(n), pipeline_id=paused) for n in (2, 1))
        queued = queue(store, created=after(0), priority=10)
        assert [take(store) for _ in range(4)] == [early, late, queued, ""]

    def test_what_was_given_back_goes_first(self, store: Store) -> None:
        run_id = queue(store)
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        store.executions.save(claim, state=ExecutionState.RUNNING)
        store.queue.release(claim)
        queue(store, priority=10)
        assert take(store) == run_id

    def test_one_that_was_taken_and_never_begun_waits_again(self, store: Store) -> None:
        run_id = queue(store)
        assert take(store, lease_seconds=0) == run_id
        assert take(store) == run_id
        assert take(store) == ""

    def test_what_is_not_for_the_queue(self, store: Store) -> None:
        leave(store, output_root="/out")
        for state in (ExecutionState.COMPLETED, ExecutionState.FAIL):
            store.queue.add_claimed(execution(state=state), owner="me", lease_seconds=0)
        assert take(store) == ""


class TestLapses:
    """Executions whose processes are killed again and again."""

    def claimed(self, store: Store, *, lease_seconds: float = 0) -> Claim | None:
        return store.queue.claim_next(owner="me", lease_seconds=lease_seconds)

    def test_one_that_kills_its_processes_is_given_up(self, store: Store) -> None:
        poison, next_one = queue(store, created=after(0)), queue(store, created=after(1))
        for _ in range(MOST_LAPSES + 1):
            claim = self.claimed(store)
            assert claim is not None and claim.run_id == poison
            store.executions.save(claim, state=ExecutionState.RUNNING)
        store.steps.save(claim, activity("a", state=ActivityState.FAIL, code="X"))
        assert take(store) == next_one
        (line,) = store.executions.line_page(ExecutionFilter(failed=True), limit=9).items
        assert (line.run_id, line.failed) == (poison, 1)
        found = store.executions.get(poison)
        assert found is not None and found.ended is not None
        assert (found.state, found.code) == (ExecutionState.FAIL, Code.INTERNAL)
        assert f"{MOST_LAPSES + 1} processes" in found.message

    def test_a_success_in_between_starts_the_count_anew(self, store: Store) -> None:
        run_id = queue(store)
        for number in range(2 * MOST_LAPSES):
            claim = self.claimed(store)
            assert claim is not None
            if number == MOST_LAPSES:
                store.steps.finish(claim, success("a"), step_key=None)
        assert take(store) == run_id

    def test_what_was_given_back_has_not_lapsed(self, store: Store) -> None:
        run_id = queue(store)
        for _ in range(2 * MOST_LAPSES):
            claim = self.claimed(store, lease_seconds=60)
            assert claim is not None
            store.queue.release(claim)
        assert take(store) == run_id

    def test_whoever_resumes_it_starts_the_count_anew(self, store: Store) -> None:
        run_id = queue(store)
        for _ in range(MOST_LAPSES + 1):
            self.claimed(store)
        store.queue.release(store.queue.claim(run_id, owner="you", lease_seconds=60))
        assert take(store) == run_id


class TestPipelines:
    def test_a_paused_one_lets_nothing_start(self, store: Store) -> None:
        paused = pipeline(store, state=PipelineState.PAUSED)
        waiting = queue(store, pipeline_id=paused, priority=10)
        other = queue(store)
        assert [take(store) for _ in range(2)] == [other, ""]
        record = store.pipelines.get(paused)
        assert record is not None
        store.pipelines.save(replace(record, state=PipelineState.ACTIVE))
        assert take(store) == waiting

    def test_quota(self, store: Store) -> None:
        small = pipeline(store, quota=2)
        first, second, third = (queue(store, pipeline_id=small, created=after(n)) for n in range(3))
        other = queue(store, created=after(10))
        assert [take(store) for _ in range(4)] == [first, second, other, ""]
        store.queue.release(Claim(run_id=other, owner="me", fence=1))
        store.queue.claim(other, owner="me", lease_seconds=60)
        assert take(store) == ""  # of another pipeline
        done = Claim(run_id=first, owner="me", fence=1)
        store.executions.save(done, state=ExecutionState.COMPLETED)
        assert take(store) == ""  # still claimed
        store.queue.release(done)
        assert [take(store), take(store)] == [third, ""]

    def test_a_lapsed_claim_does_not_count(self, store: Store) -> None:
        single = pipeline(store, quota=1)
        leave(store, pipeline_id=single, output_root="/out")
        queued = queue(store, pipeline_id=single)
        assert take(store) == queued


class TestCancel:
    def test_a_queued_one_ends_at_once(self, store: Store) -> None:
        run_id = queue(store)
        assert store.queue.request_cancel(run_id) is ExecutionState.FAIL
        found = store.executions.get(run_id)
        assert found is not None
        assert (found.state, found.code) == (ExecutionState.FAIL, Code.CANCELLED)
        assert found.message
        assert found.ended is not None
        assert found.activities == (activity("a"),)
        assert take(store) == ""

    def test_a_running_one_is_told_by_its_renewal(self, store: Store) -> None:
        run_id = queue(store)
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        assert store.queue.renew(claim, 60) is False
        assert store.queue.request_cancel(run_id) is ExecutionState.RUNNING
        assert state_of(store, run_id) == (ExecutionState.QUEUED, "")
        assert store.queue.renew(claim, 60) is True
        assert store.queue.renew(claim, 60) is True
        store.executions.save(claim, state=ExecutionState.FAIL, code=Code.CANCELLED)
        assert store.queue.request_cancel(run_id) is ExecutionState.FAIL

    def test_one_that_nobody_runs_ends_at_once(self, store: Store) -> None:
        record = execution("a", state=ExecutionState.RUNNING)
        lapsed = store.queue.add_claimed(record, owner="me", lease_seconds=0)
        store.steps.save(lapsed, activity("a", state=ActivityState.RUNNING))
        assert store.queue.request_cancel(lapsed.run_id) is ExecutionState.FAIL
        found = load(store, lapsed)
        assert (found.state, found.code) == (ExecutionState.FAIL, Code.CANCELLED)
        assert found.activity("a").state is ActivityState.RUNNING
        with pytest.raises(LeaseLostError):
            store.steps.finish(lapsed, success("a", output("late")), step_key=None)
        with pytest.raises(LeaseLostError):
            store.queue.renew(lapsed, 60)

    @pytest.mark.parametrize("state", [ExecutionState.COMPLETED, ExecutionState.FAIL])
    def test_an_ended_one_stays_as_it_is(self, store: Store, state: ExecutionState) -> None:
        record = execution("a", state=state, code="C", message="m", ended=MOMENT)
        store.queue.release(store.queue.add_claimed(record, owner="me", lease_seconds=60))
        assert store.queue.request_cancel(record.run_id) is state
        assert store.executions.get(record.run_id) == record

    def test_unknown_execution(self, store: Store) -> None:
        with pytest.raises(InvalidInputError, match="0000") as caught:
            store.queue.request_cancel("0" * 32)
        assert caught.value.code == Code.RESOURCE_NOT_FOUND

    def test_only_what_has_not_begun(self, store: Store) -> None:
        claimed = queue(store, created=after(0))
        assert take(store) == claimed
        left = leave(store, created=after(1))
        queued = queue(store, created=after(2))
        for run_id in (claimed, left):
            state = store.queue.request_cancel(run_id, only_queued=True)
            assert state is ExecutionState.RUNNING
        assert store.queue.renew(Claim(run_id=claimed, owner="me", fence=1), 60) is False
        assert store.queue.request_cancel(queued, only_queued=True) is ExecutionState.FAIL
        assert take(store) == left

    def test_a_cancel_outlives_its_owner(self, store: Store) -> None:
        doomed, next_one = queue(store, created=after(0)), queue(store, created=after(1))
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        store.executions.save(claim, state=ExecutionState.RUNNING)
        store.queue.request_cancel(doomed)
        store.queue.release(claim)
        assert take(store) == next_one
        assert state_of(store, doomed) == (ExecutionState.FAIL, Code.CANCELLED)

    def test_whoever_claims_a_cancelled_one_may_go_on(self, store: Store) -> None:
        run_id = queue(store)
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        store.queue.request_cancel(run_id)
        store.executions.save(claim, state=ExecutionState.FAIL, code=Code.CANCELLED)
        store.queue.release(claim)
        again = store.queue.claim(run_id, owner="you", lease_seconds=60)
        store.executions.save(again, state=ExecutionState.RUNNING, code="")
        assert store.queue.renew(again, 60) is False


class TestManyProcesses:
    TAKE_ALL = """
        while claim := store.queue.claim_next(owner=str(os.getpid()), lease_seconds=60):
            print(claim.run_id, flush=True)
        """

    def test_each_execution_goes_to_one(self, url: str, store: Store) -> None:
        pipelines = [pipeline(store) for _ in range(3)]
        queued = [queue(store, pipeline_id=pipelines[n % 3], priority=n % 2) for n in range(40)]
        queued += [leave(store) for _ in range(20)]
        taken = lines_of(*(process(url, self.TAKE_ALL) for _ in range(4)))
        assert sorted(taken) == sorted(queued)

    def test_the_quota_counts_over_all(self, url: str, store: Store) -> None:
        small, large = pipeline(store, quota=3), pipeline(store, quota=7)
        of_small = {queue(store, pipeline_id=small) for _ in range(20)}
        of_large = {queue(store, pipeline_id=large) for _ in range(20)}
        taken = lines_of(*(process(url, self.TAKE_ALL) for _ in range(4)))
        assert len(taken) == 10
        assert len(of_small & set(taken)) == 3
        assert len(of_large & set(taken)) == 7

    def test_either_taken_or_cancelled(self, url: str, store: Store) -> None:
        cancel = """
            for run_id in sys.argv[1:]:
                if store.queue.request_cancel(run_id, only_queued=True).ended:
                    print(run_id, flush=True)
            """
        queued = [queue(store) for _ in range(60)]
        takers = [process(url, self.TAKE_ALL) for _ in range(2)]
        cancellers = [process(url, cancel, *reversed(queued)) for _ in range(1)]
        taken, cancelled = lines_of(*takers), lines_of(*cancellers)
        assert sorted(taken + cancelled) == sorted(queued)
        for run_id in queued:
            ended = state_of(store, run_id)[0] is ExecutionState.FAIL
            assert ended is (run_id in cancelled)


def test_many_are_queued_and_one_is_found(tmp_path: Path) -> None:
    """What is claimed is found by indexes, however much a paused pipeline holds."""
    store = Store.open(f"sqlite:///{tmp_path}/m.db")
    paused, active = pipeline(store, state=PipelineState.PAUSED), pipeline(store, quota=5)
    for _ in range(5):
        queue(store, pipeline_id=paused, priority=10, created=utc_now())
    wanted = queue(store, pipeline_id=active)
    queue(store, pipeline_id=paused, buckets={"x": "/x"})
    statements: dict[str, object] = {}

    def note(
        connection: object, cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        if not statement.startswith("BEGIN"):
            statements[statement] = parameters

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert take(store) == wanted
        assert [one.count for one in store.queue.waiting_elsewhere({})] == [1]
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    store.close()
    database = sqlite3.connect(tmp_path / "m.db")
    steps = [
        step
        for statement, parameters in statements.items()
        for *_, step in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]
    database.close()
    assert (
        "SEARCH executions USING INDEX executions_queued (pipeline_id=? AND bucket_set=?)" in steps
    )
    small = ("pipelines", "bucket_sets", "anon_", "executions USING INDEX executions_begun")
    scans = [step.removeprefix("SCAN ") for step in steps if step.startswith("SCAN")]
    assert [scan for scan in scans if not scan.startswith(small)] == []


def test_who_looks_in_vain_holds_up_no_writer(url: str, store: Store) -> None:
    paused = pipeline(store, state=PipelineState.PAUSED)
    queue(store, pipeline_id=paused)
    with (
        closing(Store.open(url)) as other,
        ThreadPoolExecutor(1) as pool,
        store.queue._database.write(),
    ):
        assert pool.submit(take, other).result(20) == ""
        assert pool.submit(other.messages.due, limit=9, lock_seconds=9).result(20) == []


def test_processes_on_one_server_are_told_of_what_may_start(url: str, store: Store) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("has no server")
    woken = threading.Event()
    with closing(Store.open(url)) as other:
        stop = other.queue.on_news(woken.set)
        assert woken.wait(20)  # it listens now
        woken.clear()
        queue(store)
        assert woken.wait(20)
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        woken.clear()
        store.queue.release(claim)
        assert woken.wait(20)
        stop()


class TestBuckets:
    """What runs next in a process that knows some buckets, and where they lie."""

    HERE: ClassVar = {"in": "/in", "out": "/out"}

    def take(self, store: Store, buckets: Mapping[str, str] | None) -> str:
        claim = store.queue.claim_next(owner="me", lease_seconds=60, buckets=buckets)
        return claim.run_id if claim else ""

    def test_all_of_them_must_lie_where_they_lay(self, store: Store) -> None:
        run_id = queue(store, buckets=self.HERE)
        for other in ({}, {"in": "/in"}, self.HERE | {"out": "/elsewhere"}):
            assert self.take(store, other) == ""
        (waiting,) = store.queue.waiting_elsewhere({"in": "/in", "out": "/elsewhere"})
        assert waiting == Waiting(buckets={"out": "/out"}, count=1)
        assert store.queue.waiting_elsewhere(self.HERE | {"more": "/more"}) == []
        assert self.take(store, self.HERE | {"more": "/more"}) == run_id
        found = store.executions.get(run_id)
        assert found is not None and found.buckets == self.HERE

    def test_what_needs_none_is_everybodys(self, store: Store) -> None:
        run_id = queue(store)
        assert self.take(store, {}) == run_id

    def test_a_process_that_knows_all_takes_all(self, store: Store) -> None:
        run_id = queue(store, buckets=self.HERE)
        assert self.take(store, None) == run_id

    def test_priority_and_age_count_over_all_sets(self, store: Store) -> None:
        second = queue(store, buckets=self.HERE, created=after(2))
        third = queue(store, buckets={"in": "/in"}, created=after(3))
        foreign = queue(store, buckets={"x": "/x"}, priority=10)
        first = queue(store, buckets={"in": "/in"}, priority=9, created=after(9))
        assert [self.take(store, self.HERE) for _ in range(4)] == [first, second, third, ""]
        assert self.take(store, {"x": "/x"}) == foreign

    def test_a_quota_counts_what_others_run(self, store: Store) -> None:
        limited = pipeline(store, quota=1)
        queue(store, buckets={"x": "/x"}, pipeline_id=limited)
        mine = queue(store, buckets=self.HERE, pipeline_id=limited)
        assert self.take(store, {"x": "/x"})
        assert self.take(store, self.HERE) == ""
        assert state_of(store, mine)[0] is ExecutionState.QUEUED

    def test_what_a_killed_process_left(self, store: Store) -> None:
        run_id = leave(store, buckets=self.HERE)
        assert self.take(store, {"in": "/in"}) == ""
        waiting = Waiting(buckets={"out": "/out"}, count=1)
        assert store.queue.waiting_elsewhere({"in": "/in"}) == [waiting]
        assert self.take(store, self.HERE) == run_id
        assert store.queue.waiting_elsewhere({"in": "/in"}) == []  # it is being run

    def test_sets_of_any_size(self, store: Store) -> None:
        many = {f"bucket-{number}": f"/{'folder/' * 40}{number}" for number in range(200)}
        run_id = queue(store, buckets=many)
        assert self.take(store, self.HERE) == ""
        assert self.take(store, many | self.HERE) == run_id


class TestRequeue:
    def test_what_failed_waits_again_with_what_succeeded(self, store: Store) -> None:
        run_id = queue(store)
        claim = store.queue.claim_next(owner="me", lease_seconds=60)
        assert claim is not None
        assert not store.queue.requeue(run_id)  # somebody runs it
        store.steps.finish(claim, success("a", output("k")), step_key="s")
        store.executions.save(claim, state=ExecutionState.FAIL, code="X", message="m")
        assert not store.queue.requeue(run_id)
        store.queue.release(claim)
        assert store.queue.requeue(run_id)
        found = load(store, claim)
        assert (found.state, found.code, found.message, found.ended) == ("Queued", "", "", None)
        assert found.activity("a").state is ActivityState.SUCCESS
        assert not store.queue.requeue(run_id)
        with pytest.raises(LeaseLostError):  # the fence has risen
            store.queue.check(claim)
        assert take(store) == run_id

    def test_what_belongs_to_a_terminal_stays_with_it(self, store: Store) -> None:
        record = execution("a", output_root="/out")
        claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
        store.executions.save(claim, state=ExecutionState.FAIL)
        store.queue.release(claim)
        assert not store.queue.requeue(record.run_id)
        assert state_of(store, record.run_id)[0] is ExecutionState.FAIL
