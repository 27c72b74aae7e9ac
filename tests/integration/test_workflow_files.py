"""A folder of topologies and the workflows that it makes, on a real store."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.places import EXAMPLES
from tests.support.topologies import minimal, report, start, text, topology
from tests.support.waiting import wait_for
from workflow_engine.activity import load_registry
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.errors import InvalidInputError, MediaflowError
from workflow_engine.planning import graph
from workflow_engine.records.catalog import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.service.workflow_files import RETRY_LOOKS, WorkflowFiles
from workflow_engine.store import Store

REGISTRY = load_registry()

GOOD = text(minimal())
BROKEN = '{"Activities": {\n  "start": {}}'


def parsed(text: str) -> graph.Graph:
    return graph.load(text, REGISTRY)


def bound_to(prefix: str) -> str:
    given = {"Bucket": "uploads", "ObjectPrefix": prefix}
    return text(topology({"start": start(InputFile=given), "report": report()}))


class Folder:
    """A folder of workflow files, its store, and what watches it."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self.store = store
        self.workflows = Workflows(store, parsed)
        self.watcher = WorkflowFiles(self.workflows, path)

    def restart(self) -> None:
        """Watch anew, as the next process does."""
        self.watcher = WorkflowFiles(self.workflows, self.path)
        self.watcher.scan()

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            self.watcher.scan()

    def write(self, name: str, content: str = GOOD) -> Path:
        """Replace a file as git does."""
        self.path.mkdir(exist_ok=True)
        new = self.path / f".{name}.new"
        new.write_text(content)
        return new.replace(self.path / f"{name}.json")

    def __getitem__(self, name: str) -> WorkflowRecord:
        found = self.store.workflows.named(name)
        assert found is not None, name
        return found

    @property
    def states(self) -> dict[str, str]:
        records, _ = self.workflows.search(WorkflowState, page_number=1, page_size=1000)
        return {record.name: str(record.state) for record in records}

    @property
    def problems(self) -> dict[str, str]:
        return {file.name: file.problem for file in self.workflows.files() if file.problem}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    store = Store.open(f"sqlite:///{tmp_path}/mediaflow.db")
    yield Folder(tmp_path / "workflows", store)
    store.close()


class TestLoading:
    def test_the_examples(self, folder: Folder):
        shutil.copytree(EXAMPLES, folder.path)
        folder.restart()
        assert folder.states == {path.stem: "Active" for path in EXAMPLES.glob("*.json")}
        assert folder.watcher.status() == ""
        ladder = folder["ladder"]
        assert ladder.topology == (EXAMPLES / "ladder.json").read_text()
        assert ladder.file == str(folder.path / "ladder.json")
        assert (ladder.bucket, ladder.prefix) == ("uploads", "incoming/")
        assert ladder.trigger_mode is TriggerMode.OSS_AUTO_TRIGGER

    def test_only_json_files_that_are_not_hidden(self, folder: Folder):
        for name in ("a.json", ".b.json", "c.JSON", "d.json~", "e.txt", "sub/f.json"):
            path = folder.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(GOOD)
        folder.restart()
        assert folder.states == {"a": "Active"}

    def test_a_restart_changes_nothing(self, folder: Folder):
        folder.write("a")
        folder.restart()
        before, files = folder["a"], folder.workflows.files()
        folder.restart()
        assert folder["a"] == before
        assert folder.workflows.files() == files

    def test_a_new_file_is_taken_at_the_second_look(self, folder: Folder):
        folder.path.mkdir()
        folder.restart()
        folder.write("a")
        folder.look(1)
        assert folder.states == {}
        folder.look(1)
        assert folder.states == {"a": "Active"}

    def test_a_file_that_is_being_written(self, folder: Folder):
        folder.path.mkdir()
        folder.restart()
        with (folder.path / "a.json").open("w") as file:
            for part in range(0, len(GOOD), 200):
                file.write(GOOD[part : part + 200])
                file.flush()
                folder.look(1)
                assert folder.states == {} and folder.problems == {}
        folder.look()
        assert folder.states == {"a": "Active"}

    def test_a_link_is_its_target(self, folder: Folder, tmp_path: Path):
        folder.path.mkdir()
        (tmp_path / "1").write_text(bound_to("one/"))
        (tmp_path / "2").write_text(bound_to("two/"))
        (folder.path / "a.json").symlink_to(tmp_path / "1")
        folder.restart()
        (folder.path / "a.json").unlink()
        (folder.path / "a.json").symlink_to(tmp_path / "2")
        folder.look()
        assert folder["a"].prefix == "two/"

    def test_a_byte_order_mark(self, folder: Folder):
        folder.path.mkdir()
        (folder.path / "a.json").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
        folder.restart()
        assert folder["a"].topology == GOOD


