"""What messages say, when they are tried again, and in which order they go to a receiver."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.waiting import wait_for
from workflow_engine.messages.bodies import MAX_BODY, activity_body, job_body
from workflow_engine.messages.lane import MOST_WAITING, Lane
from workflow_engine.messages.receivers import DeliveryError, MessageTooLongError
from workflow_engine.messages.sender import backoff
from workflow_engine.messages.sqs import region_of
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    Output,
    StepResult,
)
from workflow_engine.records.catalog import MessageRecord

MOMENT = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)


def output(number: int) -> Output:
    name = f"renditions/{number:05}.ts"
    digests = Digests(size=1, sha256="5" * 64, md5="d" * 32)
    return Output(ref=ObjectRef(bucket="out", object=name), place=f"/{name}", digests=digests)


def execution(outputs: int = 0, **changes: Any) -> ExecutionRecord:
    record = ExecutionRecord(
        run_id="1" * 32,
        workflow_id="2" * 32,
        workflow="wf",
        topology="{}",
        input=ObjectRef(bucket="in", object="a/\u4e2d\u2028.flv"),
        media_id="3" * 32,
        state=ExecutionState.COMPLETED,
        created=MOMENT,
        activities=(
            ActivityRecord(name="start", type="Start", state=ActivityState.SUCCESS),
            ActivityRecord(
                name="hls",
                type="Transcode",
                state=ActivityState.SUCCESS,
                result=StepResult(outputs=tuple(map(output, range(outputs)))),
            ),
        ),
    )
    return replace(record, **changes)


def ended(state: ActivityState = ActivityState.SUCCESS, **changes: Any) -> ActivityRecord:
    return replace(ActivityRecord(name="report", type="Report", state=state), **changes)


class TestBodies:
    def test_a_success(self) -> None:
        record = execution(outputs=2)
        body = json.loads(activity_body("4" * 32, record, ended()))
        assert body == {
            "RunId": "1" * 32,
            "Name": "report",
            "Type": "Report",
            "State": "Success",
            "MediaWorkflowExecution": record.to_wire(),
            "MessageId": "4" * 32,
        }

    def test_a_failure_says_why(self) -> None:
        failed = ended(ActivityState.FAIL, code="Timeout", message="Too slow.")
        body = json.loads(activity_body("4" * 32, execution(), failed))
        assert (body["State"], body["Code"], body["Message"]) == ("Fail", "Timeout", "Too slow.")

    def test_it_is_one_line_of_ascii(self) -> None:
        text = activity_body("4" * 32, execution(), ended())
        assert text.isascii() and "\n" not in text
        key = json.loads(text)["MediaWorkflowExecution"]["Input"]["InputFile"]["Object"]
        assert key == "a/\u4e2d\u2028.flv"

    def test_very_many_outputs_are_left_out(self) -> None:
        text = activity_body("4" * 32, execution(outputs=3000), ended())
        assert len(text) <= MAX_BODY
        activities = json.loads(text)["MediaWorkflowExecution"]["ActivityList"]
        assert [a["Name"] for a in activities] == ["start", "hls"]
        assert not any("Outputs" in a for a in activities)

    def test_very_many_activities_are_left_out(self) -> None:
        one = ActivityRecord(name="x" * 64, type="Transcode", state=ActivityState.SUCCESS)
        text = activity_body("4" * 32, execution(activities=(one,) * 3000), ended())
        shown = json.loads(text)["MediaWorkflowExecution"]
        assert "ActivityList" not in shown
        assert shown["RunId"] == "1" * 32

    def test_what_cannot_be_shortened_is_refused(self) -> None:
        with pytest.raises(MessageTooLongError) as caught:
            activity_body("4" * 32, execution(user_data="x" * MAX_BODY), ended())
        assert caught.value.code == "InvalidArgument"
        with pytest.raises(MessageTooLongError):
            job_body("4" * 32, {"Job": "x" * MAX_BODY})

    def test_a_job(self) -> None:
        body = json.loads(job_body("4" * 32, {"Type": "Transcode", "JobId": "5" * 32}))
        assert body == {"Type": "Transcode", "JobId": "5" * 32, "MessageId": "4" * 32}


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (10_000, 300)]
)
def test_each_wait_is_twice_as_long_up_to_five_minutes(failures: int, seconds: float) -> None:
    waits = [backoff(failures) for _ in range(100)]
    assert all(0.8 * seconds <= wait <= 1.2 * seconds for wait in waits)
    assert len(set(waits)) > 50


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/jobs", "eu-west-1"),
        ("https://sqs.us-gov-east-1.amazonaws.com/1/q", "us-gov-east-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"),
        ("https://sqs-fips.us-east-2.amazonaws.com/1/q", "us-east-2"),
        ("https://sqs.ap-southeast-2.api.aws/1/q", "ap-southeast-2"),
        ("https://vpce-0a1.sqs.us-west-2.vpce.amazonaws.com/1/q", "us-west-2"),
        ("https://queue.amazonaws.com/1/q", None),
        ("http://localhost:9324/000000000000/jobs", None),
        ("http://sqs.eu-west-1.example.com/1/q", None),
    ],
)
def test_the_region_stands_in_the_url_of_a_queue(url: str, region: str | None) -> None:
    assert region_of(url) == region


class Gate:
    """A receiver that takes a message when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Semaphore(0)
        self.begun: list[str] = []

    def send(self, message: MessageRecord) -> None:
        self.begun.append(message.id)
        if not self.open.acquire(timeout=10):
            raise DeliveryError("nobody opened the gate")


