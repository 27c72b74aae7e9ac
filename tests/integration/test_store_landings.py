"""What pages show of the store: what landed, how executions stand, who published an object."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.stores import POSTGRES, add, execution, output, queue, success
from workflow_engine.records import ActivityState, ExecutionState, ObjectRef
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.records.ingest import Admission, Notice
from workflow_engine.store import ExecutionFilter, Store
from workflow_engine.store.fast_queries import Prepared

MOMENT = datetime(2024, 2, 29, tzinfo=UTC)


def admission(key: str, **changes: object) -> Admission:
    return Admission(bucket="in", key=key, version="1", listed="1", **changes)  # type: ignore[arg-type]


def test_what_landed_with_its_executions(store: Store) -> None:
    run = execution(input=ObjectRef(bucket="in", object="b"), version="1", workflow="wf")
    store.intake.skip([admission("old")])
    store.intake.take([admission("a", unmatched=True)])
    store.intake.take([admission("b", executions=(run,))])
    other = ObjectRef(bucket="in", object="b")
    queue(store, input=other, version="2")
    newest, before = store.landings.newest(limit=10)
    assert [(newest.key, [one.run_id for one in newest.runs])] == [("b", [run.run_id])]
    assert (before.key, list(before.runs)) == ("a", [])
    assert [one.key for one in store.landings.newest(limit=1)] == ["b"]


def test_what_waits(store: Store) -> None:
    due = MOMENT + timedelta(seconds=1)
    notice = Notice(bucket="in", key="k", source="watch")
    store.arrivals.note([notice], now=MOMENT, due={"in": due}, places={"in": "/in"})
    assert [(one.key, one.due) for one in store.landings.waiting(limit=10)] == [("k", due)]


def test_how_executions_stand(store: Store) -> None:
    claim = add(store, "a", "b")
    store.steps.save(claim, success("b", state=ActivityState.RUNNING, ended=None, progress=0.5))
    (found,) = store.glances.of([claim.run_id, "0" * 32])
    assert (found.run_id, found.state) == (claim.run_id, "Queued")
    assert [(one.name, one.state, one.progress) for one in found.activities] == [
        ("a", "Waiting", 0.0),
        ("b", "Running", 0.5),
    ]
    assert store.glances.newest() == claim.run_id


def test_who_published_an_object(store: Store) -> None:
    first, second = add(store, "a"), add(store, "a")
    for claim, size in ((first, 3), (second, 4)):
        store.steps.finish(claim, success("a", output("k", size=size)), step_key=None)
    ref = ObjectRef(bucket="out", object="k")
    newest, named = store.glances.published(ref), store.glances.published(ref, first.run_id)
    assert newest is not None
    assert named is not None
    assert (newest.digests.size, named.digests.size) == (4, 3)
    assert store.glances.published(ObjectRef(bucket="out", object="other")) is None


def test_how_much_waits_and_runs_in_a_pipeline(store: Store) -> None:
    queue(store, pipeline_id=DEFAULT_PIPELINE_ID)
    running = execution(pipeline_id=DEFAULT_PIPELINE_ID, state=ExecutionState.RUNNING)
    store.queue.add_claimed(running, owner="me", lease_seconds=60)
    assert store.pipelines.work(DEFAULT_PIPELINE_ID) == (1, 1)
    assert store.pipelines.work("8" * 32) == (0, 0)


@pytest.mark.skipif(not POSTGRES, reason="MEDIAFLOW_TEST_POSTGRES is not set")
@pytest.mark.parametrize(
    ("chosen", "newer"),
    [
        (ExecutionFilter(), False),
        (ExecutionFilter(), True),
        (ExecutionFilter(failed=True), False),
        (ExecutionFilter(workflow="wf"), True),
        (ExecutionFilter(bucket="in", object_prefix="a/"), False),
    ],
)
def test_postgresql_reads_a_page_off_an_index(
    store: Store, url: str, chosen: ExecutionFilter, newer: bool
) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("This is about PostgreSQL.")
    from workflow_engine.store.pages import asked
    from workflow_engine.store.summaries import LINES

    query, values = asked(LINES, chosen, "", None, newer=newer)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")  # the table is empty
        connection.exec_driver_sql("SET enable_bitmapscan = off")
        prepared = Prepared(query, engine.dialect)
        given = prepared.parameters({**values, "limit": 10})
        lines = connection.exec_driver_sql(f"EXPLAIN {prepared.text}", given).scalars().all()
    engine.dispose()
    assert not [line for line in lines if "Seq Scan" in line]