class TestChanges:
    def test_an_active_workflow_gets_the_new_topology(self, folder: Folder):
        folder.write("a", bound_to("old/"))
        folder.restart()
        before = folder["a"]
        folder.write("a", bound_to("new%2F"))
        folder.look()
        after = folder["a"]
        assert (after.id, after.created, after.state) == (before.id, before.created, "Active")
        assert (after.topology, after.prefix) == (bound_to("new%2F"), "new/")

    def test_a_state_set_by_hand_outlives_changes_and_restarts(self, folder: Folder):
        folder.write("a")
        folder.restart()
        workflow_id = folder["a"].id
        folder.workflows.deactivate(workflow_id)
        folder.workflows.set_trigger_mode(workflow_id, TriggerMode.NOT_IN_AUTO)
        folder.write("a", bound_to("new/"))
        folder.look()
        folder.restart()
        after = folder["a"]
        assert (after.state, after.trigger_mode) == ("Inactive", "NotInAuto")
        assert after.prefix == "new/"

    def test_changes_while_nobody_watched(self, folder: Folder):
        folder.write("a", bound_to("old/"))
        folder.write("b")
        folder.restart()
        folder.write("a", bound_to("new/"))
        (folder.path / "b.json").unlink()
        folder.write("c")
        folder.restart()
        assert folder["a"].prefix == "new/"
        assert folder.states == {"a": "Active", "b": "Inactive", "c": "Active"}

    def test_the_topology_belongs_to_the_file(self, folder: Folder):
        folder.write("a")
        folder.restart()
        workflow_id = folder["a"].id
        for active in (True, False):
            with pytest.raises(InvalidInputError, match="belongs to the file") as caught:
                folder.workflows.update(workflow_id, GOOD)
            assert "Change the file." in str(caught.value)
            with pytest.raises(InvalidInputError, match="cannot be deleted"):
                folder.workflows.delete(workflow_id)
            if active:
                folder.workflows.deactivate(workflow_id)


class TestRemoval:
    def test_a_removed_file_deactivates(self, folder: Folder):
        folder.write("a")
        folder.restart()
        (folder.path / "a.json").unlink()
        folder.look(1)
        assert folder.states == {"a": "Active"}
        folder.look(1)
        assert folder.states == {"a": "Inactive"}
        assert folder.workflows.files() == []

    def test_a_file_that_is_replaced_in_two_steps_has_not_gone(self, folder: Folder):
        folder.write("a")
        folder.restart()
        for _ in range(3):
            (folder.path / "a.json").unlink()
            folder.look(1)
            folder.write("a")
            folder.look(1)
            assert folder.states == {"a": "Active"}

    @pytest.mark.parametrize("watched", [True, False])
    def test_the_file_comes_back(self, folder: Folder, watched: bool):
        look = folder.look if watched else folder.restart
        folder.write("a")
        folder.restart()
        before = folder["a"]
        (folder.path / "a.json").unlink()
        look()
        assert folder.states == {"a": "Inactive"}
        folder.write("a")
        look()
        assert folder["a"] == before

    def test_a_state_set_by_hand_before_the_removal_is_kept(self, folder: Folder):
        folder.write("a")
        folder.restart()
        folder.workflows.deactivate(folder["a"].id)
        (folder.path / "a.json").unlink()
        folder.look()
        folder.write("a")
        folder.look()
        assert folder.states == {"a": "Inactive"}

    def test_a_state_set_by_hand_after_the_removal_is_kept(self, folder: Folder):
        folder.write("a")
        folder.write("b")
        folder.restart()
        for name in ("a", "b"):
            (folder.path / f"{name}.json").unlink()
        folder.look()
        folder.workflows.deactivate(folder["a"].id)
        folder.workflows.activate(folder["b"].id)
        folder.look()
        folder.restart()
        assert folder.states == {"a": "Inactive", "b": "Active"}
        for name in ("a", "b"):
            folder.write(name)
        folder.look()
        assert folder.states == {"a": "Inactive", "b": "Active"}

    def test_once_its_file_is_gone_a_workflow_can_be_deleted(self, folder: Folder):
        folder.write("a")
        folder.restart()
        first = folder["a"].id
        (folder.path / "a.json").unlink()
        folder.look()
        assert folder.workflows.delete(first).state is WorkflowState.DELETED
        folder.write("a")
        folder.look()
        assert folder["a"].id != first

    def test_renaming(self, folder: Folder):
        folder.write("a")
        folder.restart()
        first = folder["a"].id
        (folder.path / "a.json").rename(folder.path / "b.json")
        folder.look()
        assert folder.states == {"a": "Inactive", "b": "Active"}
        (folder.path / "b.json").rename(folder.path / "a.json")
        folder.look()
        assert folder.states == {"a": "Active", "b": "Inactive"}
        assert folder["a"].id == first


