"""What activities read beside the input: found, pinned, part of the content key."""

from pathlib import Path

import pytest

from tests.support.bench import Bench, states


@pytest.fixture
def side(bench: Bench) -> Path:
    """The folder of the bucket `side`."""
    folder = bench.path / "outputs" / "side"
    folder.mkdir(parents=True)
    return folder


def test_a_side_input_lies_beside_the_source(bench: Bench, side: Path):
    (side / "logo.txt").write_text("logo ")
    record = bench.run({"a": {"Reads": "logo.txt", "Text": "A"}, "b": {"Text": "B"}})
    assert set(states(record).values()) == {"Success"}
    assert (bench.out / "a").read_text() == "content logo A"
    assert (bench.out / "b").read_text() == "content B"


def test_a_list_may_name_further_objects(bench: Bench, side: Path):
    (side / "list").write_text("see part")
    (side / "part").write_text("part ")
    bench.run({"a": {"Reads": "list"}})
    assert (bench.out / "a").read_text() == "content see partpart done"


def test_the_input_itself_may_be_a_side_input(bench: Bench, side: Path):
    (side / "clip.txt").write_text("other ")
    bench.run({"a": {"Reads": "clip.txt"}})
    assert (bench.out / "a").read_text() == "content other done"


def test_the_content_of_a_side_input_is_part_of_the_key(bench: Bench, side: Path):
    (side / "logo").write_text("one ")
    works = {"a": {"Reads": "logo"}, "b": {}}
    bench.run(works)
    bench.run(works)
    assert bench.ran == []
    (side / "logo").write_text("other ")
    bench.run(works)
    assert bench.ran == [("a",)]
    (side / "logo").rename(side / "renamed")
    bench.run({"a": {"Reads": "renamed"}, "b": {}})
    assert bench.ran == []


def test_a_missing_side_input_fails_its_activity_only(bench: Bench, side: Path):
    record = bench.run({"a": {"Reads": "logo.txt"}, "b": {}})
    assert states(record) == {"start": "Success", "a": "Fail", "b": "Success", "report": "Success"}
    failed = record.activity("a")
    assert failed.code == "InvalidParameter.ResourceNotFound"
    assert '"logo.txt"' in failed.message and str(side / "logo.txt") in failed.message


def test_members_of_one_process_have_their_own(bench: Bench, side: Path):
    for name in "ab":
        (side / name).write_text(f"logo {name} ")
    bench.run({n: {"Share": "x", "Reads": n} for n in "ab"})
    assert bench.ran == [("a", "b")]
    assert [(bench.out / n).read_text() for n in "ab"] == [f"content logo {n} done" for n in "ab"]


def test_a_side_input_that_changes_under_the_run_fails_it(bench: Bench, side: Path):
    logo = side / "logo"
    logo.write_text("one ")

    class Change:
        def activity_changed(self, record):
            pass

        def progressed(self, name, progress):
            logo.write_text("another ")

    record = bench.run({"a": {"Reads": "logo", "Seconds": "0.1"}}, observers=[Change()])
    failed = record.activity("a")
    assert failed.code == "InvalidParameter.ResourceContentBad" and '"logo"' in failed.message
    assert not (bench.out / "a").exists()


def test_a_plan_reads_them_too(bench: Bench, side: Path):
    bench.run({"a": {"Reads": "logo"}})
    workflow = bench.engine.load(bench.path / "flow.json")
    source = bench.engine.open_input(workflow, str(bench.input))
    planned = {p.node.name: p for p in bench.engine.plan(workflow, source).activities}
    assert planned["a"].error and '"logo"' in planned["a"].error.message
    (side / "logo").write_text("one ")
    planned = {p.node.name: p for p in bench.engine.plan(workflow, source).activities}
    assert planned["a"].step and len(planned["a"].side_inputs) == 1
