"""One activity type on one file: planned, run and published by a real engine in one folder."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_engine.activity import Activity
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.planning.graph import Workflow
from workflow_engine.planning.plan import Planned
from workflow_engine.records import ActivityRecord
from workflow_engine.settings import load_settings
from workflow_engine.testing.fakes import FakeStart

_BUCKET = "uploads"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a type made of a file: its plan, its record, and where its outputs lie."""

    planned: Planned
    record: ActivityRecord

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The published files, in the order of the record."""
        return tuple(Path(output.place) for output in self.record.outputs)


def try_activity(
    activity: Activity[Any],
    parameters: Mapping[str, Any],
    file: Path,
    folder: Path,
    *,
    start: Activity[Any] | None = None,
) -> Trial:
    """Run a type on a file, whose key is its name in the bucket `uploads`.

    `parameters` are those of a topology. What is kept lies in `folder`: a second trial there
    finds the step of the first one. Buckets are folders of `folder/"buckets"`, side inputs
    included. `start` looks at the file; by default nothing does, and its media info is empty.

    Raises TopologyError for parameters that do not fit, ActivityError for a file that `start`
    refuses. That the activity itself fails is in its record.
    """
    first = start or FakeStart()
    topology = {
        "Activities": {
            "start": {
                "Type": first.type_name,
                "Parameters": {
                    "PipelineId": "0" * 32,
                    "InputFile": {"Bucket": _BUCKET, "Location": "local", "ObjectPrefix": ""},
                },
            },
            "activity": {"Type": activity.type_name, "Parameters": parameters},
        },
        "Dependencies": {"start": ["activity"], "activity": []},
    }
    engine = Engine(
        load_settings().kept_in(folder / "data"),
        output_dir=folder / "buckets",
        registry={first.type_name: first, activity.type_name: activity},
    )
    with closing(engine):
        workflow = Workflow(name="trial", graph=engine.parse(json.dumps(topology)))
        source = engine.open_input(workflow, str(file))
        plan = engine.plan(workflow, source)
        (planned,) = [one for one in plan.activities if one.node.name == "activity"]
        execution = engine.run(workflow, source, executor=InlineExecutor())
    return Trial(planned=planned, record=execution.activity("activity"))
