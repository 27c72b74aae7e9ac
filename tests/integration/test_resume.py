"""Executions taken up again, and claims that another process took over."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.bench import Bench, states
from workflow_engine.buckets.local import LocalBucket, StagedFile
from workflow_engine.errors import InvalidInputError, LeaseLostError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionState, Progress


def test_a_resumed_execution_keeps_what_succeeded(bench: Bench):
    blocked = bench.out / "b"
    blocked.mkdir(parents=True)
    first = bench.run({"a": {"Text": "A"}, "b": {"Text": "B"}})
    assert states(first)["b"] == "Fail"
    blocked.rmdir()
    bench.fakes.ran.calls.clear()
    again = bench.engine.resume(first.run_id, executor=InlineExecutor())
    assert again.run_id == first.run_id and again.state is ExecutionState.COMPLETED
    assert set(states(again).values()) == {"Success"}
    assert bench.ran == [("b",)] and blocked.read_text() == "content B"
    assert again.activity("a").job_id == first.activity("a").job_id
    assert "b Success" in Path(again.report).read_text()
    assert bench.engine.store.executions.get(first.run_id) == again
    with pytest.raises(InvalidInputError, match="already completed"):
        bench.engine.resume(first.run_id, executor=InlineExecutor())


def test_a_resumed_execution_makes_damaged_outputs_again(bench: Bench):
    first = bench.run({"a": {"Text": "A"}, "b": {"Fail": "X"}})
    (bench.out / "a").write_text("damaged")
    bench.fakes.ran.calls.clear()
    bench.engine.resume(first.run_id, executor=InlineExecutor())
    assert ("a",) in bench.ran and (bench.out / "a").read_text() == "content A"


@pytest.fixture
def logo(bench: Bench) -> Path:
    """An object that activities read beside the input."""
    folder = bench.path / "outputs" / "side"
    folder.mkdir(parents=True)
    (folder / "logo").write_text("first ")
    return folder / "logo"


def half_done(bench: Bench) -> str:
    """The RunId of an execution of which a and c succeeded, and b is to be resumed."""
    blocked = bench.out / "b"
    blocked.mkdir(parents=True)
    first = bench.run(
        {"a": {"Reads": "logo", "Text": "A"}, "b": {"Reads": "logo", "Text": "B"}, "c": {}}
    )
    assert states(first) | {"b": "Success"} == dict.fromkeys(states(first), "Success")
    blocked.rmdir()
    bench.fakes.ran.calls.clear()
    return first.run_id


def test_a_resumed_execution_has_one_version_of_what_else_it_reads(bench: Bench, logo: Path):
    run_id = half_done(bench)
    logo.write_text("second ")
    again = bench.engine.resume(run_id, executor=InlineExecutor())
    assert set(states(again).values()) == {"Success"} and bench.ran == [("a",), ("b",)]
    assert [(bench.out / n).read_text()[:-1] for n in "ab"] == ["content second "] * 2


def test_what_was_only_written_again_is_the_same(bench: Bench, logo: Path):
    run_id = half_done(bench)
    logo.unlink()
    logo.write_text("first ")
    bench.engine.resume(run_id, executor=InlineExecutor())
    assert bench.ran == [("b",)]


def test_what_was_made_of_a_side_input_that_is_gone_is_kept(bench: Bench, logo: Path):
    run_id = half_done(bench)
    logo.unlink()
    again = bench.engine.resume(run_id, executor=InlineExecutor())
    assert states(again)["a"] == "Success" and bench.ran == []
    assert again.activity("b").code == "InvalidParameter.ResourceNotFound"


def test_an_execution_is_not_resumed_on_another_input(bench: Bench):
    first = bench.run({"a": {"Fail": "X"}})
    bench.input.write_text("other content")
    with pytest.raises(InvalidInputError, match="not what it was"):
        bench.engine.resume(first.run_id, executor=InlineExecutor())


def test_a_running_execution_is_not_resumed(bench: Bench):
    seen: list[str] = []

    class Try:
        def activity_changed(self, record: Any) -> None:
            if record.name == "a" and not seen:
                (running,) = bench.engine.store.executions.newest()
                with pytest.raises(InvalidInputError) as caught:
                    bench.engine.resume(running.run_id, executor=InlineExecutor())
                seen.append(caught.value.message)

        def progressed(self, name: str, progress: Progress) -> None:
            pass

    record = bench.run({"a": {}}, observers=[Try()])
    assert len(seen) == 1 and set(states(record).values()) == {"Success"}


def test_a_resumed_execution_stays_fresh(bench: Bench):
    bench.run({"a": {"Text": "A"}, "b": {}})
    blocked = bench.out / "b"
    blocked.unlink()
    blocked.mkdir()
    first = bench.run({"a": {"Text": "A"}, "b": {}}, fresh=True)
    assert states(first)["b"] == "Fail"
    blocked.rmdir()
    bench.fakes.ran.calls.clear()
    bench.engine.resume(first.run_id, executor=InlineExecutor())
    assert bench.ran == [("b",)]


def test_an_execution_that_ended_between_is_not_run_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    blocked = bench.out / "a"
    blocked.mkdir(parents=True)
    first = bench.run({"a": {}})
    blocked.rmdir()
    real_claim = bench.engine.store.queue.claim

    def claim_after_another(run_id: str, **how: Any) -> Any:
        monkeypatch.setattr(bench.engine.store.queue, "claim", real_claim)
        bench.engine.resume(run_id, executor=InlineExecutor())
        return real_claim(run_id, **how)

    monkeypatch.setattr(bench.engine.store.queue, "claim", claim_after_another)
    bench.fakes.ran.calls.clear()
    with pytest.raises(InvalidInputError, match="already completed"):
        bench.engine.resume(first.run_id, executor=InlineExecutor())
    assert bench.ran == [("a",)]
    stored = bench.engine.store.executions.get(first.run_id)
    assert stored is not None and str(stored.state) == "Completed"
    assert not bench.engine.store.queue.is_running(first.run_id)


def test_a_process_that_lost_its_claim_publishes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    real_stage = LocalBucket.stage

    def stage_slowly(bucket: LocalBucket, *given: Any, **more: Any) -> StagedFile:
        staged = real_stage(bucket, *given, **more)
        store = bench.engine.store
        (running,) = store.executions.newest()
        with store._database.write() as connection:  # the lease lapsed meanwhile
            connection.exec_driver_sql("UPDATE executions SET lease_until = NULL, owner = NULL")
        store.queue.claim(running.run_id, owner="another", lease_seconds=60)
        return staged

    monkeypatch.setattr(LocalBucket, "stage", stage_slowly)
    with pytest.raises(LeaseLostError):
        bench.run({"a": {}})
    assert [path.name for path in bench.out.iterdir() if not path.name.startswith(".")] == []


def test_a_failure_after_a_success_shows_no_outputs(bench: Bench):
    first = bench.run({"a": {"Text": "A"}, "b": {"Fail": "X"}})
    (bench.out / "a").unlink()
    (bench.out / "a").mkdir()
    again = bench.engine.resume(first.run_id, executor=InlineExecutor())
    assert states(again)["a"] == "Fail" and again.activity("a").outputs == ()
    stored = bench.engine.store.executions.get(first.run_id)
    assert stored is not None and stored.to_wire() == again.to_wire()


def test_what_killed_runs_left_in_the_work_directory_goes(bench: Bench):
    left = bench.path / "data" / "work" / ("0" * 32)
    left.mkdir(parents=True)
    bench.run({"a": {}})
    assert not left.exists()
