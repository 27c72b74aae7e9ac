"""What is registered, and the outbox, on real databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.stores import execution, lines_of, load, process, success
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionKind, ObjectRef, new_id, utc_now
from workflow_engine.records.catalog import (
    DEFAULT_PIPELINE_ID,
    BucketType,
    MediaBucketRecord,
    MediaRecord,
    MessageRecord,
    PipelineRecord,
    PipelineState,
    PublishState,
    TemplateKind,
    TemplateRecord,
    TemplateState,
    TriggerMode,
    WorkflowFileRecord,
    WorkflowRecord,
    WorkflowState,
)
from workflow_engine.store import Store

MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def workflow(name: str = "wf", **changes: object) -> WorkflowRecord:
    record = WorkflowRecord(id=new_id(), name=name, topology="{}", created=MOMENT, bucket="in")
    return replace(record, **changes)


class TestWorkflows:
    def test_everything_comes_back(self, store: Store) -> None:
        record = workflow(
            "ä 🎬",
            topology='{"Activities": "☃"}' * 5000,
            state=WorkflowState.INACTIVE,
            trigger_mode=TriggerMode.NOT_IN_AUTO,
            prefix="ä/🎬 100%",
            file="/w/ä.json",
            file_removed=True,
        )
        store.workflows.add(record)
        assert store.workflows.get(record.id) == record
        assert store.workflows.named("ä 🎬") == record
        assert store.workflows.get("0" * 32) is None
        assert store.workflows.named("other") is None

    def test_by_ids_in_their_order(self, store: Store) -> None:
        records = [workflow(f"w{n}") for n in range(4)]
        for record in records:
            store.workflows.add(record)
        wanted = [records[2], records[0], records[3]]
        ids = [wanted[0].id, "0" * 32, wanted[1].id, wanted[2].id]
        assert store.workflows.by_ids(ids) == wanted
        assert store.workflows.by_ids([]) == []

    def test_a_name_is_free_again_after_a_deletion(self, store: Store) -> None:
        first, second = workflow(), workflow()
        store.workflows.add(first)
        for state in (WorkflowState.ACTIVE, WorkflowState.INACTIVE):
            store.workflows.save(replace(first, state=state))
            with pytest.raises(InvalidInputError, match='"wf"') as caught:
                store.workflows.add(second)
            assert caught.value.code == Code.INVALID_STATE
        deleted = replace(first, state=WorkflowState.DELETED)
        store.workflows.save(deleted)
        assert store.workflows.named("wf") is None
        store.workflows.add(second)
        assert store.workflows.named("wf") == second
        assert store.workflows.get(first.id) == deleted

    def test_of_many_processes_one_takes_a_name(self, url: str, store: Store) -> None:
        script = """
            from tests.integration.test_store_catalog import workflow
            for number in range(10):
                try:
                    store.workflows.add(workflow(f"w{number}"))
                    print(number)
                except InvalidInputError:
                    pass
            """
        taken = lines_of(*(process(url, script) for _ in range(4)))
        assert sorted(taken) == [str(number) for number in range(10)]

    def test_saving_compares_with_what_was_read(self, store: Store) -> None:
        record = workflow()
        store.workflows.add(record)
        inactive = replace(record, state=WorkflowState.INACTIVE, topology="[]", bucket="b")
        assert not store.workflows.save(inactive, expected=replace(record, topology="other"))
        assert store.workflows.get(record.id) == record
        assert store.workflows.save(inactive, expected=record)
        assert store.workflows.get(record.id) == inactive
        assert store.workflows.save(record)
        assert store.workflows.get(record.id) == record
        assert not store.workflows.save(workflow("other"))

    def test_search(self, store: Store) -> None:
        states = list(WorkflowState)
        records = [
            workflow(f"w{n}", created=after(n), state=states[n % len(states)]) for n in range(9)
        ]
        for record in records:
            store.workflows.add(record)
        newest = records[::-1]
        assert store.workflows.search(states, offset=2, limit=3) == (newest[2:5], 9)
        assert store.workflows.search(states, offset=9, limit=3) == ([], 9)
        active = [record for record in newest if record.state is WorkflowState.ACTIVE]
        assert store.workflows.search([WorkflowState.ACTIVE], offset=0, limit=2) == (active[:2], 3)
        assert store.workflows.search([], offset=0, limit=2) == ([], 0)

    def test_what_is_bound_to_a_bucket(self, store: Store) -> None:
        late, early = workflow("a", created=after(2)), workflow("b", created=after(1))
        off = workflow("d", state=WorkflowState.INACTIVE, created=after(3))
        by_hand = workflow("f", trigger_mode=TriggerMode.NOT_IN_AUTO, created=after(4))
        for record in (
            late,
            early,
            workflow("c", bucket="other"),
            off,
            workflow("e", state=WorkflowState.DELETED),
            by_hand,
        ):
            store.workflows.add(record)
        assert store.workflows.bound_to("in") == [early, late, off, by_hand]
        assert store.workflows.bound_to("i") == []

    def test_files(self, store: Store) -> None:
        record = WorkflowFileRecord(path="/b", name="b", digest="d", checked=MOMENT)
        first = replace(record, path="/a", name="ä")
        store.workflows.save_file(record)
        store.workflows.save_file(first)
        assert store.workflows.files() == [first, record]
        broken = replace(record, problem="p", digest="e", checked=after(1))
        store.workflows.save_file(broken)
        assert store.workflows.files() == [first, broken]
        store.workflows.remove_file("/a")
        store.workflows.remove_file("/a")
        assert store.workflows.files() == [broken]


def media(**changes: object) -> MediaRecord:
    key = new_id()
    record = MediaRecord(id=key, file=ObjectRef(bucket="in", object=key), created=MOMENT)
    return replace(record, **changes)


class TestMedia:
    def test_everything_comes_back(self, store: Store) -> None:
        record = media(
            file=ObjectRef(bucket="in", object="ä/🎬", location="oss-cn-hangzhou"),
            title="t",
            description="d",
            category_id=2**53 - 1,
            tags=("ä", "b c"),
            cover_url="http://c",
            publish_state=PublishState.UNPUBLISHED,
            properties={"Format": {"Size": "1"}, "ü": [1.5, None]},
        )
        assert store.media.add(record) == record
        assert store.media.get(record.id) == record
        assert store.media.get("0" * 32) is None

    def test_by_ids_in_their_order(self, store: Store) -> None:
        records = [store.media.add(media()) for _ in range(3)]
        store.media.mark_deleted([records[1].id])
        deleted = replace(records[1], deleted=True)
        ids = [records[2].id, "0" * 32, records[1].id]
        assert store.media.by_ids(ids) == [records[2], deleted]
        assert store.media.by_ids([]) == []

    def test_adding_again_changes_only_a_deleted_one(self, store: Store) -> None:
        first = store.media.add(media(title="first", properties={"a": 1}))
        again = replace(first, title="second", properties={}, created=after(1))
        assert store.media.add(again) == first
        store.media.mark_deleted([first.id])
        assert store.media.add(again) == again
        assert store.media.get(first.id) == again

    def test_saving_leaves_what_runs_write(self, store: Store) -> None:
        record = store.media.add(media())
        run = execution("start", media_id=record.id)
        claim = store.queue.add_claimed(run, owner="me", lease_seconds=60)
        store.steps.finish(claim, success("start"), step_key=None, properties={"a": 1})
        store.media.set_publish_state(record.id, PublishState.PUBLISHED)
        details = {"title": "t", "description": "d", "category_id": 3, "tags": ("a", "b")}
        saved = store.media.save(replace(record, cover_url="http://c", **details))
        assert saved is not None
        assert saved == store.media.get(record.id)
        assert saved == replace(
            record,
            cover_url="http://c",
            properties={"a": 1},
            publish_state=PublishState.PUBLISHED,
            **details,
        )

    def test_saving_what_is_gone(self, store: Store) -> None:
        record = store.media.add(media())
        store.media.mark_deleted([record.id])
        assert store.media.save(replace(record, title="t")) is None
        assert store.media.get(record.id) == replace(record, deleted=True)
        assert store.media.save(media()) is None

    def test_cover(self, store: Store) -> None:
        record, other = store.media.add(media()), store.media.add(media())
        store.media.set_cover(record.id, "http://c")
        assert store.media.by_ids([record.id, other.id]) == [
            replace(record, cover_url="http://c"),
            other,
        ]

    def test_search_leaves_deleted_ones_out(self, store: Store) -> None:
        records = [store.media.add(media(created=after(n))) for n in range(5)]
        store.media.mark_deleted([records[4].id, records[1].id, "0" * 32])
        newest = [records[n] for n in (3, 2, 0)]
        assert store.media.search(offset=0, limit=2) == (newest[:2], 3)
        assert store.media.search(offset=2, limit=2) == (newest[2:], 3)


class TestMediaBuckets:
    def test_pages(self, store: Store) -> None:
        records = [
            MediaBucketRecord(bucket=bucket, type=type)
            for bucket in ("a", "b")
            for type in BucketType
        ]
        for record in reversed(records):
            store.media_buckets.bind(record)
        assert store.media_buckets.all() == records
        first = store.media_buckets.page(3)
        assert first.items == records[:3]
        assert len(first.next_token) == 32
        second = store.media_buckets.page(3, first.next_token)
        assert (second.items, second.next_token) == (records[3:], "")
        assert store.media_buckets.page(4).next_token == ""

    def test_binding_again_replaces(self, store: Store) -> None:
        first = MediaBucketRecord(bucket="a", type=BucketType.INPUT, referer="r")
        store.media_buckets.bind(first)
        again = replace(first, referer="", role="x")
        store.media_buckets.bind(again)
        assert store.media_buckets.all() == [again]

    def test_unbind(self, store: Store) -> None:
        store.media_buckets.bind(MediaBucketRecord(bucket="a", type=BucketType.INPUT))
        assert not store.media_buckets.unbind("a", BucketType.OUTPUT)
        assert store.media_buckets.unbind("a", BucketType.INPUT)
        assert not store.media_buckets.unbind("a", BucketType.INPUT)
        assert store.media_buckets.all() == []

    def test_a_token_of_no_list(self, store: Store) -> None:
        with pytest.raises(InvalidInputError) as caught:
            store.media_buckets.page(3, "0" * 32)
        assert (caught.value.code, caught.value.pointer) == (Code.INVALID, "/NextPageToken")


class TestPipelines:
    def test_a_new_store_has_the_default_one(self, store: Store) -> None:
        (default,) = store.pipelines.all()
        assert (default.id, default.name) == (DEFAULT_PIPELINE_ID, "default")
        assert (default.state, default.quota) == (PipelineState.ACTIVE, 0)
        assert store.pipelines.get(DEFAULT_PIPELINE_ID) == default

    def test_everything_comes_back(self, store: Store) -> None:
        record = PipelineRecord(
            id=new_id(),
            name="ä",
            state=PipelineState.PAUSED,
            speed="Boost",
            speed_level=3,
            queue="q",
            topic="t",
            role="r",
            quota=7,
            created=MOMENT,
        )
        store.pipelines.add(record)
        assert store.pipelines.get(record.id) == record
        active = replace(record, state=PipelineState.ACTIVE, name="b", quota=0)
        assert store.pipelines.save(active)
        assert store.pipelines.get(record.id) == active
        assert not store.pipelines.save(replace(record, id=new_id()))

    def test_lists(self, store: Store) -> None:
        (default,) = store.pipelines.all()
        states = [PipelineState.ACTIVE, PipelineState.PAUSED, PipelineState.ACTIVE]
        records = [
            PipelineRecord(id=new_id(), name=str(n), state=state, created=after(n))
            for n, state in enumerate(states)
        ]
        for record in records:
            store.pipelines.add(record)
        newest = [default, *reversed(records)]
        assert store.pipelines.all() == newest
        assert store.pipelines.search(None, offset=1, limit=2) == (newest[1:3], 4)
        paused = store.pipelines.search(PipelineState.PAUSED, offset=0, limit=9)
        assert paused == ([records[1]], 1)
        ids = [records[2].id, new_id(), records[0].id]
        assert store.pipelines.by_ids(ids) == [records[2], records[0]]

    def test_delete(self, store: Store) -> None:
        record = PipelineRecord(id=new_id(), name="p", created=MOMENT)
        store.pipelines.add(record)
        assert store.pipelines.delete(record.id)
        assert not store.pipelines.delete(record.id)
        assert store.pipelines.get(record.id) is None


def test_templates(store: Store) -> None:
    def template(n: int, **changes: object) -> TemplateRecord:
        record = TemplateRecord(
            id=new_id(),
            kind=TemplateKind.TRANSCODE,
            name=f"ä{n}",
            content={"Video": {"Codec": "H.264"}, "N": [n, None]},
            created=after(n),
        )
        return replace(record, **changes)

    deleted = template(2, state=TemplateState.DELETED)
    watermark = template(3, kind=TemplateKind.WATERMARK)
    records = [template(0), template(1), deleted, watermark]
    for record in records:
        store.templates.add(record)
    assert [store.templates.get(record.id) for record in records] == records
    assert store.templates.get("S00000001-200010") is None
    ids = [record.id for record in reversed(records)]
    wanted = [deleted, records[1], records[0]]
    assert store.templates.by_ids(ids, TemplateKind.TRANSCODE) == wanted
    assert store.templates.by_ids(ids, TemplateKind.WATERMARK) == [watermark]
    assert store.templates.search(TemplateKind.TRANSCODE, None, offset=1, limit=1) == (
        [records[1]],
        3,
    )
    assert store.templates.search(
        TemplateKind.TRANSCODE, TemplateState.NORMAL, offset=0, limit=9
    ) == ([records[1], records[0]], 2)
    changed = replace(watermark, name="n", content={"Dx": "1"}, state=TemplateState.DELETED)
    assert store.templates.save(changed)
    assert store.templates.get(watermark.id) == changed
    assert not store.templates.save(template(9))


class TestMessages:
    def message(self, **changes: object) -> MessageRecord:
        record = MessageRecord(
            id=new_id(),
            run_id="0" * 32,
            activity="a",
            receiver="queue:q",
            body="ä 🎬",
            created=utc_now() - timedelta(seconds=10),
        )
        return replace(record, **changes)

    def test_it_is_due_until_it_was_sent(self, store: Store) -> None:
        record = self.message()
        store.messages.add(record)
        assert store.messages.pending() == 1
        (due,) = store.messages.due(limit=5, lock_seconds=60)
        assert due == replace(record, next_attempt=record.created)
        assert store.messages.due(limit=5, lock_seconds=60) == []
        assert store.messages.pending() == 1
        store.messages.sent(record.id, {"MessageId": record.id})
        assert store.messages.pending() == 0
        (sent,) = store.messages.of_run(record.run_id)
        assert sent.sent is not None
        assert sent == replace(record, attempts=1, sent=sent.sent)

    def test_it_is_due_again_when_its_sender_died(self, store: Store) -> None:
        record = self.message()
        store.messages.add(record)
        for _ in range(2):
            (due,) = store.messages.due(limit=5, lock_seconds=0)
            assert due.id == record.id
            assert due.attempts == 0

    def test_retries(self, store: Store) -> None:
        record = self.message()
        store.messages.add(record)
        later = utc_now() + timedelta(hours=1)
        store.messages.failed(record.id, "refused", later, {})
        assert store.messages.due(limit=5, lock_seconds=60) == []
        (waiting,) = store.messages.of_run(record.run_id)
        assert waiting == replace(record, attempts=1, error="refused", next_attempt=later)
        store.messages.failed(record.id, "again", utc_now(), {})
        (due,) = store.messages.due(limit=5, lock_seconds=60)
        assert (due.attempts, due.error) == (2, "again")
        store.messages.sent(record.id, {})
        (sent,) = store.messages.of_run(record.run_id)
        assert (sent.attempts, sent.error) == (3, "")

    def test_given_up(self, store: Store) -> None:
        record = self.message()
        store.messages.add(record)
        store.messages.failed(record.id, "refused", None, {"ErrorCode": "E"})
        assert store.messages.pending() == 0
        assert store.messages.due(limit=5, lock_seconds=60) == []
        (found,) = store.messages.of_run(record.run_id)
        assert found == replace(record, attempts=1, error="refused")

    def test_adding_twice_sends_once(self, store: Store) -> None:
        record = self.message()
        store.messages.add(record)
        store.messages.sent(record.id, {})
        store.messages.add(replace(record, body="other"))
        assert store.messages.pending() == 0
        assert store.messages.of_run(record.run_id)[0].body == record.body

    def test_the_oldest_first(self, store: Store) -> None:
        records = [self.message(created=after(n), run_id=str(n % 2) * 32) for n in range(4)]
        for n in (2, 0, 3, 1):
            store.messages.add(records[n])
        store.messages.add(self.message(next_attempt=utc_now() + timedelta(hours=1)))
        assert [m.id for m in store.messages.of_run("1" * 32)] == [records[1].id, records[3].id]
        assert store.messages.pending("1" * 32) == 2
        assert store.messages.pending() == 5
        due = [store.messages.due(limit=3, lock_seconds=60) for _ in range(3)]
        assert [[m.id for m in some] for some in due] == [
            [record.id for record in records[:3]],
            [records[3].id],
            [],
        ]

    def test_the_result_stands_where_the_message_came_from(self, store: Store) -> None:
        run = store.queue.add_claimed(execution("a", "b"), owner="me", lease_seconds=60)
        job = store.queue.add_claimed(
            execution("a", kind=ExecutionKind.TRANSCODE), owner="me", lease_seconds=60
        )
        of_activity = self.message(run_id=run.run_id, activity="b")
        of_job = self.message(run_id=job.run_id, activity="")
        for record in (of_activity, of_job):
            store.messages.add(record)
        store.messages.sent(of_activity.id, {"MessageId": "1"})
        store.messages.failed(of_job.id, "e", None, {"ErrorCode": "E", "ErrorMessage": "ä"})
        found = load(store, run)
        assert [a.message_result for a in found.activities] == [{}, {"MessageId": "1"}]
        assert found.message_result == {}
        assert load(store, job).message_result == {"ErrorCode": "E", "ErrorMessage": "ä"}
        assert load(store, job).activity("a").message_result == {}

    def test_an_unknown_message(self, store: Store) -> None:
        store.messages.sent("0" * 32, {})
        assert store.messages.of_run("0" * 32) == []

    def test_of_many_processes_one_sends(self, url: str, store: Store) -> None:
        records = [self.message() for _ in range(60)]
        for record in records:
            store.messages.add(record)
        script = """
            while due := store.messages.due(limit=4, lock_seconds=60):
                for message in due:
                    print(message.id, flush=True)
                    store.messages.sent(message.id, {})
            """
        sent = lines_of(*(process(url, script) for _ in range(4)))
        assert sorted(sent) == sorted(record.id for record in records)
        assert store.messages.pending() == 0
