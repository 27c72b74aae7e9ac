"""Old executions go, the file of the store shrinks, and nothing that is still needed goes."""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from tests.integration.test_store_ingest import new, note, taking
from tests.support.stores import execution, load, output, queue, success
from workflow_engine.records import (
    ExecutionState,
    ObjectRef,
    new_id,
    run_id_of,
    utc_now,
)
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.store import Claim, ExecutionFilter, Store
from workflow_engine.store.landing_schema import past_outputs
from workflow_engine.store.retention import BATCH

NOW = utc_now()


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def ran(store: Store, days: float, key: str = "") -> Claim:
    """Add an execution that ended so many days ago, with about as much text as real ones have."""
    key = key or new_id()
    record = execution(
        "start",
        "a",
        created=ago(days),
        topology="x" * 3000,
        input=ObjectRef(bucket="in", object=key),
        origin=f"/in/{key}",
        version="v1",
    )
    claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
    made = output(f"{key}.mp4")
    store.digests.save(f"/in/{key}", "v1", made.digests)
    store.steps.finish(
        claim, success("a", made, commands=(("c" * 500,),), data={"d": "y" * 1500}), step_key=key
    )
    store.executions.save(claim, state=ExecutionState.COMPLETED, ended=ago(days))
    store.queue.release(claim)
    return claim


def prune(store: Store, *, days: int = 90, executions: int = 0) -> int:
    removed = 0
    for window in store.retention.windows(days=days, executions=executions):
        after = None
        while True:
            batch = store.retention.prune(window, after)
            removed += batch.executions
            after = batch.following
            if after is None:
                break
    return removed


def run_ids(store: Store) -> set[str]:
    return {record.run_id for record in store.executions.newest(limit=10_000)}


def test_300_old_executions_make_the_file_smaller(tmp_path: Path) -> None:
    file = tmp_path / "m.db"
    store = Store.open(f"sqlite:///{file}")
    for number in range(300):
        ran(store, 100 + number / 1000)
    kept = [ran(store, 10 - number / 1000).run_id for number in range(7)]
    store.upkeep.give_back(1)  # writes the log into the file
    large = file.stat().st_size
    assert large > 2_000_000
    assert prune(store) == 300
    assert store.upkeep.give_back(1_000_000) == 0
    assert file.stat().st_size < large / 5
    assert prune(store) == 0
    # lists and pages are those of what is left
    assert [record.run_id for record in store.executions.newest()] == kept[::-1]
    first = store.executions.summary_page(ExecutionFilter(), limit=4)
    rest = store.executions.summary_page(ExecutionFilter(), limit=4, after=first.next_token)
    assert [one.run_id for one in (*first.items, *rest.items)] == kept[::-1]
    assert rest.next_token == ""
    assert store.upkeep.check().problems == ()
    store.close()


def test_what_runs_waits_or_has_something_to_tell_stays(store: Store) -> None:
    waiting = queue(store, created=ago(200))
    running = ran(store, 200)
    store.executions.save(
        store.queue.claim(running.run_id, owner="me", lease_seconds=0), state=ExecutionState.RUNNING
    )
    resumed = ran(store, 200)
    store.queue.claim(resumed.run_id, owner="other", lease_seconds=60)
    telling = ran(store, 200)
    message = MessageRecord(
        id=new_id(), run_id=telling.run_id, activity="", receiver="queue:q", body="", created=NOW
    )
    store.messages.add(message)
    lately = ran(store, 200)
    again = store.queue.claim(lately.run_id, owner="me", lease_seconds=60)
    store.executions.save(again, state=ExecutionState.COMPLETED, ended=ago(1))
    store.queue.release(again)
    stays = {waiting, *(claim.run_id for claim in (running, resumed, telling, lately))}
    goes = ran(store, 200)
    assert prune(store) == 1
    assert run_ids(store) == stays
    store.messages.sent(message.id, {})
    assert prune(store) == 1
    assert run_ids(store) == stays - {telling.run_id}
    assert store.messages.of_run(telling.run_id) == []
    assert store.executions.get(goes.run_id) is None


