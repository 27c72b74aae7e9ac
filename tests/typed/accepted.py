"""Uses of the three public faces that a strict type checker accepts; see test_typed_faces.py."""

from pathlib import Path

import workflow_engine
from workflow_engine import (
    ActivityRecord,
    ActivityState,
    Cancellation,
    Engine,
    ExecutionRecord,
    InlineExecutor,
    MediaflowError,
    Observer,
    Plan,
    Progress,
    Settings,
    load_settings,
)
from workflow_engine.activity import Activity, Registry, WireModel, load_registry
from workflow_engine.listening import Intake, Notice
from workflow_engine.testing import Trial, try_activity


class Watcher:
    """An observer."""

    def activity_changed(self, record: ActivityRecord) -> None:
        """Take the new state of an activity."""

    def progressed(self, name: str, progress: Progress) -> None:
        """Take the progress of an activity."""


def embed(file: Path) -> tuple[str, Plan, list[str]]:
    settings: Settings = load_settings()
    engine = Engine(settings, output_dir=Path("out"))
    watcher: Observer = Watcher()
    running: list[Cancellation] = []
    workflow = engine.load(file)
    source = engine.open_input(workflow, "clip.mp4")
    plan = engine.plan(workflow, source)
    try:
        record: ExecutionRecord = engine.run(
            workflow,
            source,
            executor=InlineExecutor(),
            observers=[watcher],
            on_start=running.append,
        )
    except MediaflowError as error:
        return error.at("/x").about("The file").code, plan, []
    finally:
        engine.close()
    good = [one for one in record.activities if one.state is ActivityState.SUCCESS]
    return workflow_engine.__version__, plan, [place.place for one in good for place in one.outputs]


def listen(intake: Intake) -> None:
    intake.note([Notice(bucket="uploads", key="a.mp4", source="mine")])


def types() -> list[str]:
    registry: Registry = load_registry()
    return [activity.type_name for activity in registry.values()]


def attempt(activity: Activity[WireModel], folder: Path) -> Trial:
    return try_activity(activity, {"A": "1"}, folder / "a.txt", folder)
