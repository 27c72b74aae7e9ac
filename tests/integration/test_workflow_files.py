"""A folder of topologies and the workflows that it makes, on a real store."""

import shutil
from pathlib import Path

import pytest

from tests.support.places import EXAMPLES
from tests.support.workflow_folder import GOOD, Folder, bound_to
from workflow_engine.errors import InvalidInputError
from workflow_engine.records.catalog import TriggerMode, WorkflowState
from workflow_engine.service.workflow_files import RETRY_LOOKS


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
