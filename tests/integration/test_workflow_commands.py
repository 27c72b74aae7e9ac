"""`workflow` and `execution` on the command line, with what they print."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.test_workflows import executed, refuses
from tests.support.places import EXAMPLES
from tests.support.topologies import minimal, text
from workflow_engine import cli
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError, TopologyError
from workflow_engine.records import ExecutionState, ObjectRef, new_id
from workflow_engine.service.workflow_files import WorkflowFiles
from workflow_engine.settings import load_settings

GOOD = text(minimal())


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    engine = Engine(load_settings(None))
    yield engine
    engine.close()


class CommandLine:
    """Calls `mediaflow` in this process."""

    err = ""

    def __call__(self, *arguments: str | Path) -> str:
        """Return what a command printed."""
        ended = CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        self.err = ended.stderr
        return ended.stdout

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def mediaflow(engine: Engine) -> CommandLine:
    return CommandLine()


class TestWorkflowCommands:
    def test_from_adding_to_deleting(self, mediaflow: CommandLine, engine: Engine):
        path = EXAMPLES / "minimal.json"
        added = mediaflow.json("workflow", "add", "a", path, "--trigger-mode", "NotInAuto")
        assert added == {
            "MediaWorkflowId": engine.workflows.find("a").id,
            "Name": "a",
            "Topology": path.read_text(),
            "State": "Active",
            "TriggerMode": "NotInAuto",
            "CreationTime": added["CreationTime"],
            "File": "",
            "Problem": "",
        }
        with refuses(Code.INVALID_STATE):
            mediaflow("workflow", "update", "a", EXAMPLES / "ladder.json")
        assert mediaflow.json("workflow", "deactivate", "a")["State"] == "Inactive"
        updated = mediaflow.json("workflow", "update", "a", EXAMPLES / "ladder.json")
        assert updated["Topology"] == (EXAMPLES / "ladder.json").read_text()
        mode = mediaflow.json("workflow", "trigger-mode", "a", "OssAutoTrigger")
        assert mode["TriggerMode"] == "OssAutoTrigger"
        assert mediaflow.json("workflow", "activate", added["MediaWorkflowId"])["Name"] == "a"
        assert mediaflow.json("workflow", "show", "a")["State"] == "Active"
        topology = mediaflow("workflow", "show", "a", "--topology")
        assert json.loads(topology) == json.loads((EXAMPLES / "ladder.json").read_text())
        assert "Deleted" in mediaflow("workflow", "delete", "a")
        assert mediaflow.json("workflow", "list") == []
        (deleted,) = mediaflow.json("workflow", "list", "--state", "deleted")
        assert deleted["MediaWorkflowId"] == added["MediaWorkflowId"]

    def test_list(self, mediaflow: CommandLine, engine: Engine):
        assert mediaflow("workflow", "list") == "no workflows yet\n"
        for name in ("a", "b", "c"):
            engine.workflows.add(name, GOOD)
        assert [w["Name"] for w in mediaflow.json("workflow", "list", "--limit", "2")] == ["c", "b"]
        lines = mediaflow("workflow", "list").splitlines()
        assert [line.split()[-1] for line in lines] == ["c", "b", "a"]

    def test_a_topology_with_problems_names_its_file(self, mediaflow: CommandLine, tmp_path: Path):
        path = tmp_path / "t.json"
        path.write_text(GOOD.replace("S00000001-200020", "nonsense"))
        with pytest.raises(TopologyError) as caught:
            mediaflow("workflow", "add", "a", path)
        assert str(caught.value).startswith(f"{path}:")

    def test_warnings_of_a_topology(self, mediaflow: CommandLine, tmp_path: Path):
        path = tmp_path / "t.json"
        path.write_text(text(minimal() | {"Comment": "x"}))
        mediaflow("workflow", "add", "a", path)
        assert f"{path}:" in mediaflow.err and '"Comment"' in mediaflow.err

    def test_files_with_problems(self, mediaflow: CommandLine, engine: Engine, tmp_path: Path):
        folder = tmp_path / "workflows"
        folder.mkdir()
        (folder / "good.json").write_text(GOOD)
        (folder / "never.json").write_text("{")
        WorkflowFiles(engine.workflows, folder).scan()
        (folder / "good.json").write_text("[]")
        WorkflowFiles(engine.workflows, folder).scan()
        engine.workflows.add("mine", GOOD)

        never, mine, good = mediaflow.json("workflow", "list")
        assert never.keys() == good.keys() == mine.keys()
        assert (never["Name"], never["MediaWorkflowId"]) == ("never", "")
        assert never["File"] == str(folder / "never.json")
        assert never["Problem"].startswith(f"{folder / 'never.json'}:1:")
        assert (good["State"], good["File"]) == ("Active", str(folder / "good.json"))
        assert "not a JSON object" in good["Problem"]
        assert (mine["File"], mine["Problem"]) == ("", "")

        listed = mediaflow("workflow", "list")
        assert listed.splitlines()[0] == f"{folder / 'never.json'} is not in force"
        assert "not a JSON object" in listed
        assert "not a JSON object" in mediaflow("workflow", "show", "good")
        active = mediaflow.json("workflow", "list", "--state", "Active")
        assert [w["Name"] for w in active] == ["mine", "good"]
        with refuses(Code.INVALID_STATE) as caught:
            mediaflow("workflow", "update", "good", folder / "never.json")
        assert "Change the file." in str(caught.value)

        (folder / "good.json").unlink()
        WorkflowFiles(engine.workflows, folder).scan()
        assert mediaflow("workflow", "list").endswith(f"good  ({folder / 'good.json'}, gone)\n")


class TestExecutionCommands:
    def test_filters_of_list(self, mediaflow: CommandLine, engine: Engine):
        first = executed(engine, 0)
        second = executed(engine, 1, workflow="other", state=ExecutionState.COMPLETED)
        third = executed(engine, 2, input=ObjectRef(bucket="uploads", object="b.mp4"))

        def listed(*options: str) -> list[str]:
            return [e["RunId"] for e in mediaflow.json("execution", "list", *options)]

        assert listed() == [third.run_id, second.run_id, first.run_id]
        assert listed("--limit", "1") == [third.run_id]
        assert listed("--workflow", "ladder") == [third.run_id, first.run_id]
        assert listed("--workflow", "ladder", "--limit", "1") == [third.run_id]
        assert listed("--state", "completed") == [second.run_id]
        assert listed("--input", "oss://uploads/a b.mp4") == [second.run_id, first.run_id]
        assert listed("--input", "oss://uploads/a b.mp4", "--state", "Queued") == [first.run_id]
        assert mediaflow("execution", "list", "--workflow", "x") == "no such executions\n"
        with refuses(Code.INVALID):
            mediaflow("execution", "list", "--input", "clip.mp4")

    def test_cancel(self, mediaflow: CommandLine, engine: Engine):
        waiting = executed(engine, 0)
        cancelled = mediaflow.json("execution", "cancel", waiting.run_id)
        assert (cancelled["State"], cancelled["Code"]) == ("Fail", "Cancelled")
        with refuses(Code.INVALID_STATE):
            mediaflow("execution", "cancel", waiting.run_id)
        with refuses(Code.RESOURCE_NOT_FOUND):
            mediaflow("execution", "cancel", "0" * 32)
        assert "is cancelled" in mediaflow("execution", "cancel", executed(engine, 1).run_id)
        running = replace(executed(engine, 2), run_id=new_id(), state=ExecutionState.RUNNING)
        engine.store.queue.add_claimed(running, owner="someone", lease_seconds=60)
        assert "within seconds" in mediaflow("execution", "cancel", running.run_id)

    def test_report(self, mediaflow: CommandLine, engine: Engine, tmp_path: Path):
        path = tmp_path / "report.json"
        path.write_text('{"Totals": {"Success": 3}}')
        done = executed(engine, 0, state=ExecutionState.COMPLETED, report=str(path))
        assert mediaflow("execution", "report", done.run_id) == f"{path}\n"
        assert mediaflow.json("execution", "report", done.run_id) == {"Totals": {"Success": 3}}
        path.write_text("<html>")
        with refuses(Code.RESOURCE_CONTENT_BAD):
            mediaflow.json("execution", "report", done.run_id)
        path.unlink()
        with pytest.raises(InvalidInputError, match="not there any more"):
            mediaflow("execution", "report", done.run_id)
        ended = executed(engine, 1, state=ExecutionState.FAIL)
        with pytest.raises(InvalidInputError, match="ended without a report"):
            mediaflow("execution", "report", ended.run_id)
        with pytest.raises(InvalidInputError, match="not made its report yet"):
            mediaflow("execution", "report", executed(engine, 2).run_id)
        with refuses(Code.RESOURCE_NOT_FOUND):
            mediaflow("execution", "report", "0" * 32)
