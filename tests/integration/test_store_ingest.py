"""The intake's tables on real databases: nothing is lost, nothing is taken twice."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.stores import add, execution, lines_of, output, pipeline, process, success
from workflow_engine.records import ExecutionRecord, ExecutionState, stable_id, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.records.ingest import (
    EMPTY,
    Admission,
    Arrival,
    ListenerRecord,
    Notice,
    OwnOutput,
    Watched,
)
from workflow_engine.store import Store

PLACES = {"in": "/in", "other": "/other"}
NOW = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
#: keys that sort differently by language, by UTF-16 and by bytes, and that SQL could trip over
KEYS = [
    "a", "B", "b/c", "b.mp4", "b0", "ä", "a\u0308", "Z", "_", "~", "100%", "a'b", 'a"b', "a\\b",
    "🎬/x.mp4", "\uffee.mp4", "\uff5a", "İ", "i", "I", "ß", "SS", " ", "a b",
    "$1", ":key", "%s", "?",
    "/".join("k" * 255 for _ in range(4)), "/".join(["é" * 127] * 3) + "/" + "🎬" * 63,
]  # fmt: skip


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def note(
    store: Store, *keys: str, due: float = 0, now: float = 0, bucket: str = "in", source: str = "w"
) -> None:
    notices = [Notice(bucket=bucket, key=key, source=source) for key in keys]
    store.arrivals.note(notices, now=after(now), due={bucket: after(due)}, places=PLACES)


def found(key: str, **changes: object) -> Arrival:
    arrival = Arrival(
        bucket="in", key=key, source="reconcile", first_noticed=NOW, due=NOW, place="/in"
    )
    return replace(arrival, **changes)


def waiting(store: Store) -> list[Arrival]:
    return store.arrivals.due(now=after(10**6), limit=10**6, places=PLACES)


def taking(key: str, version: str = "v1", *, runs: int = 0, **changes: object) -> Admission:
    executions = tuple(run_of(key, version, number) for number in range(runs))
    taken = Admission(bucket="in", key=key, version=version, listed=version, executions=executions)
    return replace(taken, **changes)


def run_of(key: str, version: str, number: int = 0) -> ExecutionRecord:
    run_id = stable_id("run", str(number), "in", key, version)
    record = execution("a", "b", run_id=run_id, version=version, workflow_id=str(number))
    ref = replace(record.input, object=key)
    return replace(record, input=ref, pipeline_id=DEFAULT_PIPELINE_ID)


def new(store: Store, *takings: Admission) -> list[bool]:
    return list(store.intake.take(takings).new)


def runs(store: Store) -> list[tuple[str, str, str]]:
    listed = store.executions.newest(limit=10**4)
    return sorted((r.workflow_id, r.input.object, r.version) for r in listed)


class TestArrivals:
    def test_everything_comes_back(self, store: Store):
        note(store, "a/🎬.mp4", due=2, source="sqs")
        expected = Arrival(
            bucket="in",
            key="a/🎬.mp4",
            source="sqs",
            first_noticed=NOW,
            due=after(2),
            place="/in",
        )
        assert waiting(store) == [expected]
        store.arrivals.find([found("b", look="l", listed="m", attempts=3, again=True)])
        assert waiting(store)[0] == found("b", look="l", listed="m", attempts=3, again=True)

    def test_every_key_is_an_arrival_of_its_own(self, store: Store):
        note(store, *KEYS)
        left = set(KEYS)
        for key in KEYS:
            note(store, key, due=5)
            (again,) = [arrival for arrival in waiting(store) if arrival.notices > 1]
            assert again.key == key
            store.arrivals.drop([again])
            left.remove(key)
            assert {arrival.key for arrival in waiting(store)} == left

    def test_what_is_due_the_longest_first(self, store: Store):
        for number in range(10):
            note(store, str(number), due=-number)
        note(store, "later", due=1)
        first = store.arrivals.due(now=NOW, limit=3, places=PLACES)
        assert [arrival.key for arrival in first] == ["9", "8", "7"]
        due = store.arrivals.due(now=NOW, limit=100, places=PLACES)
        assert "later" not in [arrival.key for arrival in due]
        assert store.arrivals.next_due(PLACES) == after(-9)

    def test_those_of_buckets_that_lie_elsewhere_are_for_others(self, store: Store):
        note(store, "here")
        store.arrivals.find([found("there", place="/mnt/in"), found("old", place="")])
        assert [arrival.key for arrival in waiting(store)] == ["here", "old"]
        assert store.arrivals.next_due({"in": "/nowhere"}) == NOW  # what has no place is anybody's
        for places in ({}, {"there": "/mnt/in"}):
            assert store.arrivals.due(now=NOW, limit=9, places=places) == []
            assert store.arrivals.next_due(places) is None
        # who notices it last knows where it lies
        store.arrivals.find([found("there", listed="v1")])
        assert {arrival.key for arrival in waiting(store)} == {"here", "old", "there"}

    def test_counts_and_the_oldest(self, store: Store):
        assert store.arrivals.next_due(PLACES) is None
        assert store.arrivals.waiting("in") == (0, None)
        note(store, "a", now=5)
        note(store, "b", now=3)
        note(store, "c", now=1, bucket="other")
        assert store.arrivals.count() == 3
        assert store.arrivals.waiting("in") == (2, after(3))
        assert store.arrivals.waiting("nowhere") == (0, None)
        assert store.arrivals.buckets() == ["in", "other"]

    def test_empty_objects_do_not_count_as_waiting(self, store: Store):
        note(store, "empty", now=1)
        note(store, "a", now=3)
        empty = store.arrivals.get("in", "empty")
        assert empty is not None
        store.arrivals.postpone([empty.later(after(9), EMPTY)])
        assert store.arrivals.waiting("in") == (1, after(3))
        assert (store.arrivals.empty("in"), store.arrivals.empty("nowhere")) == (1, 0)
        assert store.arrivals.count() == 2
        assert store.arrivals.get("in", "nothing") is None

    def test_noticed_again_it_begins_anew(self, store: Store):
        store.arrivals.find([found("a", attempts=5, look="v1", listed="v1", again=True)])
        note(store, "a", due=2, now=1, source="watch")
        (arrival,) = waiting(store)
        assert (arrival.due, arrival.source, arrival.attempts) == (after(2), "watch", 0)
        assert (arrival.first_noticed, arrival.notices, arrival.look) == (NOW, 2, "")
        assert (arrival.listed, arrival.again) == ("v1", True)

    def test_a_key_twice_in_one_call(self, store: Store):
        note(store, "a", "a", "b", "a")
        assert [a.notices for a in waiting(store)] == [1, 1]
        notices = [Notice(bucket="in", key="c", source=source) for source in ("s1", "s2", "s1")]
        store.arrivals.note(notices, now=NOW, due={"in": NOW}, places=PLACES)
        assert store.arrivals.count() == 3
        store.arrivals.note([], now=NOW, due={}, places={})

    def test_a_listing_postpones_nothing(self, store: Store):
        note(store, "a", due=2, source="watch")
        store.arrivals.find([found("a", due=after(60), listed="v1", look="v1")])
        (arrival,) = waiting(store)
        assert (arrival.due, arrival.source, arrival.look) == (after(2), "watch", "")
        assert (arrival.notices, arrival.listed) == (2, "v1")
        store.arrivals.find([found("a", listed="v1")])
        assert waiting(store) == [arrival]
        store.arrivals.find([found("a", listed="v2")])
        assert waiting(store)[0].notices == 3
        store.arrivals.find([found("a", listed="v2", again=True)])
        assert waiting(store)[0].again

    def test_a_notice_during_a_look_is_not_lost(self, store: Store):
        note(store, "a", "b", "c")
        read = {arrival.key: arrival for arrival in waiting(store)}
        note(store, "a", "b", "c", due=3)
        store.arrivals.drop([read["a"]])
        store.arrivals.postpone([read["b"].later(after(60), "v1")])
        assert new(store, taking("c", arrival=read["c"])) == [True]
        left = {arrival.key: arrival for arrival in waiting(store)}
        assert left.keys() == {"a", "b", "c"}
        assert {(a.due, a.look) for a in left.values()} == {(after(3), "")}

    def test_an_arrival_in_the_place_of_the_one_that_was_read(self, store: Store):
        note(store, "a")
        (read,) = waiting(store)
        store.arrivals.drop([read])
        note(store, "a", now=1)
        store.arrivals.drop([read])
        assert store.arrivals.count() == 1

    def test_postponed(self, store: Store):
        note(store, "a", "b")
        one, other = waiting(store)
        store.arrivals.postpone([one.later(after(9), "v1")])
        assert waiting(store) == [other, replace(one, due=after(9), look="v1", attempts=1)]
        store.arrivals.postpone([])
        store.arrivals.drop([])

    def test_many_processes_note_the_same_keys(self, url: str, store: Store):
        script = """
            import random
            from tests.integration.test_store_ingest import note
            for _ in range(20):
                note(store, *random.sample([f"k{n}" for n in range(50)], 30))
            print("done")
            """
        lines_of(*(process(url, script) for _ in range(4)))
        assert store.arrivals.count() == 50
        assert sum(arrival.notices for arrival in waiting(store)) == 4 * 20 * 30


class TestTaking:
    def test_a_version_is_taken_once(self, store: Store):
        assert new(store, taking("a", runs=2)) == [True]
        assert new(store, taking("a", runs=2), taking("a", "v2", runs=1)) == [False, True]
        assert runs(store) == [("0", "a", "v1"), ("0", "a", "v2"), ("1", "a", "v1")]

    def test_its_runs_wait_in_the_queue(self, store: Store):
        own = pipeline(store)
        record = replace(run_of("a", "v1"), pipeline_id=own)
        other = replace(run_of("a", "v1", 1), pipeline_id="gone")
        assert store.intake.take([taking("a", executions=(record, other))]).runs == 2
        assert store.executions.get(record.run_id) == record
        found = store.executions.get(other.run_id)
        assert found is not None
        assert found.pipeline_id == DEFAULT_PIPELINE_ID
        assert found.state is ExecutionState.QUEUED
        media = store.media.get(record.media_id)
        assert media is not None
        assert media.file == record.input
        for _ in range(2):
            assert store.queue.claim_next(owner="me", lease_seconds=60) is not None
        assert store.queue.claim_next(owner="me", lease_seconds=60) is None

    def test_the_arrival_goes_with_it(self, store: Store):
        note(store, "a", "b")
        read = {arrival.key: arrival for arrival in waiting(store)}
        new(store, taking("a"))
        assert new(store, taking("a", arrival=read["a"]), taking("b", arrival=read["b"])) == [
            False,
            True,
        ]
        assert store.arrivals.count() == 0

    def test_a_run_that_exists_stays_alone(self, store: Store):
        record = run_of("a", "v1")
        store.queue.add(record)
        assert store.intake.take([taking("a", runs=2)]).runs == 1
        assert store.executions.get(record.run_id) == record

    def test_runs_of_a_version_that_was_taken(self, store: Store):
        new(store, taking("a", runs=1))
        again = taking("a", runs=3, again=True)
        taken = store.intake.take([again, again])
        assert (taken.new, taken.runs) == ((False, False), 2)
        assert store.intake.take([again]).runs == 0

    def test_nothing(self, store: Store):
        assert store.intake.take([]).new == ()
        assert store.intake.take([taking("a")]).runs == 0

    def test_all_or_nothing(self, store: Store):
        note(store, "a")
        (arrival,) = waiting(store)
        broken = replace(run_of("a", "v1"), activities=run_of("a", "v1").activities * 2)
        with pytest.raises(sa.exc.IntegrityError):
            store.intake.take([taking("b"), taking("a", executions=(broken,), arrival=arrival)])
        assert waiting(store) == [arrival]
        assert store.intake.known("in", ["a", "b"]) == {}

    def test_many_processes_take_the_same(self, url: str, store: Store):
        note(store, *(f"k{number}" for number in range(60)))
        script = """
            import random
            from tests.integration.test_store_ingest import taking, waiting
            arrivals = waiting(store)
            print("ready", flush=True)
            random.shuffle(arrivals)
            for some in (arrivals[:25], arrivals[25:40], arrivals[20:], arrivals):
                takings = [taking(a.key, runs=2, arrival=a) for a in some]
                for one, new in zip(takings, store.intake.take(takings).new):
                    if new:
                        print(one.key)
            """
        lines = lines_of(*(process(url, script) for _ in range(4)))
        taken = [line for line in lines if line != "ready"]
        assert sorted(taken) == sorted(f"k{number}" for number in range(60))
        assert len(runs(store)) == 120
        assert store.arrivals.count() == 0


class TestKnown:
    def test_versions_by_key(self, store: Store):
        new(store, taking("a"), taking("a", "v2", listed="l2"), taking("b"))
        store.intake.skip([taking("c", "v3")])
        known = store.intake.known("in", ["a", "c", "d"])
        assert set(known) == {"a", "c"}
        assert sorted(one.version for one in known["a"]) == ["v1", "v2"]
        (skipped,) = known["c"]
        assert (skipped.version, skipped.listed, skipped.existing) == ("v3", "v3", True)
        assert abs(utc_now() - skipped.taken) < timedelta(minutes=1)
        assert store.intake.known("in", []) == {}
        assert store.intake.known("other", ["a"]) == {}

    def test_what_a_listing_has_that_is_new(self, store: Store):
        new(store, *(taking(key, listed=f"l {key}") for key in KEYS[::2]))
        names = {key: f"l {key}" for key in KEYS}
        assert store.intake.unknown("in", names) == set(KEYS[1::2])
        assert store.intake.unknown("in", {KEYS[0]: "another"}) == {KEYS[0]}
        assert store.intake.unknown("in", {}) == set()
        assert store.intake.unknown("other", names) == set(KEYS)

    def test_another_name_in_the_listing(self, store: Store):
        new(store, taking("a"), taking("a", "v2"))
        store.intake.relist("in", [("a", "v2", "l2")])
        assert store.intake.unknown("in", {"a": "l2"}) == set()
        assert store.intake.unknown("in", {"a": "v1"}) == set()
        assert store.intake.unknown("in", {"a": "v2"}) == {"a"}
        store.intake.relist("in", [])

    def test_what_was_noticed_is_not_skipped(self, store: Store):
        note(store, "a")
        store.intake.skip([taking("a"), taking("b")])
        assert set(store.intake.known("in", ["a", "b"])) == {"b"}
        store.intake.skip([taking("b")])
        store.intake.skip([])

    def test_keys_are_ordered_by_their_bytes(self, url: str, store: Store):
        shuffled = random.Random(1).sample(KEYS, len(KEYS))
        new(store, *map(taking, shuffled))
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            found = list(connection.scalars(sa.text("SELECT key FROM intake ORDER BY key")))
        engine.dispose()
        assert found == sorted(KEYS) == sorted(KEYS, key=str.encode)


class TestOutputs:
    def test_what_executions_published_or_intend(self, store: Store):
        claim = add(store, "a", "b")
        store.executions.save(claim, state=ExecutionState.RUNNING)
        store.steps.intend(claim, success("a", output("x", size=1)))
        store.steps.finish(claim, success("b", output("y", size=2)), step_key=None)
        sums = {"sha256": output("x").digests.sha256, "md5": output("x").digests.md5}
        intent = OwnOutput(run_id=claim.run_id, size=1, in_work=True, **sums)
        published = OwnOutput(run_id=claim.run_id, size=2, in_work=False, **sums)
        found = store.intake.outputs_at("out", ["x", "y", "z"])
        assert found == {"x": [intent], "y": [published]}
        store.executions.save(claim, state=ExecutionState.FAIL, ended=NOW)
        assert store.intake.outputs_at("out", ["x"]) == {"x": [replace(intent, in_work=False)]}
        assert store.intake.outputs_at("in", ["x", "y"]) == {}
        assert store.intake.outputs_at("out", []) == {}

    def test_which_workflows_ran(self, store: Store):
        new(store, taking("a", runs=2), taking("b", "v2", runs=1))
        expected = {("0", "a", "v1"), ("1", "a", "v1"), ("0", "b", "v2")}
        assert store.intake.started("in", ["a", "b", "c"]) == expected
        assert store.intake.started("other", ["a"]) == set()


class TestWatched:
    def test_the_first_moment_counts(self, store: Store):
        assert store.intake.watched("in") is None
        first = Watched(bucket="in", since=NOW)
        store.intake.watch(["in"], NOW)
        store.intake.watch(["in", "later"], after(60))
        assert store.intake.watched("in") == first
        assert store.intake.watched("later") == Watched(bucket="later", since=after(60))
        store.intake.complete("in", after(5), "/")
        store.intake.complete("in", after(9), "/mnt")
        assert store.intake.watched("in") == replace(first, listed=after(5), mount="/mnt")

    def test_a_folder_that_is_missing_before_the_first_listing(self, store: Store):
        store.intake.watch(["in", "listed"], NOW)
        store.intake.complete("listed", NOW, "/")
        for bucket in ("in", "listed", "never watched"):
            store.intake.missing(bucket, "/mnt")
        store.intake.missing("in", "/mnt/later")
        assert store.intake.watched("in") == Watched(
            bucket="in", since=NOW, missing=True, mount="/mnt"
        )
        assert store.intake.watched("listed") == Watched(
            bucket="listed", since=NOW, listed=NOW, mount="/"
        )
        assert store.intake.watched("never watched") is None

    def test_what_was_skipped_and_what_no_workflow_took(self, store: Store):
        store.intake.watch(["in"], NOW)
        store.intake.skip([taking("a"), taking("b")])
        store.intake.skip([taking("b"), taking("c")])
        for _ in range(2):
            new(store, taking("d", unmatched=True), taking("e", unmatched=True), taking("f"))
        found = store.intake.watched("in")
        assert found is not None
        assert (found.skipped, found.unmatched) == (3, 2)

    def test_listeners(self, store: Store):
        assert store.listeners.all() == []
        one = ListenerRecord(bucket="in", kind="watch", updated=NOW)
        other = ListenerRecord(
            bucket="b",
            kind="sqs",
            problem="no queue ☃",
            last_event=NOW,
            last_reconcile=after(1),
            seen=1 << 40,
            updated=after(2),
        )
        for record in (one, other, replace(one, seen=3)):
            store.listeners.save(record)
        assert store.listeners.all() == [other, replace(one, seen=3)]
