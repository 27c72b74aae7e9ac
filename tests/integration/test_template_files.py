"""Templates that files define: in the store while they are watched, and beside a topology."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.topologies import minimal, text
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError, TopologyError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ActivityState, ExecutionRecord
from workflow_engine.records.catalog import TemplateState
from workflow_engine.service.workflow_files import TemplateFiles, WorkflowFiles
from workflow_engine.settings import Settings

SMALL = {"Video": {"Codec": "H.264", "Width": "160"}}
MARK = {"Name": "Corner mark", "Config": {"Width": "0.1"}}


class Folder:
    """A folder of workflows and templates, an engine, and what watches the folder."""

    def __init__(self, home: Path) -> None:
        self.path = home / "workflows"
        self.templates = self.path / "templates"
        self.templates.mkdir(parents=True)
        buckets = {name: {"path": home / name} for name in ("uploads", "out")}
        (home / "uploads").mkdir()
        settings = Settings.model_validate(
            {
                "store": {"url": f"sqlite:///{home}/store.db"},
                "workflows": {"dir": self.path},
                "buckets": buckets,
            }
        )
        self.engine = Engine(settings)
        self.watcher = self.watch()

    def watch(self) -> WorkflowFiles:
        """Watch anew, as the next process does."""
        self.watcher = WorkflowFiles(
            self.engine.workflows,
            self.path,
            templates=TemplateFiles(self.engine.file_templates, self.templates),
        )
        self.watcher.scan()
        return self.watcher

    def look(self) -> None:
        self.watcher.scan()
        self.watcher.scan()

    def write(self, template_id: str, content: Any) -> Path:
        """Replace a file as git does."""
        new = self.templates / ".new"
        new.write_text(content if isinstance(content, str) else json.dumps(content))
        return new.replace(self.templates / f"{template_id}.json")

    def workflow(self, template_id: str, name: str = "w") -> Path:
        path = self.path / f"{name}.json"
        path.write_text(topology(template_id))
        return path

    def width(self, template_id: str = "small") -> Any:
        found = self.engine.custom_template(template_id)
        return found and str(found["Video"]["Width"])

    @property
    def problems(self) -> dict[str, str]:
        return {one.name: one.problem for one in self.engine.file_templates.files() if one.problem}


def topology(template_id: str) -> str:
    return text(minimal()).replace("S00000001-200020", template_id)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    folder = Folder(tmp_path)
    with closing(folder.engine):
        yield folder


class TestWatched:
    def test_the_name_of_the_file_is_the_id(self, folder: Folder):
        folder.write("small", SMALL)
        folder.write("corner", MARK)
        folder.look()
        small, corner = folder.engine.templates.get("small"), folder.engine.watermark_templates
        assert (small.name, small.content["Container"]) == ("small", {"Format": "mp4"})
        assert corner.get("corner").name == "Corner mark"
        assert folder.watcher.status() == ""

    def test_what_templates_show_is_what_a_file_may_hold(self, folder: Folder):
        answer = {"Id": "x", "State": "Normal", "CreationTime": "2026-01-01T00:00:00Z", **SMALL}
        folder.write("small", answer)
        folder.look()
        assert folder.width() == "160"

    def test_a_workflow_may_name_one_that_came_with_it(self, folder: Folder):
        folder.write("small", SMALL)
        folder.workflow("small")
        folder.look()
        assert folder.engine.workflows.find("w").topology == topology("small")
        assert folder.watcher.status() == ""

    def test_a_change_counts_and_a_restart_changes_nothing(self, folder: Folder):
        folder.write("small", SMALL)
        folder.look()
        before = folder.engine.templates.get("small")
        folder.watch()
        assert folder.engine.templates.get("small") == before
        folder.write("small", {"Video": {"Width": "320"}})
        folder.look()
        assert folder.width() == "320"
        assert folder.engine.templates.get("small").created == before.created

    @pytest.mark.parametrize(
        ("name", "content", "problem"),
        [
            ("small", "{", ":1:2: InvalidParameter.JsonFormatInvalid"),
            ("small", [], "does not hold a JSON object"),
            ("small", {"Video": {"Width": "wide"}}, ":1:21: InvalidParameter.NumberFormatInvalid"),
            ("small", {"Config": {"Width": "wide"}}, ":1:22: InvalidParameter"),
            ("small", {"Config": "no JSON"}, ":1:12: InvalidParameter.JsonObjectFormatInvalid"),
            ("small", {**MARK, **SMALL}, "(/Video) Write Name and Config only."),
            ("small", {"Name": "a\x01", **SMALL}, "(/Name)"),
            ("S00000001-200020", SMALL, "is that of a preset"),
            ("a,b", SMALL, "has commas"),
            ("x" * 65, SMALL, "is longer than 64 bytes"),
        ],
    )
    def test_a_broken_file_is_told_and_changes_nothing(
        self, folder: Folder, name: str, content: Any, problem: str
    ):
        folder.write("small", SMALL)
        folder.look()
        folder.write(name, content)
        folder.look()
        assert problem in folder.problems[name]
        assert f"{name}.json" in folder.watcher.status()
        assert folder.width() == "160"
        (folder.templates / f"{name}.json").unlink()
        folder.write("small", SMALL)
        folder.look()
        assert folder.problems == {} and folder.watcher.status() == ""

    def test_the_template_belongs_to_the_file(self, folder: Folder):
        folder.write("small", SMALL)
        folder.look()
        templates = folder.engine.templates
        for change in (
            lambda: templates.update("small", "other", SMALL),
            lambda: templates.delete("small"),
        ):
            with pytest.raises(InvalidInputError, match="belongs to the file") as caught:
                change()
            assert "Change or remove the file." in str(caught.value)

    def test_what_was_added_by_hand_stays(self, folder: Folder):
        by_hand = folder.engine.templates.add("mine", SMALL)
        folder.write(by_hand.id, {"Video": {"Width": "320"}})
        folder.look()
        assert "added by hand" in folder.problems[by_hand.id]
        (folder.templates / f"{by_hand.id}.json").unlink()
        folder.look()
        assert folder.engine.templates.get(by_hand.id) == by_hand

    def test_of_two_folders_each_keeps_its_own(self, folder: Folder, tmp_path: Path):
        """Two services may share a store."""
        folder.write("small", SMALL)
        folder.look()
        other = tmp_path / "other"
        other.mkdir()
        (other / "small.json").write_text(json.dumps({"Video": {"Width": "320"}}))
        (other / "large.json").write_text(json.dumps({"Video": {"Width": "320"}}))
        second = TemplateFiles(folder.engine.file_templates, other)
        second.scan()
        assert (folder.width("small"), folder.width("large")) == ("160", "320")
        assert "defines the template" in folder.problems["small"]
        folder.watch()
        assert (folder.width("small"), folder.width("large")) == ("160", "320")
        (folder.templates / "small.json").unlink()
        folder.look()
        TemplateFiles(folder.engine.file_templates, other).scan()
        assert folder.width("small") == "320"


class TestRemoved:
    def test_new_uses_are_refused_until_it_comes_back(self, folder: Folder):
        path = folder.write("small", SMALL)
        folder.look()
        path.unlink()
        folder.look()
        assert folder.engine.templates.get("small").state is TemplateState.DELETED
        with pytest.raises(TopologyError, match="no template"):
            folder.engine.parse(topology("small"))
        folder.write("small", SMALL)
        folder.look()
        assert folder.engine.templates.get("small").state is TemplateState.NORMAL
        assert folder.engine.parse(topology("small"))

    def test_while_nobody_watched(self, folder: Folder):
        path = folder.write("small", SMALL)
        folder.look()
        path.unlink()
        folder.watch()
        assert folder.width() is None

    def test_a_missing_folder_removes_nothing(self, folder: Folder):
        folder.write("small", SMALL).rename(folder.path / "kept")
        (folder.path / "kept").rename(folder.templates / "small.json")
        folder.look()
        folder.templates.rename(folder.path / "elsewhere")
        folder.look()
        assert "template files is missing" in folder.watcher.status()
        assert folder.width() == "160"

    def test_what_was_accepted_runs_to_its_end(self, folder: Folder, clip: Path):
        path = folder.write("small", SMALL)
        folder.workflow("small")
        folder.look()
        workflow = folder.engine.workflows.find("w")
        key = workflow.prefix + "clip.mp4"
        target = folder.engine.settings.buckets["uploads"].path / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(clip.read_bytes())
        ref = folder.engine.buckets.parse(f"oss://uploads/{key}")
        waiting = folder.engine.submit(workflow, ref)
        path.unlink()
        folder.look()
        claim = folder.engine.store.queue.claim(waiting.run_id, owner="test", lease_seconds=600)
        assert_succeeded(folder.engine.runs.run_claimed(claim, executor=InlineExecutor()))


def assert_succeeded(record: ExecutionRecord) -> None:
    assert {one.state for one in record.activities} == {ActivityState.SUCCESS}, [
        one.message for one in record.activities
    ]


class TestBeside:
    """`run` and `plan` need no service that has seen the file."""

    def test_a_topology_knows_the_templates_beside_it(self, folder: Folder):
        folder.write("small", SMALL)
        assert folder.engine.load(folder.workflow("small"))

    def test_a_broken_one_is_named(self, folder: Folder):
        path = folder.write("small", {"Video": {"Width": "wide"}})
        with pytest.raises(TopologyError, match="cannot be used") as caught:
            folder.engine.load(folder.workflow("small"))
        (problem,) = caught.value.problems
        assert str(path) in problem.message and problem.pointer.endswith("/TemplateId")

    @pytest.mark.parametrize("template_id", ["../w", "..", ".new", "small/x", "", "small.json"])
    def test_ids_are_no_paths(self, folder: Folder, template_id: str):
        folder.write("small", SMALL)
        (folder.path / "w.json").write_text(json.dumps(SMALL))
        with pytest.raises(TopologyError):
            folder.engine.load(folder.workflow(template_id, "other"))
