"""Activities that are tried again after transient causes, and what is shown of that."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.bench import Bench, states
from tests.support.queued import INPUT, Queue
from tests.support.s3 import ENVIRONMENT, Proxy, S3Server
from tests.support.waiting import wait_for
from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.cli.summary import execution_lines
from workflow_engine.engine import Engine
from workflow_engine.errors import Interruption
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, Progress
from workflow_engine.run.cancellation import Cancellation
from workflow_engine.settings import load_settings


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLOW_RETRY__FIRST_PAUSE", "0.05")
    monkeypatch.setenv("MEDIAFLOW_RETRY__LONGEST_PAUSE", "0.1")
    monkeypatch.setenv("MEDIAFLOW_RETRY__ATTEMPTS", "4")


class Seen:
    """Keeps what an execution looked like in the store whenever an activity waited."""

    def __init__(self, engine: Engine, then: Callable[[], None] = lambda: None) -> None:
        self.engine = engine
        self.then = then
        self.waiting: list[ExecutionRecord] = []

    def activity_changed(self, record: ActivityRecord) -> None:
        if record.state is ActivityState.RUNNING and " in " in record.message:
            self.waiting.append(self.engine.store.executions.newest()[0])
            self.then()

    def progressed(self, name: str, progress: Progress) -> None:
        pass


def test_a_transient_cause_is_tried_again_and_told(bench: Bench):
    seen = Seen(bench.engine)
    record = bench.run({"a": {"Text": "A", "Troubles": "2"}}, observers=[seen])
    assert bench.ran == [("a",)] * 3 and (bench.out / "a").read_text() == "content A"
    done = record.activity("a")
    assert (str(done.state), done.message, done.progress) == ("Success", "", 1)
    assert [one.code for one in done.attempts] == ["StorageUnavailable"] * 2
    assert done.started and done.started <= done.attempts[0].ended < done.attempts[1].ended
    assert done.to_wire()["Attempts"][1]["Message"] == "Told to fail for now."
    assert bench.engine.store.executions.get(record.run_id) == record
    first, second = (one.activity("a") for one in seen.waiting)
    assert first.message == "Attempt 2 of 4 in 0 s: Told to fail for now."
    assert second.message.startswith("Attempt 3 of 4") and second.state is ActivityState.RUNNING
    assert any("Attempt 2 of 4" in line for line in execution_lines(seen.waiting[0]))


def test_attempts_come_to_an_end(bench: Bench):
    record = bench.run({"a": {"Troubles": "9"}, "b": {}})
    assert bench.ran == [("a",)] * 4 + [("b",)]
    failed = record.activity("a")
    assert (failed.code, len(failed.attempts)) == ("StorageUnavailable", 3)
    assert failed.message == "Told to fail for now."


def test_a_permanent_cause_fails_at_once(bench: Bench):
    record = bench.run(
        {"a": {"Fail": "InvalidParameter.ResourceContentBad"}, "b": {"Crash": "true"}}
    )
    assert bench.ran == [("a",), ("b",)]
    assert [record.activity(name).attempts for name in "ab"] == [(), ()]


def test_a_type_may_have_its_own_policy(bench: Bench):
    work: Any = bench.fakes.registry["Work"]
    work.retry = RetryPolicy(attempts=2, first_pause=0)
    record = bench.run({"a": {"Troubles": "9"}})
    assert bench.ran == [("a",)] * 2 and len(record.activity("a").attempts) == 1


@pytest.mark.parametrize("reason", list(Interruption))
def test_the_pause_ends_with_the_run(
    bench: Bench, reason: Interruption, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEDIAFLOW_RETRY__FIRST_PAUSE", "60")
    monkeypatch.setenv("MEDIAFLOW_RETRY__LONGEST_PAUSE", "60")
    bench.engine = Engine(
        load_settings(None), output_dir=bench.path / "outputs", registry=bench.fakes.registry
    )
    running: list[Cancellation] = []
    seen = Seen(bench.engine, lambda: running[0].stop(reason))
    began = time.monotonic()
    record = bench.run({"a": {"Troubles": "1"}}, observers=[seen], on_start=running.append)
    assert time.monotonic() - began < 10 and bench.ran == [("a",)]
    left = reason is Interruption.LEFT
    assert str(record.activity("a").state) == ("Running" if left else "Fail")


def test_no_slot_is_held_and_others_go_on_meanwhile(bench: Bench):
    record = bench.run({"a": {"Troubles": "3"}, "b": {"Text": "B"}})
    a, b = record.activity("a"), record.activity("b")
    assert a.ended and b.ended and b.ended < a.ended


# --- one process for siblings


def test_a_shared_process_is_tried_again_for_all(bench: Bench):
    record = bench.run(
        {"a": {"Share": "x", "Text": "A", "Troubles": "1"}, "b": {"Share": "x", "Text": "B"}}
    )
    assert bench.ran == [("a", "b")] * 2
    assert set(states(record).values()) == {"Success"}
    assert [len(record.activity(name).attempts) for name in "ab"] == [1, 1]


def test_members_of_a_killed_process_are_tried_alone(bench: Bench):
    record = bench.run(
        {
            "a": {"Share": "x", "Text": "A", "Troubles": "2", "Cause": "killed"},
            "b": {"Share": "x", "Text": "B"},
        }
    )
    assert bench.ran == [("a",), ("a",), ("a", "b"), ("b",)]
    assert set(states(record).values()) == {"Success"}


# --- storage


CONFIGURATION = """
[buckets.in]
{input}
[buckets.out]
{output}
[queues.q]
file = "messages.jsonl"
[retry]
attempts = 30
first_pause = 0.1
longest_pause = 0.5
"""
STORE = """
url = "s3://{bucket}"
endpoint_url = "{url}"
access_key_id_env = "TEST_S3_KEY"
secret_access_key_env = "TEST_S3_SECRET"
"""


@pytest.fixture
def server(s3_servers: Callable[[str], S3Server]) -> S3Server:
    return s3_servers("seaweedfs")


@pytest.fixture
def proxy(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for name in ("ATTEMPTS", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.delenv(f"MEDIAFLOW_RETRY__{name}")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("workflow_engine.buckets.s3_client.ATTEMPTS", 1)
    with closing(Proxy(server.url)) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def queue(folder: Path, *, inside: str, outside: str) -> Iterator[Queue]:
    (folder / "in").mkdir()
    (folder / "in" / "clip.txt").write_text("content ")
    configuration = CONFIGURATION.format(input=inside, output=outside)
    (folder / "mediaflow.toml").write_text(configuration)
    made = Queue(folder)
    yield made
    made.engine.close()


def waits(queue: Queue, run_id: str, name: str) -> None:
    """Wait until an activity waits for its next attempt."""
    wait_for(lambda: "Attempt" in queue.record(run_id).activity(name).message)
    assert queue.record(run_id).activity(name).state is ActivityState.RUNNING


def test_an_upload_that_fails_is_repeated_without_work(home: Path, proxy: Proxy):
    outside = STORE.format(bucket="test-other", url=proxy.url)
    with queue(home, inside='path = "in"', outside=outside) as made, made.running():
        proxy.stall_after = 0  # until the store is away
        run_id = made.submit(a={"Output": "upload-a", "Text": "A"})
        wait_for(lambda: proxy.sent)
        with proxy.away():
            proxy.stall_after = 1 << 62
            waits(made, run_id, "a")
        record = made.ended(run_id)
        assert set(states(record).values()) == {"Success"}
        assert made.fakes.ran.calls == [("a",)]
        assert made.engine.buckets.at("s3://out/upload-a").content() == b"content A"


def test_an_input_whose_store_is_away_is_waited_for(home: Path, server: S3Server, proxy: Proxy):
    with server.client() as client:
        client.put_object(Bucket="test-vod", Key=INPUT.object, Body=b"content ")
    inside = STORE.format(bucket="test-vod", url=proxy.url)
    with queue(home, inside=inside, outside='path = "out"') as made:
        run_id = made.submit(a={"Text": "A"})
        accepted = made.record(run_id).version
        with proxy.away(), made.running():
            waits(made, run_id, "start")
        with made.running():  # another process, as it were
            record = made.ended(run_id, 60)
        assert set(states(record).values()) == {"Success"}
        assert record.version == accepted and (home / "out" / "a").read_text() == "content A"


def test_an_object_that_is_missing_fails_at_once(home: Path, server: S3Server, proxy: Proxy):
    with server.client() as client:
        client.put_object(Bucket="test-vod", Key=INPUT.object, Body=b"content ")
    inside = STORE.format(bucket="test-vod", url=proxy.url)
    with queue(home, inside=inside, outside='path = "out"') as made:
        run_id = made.submit(a={"Text": "A"})
        with server.client() as client:
            client.delete_object(Bucket="test-vod", Key=INPUT.object)
        with made.running():
            start = made.ended(run_id).activity("start")
        assert (start.code, start.attempts) == ("InvalidParameter.ResourceNotFound", ())


# --- files


def test_another_file_of_the_same_size_and_time_is_not_taken_for_the_old_one(bench: Bench):
    bench.run({"a": {"Text": "A"}})
    before = os.stat(bench.input)
    other = bench.path / "other"
    other.write_text("CONTENT ")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, bench.input)
    record = bench.run({"a": {"Text": "A"}})
    assert bench.ran == [("a",)] and (bench.out / "a").read_text() == "CONTENT A"
    assert not record.activity("a").reused


def test_a_chmod_is_no_new_version(bench: Bench):
    first = bench.run({"a": {"Text": "A"}})
    bench.input.chmod(0o600)
    record = bench.run({"a": {"Text": "A"}})
    assert bench.ran == [] and record.activity("a").reused and record.version == first.version


def test_a_file_that_is_replaced_under_the_run_is_noticed(bench: Bench):
    class Replace:
        def activity_changed(self, record: ActivityRecord) -> None:
            pass

        def progressed(self, name: str, progress: Progress) -> None:
            before = os.stat(bench.input)
            bench.input.write_text("CONTENT ")
            os.utime(bench.input, ns=(before.st_atime_ns, before.st_mtime_ns))

    record = bench.run({"a": {"Seconds": "0.1"}}, observers=[Replace()])
    assert "changed during the run" in record.activity("a").message
    assert not (bench.out / "a").exists()


def test_too_many_open_files_is_told_as_what_it_is(tmp_path: Path):
    (tmp_path / "a").write_text("content")
    script = """
        import os, resource, sys
        from pathlib import Path
        from workflow_engine.buckets import LocalBucket
        from workflow_engine.errors import MediaflowError
        bucket = LocalBucket("in", Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
        held = []
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        for act in (lambda: list(bucket.read("a")), lambda: bucket.stage_copy(place, "b", None)):
            try:
                place = type("Place", (), {"bucket": bucket, "key": "a"})
                act()
            except MediaflowError as error:
                print(error.transient.value, error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    lines = ended.stdout.splitlines()
    assert len(lines) == 2, ended.stderr
    for line in lines:
        assert line.startswith("limit ") and "Too many open files" in line and "ulimit" in line
        assert "permissions" not in line