def message(number: int) -> MessageRecord:
    return MessageRecord(
        id=str(number), run_id="1", activity="a", receiver="queue:q", body="{}", created=MOMENT
    )


class TestLane:
    @pytest.fixture
    def gate(self) -> Gate:
        return Gate()

    @pytest.fixture
    def lane(self, gate: Gate) -> Any:
        lane = Lane("queue:q", gate, lambda receiver, message: receiver.send(message))
        yield lane
        lane.close()
        gate.open.release(MOST_WAITING + 10)
        lane.join(5)

    def test_one_at_a_time_in_their_order(self, lane: Lane, gate: Gate) -> None:
        for number in range(3):
            lane.add(message(number), time.monotonic() + 10)
        for number in range(3):
            wait_for(lambda number=number: len(gate.begun) == number + 1)
            assert lane.busy
            gate.open.release()
        wait_for(lambda: not lane.busy)
        assert gate.begun == ["0", "1", "2"]

    def test_what_is_claimed_again_keeps_its_place_and_goes_once(
        self, lane: Lane, gate: Gate
    ) -> None:
        lane.add(message(0), time.monotonic() + 10)
        wait_for(lambda: gate.begun)
        lane.add(message(1), time.monotonic() - 1)
        lane.add(message(2), time.monotonic() + 10)
        lane.add(message(0), time.monotonic() + 10)
        lane.add(message(1), time.monotonic() + 10)
        gate.open.release(10)
        wait_for(lambda: not lane.busy)
        assert gate.begun == ["0", "1", "2"]

    def test_what_waited_too_long_is_left_to_the_next_claim(self, lane: Lane, gate: Gate) -> None:
        lane.add(message(0), time.monotonic() - 1)
        lane.add(message(1), time.monotonic() + 10)
        gate.open.release(10)
        wait_for(lambda: not lane.busy)
        assert gate.begun == ["1"]

    def test_memory_is_bounded(self, lane: Lane, gate: Gate) -> None:
        lane.add(message(0), time.monotonic() + 10)
        wait_for(lambda: gate.begun)
        for number in range(1, MOST_WAITING + 100):
            if not lane.full:  # as the sender does, which leaves the others in the store
                lane.add(message(number), time.monotonic() + 10)
        gate.open.release(MOST_WAITING + 100)
        wait_for(lambda: not lane.busy)
        assert len(gate.begun) == MOST_WAITING + 1
