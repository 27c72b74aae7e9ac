"""The engine: topology, graph, plan, execution, store. It knows nothing of ffmpeg.

This is the public API; everything else may change. Names are loaded when they are first used,
so that `import workflow_engine` costs nothing.

    from workflow_engine import Engine, InlineExecutor, load_settings

    engine = Engine(load_settings(), output_dir=Path("out"))
    workflow = engine.load(Path("examples/topologies/minimal.json"))
    source = engine.open_input(workflow, "clip.mp4")
    record = engine.run(workflow, source, executor=InlineExecutor())
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflow_engine.activity import Activity, ActivityContext, ActivityResult, Step
    from workflow_engine.api.access import check_local
    from workflow_engine.engine import Engine
    from workflow_engine.errors import (
        ActivityError,
        Code,
        InvalidInputError,
        MediaflowError,
        Problem,
        SettingsError,
        StoreError,
        TopologyError,
    )
    from workflow_engine.executor.inline import InlineExecutor
    from workflow_engine.ingest.intake import Intake
    from workflow_engine.messages.sqs import sqs_client
    from workflow_engine.planning.graph import Workflow
    from workflow_engine.records import (
        ActivityRecord,
        ActivityState,
        ExecutionRecord,
        ExecutionState,
        ObjectRef,
        Output,
    )
    from workflow_engine.records.ingest import ListenerRecord, Notice
    from workflow_engine.settings import Settings, load_settings
    from workflow_engine.settings.models import BucketSettings, SqsEvents

_HOMES = {
    # running workflows
    "engine": ("Engine",),
    "planning.graph": ("Workflow",),
    "executor.inline": ("InlineExecutor",),
    "settings": ("Settings", "load_settings"),
    # what comes back
    "records": (
        "ActivityRecord",
        "ActivityState",
        "ExecutionRecord",
        "ExecutionState",
        "ObjectRef",
        "Output",
    ),
    # what can go wrong
    "errors": (
        "ActivityError",
        "Code",
        "InvalidInputError",
        "MediaflowError",
        "Problem",
        "SettingsError",
        "StoreError",
        "TopologyError",
    ),
    # what lands in buckets, for listeners
    "ingest.intake": ("Intake",),
    "records.ingest": ("ListenerRecord", "Notice"),
    "settings.models": ("BucketSettings", "SqsEvents"),
    "messages.sqs": ("sqs_client",),
    "api.access": ("check_local",),
    # activity types of your own
    "activity": ("Activity", "ActivityContext", "ActivityResult", "Step"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Activity",
    "ActivityContext",
    "ActivityError",
    "ActivityRecord",
    "ActivityResult",
    "ActivityState",
    "BucketSettings",
    "Code",
    "Engine",
    "ExecutionRecord",
    "ExecutionState",
    "InlineExecutor",
    "Intake",
    "InvalidInputError",
    "ListenerRecord",
    "MediaflowError",
    "Notice",
    "ObjectRef",
    "Output",
    "Problem",
    "Settings",
    "SettingsError",
    "SqsEvents",
    "Step",
    "StoreError",
    "TopologyError",
    "Workflow",
    "check_local",
    "load_settings",
    "sqs_client",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