class TestTheFolder:
    def test_none_means_no_files(self, folder: Folder):
        folder.restart()
        folder.look()
        assert folder.watcher.status() == ""
        folder.write("a")
        folder.look()
        assert folder.states == {"a": "Active"}

    @pytest.mark.parametrize("watched", [True, False])
    def test_one_that_disappears_deactivates_nothing(self, folder: Folder, watched: bool):
        folder.write("a")
        folder.restart()
        folder.path.rename(folder.path.with_name("elsewhere"))
        if watched:
            folder.look(3)
        else:
            folder.restart()
        assert folder.states == {"a": "Active"}
        assert "is missing" in folder.watcher.status()
        folder.path.with_name("elsewhere").rename(folder.path)
        folder.look()
        assert folder.watcher.status() == ""
        assert folder.states == {"a": "Active"}

    def test_an_empty_one_deactivates_all(self, folder: Folder):
        folder.write("a")
        folder.write("b")
        folder.restart()
        shutil.rmtree(folder.path)
        folder.path.mkdir()
        folder.look()
        assert folder.states == {"a": "Inactive", "b": "Inactive"}

    def test_one_that_is_no_folder(self, folder: Folder):
        folder.path.write_text("")
        folder.restart()
        assert "cannot be read" in folder.watcher.status()

    def test_another_one_takes_its_place(self, folder: Folder):
        folder.write("a")
        folder.write("b")
        folder.restart()
        before = folder["a"]
        folder.path = folder.path.rename(folder.path.with_name("moved"))
        (folder.path / "b.json").unlink()
        folder.restart()
        # what is not in the new place may still be wanted: the old one does not say
        assert folder.states == {"a": "Active", "b": "Active"}
        assert (folder["a"].id, folder["a"].file) == (before.id, str(folder.path / "a.json"))
        assert [Path(file.path).parent.name for file in folder.workflows.files()] == [
            "moved",
            "workflows",
        ]
        assert folder.workflows.delete(folder["b"].id).state is WorkflowState.DELETED

    def test_two_of_them_leave_each_other_alone(self, folder: Folder, tmp_path: Path):
        other = Folder(tmp_path / "other", folder.store)
        folder.write("a")
        folder.write("b")
        other.write("c")
        folder.restart()
        other.restart()
        for one in (folder, other, folder, other):
            one.restart()
            one.look(3)
        assert folder.states == dict.fromkeys("abc", "Active")
        (folder.path / "b.json").unlink()
        other.restart()
        assert folder.states["b"] == "Active"  # nobody looked in its own folder yet
        folder.restart()
        assert folder.states == {"a": "Active", "b": "Inactive", "c": "Active"}

    def test_a_name_in_two_of_them_belongs_to_the_first(self, folder: Folder, tmp_path: Path):
        other = Folder(tmp_path / "other", folder.store)
        folder.write("a")
        other.write("a", bound_to("other/"))
        folder.restart()
        other.restart()
        assert folder["a"].file == str(folder.path / "a.json")
        (problem,) = other.problems.values()
        assert f'"{folder.path}/a.json"' in problem and "Rename" in problem
        (folder.path / "a.json").unlink()
        folder.look()
        assert folder.states == {"a": "Inactive"}
        other.look(RETRY_LOOKS)
        assert folder["a"].file == str(other.path / "a.json")
        assert folder.states == {"a": "Active"}


