"""Every message is delivered at least once, whatever happens to receivers and senders."""

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import stores
from tests.support.sqs_server import create_queue, received, sqs_client, sqs_server
from tests.support.waiting import wait_for
from tests.support.webhook_server import Answer, WebhookServer
from workflow_engine.messages import Sender, configured, lane, sender
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, new_id, utc_now
from workflow_engine.records.catalog import MessageRecord
from workflow_engine.settings import MessageSettings, Settings
from workflow_engine.store import Store

Running = Callable[..., AbstractContextManager[Sender]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(sender, "POLL_SECONDS", 0.05)


@pytest.fixture
def running(store: Store) -> Running:
    @contextmanager
    def running(receivers: Receivers, **options: Any) -> Iterator[Sender]:
        made = Sender(store, receivers, **options)
        made.start()
        try:
            yield made
        finally:
            made.stop(0)

    return running


Receivers = Mapping[str, MessageSettings]


def webhook(url: str) -> MessageSettings:
    return MessageSettings(webhook=url)


def queues(**receivers: MessageSettings) -> Receivers:
    return configured(Settings(queues=receivers))


def execution(store: Store) -> ExecutionRecord:
    record = stores.execution(
        activities=(ActivityRecord(name="start", type="Start", state=ActivityState.SUCCESS),)
    )
    store.queue.add_claimed(record, owner="me", lease_seconds=60)
    return record


def add(store: Store, count: int = 1, *, run_id: str = "", **changes: Any) -> list[str]:
    """Add messages, one a little later than the other, and return their ids."""
    begun = utc_now() - timedelta(seconds=1)
    ids = [new_id() for _ in range(count)]
    for number, one in enumerate(ids):
        record = MessageRecord(
            id=one,
            run_id=run_id or "1" * 32,
            activity="start",
            receiver="queue:q",
            body=json.dumps({"Number": number}),
            created=begun + timedelta(milliseconds=number),
        )
        store.messages.add(replace(record, **changes))
    return ids


def the_message(store: Store, run_id: str = "1" * 32) -> MessageRecord:
    (message,) = store.messages.of_run(run_id)
    return message


class TestDelivery:
    def test_the_result_goes_to_the_activity(self, store: Store, running: Running) -> None:
        record = execution(store)
        with WebhookServer() as server, running(queues(q=webhook(server.url))) as made:
            (message_id,) = add(store, run_id=record.run_id)
            made.wake()
            assert made.wait(record.run_id, 10)
        assert [r.headers["webhook-id"] for r in server.requests] == [message_id]
        message = the_message(store, record.run_id)
        assert message.sent is not None and not message.error
        stored = store.executions.get(record.run_id)
        assert stored is not None
        assert stored.activities[0].message_result == {"MessageId": message_id}

    def test_what_a_sender_that_stops_had_claimed_is_sent_by_the_next(
        self, store: Store, running: Running
    ) -> None:
        asked, free = threading.Event(), threading.Event()

        def hold(_: int) -> Answer:
            asked.set()
            free.wait(10)
            return Answer()

        with WebhookServer(hold) as server:
            receivers = queues(q=webhook(server.url))
            ids = add(store, 5)
            with running(receivers):
                assert asked.wait(10)
            with running(receivers) as made:  # long before a claim lapses
                free.set()
                assert made.wait("1" * 32, 10)
            assert sorted(r.headers["webhook-id"] for r in server.requests) == sorted(ids)

    def test_the_result_of_a_job_goes_to_its_execution(
        self, store: Store, running: Running, tmp_path: Path
    ) -> None:
        record = execution(store)
        with running(queues(q=MessageSettings(file=tmp_path / "m.jsonl"))) as made:
            (message_id,) = add(store, run_id=record.run_id, activity="")
            assert made.wait(record.run_id, 10)
        stored = store.executions.get(record.run_id)
        assert stored is not None
        assert stored.message_result == {"MessageId": message_id}

    def test_it_is_sent_signed(self, store: Store, running: Running) -> None:
        with WebhookServer() as server:
            told = MessageSettings.model_validate({"webhook": server.url, "secret": "s3cret"})
            with running(queues(q=told)) as made:
                add(store)
                assert made.wait("1" * 32, 10)
        assert server.requests[0].headers["webhook-signature"].startswith("v1,")

    def test_it_goes_into_a_queue(
        self, store: Store, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with sqs_server() as endpoint:
            client = sqs_client(endpoint, monkeypatch)
            url = create_queue(client, "jobs")
            with running(queues(q=MessageSettings(sqs=url))) as made:
                add(store)
                assert made.wait("1" * 32, 20)
            assert received(client, url) == ['{"Number": 0}']

    def test_the_oldest_goes_first(self, store: Store, running: Running, tmp_path: Path) -> None:
        add(store, 250)
        file = tmp_path / "m.jsonl"
        with running(queues(q=MessageSettings(file=file))) as made:
            assert made.wait("1" * 32, 60)
        numbers = [json.loads(line)["Number"] for line in file.read_text().splitlines()]
        assert numbers == list(range(250))

    def test_more_than_fit_into_memory_keep_their_order(
        self, store: Store, running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(lane, "MOST_WAITING", 20)
        monkeypatch.setattr(sender, "BATCH", 10)
        add(store, 200)
        file = tmp_path / "m.jsonl"
        with running(queues(q=MessageSettings(file=file))) as made:
            assert made.wait("1" * 32, 20)
        numbers = [json.loads(line)["Number"] for line in file.read_text().splitlines()]
        assert numbers == list(range(200))

    def test_one_in_flight_per_receiver(self, store: Store, running: Running) -> None:
        lock, at_once, most = threading.Lock(), [0], [0]

        def answer(number: int) -> Answer:
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            time.sleep(0.02)
            with lock:
                at_once[0] -= 1
            return Answer()

        add(store, 20)
        with WebhookServer(answer) as server, running(queues(q=webhook(server.url))) as made:
            assert made.wait("1" * 32, 20)
        assert most == [1]

    def test_two_senders_on_one_store_send_nothing_twice(self, store: Store, url: str) -> None:
        ids = add(store, 150)
        others = [Store.open(url) for _ in range(2)]
        with WebhookServer() as server:
            senders = [Sender(other, queues(q=webhook(server.url))) for other in others]
            for one in senders:
                one.start()
            assert senders[0].wait("1" * 32, 60)
            for one in senders:
                one.stop()
        for other in others:
            other.close()
        assert sorted(r.headers["webhook-id"] for r in server.requests) == sorted(ids)


class TestFailures:
    def test_it_is_tried_again_under_the_same_id(self, store: Store, running: Running) -> None:
        def answer(number: int) -> Answer:
            return Answer(503 if number < 2 else 200)

        record = execution(store)
        with WebhookServer(answer) as server, running(queues(q=webhook(server.url))) as made:
            (message_id,) = add(store, run_id=record.run_id)
            assert made.wait(record.run_id, 20)
        assert [r.headers["webhook-id"] for r in server.requests] == [message_id] * 3
        message = the_message(store, record.run_id)
        assert (message.attempts, message.error) == (3, "")
        stored = store.executions.get(record.run_id)
        assert stored is not None
        assert stored.activities[0].message_result == {"MessageId": message_id}

    def test_the_reason_is_kept_while_it_waits(self, store: Store, running: Running) -> None:
        record = execution(store)
        (_,) = add(store, run_id=record.run_id)
        failing = WebhookServer(lambda number: Answer(500))
        with failing as server, running(queues(q=webhook(server.url))) as made:
            server.wait_for(2)
            assert not made.wait(record.run_id, 0.1)
            assert made.status() == ""
        message = the_message(store, record.run_id)
        assert "HTTP 500" in message.error
        assert message.next_attempt is not None and message.sent is None
        stored = store.executions.get(record.run_id)
        assert stored is not None and stored.activities[0].message_result == {}

    def test_one_that_waits_does_not_hold_up_later_ones(
        self, store: Store, running: Running
    ) -> None:
        first = WebhookServer()
        first.answer = lambda number: Answer(
            500 if first.requests[number].json["Number"] == 0 and number < 3 else 200
        )
        add(store, 5)
        with first as server, running(queues(q=webhook(server.url))) as made:
            assert made.wait("1" * 32, 20)
        numbers = [r.json["Number"] for r in server.requests]
        assert numbers[:5] == [0, 1, 2, 3, 4]
        assert numbers[-1] == 0

    def test_a_receiver_that_hangs_blocks_only_itself(
        self, store: Store, running: Running, tmp_path: Path
    ) -> None:
        add(store, 3)
        with WebhookServer(lambda number: Answer(seconds=60)) as server:
            told = queues(q=webhook(server.url), other=MessageSettings(file=tmp_path / "m.jsonl"))
            with running(told) as made:
                server.wait_for(1)
                add(store, 50, run_id="2" * 32, receiver="queue:other")
                assert made.wait("2" * 32, 8)
                begun = time.monotonic()
                made.stop(0)
                assert time.monotonic() - begun < 2
            assert len(server.requests) == 1
        assert store.messages.pending("1" * 32) == 3

    def test_after_a_day_it_is_given_up(self, store: Store, running: Running) -> None:
        record = execution(store)
        add(store, run_id=record.run_id, created=utc_now() - timedelta(hours=1))
        told = queues(q=webhook("http://127.0.0.1:9/"))
        with running(told, now=lambda: utc_now() + timedelta(hours=23, seconds=1)) as made:
            assert made.wait(record.run_id, 10)
        message = the_message(store, record.run_id)
        assert (message.attempts, message.sent, message.next_attempt) == (1, None, None)
        stored = store.executions.get(record.run_id)
        assert stored is not None
        result = stored.activities[0].message_result
        assert result["ErrorCode"] == "MessageNotDelivered"
        assert "refused" in result["ErrorMessage"]

    def test_one_that_is_too_long_is_given_up_at_once(
        self, store: Store, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = execution(store)
        add(store, run_id=record.run_id, body=json.dumps("x" * 2000))
        with sqs_server() as endpoint:
            client = sqs_client(endpoint, monkeypatch)
            url = create_queue(client, "short", MaximumMessageSize="1024")
            with running(queues(q=MessageSettings(sqs=url))) as made:
                assert made.wait(record.run_id, 20)
        stored = store.executions.get(record.run_id)
        assert stored is not None
        assert stored.activities[0].message_result["ErrorCode"] == "InvalidArgument"

    def test_a_receiver_without_settings_gets_it_when_it_has_them(
        self, store: Store, running: Running, tmp_path: Path
    ) -> None:
        add(store)
        with running(queues()):
            wait_for(lambda: the_message(store).error)
        assert "queue:q" in the_message(store).error
        with running(queues(q=MessageSettings(file=tmp_path / "m.jsonl"))) as made:
            assert made.wait("1" * 32, 10)
        assert (tmp_path / "m.jsonl").read_text() == '{"Number": 0}\n'

    def test_a_store_that_fails_is_told_and_awaited(
        self, store: Store, running: Running, tmp_path: Path
    ) -> None:
        database = tmp_path / "data" / "mediaflow.db"

        def alter(statement: str) -> None:
            with sqlite3.connect(database, timeout=10) as other:
                other.execute(statement)
            other.close()

        with running(queues(q=MessageSettings(file=tmp_path / "m.jsonl"))) as made:
            alter("ALTER TABLE messages RENAME TO elsewhere")
            wait_for(made.status)
            assert not made.wait("1" * 32, 1)
            alter("ALTER TABLE elsewhere RENAME TO messages")
            wait_for(lambda: not made.status())
            add(store)
            assert made.wait("1" * 32, 10)


class TestStop:
    def test_what_is_due_is_sent_first(self, store: Store, tmp_path: Path) -> None:
        made = Sender(store, queues(q=MessageSettings(file=tmp_path / "m.jsonl")))
        made.start()
        add(store, 120)
        made.stop(20)
        assert store.messages.pending() == 0
        assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 120

    def test_a_retry_is_not_awaited(self, store: Store, running: Running) -> None:
        add(store)
        told = queues(q=webhook("http://127.0.0.1:9/"))
        with running(told, now=lambda: utc_now() + timedelta(minutes=5)) as made:
            wait_for(lambda: the_message(store).error)
            begun = time.monotonic()
            made.stop(20)
            assert time.monotonic() - begun < 5
        assert store.messages.pending() == 1


def test_kill_9_between_deliveries_loses_nothing(
    store: Store, url: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add(store, 20)
    script = """
        import sys, time
        from tests.integration.test_messages_sender import *
        sender.LOCK_SECONDS, sender.SEND_SECONDS = 3, 1
        Sender(Store.open(sys.argv[1]), queues(q=webhook(sys.argv[2]))).start()
        time.sleep(60)
    """
    monkeypatch.setattr(sender, "LOCK_SECONDS", 3)
    monkeypatch.setattr(sender, "SEND_SECONDS", 1)
    with WebhookServer(lambda number: Answer(seconds=0.05)) as server:
        arguments = [sys.executable, "-c", textwrap.dedent(script), url, server.url]
        victim = subprocess.Popen(arguments)
        try:
            server.wait_for(5)
        finally:
            victim.kill()
            victim.wait()
        assert store.messages.pending() >= 14
        with running(queues(q=webhook(server.url))) as made:
            assert made.wait("1" * 32, 30)
    delivered = [r.headers["webhook-id"] for r in server.requests]
    assert set(delivered) == set(ids)
    # at most the one that was in flight came twice
    assert len(delivered) <= len(ids) + 1
