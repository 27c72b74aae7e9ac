"""A folder of topologies: files that are broken, and the thread that looks at it."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.topologies import minimal, text
from tests.support.waiting import wait_for
from tests.support.workflow_folder import BROKEN, GOOD, Folder, bound_to, parsed
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.errors import InvalidInputError, MediaflowError
from workflow_engine.planning import graph
from workflow_engine.service.workflow_files import RETRY_LOOKS, WorkflowFiles
from workflow_engine.store import Store


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