class TestBrokenFiles:
    def test_outputs_that_overwrite_those_of_another_file(
        self, folder: Folder, caplog: pytest.LogCaptureFixture
    ):
        outputs = GOOD.replace("{RunId}", "r")
        folder.write("first", outputs)
        folder.look()
        assert caplog.messages == []
        folder.write("second", outputs)
        folder.look()
        (warning,) = caplog.messages
        assert warning.startswith('workflow "second": ')
        assert 'in the workflow "first"' in warning
        caplog.clear()
        second = folder.workflows.find("second")
        folder.workflows.deactivate(second.id)
        folder.write("first", outputs.replace("{FileName}", "new-{FileName}"))
        folder.look()
        folder.workflows.activate(second.id)
        assert caplog.messages == []
        folder.write("first", outputs)
        folder.look()
        assert 'in the workflow "second"' in caplog.text

    def test_the_last_good_version_stays(self, folder: Folder, caplog: pytest.LogCaptureFixture):
        folder.write("a")
        folder.restart()
        before = folder["a"]
        value = minimal()
        value["Dependencies"]["sd"] = ["repotr"]
        value["Activities"]["sd"]["Parameters"]["Outputs"][0]["TemplateId"] = "nonsense"
        path = folder.write("a", text(value))
        with caplog.at_level(logging.WARNING):
            folder.look(RETRY_LOOKS * 2)
        assert folder["a"] == before
        problems = folder.problems["a"].splitlines()
        assert len(problems) >= 2
        assert all(line.startswith(f"{path}:") for line in problems)
        assert any('"repotr"' in line and "(/Dependencies/sd/0)" in line for line in problems)
        assert caplog.messages == problems
        assert "a.json" in folder.watcher.status()
        folder.write("a")
        folder.look()
        assert folder.problems == {} and folder.watcher.status() == ""

    def test_one_that_never_was_a_workflow(self, folder: Folder):
        path = folder.write("a", BROKEN)
        folder.restart()
        assert folder.states == {}
        assert folder.problems["a"].startswith(f"{path}:2:15: InvalidParameter.JsonFormatInvalid:")
        assert [file.name for file in folder.workflows.files_without_workflow()] == ["a"]
        folder.write("a")
        folder.look()
        assert folder.workflows.files_without_workflow() == []
        path.unlink()
        folder.look()
        assert folder.workflows.files() == []

    def test_a_broken_file_that_goes_away(self, folder: Folder):
        folder.write("a")
        folder.restart()
        folder.write("a", BROKEN)
        folder.look()
        (folder.path / "a.json").unlink()
        folder.look()
        assert folder.states == {"a": "Inactive"} and folder.problems == {}

    def test_the_others_are_loaded(self, folder: Folder):
        folder.write("a", BROKEN)
        folder.write("b")
        folder.restart()
        assert folder.states == {"b": "Active"}

    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda path: path.mkdir(), "is not a file"),
            (lambda path: os.mkfifo(path), "is not a file"),
            (lambda path: path.symlink_to("nowhere"), "cannot be read"),
            (lambda path: path.write_bytes(b"\xff\xfe{}"), "is not UTF-8 text"),
            (lambda path: path.write_bytes(b" " * 10_000_001), "has 10000001 bytes"),
            (lambda path: path.write_bytes(b""), "JsonFormatInvalid"),
        ],
    )
    def test_what_is_no_topology(self, folder: Folder, make: Callable[[Path], None], says: str):
        folder.path.mkdir()
        folder.restart()
        make(folder.path / "a.json")
        folder.look()
        assert says in folder.problems["a"]
        assert folder.states == {}
        assert "a.json" in folder.watcher.status()

    @pytest.mark.parametrize(
        ("name", "says"),
        [("x" * 65, "65 characters"), ("a\nb", "not printable")],
    )
    def test_names_that_cannot_be(self, folder: Folder, name: str, says: str):
        folder.write(name)
        folder.restart()
        assert folder.states == {}
        assert says in folder.problems[name]

    def test_a_name_that_is_not_utf8(self, folder: Folder):
        folder.path.mkdir()
        (folder.path / "a\udcff.json").write_text(GOOD)
        folder.restart()
        assert folder.states == {}
        assert list(folder.problems) == ["a\\xff"]
        assert "is not UTF-8" in folder.problems["a\\xff"]
        (folder.path / "a\udcff.json").unlink()
        folder.look()
        assert folder.workflows.files() == []

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
    def test_a_file_that_may_not_be_read(self, folder: Folder):
        path = folder.write("a")
        path.chmod(0)
        folder.restart()
        assert "cannot be read" in folder.problems["a"]
        path.chmod(0o644)
        folder.look(RETRY_LOOKS)
        assert folder.states == {"a": "Active"}

    def test_a_name_that_was_registered_by_hand(self, folder: Folder):
        mine = folder.workflows.add("a", GOOD)
        folder.write("a", bound_to("file/"))
        folder.restart()
        assert folder["a"] == mine
        assert "added by hand" in folder.problems["a"]
        folder.workflows.delete(mine.id)
        folder.look(RETRY_LOOKS)
        assert folder.problems == {}
        assert folder["a"].prefix == "file/"
        with pytest.raises(InvalidInputError, match="exists already"):
            folder.workflows.add("a", GOOD)

    def test_a_fault_of_an_activity_type(self, folder: Folder):
        def faulty(text: str) -> graph.Graph:
            if "fault" in text:
                raise ZeroDivisionError("a bug")
            return parsed(text)

        folder.workflows = Workflows(folder.store, faulty)
        folder.write("a", '"fault"')
        folder.write("b")
        folder.restart()
        assert folder.states == {"b": "Active"}
        assert "ZeroDivisionError" in folder.problems["a"]

    def test_status_names_a_few(self, folder: Folder):
        for number in range(8):
            folder.write(f"w{number}", BROKEN)
        folder.restart()
        assert "w0.json, w1.json, w2.json, w3.json, w4.json and 3 more" in folder.watcher.status()


