"""What answers tell of executions, read from real databases without their records."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.stores import activity, execution, output, success
from workflow_engine.errors import Code, InvalidInputError, StoreError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    StepResult,
    wire_time,
)
from workflow_engine.store import ActivitySummary, ExecutionFilter, ExecutionSummary, Store
from workflow_engine.store.types import to_json

MOMENT = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
RUNS = ExecutionFilter(kind=ExecutionKind.WORKFLOW)
MEDIA = "5" * 32


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def add(store: Store, **changes: object) -> ExecutionRecord:
    record = execution(**changes)
    store.queue.add_claimed(record, owner="me", lease_seconds=60)
    return record


def by_id(store: Store, record: ExecutionRecord) -> list[ExecutionSummary]:
    return store.executions.summaries_by_id([record.run_id], kind=record.kind)


def told(position: int, record: ActivityRecord) -> ActivitySummary:
    return ActivitySummary(
        position=position,
        name=record.name,
        type=record.type,
        state=str(record.state),
        job_id=record.job_id,
        further_jobs=to_json(list(record.further_jobs)) if record.further_jobs else None,
        code=record.code,
        message=record.message,
        started=record.started and wire_time(record.started),
        ended=record.ended and wire_time(record.ended),
        message_result=to_json(dict(record.message_result)) if record.message_result else None,
    )


def summary(record: ExecutionRecord) -> ExecutionSummary:
    """What is to be told of a record."""
    return ExecutionSummary(
        run_id=record.run_id,
        workflow_id=record.workflow_id,
        workflow=record.workflow,
        state=str(record.state),
        media_id=record.media_id,
        bucket=record.input.bucket,
        location=record.input.location,
        object=record.input.object,
        user_data=record.user_data,
        created=wire_time(record.created),
        activities=[told(position, one) for position, one in enumerate(record.activities)],
    )


def summaries(records: list[ExecutionRecord]) -> list[ExecutionSummary]:
    """The same, newest first."""
    ordered = sorted(records, key=lambda record: (record.created, record.run_id), reverse=True)
    return list(map(summary, ordered))


class TestSummaries:
    def test_they_tell_what_the_records_do(self, store: Store) -> None:
        begun = activity(
            "z",
            state=ActivityState.RUNNING,
            job_id="2" * 32,
            further_jobs=("3" * 32,),
            started=MOMENT.astimezone(timezone(timedelta(hours=8))),
            message='"quoted" \\ ä 🎬\n\t\x01',
        )
        ended = replace(
            begun,
            name="a",
            state=ActivityState.FAIL,
            ended=after(1),
            code="C",
            message_result={"ErrorCode": "E", "ErrorMessage": "ä"},
            result=StepResult(data={"n": 1}),
        )
        record = add(
            store,
            user_data="ä\n",
            created=MOMENT,
            state=ExecutionState.RUNNING,
            activities=(begun, ended, activity("b")),
        )
        assert store.executions.summary_page(RUNS, limit=1).items == [summary(record)]
        assert store.executions.summaries_by_id([record.run_id], kind=record.kind) == [
            summary(record)
        ]

    def test_by_their_ids(self, store: Store) -> None:
        records = [
            add(store, created=after(n % 2), kind=kind)
            for n, kind in enumerate([ExecutionKind.SNAPSHOT] * 2 + [ExecutionKind.WORKFLOW] * 2)
        ]
        wanted = ["0" * 32, *(record.run_id for record in records[:3])]
        for kind, expected in (
            (ExecutionKind.SNAPSHOT, records[:2]),
            (ExecutionKind.WORKFLOW, records[2:3]),
            (ExecutionKind.ANALYSIS, []),
        ):
            assert store.executions.summaries_by_id(wanted, kind=kind) == summaries(expected)
        assert store.executions.summaries_by_id([], kind=ExecutionKind.SNAPSHOT) == []

    @pytest.mark.parametrize(
        "chosen",
        [
            ExecutionFilter(),
            RUNS,
            ExecutionFilter(workflow="wf"),
            ExecutionFilter(workflow="none"),
            ExecutionFilter(kind=ExecutionKind.SNAPSHOT, state=ExecutionState.FAIL),
            ExecutionFilter(state=ExecutionState.FAIL, not_code="C"),
            ExecutionFilter(since=after(2), until=after(7)),
        ],
    )
    def test_pages_are_those_of_the_records(self, store: Store, chosen: ExecutionFilter) -> None:
        kinds, codes = list(ExecutionKind), ["", "C", "Cancelled"]
        for n in range(12):
            state = ExecutionState.FAIL if n % 2 else ExecutionState.COMPLETED
            add(store, created=after(n // 2), kind=kinds[n % 5], state=state, code=codes[n % 3])
        token = ""
        while True:
            page = store.executions.page(chosen, limit=3, after=token)
            found = store.executions.summary_page(chosen, limit=3, after=token)
            assert found.items == list(map(summary, page.items))
            assert found.next_token == page.next_token
            token = page.next_token
            if not token:
                return

    def test_a_token_of_no_list(self, store: Store) -> None:
        with pytest.raises(InvalidInputError) as caught:
            store.executions.summary_page(RUNS, limit=1, after="0" * 32)
        assert (caught.value.code, caught.value.pointer) == (Code.INVALID, "/NextPageToken")

    def test_any_text_may_be_looked_for(self, store: Store) -> None:
        record = add(store, workflow="nul\0 and \ud800")
        chosen = replace(RUNS, workflow=record.workflow)
        assert [one.run_id for one in store.executions.summary_page(chosen, limit=1).items] == [
            record.run_id
        ]


class TestPublished:
    def test_the_newest_run_first_and_what_is_shown_of_it(self, store: Store) -> None:
        types = {"cover": "Snapshot", "hd": "Transcode", "report": "Report"}
        first = output("1.mp4")
        shown = replace(output("3.mp4"), media={"Width": "1", "Streams": {"ä": []}})
        outputs = (first, output("2.ts"), shown)
        for moment in (2, 1, 3):
            record = execution(
                media_id=MEDIA,
                workflow=f"run {moment}",
                topology=f'{{"n": {moment}}}',
                created=after(moment),
                activities=tuple(activity(name, type=kind) for name, kind in types.items()),
            )
            claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
            for name, kind in types.items():
                done = success(name, *outputs, type=kind, data={"Count": moment})
                store.steps.finish(claim, done, step_key=None)
            store.steps.intend(claim, success("hd", output("later.mp4")))
        # each object once, and none that is only intended
        keys = sorted({one.ref.object for one in outputs})
        assert store.executions.outputs_of_media(MEDIA) == {"out": keys}
        assert store.executions.outputs_of_media("6" * 32) == {}
        found = store.executions.published_of_media([MEDIA, "6" * 32], ["Transcode", "Snapshot"])
        assert found["6" * 32] == []
        made = found[MEDIA]
        assert [(one.workflow, one.activity) for one in made] == [
            (f"run {moment}", name) for moment in (3, 2, 1) for name in ("cover", "hd")
        ]
        assert {one.topology for one in made[:2]} == {'{"n": 3}'}
        assert (made[1].type, made[1].data) == ("Transcode", {"Count": 3})
        for one in made:
            assert [(o.ref, o.media) for o in one.outputs] == [
                (first.ref, {}),
                (shown.ref, shown.media),
            ]
        covers = store.executions.published_of_media([MEDIA], ["Snapshot"])[MEDIA]
        assert [one.activity for one in covers] == ["cover"] * 3
        assert store.executions.published_of_media([MEDIA], []) == {MEDIA: []}

    def test_only_runs_of_workflows(self, store: Store) -> None:
        add(
            store,
            media_id=MEDIA,
            kind=ExecutionKind.TRANSCODE,
            activities=(activity("hd"),),
        )
        assert store.executions.published_of_media([MEDIA], ["Transcode"]) == {MEDIA: []}

    def test_activities_that_made_nothing(self, store: Store) -> None:
        add(store, media_id=MEDIA, activities=(activity("hd"),))
        (made,) = store.executions.published_of_media([MEDIA], ["Transcode"])[MEDIA]
        assert (made.data, made.outputs) == ({}, [])


class TestConnections:
    def test_many_threads(self, store: Store) -> None:
        expected = [summary(add(store, activities=(activity("a"),)))]
        wrong: list[object] = []

        def ask() -> None:
            for _ in range(20):
                found = store.executions.summary_page(RUNS, limit=9).items
                if found != expected:
                    wrong.append(found)

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_a_failure_is_explained(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/m.db"
        store = Store.open(url)
        record = add(store)
        assert store.executions.summaries_by_id([record.run_id], kind=record.kind)
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE activities RENAME TO gone")
        with pytest.raises(StoreError, match="no such table: activities"):
            store.executions.summaries_by_id([record.run_id], kind=record.kind)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO activities")
        engine.dispose()
        assert store.executions.summaries_by_id([record.run_id], kind=record.kind) == [
            summary(record)
        ]
        store.close()

    def test_a_server_that_was_restarted(self, url: str) -> None:
        if url.startswith("sqlite"):
            pytest.skip("has no server")
        named = sa.make_url(url).update_query_dict({"application_name": "restarted"})
        store = Store.open(named.render_as_string(hide_password=False))
        record = add(store)
        assert store.executions.summaries_by_id([record.run_id], kind=record.kind)
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'restarted'"
            )
        engine.dispose()
        assert store.executions.summaries_by_id([record.run_id], kind=record.kind) == [
            summary(record)
        ]
        store.close()
