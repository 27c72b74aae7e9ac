"""Execution semantics with fake activities: order, states, reuse, sharing, publishing."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.bench import Bench, states
from workflow_engine.errors import Interruption, InvalidInputError
from workflow_engine.records import ExecutionState, Progress
from workflow_engine.run.cancellation import Cancellation


def test_outputs_appear_and_the_record_is_stored(bench: Bench):
    record = bench.run({"a": {"Text": "A"}})
    assert (bench.out / "a").read_text() == "content A"
    assert record.state is ExecutionState.COMPLETED
    assert states(record) == {"start": "Success", "a": "Success", "report": "Success"}
    stored = bench.engine.store.executions.get(record.run_id)
    assert stored is not None and stored.to_wire() == record.to_wire()
    assert Path(record.report).read_text() == "start Success\na Success\nreport Running"


def test_start_and_report_say_that_no_message_went_out(bench: Bench):
    wire = bench.run({"a": {}}).to_wire()
    results = {a["Name"]: a.get("MNSMessageResult", {}) for a in wire["ActivityList"]}
    assert results["start"]["ErrorCode"] == results["report"]["ErrorCode"] == "MessageConfigEmpty"
    assert results["a"] == {}


def test_one_failure_does_not_stop_independent_branches(bench: Bench):
    record = bench.run({"a": {"Fail": "InvalidParameter.NoAudioStream"}, "b": {}})
    assert states(record) == {
        "start": "Success",
        "a": "Fail",
        "b": "Success",
        "report": "Success",
    }
    failed = record.activity("a")
    assert failed.code == "InvalidParameter.NoAudioStream" and failed.detail == "last words"
    assert record.state is ExecutionState.COMPLETED
    assert not (bench.out / "a").exists()


def test_a_bug_in_an_activity_is_its_failure_only(bench: Bench):
    record = bench.run({"a": {"Crash": "true"}, "b": {}})
    assert record.activity("a").code == "InternalError"
    assert states(record)["b"] == "Success" and record.state is ExecutionState.COMPLETED


def test_a_failed_start_skips_everything_but_report(bench: Bench):
    bench.input.write_text("bad")
    record = bench.run({"a": {}})
    assert states(record) == {"start": "Fail", "a": "Skipped", "report": "Success"}
    assert record.state is ExecutionState.FAIL
    assert record.code == "InvalidParameter.ResourceContentBad"
    assert bench.ran == []


def test_a_skipped_activity_does_not_skip_those_behind_it(bench: Bench):
    edges = {"start": ["a"], "a": ["b"], "b": ["report"], "report": []}
    record = bench.run({"a": {"Skip": "true"}, "b": {}}, edges)
    assert states(record)["a"] == "Skipped" and states(record)["b"] == "Success"


def test_independent_branches_run_at_the_same_time(bench: Bench):
    together = threading.Event()
    seen: list[str] = []

    class Watch:
        def activity_changed(self, record: Any) -> None:
            if record.type == "Work" and str(record.state) == "Running":
                seen.append(record.name)
                if len(seen) == 2:
                    together.set()

        def progressed(self, name: str, progress: Progress) -> None:
            if not together.is_set():
                together.wait(5)

    bench.run({"a": {"Seconds": "0.1"}, "b": {"Seconds": "0.1"}}, observers=[Watch()])
    assert together.is_set()


# --- reuse


def test_a_second_run_reuses_every_step_but_report(bench: Bench):
    bench.run({"a": {}, "b": {"Text": "B"}})
    record = bench.run({"a": {}, "b": {"Text": "B"}})
    assert bench.ran == []
    assert [a.reused for a in record.activities] == [True, True, True, False]


def test_only_the_changed_step_runs_again(bench: Bench):
    bench.run({"a": {"Text": "A"}, "b": {}})
    bench.run({"a": {"Text": "A"}, "b": {"Text": "changed"}})
    assert bench.ran == [("b",)]
    assert (bench.out / "b").read_text() == "content changed"


def test_an_output_under_another_name_is_copied(bench: Bench):
    bench.run({"a": {"Output": "one"}})
    record = bench.run({"a": {"Output": "two"}})
    assert bench.ran == []
    assert record.activity("a").outputs[0].ref.object == "two"
    assert (bench.out / "two").read_text() == (bench.out / "one").read_text()


@pytest.mark.parametrize("damage", ["missing", "other bytes"])
def test_a_damaged_output_is_made_again(bench: Bench, damage: str):
    bench.run({"a": {}})
    output = bench.out / "a"
    before = output.read_text()
    if damage == "missing":
        output.unlink()
    else:
        output.write_text(before.upper())
    bench.run({"a": {}})
    assert bench.ran == [("a",)] and output.read_text() == before


def test_another_content_of_the_input_runs_again(bench: Bench):
    bench.run({"a": {}})
    bench.input.write_text("changed ")
    bench.run({"a": {}})
    assert bench.ran == [("a",)]


def test_the_same_content_under_another_name_is_reused(bench: Bench):
    bench.run({"a": {"Output": "{FileName}"}})
    bench.input = bench.input.rename(bench.path / "renamed.txt")
    bench.run({"a": {"Output": "{FileName}"}})
    assert bench.ran == [] and (bench.out / "renamed").exists()


def test_fresh_ignores_finished_steps(bench: Bench):
    bench.run({"a": {}})
    record = bench.run({"a": {}}, fresh=True)
    assert bench.ran == [("a",)] and not any(a.reused for a in record.activities)


# --- one process for siblings


def test_siblings_share_one_process(bench: Bench):
    record = bench.run({n: {"Share": "x", "Text": n} for n in "abc"} | {"d": {"Share": "y"}})
    assert bench.ran == [("a", "b", "c"), ("d",)]
    assert set(states(record).values()) == {"Success"}
    assert (bench.out / "b").read_text() == "content b"


def test_a_failed_shared_process_is_tried_alone(bench: Bench):
    record = bench.run(
        {"a": {"Share": "x", "FailShared": "true"}, "b": {"Share": "x", "Text": "b"}}
    )
    assert bench.ran == [("a",), ("a", "b"), ("b",)]
    assert set(states(record).values()) == {"Success"}


def test_finished_siblings_need_no_process(bench: Bench):
    bench.run({n: {"Share": "x", "Text": n} for n in "ab"})
    bench.run({n: {"Share": "x", "Text": n} for n in "abc"})
    assert bench.ran == [("c",)]


def test_activities_that_become_ready_at_other_times_do_not_share(bench: Bench):
    edges = {"start": ["a", "b"], "a": ["c"], "b": ["report"], "c": ["report"], "report": []}
    bench.run({n: {"Share": "x", "Text": n} for n in "abc"}, edges)
    assert bench.ran == [("a", "b"), ("c",)]


# --- names


def test_two_activities_may_not_write_one_object(bench: Bench):
    record = bench.run({"a": {"Output": "same", "Text": "a"}, "b": {"Output": "same"}})
    failed = [a for a in record.activities if str(a.state) == "Fail"]
    assert len(failed) == 1 and "both write" in failed[0].message


def test_which_of_two_writers_fails_is_no_chance(bench: Bench):
    for _ in range(5):
        record = bench.run({"a": {"Output": "same"}, "b": {"Output": "same"}}, fresh=True)
        assert states(record)["a"] == "Success" and states(record)["b"] == "Fail"


def test_an_earlier_output_is_no_longer_overwritten_when_it_is_the_input(bench: Bench):
    bench.run({"a": {}})
    bench.input = bench.out / "a"
    before = bench.input.read_text()
    record = bench.run({"a": {}})
    assert record.activity("a").code == "InvalidParameter.ObjectKeyInvalid"
    assert bench.input.read_text() == before and bench.ran == []


def test_a_failed_publication_leaves_what_was_there(bench: Bench):
    (bench.out / "folder").mkdir(parents=True)
    (bench.out / "folder" / "inside").write_text("kept")
    record = bench.run({"a": {"Output": "folder"}})
    assert str(record.activity("a").state) == "Fail"
    assert (bench.out / "folder" / "inside").read_text() == "kept"
    assert [p.name for p in bench.out.rglob("*") if p.is_file()] == ["inside"]
    assert bench.engine.store.steps.intents(record.run_id) == []


def test_names_may_be_exchanged_between_activities(bench: Bench):
    for _ in range(6):
        for x, y in (("one", "two"), ("two", "one")):
            record = bench.run({"x": {"Output": x, "Text": "X"}, "y": {"Output": y, "Text": "Y"}})
            assert (bench.out / x).read_text() == "content X"
            assert (bench.out / y).read_text() == "content Y"
            assert set(states(record).values()) == {"Success"}


def test_a_name_that_leaves_the_bucket_is_refused(bench: Bench):
    record = bench.run({"a": {"Output": "..%2F..%2Fescaped"}})
    assert record.activity("a").code == "InvalidParameter.ObjectKeyInvalid"
    assert not list(bench.path.rglob("escaped"))


# --- interruption and change


def test_an_interrupted_run_ends_at_once_and_says_so(bench: Bench):
    running: list[Cancellation] = []

    class Stop:
        def activity_changed(self, record: Any) -> None:
            pass

        def progressed(self, name: str, progress: Progress) -> None:
            running[0].stop(Interruption.USER)

    record = bench.run(
        {"a": {"Seconds": "60"}, "b": {}}, observers=[Stop()], on_start=running.append
    )
    assert record.state is ExecutionState.FAIL and record.code == "Interrupted"
    assert record.activity("a").code == "Interrupted"
    assert states(record)["report"] == "Waiting"
    assert not (bench.out / "a").exists()


def test_an_input_that_changes_under_the_run_publishes_nothing(bench: Bench):
    class Change:
        def activity_changed(self, record: Any) -> None:
            pass

        def progressed(self, name: str, progress: Progress) -> None:
            bench.input.write_text("other content")

    record = bench.run({"a": {"Seconds": "0.1"}}, observers=[Change()])
    assert record.activity("a").code == "InvalidParameter.ResourceContentBad"
    assert "changed during the run" in record.activity("a").message
    assert not (bench.out / "a").exists()


def test_no_work_directory_is_left(bench: Bench):
    bench.run({"a": {}, "b": {"Fail": "X"}})
    assert list((bench.path / "data" / "work").iterdir()) == []


@pytest.mark.parametrize("missing", ["absent.txt", ".", "in\0valid"])
def test_an_input_that_is_no_file_is_refused_before_anything_is_stored(bench: Bench, missing: str):
    bench.run({"a": {}})
    workflow = bench.engine.load(bench.path / "flow.json")
    with pytest.raises(InvalidInputError):
        bench.engine.open_input(workflow, missing)
    assert len(bench.engine.store.executions.newest()) == 1