class TestTheThread:
    def test_it_notices_changes_until_it_stops(self, folder: Folder):
        folder.write("a")
        watcher = WorkflowFiles(folder.workflows, folder.path, period=0.01)
        watcher.start()
        assert folder.states == {"a": "Active"}
        folder.write("b")
        wait_for(lambda: folder.states.get("b") == "Active")
        (folder.path / "a.json").unlink()
        wait_for(lambda: folder.states["a"] == "Inactive")
        watcher.stop()
        folder.write("c")
        time.sleep(0.1)
        assert "c" not in folder.states

    def test_stopping_what_never_started(self, folder: Folder):
        folder.watcher.stop()

    def test_a_store_that_fails_for_a_while(self, folder: Folder, caplog: pytest.LogCaptureFixture):
        failing = False

        def parse(text: str) -> graph.Graph:
            if failing:
                raise MediaflowError("InternalError", "The store failed.")
            return parsed(text)

        workflows = Workflows(folder.store, parse)
        watcher = WorkflowFiles(workflows, folder.path, period=0.01)
        watcher.start()
        failing = True
        folder.write("a")
        wait_for(lambda: "The store failed" in watcher.status())
        time.sleep(0.1)
        failing = False
        wait_for(lambda: watcher.status() == "")
        watcher.stop()
        assert folder.states == {"a": "Active"}
        assert len([m for m in caplog.messages if "The store failed" in m]) == 1

    def test_a_store_that_fails_at_the_start(self, folder: Folder):
        def failing(text: str) -> graph.Graph:
            raise MediaflowError("InternalError", "The store failed.")

        folder.write("a")
        with pytest.raises(MediaflowError, match="The store failed"):
            WorkflowFiles(Workflows(folder.store, failing), folder.path).start()

    def test_two_watchers_of_one_folder(self, folder: Folder, tmp_path: Path):
        other = Store.open(f"sqlite:///{tmp_path}/mediaflow.db")
        catalogs = [Workflows(store, parsed) for store in (folder.store, other)]
        watchers = [WorkflowFiles(one, folder.path, period=0.005) for one in catalogs]
        for watcher in watchers:
            watcher.start()
        for number in range(10):
            folder.write(f"w{number}")
        wait_for(lambda: len(folder.states) == 10)
        for number in range(0, 10, 2):
            (folder.path / f"w{number}.json").unlink()
        wait_for(lambda: len(folder.workflows.files()) == 5)
        wait_for(lambda: list(folder.states.values()).count("Inactive") == 5)
        for watcher in watchers:
            watcher.stop()
            assert watcher.status() == ""
        other.close()
        assert folder.problems == {}


def test_looking_at_many_files_is_cheap(folder: Folder):
    folder.path.mkdir()
    for number in range(300):
        (folder.path / f"w{number}.json").write_text(bound_to(f"{number}/"))
    folder.restart()
    assert len(folder.states) == 300
    began = time.perf_counter()
    folder.look(10)
    assert (time.perf_counter() - began) / 10 < 0.1
