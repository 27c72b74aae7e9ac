"""Lists of executions on real databases: every filter, every page, by index only."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.stores import activity, execution, output, queue, success
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import (
    ActivityRecord,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    StepResult,
    new_id,
)
from workflow_engine.store import ExecutionFilter, Store

MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
ALL = ExecutionFilter()


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def add(store: Store, **changes: object) -> ExecutionRecord:
    record = execution(**changes)
    store.queue.add_claimed(record, owner="me", lease_seconds=60)
    return record


def walk(store: Store, chosen: ExecutionFilter, *, limit: int) -> Iterator[ExecutionRecord]:
    """Follow the tokens of a list to its end."""
    token = ""
    while True:
        page = store.executions.page(chosen, limit=limit, after=token)
        assert len(page.items) <= limit
        yield from page.items
        token = page.next_token
        if not token:
            return
        assert len(page.items) == limit


def lines_back(store: Store, chosen: ExecutionFilter, *, limit: int) -> list[str]:
    """Walk a list of lines from its end to its beginning; return the RunIds, newest first."""
    found: list[str] = []
    token = ""
    while True:
        page = store.executions.line_page(chosen, limit=limit, after=token, newer=True)
        assert bool(page.next_token) is bool(found)
        found = [line.run_id for line in page.items] + found
        token = page.previous_token
        if not token:
            return found


def run_ids(records: Iterator[ExecutionRecord] | list[ExecutionRecord]) -> list[str]:
    return [record.run_id for record in records]


def newest_first(records: list[ExecutionRecord]) -> list[ExecutionRecord]:
    return sorted(records, key=lambda record: (record.created, record.run_id), reverse=True)


def matches(record: ExecutionRecord, chosen: ExecutionFilter) -> bool:
    """What the fields of a filter mean."""
    return all(
        (
            chosen.kind in (None, record.kind),
            chosen.workflow_id in ("", record.workflow_id),
            chosen.workflow in ("", record.workflow),
            chosen.bucket in ("", record.input.bucket),
            chosen.object in ("", record.input.object),
            record.input.object.startswith(chosen.object_prefix),
            chosen.media_id in ("", record.media_id),
            chosen.pipeline_id in ("", record.pipeline_id),
            chosen.state in (None, record.state),
            chosen.code in ("", record.code),
            chosen.not_code == "" or chosen.not_code != record.code,
            chosen.since is None or record.created >= chosen.since,
            chosen.until is None or record.created <= chosen.until,
        )
    )


VALUES: dict[str, list[object]] = {
    "kind": list(ExecutionKind),
    "workflow_id": ["1" * 32, "2" * 32],
    "workflow": ["one", "two"],
    "bucket": ["in", "other"],
    "object": ["a", "ä 🎬"],
    "object_prefix": ["a", "ä"],
    "media_id": ["5" * 32, "6" * 32],
    "pipeline_id": ["7" * 32, "8" * 32],
    "state": list(ExecutionState),
    "code": ["Cancelled", "C"],
    "not_code": ["Cancelled", "C"],
    "since": [after(10), after(20)],
    "until": [after(30), after(25)],
}


class TestPages:
    def test_empty_store(self, store: Store) -> None:
        page = store.executions.page(ALL, limit=10)
        assert (page.items, page.next_token) == ([], "")

    def test_newest_first_also_within_a_moment(self, store: Store) -> None:
        records = [add(store, created=after(n // 3)) for n in range(10)]
        expected = run_ids(newest_first(records))
        for limit in (1, 3, 5, 10, 11):
            assert run_ids(walk(store, ALL, limit=limit)) == expected

    def test_no_token_where_the_list_ends(self, store: Store) -> None:
        for n in range(4):
            add(store, created=after(n))
        first = store.executions.page(ALL, limit=2)
        assert first.next_token == first.items[-1].run_id
        assert store.executions.page(ALL, limit=2, after=first.next_token).next_token == ""

    def test_the_page_before_is_where_one_came_from(self, store: Store) -> None:
        for n in range(7):
            add(store, created=after(n // 2))
        first = store.executions.line_page(ALL, limit=3)
        second = store.executions.line_page(ALL, limit=3, after=first.next_token)
        assert first.previous_token == ""
        back = store.executions.line_page(ALL, limit=3, after=second.previous_token, newer=True)
        assert (back.items, back.next_token) == (first.items, first.next_token)
        last = store.executions.line_page(ALL, limit=3, newer=True)
        assert (len(last.items), last.next_token) == (3, "")
        assert last.previous_token == last.items[0].run_id

    def test_what_comes_in_meanwhile_moves_nothing(self, store: Store) -> None:
        old = [add(store, created=after(n)) for n in range(4)]
        first = store.executions.page(ALL, limit=2)
        add(store, created=after(9))
        second = store.executions.page(ALL, limit=2, after=first.next_token)
        assert run_ids(first.items + second.items) == run_ids(newest_first(old))

    @pytest.mark.parametrize("token", ["0" * 32, "x", "' OR 1 --"])
    def test_a_token_of_no_list(self, store: Store, token: str) -> None:
        add(store)
        with pytest.raises(InvalidInputError, match=token) as caught:
            store.executions.page(ALL, limit=2, after=token)
        assert (caught.value.code, caught.value.pointer) == (Code.INVALID, "/NextPageToken")

    def test_bounds_are_inclusive(self, store: Store) -> None:
        records = [add(store, created=after(n)) for n in range(5)]
        chosen = ExecutionFilter(since=after(1), until=after(3))
        assert run_ids(walk(store, chosen, limit=1)) == run_ids(newest_first(records[1:4]))

    def test_a_token_from_beyond_the_bounds(self, store: Store) -> None:
        records = [add(store, created=after(n)) for n in range(5)]
        chosen = ExecutionFilter(since=after(1), until=after(2))
        wanted = run_ids(newest_first(records[1:3]))
        late, early = records[4].run_id, records[0].run_id
        assert run_ids(store.executions.page(chosen, limit=9, after=late).items) == wanted
        assert store.executions.page(chosen, limit=9, after=early).items == []

    @pytest.mark.parametrize(
        "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))]
    )
    def test_any_filter(self, store: Store, seed: int) -> None:
        chance = random.Random(seed)

        def some(name: str) -> object:
            return chance.choice(VALUES[name])

        records = [
            add(
                store,
                **{n: some(n) for n in ("kind", "workflow_id", "workflow", "media_id", "state")},
                pipeline_id=some("pipeline_id"),
                input=ObjectRef(bucket=str(some("bucket")), object=str(some("object"))),
                code=chance.choice(["", "Cancelled", "C"]),
                created=after(chance.randrange(40)),
            )
            for _ in range(80)
        ]
        filters = [ExecutionFilter(**{name: value}) for name in VALUES for value in VALUES[name]]
        filters += [
            ExecutionFilter(**{name: some(name) for name in chance.sample(list(VALUES), size)})
            for size in (2, 3, 4)
            for _ in range(40 if seed else 15)
        ]
        for chosen in filters:
            expected = [record for record in records if matches(record, chosen)]
            found = list(walk(store, chosen, limit=7))
            assert run_ids(found) == run_ids(newest_first(expected)), chosen
            assert lines_back(store, chosen, limit=7) == run_ids(newest_first(expected)), chosen


class TestBriefRecords:
    def test_what_they_leave_out(self, store: Store) -> None:
        full = ActivityRecord(
            name="b",
            type="Transcode",
            job_id="2" * 32,
            started=MOMENT,
            code="C",
            message="m",
            detail="d",
            progress=0.5,
            reused=True,
            result=StepResult(data={"n": 1}, commands=(("ffmpeg",),), warnings=("w",)),
            message_result={"MessageId": "1"},
        )
        record = execution(
            topology="{...}",
            user_data="u",
            request={"Input": {"Object": "ä"}},
            kind=ExecutionKind.ANALYSIS,
            priority=9,
            origin="/in",
            version="1-1",
            report="/r",
            message="m",
            ended=MOMENT,
            prefect_url="http://p",
            message_result={"ErrorCode": "E"},
            activities=(full, replace(full, name="a")),
        )
        claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
        store.steps.finish(claim, success("a", output("k")), step_key="k")
        store.steps.save(claim, replace(full, name="a"))
        brief = replace(full, detail="", result=StepResult())
        (found,) = store.executions.page(ALL, limit=1).items
        assert found == replace(record, topology="", activities=(brief, replace(brief, name="a")))

    def test_full_records_by_their_ids(self, store: Store) -> None:
        records = [
            add(
                store,
                created=after(n % 2),
                topology="{...}",
                kind=ExecutionKind.SNAPSHOT if n < 2 else ExecutionKind.WORKFLOW,
                activities=(activity("a", result=StepResult(data={"n": n})),),
            )
            for n in range(4)
        ]
        wanted = ["0" * 32, *(run_ids(records[:3]))]
        assert store.executions.by_ids(wanted) == newest_first(records[:3])
        snapshots = store.executions.by_ids(wanted, kind=ExecutionKind.SNAPSHOT)
        assert snapshots == newest_first(records[:2])
        assert store.executions.by_ids([]) == []


def test_runs_of_media(store: Store) -> None:
    def of(media_id: str, moment: int, **changes: object) -> str:
        return add(store, media_id=media_id * 32, created=after(moment), **changes).run_id

    early, late, other = of("5", 1), of("5", 3), of("6", 2)
    of("5", 2, kind=ExecutionKind.TRANSCODE)
    of("7", 2)
    found = store.executions.run_ids_of_media(["5" * 32, "6" * 32, "8" * 32])
    assert found == {"5" * 32: [late, early], "6" * 32: [other], "8" * 32: []}
    assert store.executions.run_ids_of_media([]) == {}


def test_templates_of_queued_executions(store: Store) -> None:
    template = new_id()
    assert not store.queue.uses_template(template)
    add(store, topology=f'{{"TemplateId": "{template}"}}', state=ExecutionState.RUNNING)
    assert not store.queue.uses_template(template)
    waiting = queue(store, topology=f'{{"TemplateId": "{template}"}}')
    assert store.queue.uses_template(template)
    assert not store.queue.uses_template(template[:-1] + "_")
    store.queue.request_cancel(waiting)
    assert not store.queue.uses_template(template)


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[tuple[Store, list[str]]]:
    """A store, and the queries that it asks, with their values."""
    queries: list[str] = []

    def note(query: str) -> None:
        if query.startswith("SELECT"):
            queries.append(query)

    def trace(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(note)

    sa.event.listen(sa.pool.Pool, "connect", trace)
    store = Store.open(f"sqlite:///{tmp_path}/m.db")
    yield store, queries
    store.close()
    sa.event.remove(sa.pool.Pool, "connect", trace)


RANGE = {"since": after(0), "until": after(100)}
JOBS = {"kind": ExecutionKind.TRANSCODE}
RUNS = {"kind": ExecutionKind.WORKFLOW, "since": after(0)}
INPUT = {"bucket": "in", "object": "a/b/c.flv"}
FAILED = {"state": ExecutionState.FAIL}
IDS = ["0" * 32, "1" * 32]
ACTIVITIES = "SEARCH activities USING INDEX sqlite_autoindex_activities_1 (run_id=?)"


class TestIndexes:
    @pytest.mark.parametrize(
        ("filter", "index"),
        [
            ({"since": after(0)}, "executions_by_age"),
            (RUNS, "executions_by_kind"),
            (JOBS | RANGE, "executions_by_kind"),
            (RUNS | {"workflow_id": "9" * 32}, "executions_by_workflow"),
            (RUNS | {"workflow": "wf"}, "executions_by_name"),
            (RUNS | {"workflow": "wf", "workflow_id": "9" * 32}, "executions_by_workflow_name"),
            (RUNS | INPUT, "executions_by_input"),
            (RUNS | INPUT | {"workflow_id": "9" * 32}, "executions_by_input"),
            (RUNS | INPUT | {"workflow": "wf", "workflow_id": "9" * 32}, "executions_by_input"),
            (RUNS | {"media_id": "5" * 32}, "executions_by_media"),
            (JOBS | RANGE | {"state": ExecutionState.QUEUED}, "executions_by_outcome"),
            (JOBS | RANGE | FAILED | {"code": "Cancelled"}, "executions_by_outcome"),
            (JOBS | RANGE | FAILED | {"not_code": "Cancelled"}, "executions_by_outcome"),
            (JOBS | RANGE | {"pipeline_id": "7" * 32}, "executions_by_pipeline"),
            (
                JOBS | RANGE | FAILED | {"pipeline_id": "7" * 32, "not_code": "Cancelled"},
                "executions_by_pipeline_outcome",
            ),
        ],
    )
    @pytest.mark.parametrize("deep", [False, True])
    @pytest.mark.parametrize("brief", [False, True])
    def test_a_page_is_read_off_an_index(
        self,
        noted: tuple[Store, list[str]],
        tmp_path: Path,
        filter: dict[str, object],
        index: str,
        deep: bool,
        brief: bool,
    ) -> None:
        store, queries = noted
        token = add(store, created=after(50)).run_id if deep else ""
        page = store.executions.page if brief else store.executions.summary_page
        page(ExecutionFilter(**filter), limit=10, after=token)
        first, *rest = plan(tmp_path / "m.db", queries[-1:])
        assert first.startswith(f"SEARCH executions USING INDEX {index} (")
        assert ("(created,run_id)<(?,?)" in first) is deep
        assert rest == ([] if brief else ["CORRELATED SCALAR SUBQUERY 1", ACTIVITIES])

    @pytest.mark.parametrize("newer", [False, True])
    def test_keys_that_begin_alike_are_found_by_an_index_alone(
        self, noted: tuple[Store, list[str]], tmp_path: Path, newer: bool
    ) -> None:
        store, queries = noted
        chosen = ExecutionFilter(kind=ExecutionKind.WORKFLOW, bucket="in", object_prefix="a/")
        store.executions.line_page(chosen, limit=10, newer=newer)
        steps = plan(tmp_path / "m.db", queries[-1:])
        index = "executions_by_input (kind=? AND bucket=? AND object>? AND object<?)"
        assert f"SEARCH executions USING COVERING INDEX {index}" in steps

    @pytest.mark.parametrize(
        ("ask", "steps"),
        [
            (
                lambda store: store.executions.summaries_by_id(IDS, kind=ExecutionKind.WORKFLOW),
                [
                    "SEARCH executions USING INDEX sqlite_autoindex_executions_1 (run_id=?)",
                    "CORRELATED SCALAR SUBQUERY 1",
                    ACTIVITIES,
                ],
            ),
            (
                lambda store: store.executions.published_of_media(IDS, ["Transcode"]),
                [
                    "SEARCH executions USING INDEX executions_by_media (kind=? AND media_id=?)",
                    ACTIVITIES,
                    "CORRELATED SCALAR SUBQUERY 1",
                    "SEARCH objects USING INDEX sqlite_autoindex_objects_1 "
                    "(run_id=? AND activity=? AND published=?)",
                    "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY",
                ],
            ),
        ],
    )
    def test_what_is_asked_for_by_ids_is_found_by_them(
        self,
        noted: tuple[Store, list[str]],
        tmp_path: Path,
        ask: Callable[[Store], object],
        steps: list[str],
    ) -> None:
        store, queries = noted
        add(store)
        queries.clear()
        ask(store)
        assert plan(tmp_path / "m.db", queries) == steps

    @pytest.mark.parametrize(
        "ask",
        [
            lambda store: store.executions.page(ALL, limit=10),
            lambda store: store.executions.summary_page(ALL, limit=10),
            lambda store: store.executions.line_page(ALL, limit=10),
            lambda store: store.executions.line_page(ExecutionFilter(failed=True), limit=10),
            lambda store: store.executions.line_page(ALL, limit=10, newer=True),
            lambda store: store.glances.newest(),
            lambda store: store.glances.of(IDS),
            lambda store: store.glances.published(ObjectRef(bucket="out", object="k")),
            lambda store: store.landings.newest(limit=10),
            lambda store: store.landings.waiting(limit=10),
            lambda store: store.pipelines.work("7" * 32),
            lambda store: store.queue.bucket_sets(IDS),
            lambda store: store.executions.by_ids(IDS),
            lambda store: store.executions.by_ids(IDS, kind=ExecutionKind.SNAPSHOT),
            lambda store: store.executions.run_ids_of_media(IDS),
            lambda store: store.media.by_ids(IDS),
            lambda store: store.workflows.named("wf"),
            lambda store: store.workflows.bound_to("in"),
            lambda store: store.messages.of_run("0" * 32),
            lambda store: store.messages.pending(),
            lambda store: store.messages.pending("0" * 32),
            lambda store: store.messages.due(limit=5, lock_seconds=60),
        ],
    )
    def test_nothing_looks_at_all_rows(
        self, noted: tuple[Store, list[str]], tmp_path: Path, ask: Callable[[Store], object]
    ) -> None:
        store, queries = noted
        add(store)
        queries.clear()
        ask(store)
        assert queries
        for step in plan(tmp_path / "m.db", queries):
            assert "executions_by_kind (kind=?)" not in step
            if step.startswith("SCAN"):
                assert " USING INDEX " in step or " USING COVERING INDEX " in step or "anon" in step

    def test_failed_ones_are_found_among_all(
        self, noted: tuple[Store, list[str]], tmp_path: Path
    ) -> None:
        store, queries = noted
        queries.clear()
        assert store.executions.line_page(ExecutionFilter(failed=True), limit=10).items == []
        assert plan(tmp_path / "m.db", queries) == ["SCAN executions USING INDEX executions_failed"]

    def test_a_page_takes_as_many_queries_as_one(self, noted: tuple[Store, list[str]]) -> None:
        store, queries = noted
        for count in (1, 20):
            for _ in range(count):
                add(store, activities=(ActivityRecord(name="a", type="Start"),))
            for page, most in ((store.executions.page, 2), (store.executions.summary_page, 1)):
                queries.clear()
                assert page(ALL, limit=30).items
                assert len(queries) == most


def plan(file: Path, queries: list[str]) -> list[str]:
    database = sqlite3.connect(file)
    steps = [
        step for query in queries for *_, step in database.execute(f"EXPLAIN QUERY PLAN {query}")
    ]
    database.close()
    return steps