def test_only_the_newest_are_kept(store: Store) -> None:
    claims = [ran(store, 9 - number / 10) for number in range(BATCH * 2 + 5)]
    assert prune(store, executions=10) == len(claims) - 10
    assert run_ids(store) == {claim.run_id for claim in claims[-10:]}
    today = [ran(store, 0.5) for _ in range(15)]
    assert prune(store, executions=10) == 10
    assert run_ids(store) == {claim.run_id for claim in today}  # what ended today stays
    assert prune(store, days=0, executions=0) == 0


def test_a_finished_step_goes_with_its_execution_unless_it_was_reused(store: Store) -> None:
    ran(store, 100, "gone")
    ran(store, 100, "reused")
    ran(store, 10, "reused")
    assert prune(store) == 2
    assert store.steps.find("gone") is None
    assert store.steps.find("reused") is not None
    assert store.digests.get("/in/gone", "v1") is None


def test_nothing_that_landed_runs_again(store: Store) -> None:
    note(store, "k")
    taken = taking("k", runs=1)
    run = replace(taken.executions[0], created=ago(100))
    assert new(store, replace(taken, executions=(run,))) == [True]
    claim = store.queue.claim(run.run_id, owner="me", lease_seconds=60)
    store.executions.save(claim, state=ExecutionState.COMPLETED, ended=ago(100))
    store.queue.release(claim)
    assert prune(store) == 1
    # an event, or a listing, tells of it again
    assert new(store, taking("k")) == [False]
    assert store.intake.unknown("in", {"k": taken.listed}) == set()


def test_a_replay_leaves_out_what_ran_before_it_was_pruned(store: Store) -> None:
    by_hand = ran(store, 100, "k")  # under a RunId of its own, as AddMedia makes them
    record = load(store, by_hand)
    assert prune(store) == 1
    run_id = run_id_of(record.workflow_id, "in", "k", "v1")
    again = execution("a", run_id=run_id, input=record.input, version="v1")
    other = replace(again, run_id=run_id_of("8" * 32, "in", "k", "v1"))
    taken = replace(taking("k"), executions=(again, other), again=True)
    assert store.intake.take([taken]).runs == 1
    assert run_ids(store) == {other.run_id}


def test_our_own_outputs_are_known_for_ever(store: Store) -> None:
    ran(store, 100, "film")
    claim = ran(store, 100, "cover")
    before = dict(store.intake.outputs_at("out", ["film.mp4"]))
    again = store.queue.claim(claim.run_id, owner="me", lease_seconds=60)
    store.steps.finish(again, success("start", output("cover.jpg")), step_key=None)
    store.queue.release(again)
    assert prune(store) == 2
    assert store.intake.outputs_at("out", ["film.mp4", "nothing.mp4"]) == before
    # a picture starts nothing, so nothing of it is kept
    assert store.intake.outputs_at("out", ["cover.jpg"]) == {}
    assert past_outputs.name in store.upkeep.check().rows


def test_every_statement_uses_an_index(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/m.db")
    for number in range(BATCH + 1):
        ran(store, 100 - number / 100)
    statements: dict[str, object] = {}

    def listen(
        connection: object, cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        if statement.startswith(("SELECT", "DELETE")):
            statements[statement] = parameters

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        assert prune(store) == BATCH + 1
        assert prune(store, days=0, executions=5) == 0
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)
    store.close()
    database = sqlite3.connect(tmp_path / "m.db")
    assert sum(statement.startswith("DELETE") for statement in statements) >= 6
    for statement, parameters in statements.items():
        for *_, step in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
            assert not step.startswith("SCAN") or "executions_by_age" in step, (statement, step)
            assert "TEMP B-TREE" not in step, statement
    database.close()
