"""Who gets a message, and what MNSMessageResult says when nobody does."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import stores, topologies
from workflow_engine.activity import load_registry
from workflow_engine.messages import Outbox, Outgoing, configured
from workflow_engine.planning import graph as graphs
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    utc_now,
)
from workflow_engine.records.catalog import MessageRecord, PipelineRecord
from workflow_engine.settings import MessageSettings, Settings
from workflow_engine.store import Store

FILE = MessageSettings(file=Path("/none.jsonl"))


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(configured(Settings(queues={"jobs": FILE}, topics={"jobs": FILE, "9s": FILE})))


def graph(**start: Any) -> Graph:
    value = topologies.topology({"start": topologies.start(**start), "report": topologies.report()})
    return graphs.load(json.dumps(value), load_registry())


def execution(store: Store) -> ExecutionRecord:
    record = stores.execution(activities=(started(),))
    store.queue.add_claimed(record, owner="me", lease_seconds=60)
    return record


def started(**changes: Any) -> ActivityRecord:
    record = ActivityRecord(
        name="start", type="Start", state=ActivityState.SUCCESS, started=utc_now()
    )
    return replace(record, **changes)


def kept(store: Store, record: ExecutionRecord) -> list[MessageRecord]:
    return store.messages.of_run(record.run_id)


def kept_with(store: Store, outgoing: Outgoing) -> Mapping[str, str]:
    """Keep the message as those do who commit a state."""
    if outgoing.message is not None:
        store.messages.add(outgoing.message)
    return outgoing.result


def announce(
    store: Store, outbox: Outbox, record: ExecutionRecord, activity: ActivityRecord, graph: Graph
) -> Mapping[str, str]:
    return kept_with(store, outbox.announce(record, activity, graph))


class TestReceiver:
    @pytest.mark.parametrize(
        ("start", "receiver"),
        [
            ({"QueueName": "jobs"}, "queue:jobs"),
            ({"TopicName": "jobs"}, "topic:jobs"),
            ({"TopicName": "9s"}, "topic:9s"),
            ({"QueueName": "jobs", "TopicName": "9s"}, "queue:jobs"),
            ({"QueueName": "jobs", "TopicName": "9s", "MessageType": "Topic"}, "topic:9s"),
            ({"QueueName": "jobs", "MessageType": "Topic"}, "queue:jobs"),
        ],
    )
    def test_what_start_names(
        self, store: Store, outbox: Outbox, start: dict[str, str], receiver: str
    ) -> None:
        record = execution(store)
        assert announce(store, outbox, record, started(), graph(**start)) == {}
        assert [message.receiver for message in kept(store, record)] == [receiver]

    @pytest.mark.parametrize(
        ("start", "code"),
        [
            ({}, "MessageConfigEmpty"),
            ({"MessageType": "Topic"}, "MessageConfigEmpty"),
            ({"QueueName": "other"}, "QueueNotExist"),
            ({"TopicName": "other"}, "TopicNotExist"),
        ],
    )
    def test_what_keeps_a_message_back(
        self, store: Store, outbox: Outbox, start: dict[str, str], code: str
    ) -> None:
        record = execution(store)
        result = announce(store, outbox, record, started(), graph(**start))
        assert result["ErrorCode"] == code
        assert result["ErrorMessage"]
        assert kept(store, record) == []

    def test_what_a_pipeline_names(self, store: Store, outbox: Outbox) -> None:
        record = replace(execution(store), kind=ExecutionKind.MEDIA_INFO)
        pipeline = PipelineRecord(id="1" * 32, name="p", topic="jobs", created=utc_now())
        assert kept_with(store, outbox.announce_job(record, pipeline)) == {}
        (message,) = kept(store, record)
        assert (message.receiver, message.activity) == ("topic:jobs", "")
        body = json.loads(message.body)
        assert (body["Type"], body["JobId"]) == ("MediaInfo", record.run_id)
        assert body["MessageId"] == message.id

    @pytest.mark.parametrize(
        ("names", "code"),
        [
            ({}, "MessageConfigEmpty"),
            ({"queue": "other"}, "QueueNotExist"),
            ({"queue": "9s"}, "InvalidQueueName"),
            ({"queue": "a_b"}, "InvalidQueueName"),
            ({"queue": "jobs\n"}, "InvalidQueueName"),
            ({"topic": "other"}, "TopicNotExist"),
            ({"topic": "-a"}, "TopicNameInvalid"),
        ],
    )
    def test_what_keeps_the_message_of_a_job_back(
        self, store: Store, outbox: Outbox, names: dict[str, str], code: str
    ) -> None:
        record = replace(execution(store), kind=ExecutionKind.MEDIA_INFO)
        pipeline = PipelineRecord(id="1" * 32, name="p", created=utc_now(), **names)
        assert kept_with(store, outbox.announce_job(record, pipeline))["ErrorCode"] == code
        assert kept(store, record) == []


class TestMessage:
    def test_what_it_says(self, store: Store, outbox: Outbox) -> None:
        record = execution(store)
        failed = started(state=ActivityState.FAIL, code="InternalError", message="Broken.")
        announce(store, outbox, record, failed, graph(QueueName="jobs"))
        (message,) = kept(store, record)
        body = json.loads(message.body)
        assert body["MessageId"] == message.id
        assert (body["State"], body["Code"]) == ("Fail", "InternalError")
        assert body["MediaWorkflowExecution"] == record.to_wire()
        assert (message.activity, message.sent, message.attempts) == ("start", None, 0)
        assert store.messages.pending(record.run_id) == 1

    def test_the_same_end_is_one_message_however_often_it_is_announced(
        self, store: Store, outbox: Outbox
    ) -> None:
        record, once = execution(store), started()
        for _ in range(3):
            announce(store, outbox, record, once, graph(QueueName="jobs"))
        assert len(kept(store, record)) == 1
        again = replace(once, started=utc_now() + timedelta(microseconds=1))
        announce(store, outbox, record, again, graph(QueueName="jobs"))
        assert len(kept(store, record)) == 2

    def test_the_id_is_the_same_for_the_record_that_comes_back_from_the_store(
        self, store: Store, outbox: Outbox
    ) -> None:
        record = execution(store)
        announce(store, outbox, record, record.activities[0], graph(QueueName="jobs"))
        stored = store.executions.get(record.run_id)
        assert stored is not None
        announce(store, outbox, stored, stored.activities[0], graph(QueueName="jobs"))
        assert len(kept(store, record)) == 1

    @pytest.mark.parametrize("state", ["Waiting", "Running", "Skipped"])
    def test_only_what_has_run_is_told(self, store: Store, outbox: Outbox, state: str) -> None:
        record = execution(store)
        activity = started(state=ActivityState(state))
        assert announce(store, outbox, record, activity, graph(QueueName="jobs")) == {}
        assert kept(store, record) == []

    def test_one_that_cannot_be_shortened(self, store: Store, outbox: Outbox) -> None:
        record = replace(execution(store), user_data="x" * 300_000)
        result = announce(store, outbox, record, started(), graph(QueueName="jobs"))
        assert result["ErrorCode"] == "InvalidArgument"


def test_everybody_who_listens_is_told_until_it_does_not_any_more(outbox: Outbox) -> None:
    told: list[str] = []
    stop = outbox.subscribe(lambda: told.append("first"))
    outbox.subscribe(lambda: told.append("second"))
    outbox.notify()
    stop()
    outbox.notify()
    assert told == ["first", "second", "second"]
