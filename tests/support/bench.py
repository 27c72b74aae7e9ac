"""An engine on a temporary directory with fake activities, for tests of execution."""

import json
from pathlib import Path
from typing import Any

from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionRecord
from workflow_engine.settings import load_settings
from workflow_engine.testing import FakeRegistry


class Bench:
    """An engine on a temporary directory, with fakes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fakes = FakeRegistry()
        self.input = path / "clip.txt"
        self.input.write_text("content ")
        self.engine = Engine(
            load_settings(None), output_dir=path / "outputs", registry=self.fakes.registry
        )
        self.out = path / "outputs" / "out"

    @property
    def ran(self) -> list[tuple[str, ...]]:
        return sorted(self.fakes.ran.calls)

    def run(
        self,
        works: dict[str, dict[str, Any]],
        edges: dict[str, list[str]] | None = None,
        **options: Any,
    ) -> ExecutionRecord:
        activities = {name: {"Type": "Work", "Parameters": p} for name, p in works.items()}
        start = {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "in"}}}
        value = {
            "Activities": {"start": start, **activities, "report": {"Type": "Report"}},
            "Dependencies": edges
            or {"start": list(works), **{name: ["report"] for name in works}, "report": []},
        }
        topology = self.path / "flow.json"
        topology.write_text(json.dumps(value))
        workflow = self.engine.load(topology)
        source = self.engine.open_input(workflow, str(self.input))
        self.fakes.ran.calls.clear()
        return self.engine.run(workflow, source, executor=InlineExecutor(), **options)


def states(record: ExecutionRecord) -> dict[str, str]:
    return {activity.name: str(activity.state) for activity in record.activities}
