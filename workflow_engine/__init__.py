"""The engine: topology, graph, plan, execution, store. It knows nothing of ffmpeg.

This package is the face for embedding; `workflow_engine.activity` is that for activity types of
your own, `workflow_engine.listening` that for listeners. Everything else may change. Names are
loaded when they are first used, so that `import workflow_engine` costs nothing.

>>> from pathlib import Path
>>> from workflow_engine import Engine, InlineExecutor, load_settings
>>> engine = Engine(load_settings(), output_dir=Path("out"))
>>> workflow = engine.load(Path("examples/topologies/minimal.json"))
>>> source = engine.open_input(workflow, "clip.mp4")
>>> record = engine.run(workflow, source, executor=InlineExecutor())
>>> str(record.state)
'Completed'
>>> engine.close()
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from workflow_engine.engine import Engine
    from workflow_engine.errors import (
        ActivityError,
        Code,
        DuplicateExecutionError,
        InstallationError,
        InterruptedRunError,
        InvalidInputError,
        LeaseLostError,
        MediaflowError,
        Problem,
        SettingsError,
        Severity,
        StoreError,
        TopologyError,
    )
    from workflow_engine.executor.inline import InlineExecutor
    from workflow_engine.executor.prefect_flow import PrefectExecutor
    from workflow_engine.planning.graph import Graph, Workflow
    from workflow_engine.planning.plan import Plan, Planned
    from workflow_engine.records import (
        ActivityRecord,
        ActivityState,
        Digests,
        ExecutionKind,
        ExecutionRecord,
        ExecutionState,
        FailedAttempt,
        ObjectRef,
        Output,
        Progress,
        StepResult,
    )
    from workflow_engine.run.cancellation import Cancellation
    from workflow_engine.run.journal import Observer
    from workflow_engine.run.runner import Executor
    from workflow_engine.run.source import Source
    from workflow_engine.settings import Settings, load_settings

_HOMES = {
    "engine": ("Engine",),
    "errors": (
        "ActivityError",
        "Code",
        "DuplicateExecutionError",
        "InstallationError",
        "InterruptedRunError",
        "InvalidInputError",
        "LeaseLostError",
        "MediaflowError",
        "Problem",
        "SettingsError",
        "Severity",
        "StoreError",
        "TopologyError",
    ),
    "executor.inline": ("InlineExecutor",),
    "executor.prefect_flow": ("PrefectExecutor",),
    "planning.graph": (
        "Graph",
        "Workflow",
    ),
    "planning.plan": (
        "Plan",
        "Planned",
    ),
    "records": (
        "ActivityRecord",
        "ActivityState",
        "Digests",
        "ExecutionKind",
        "ExecutionRecord",
        "ExecutionState",
        "FailedAttempt",
        "ObjectRef",
        "Output",
        "Progress",
        "StepResult",
    ),
    "run.cancellation": ("Cancellation",),
    "run.journal": ("Observer",),
    "run.runner": ("Executor",),
    "run.source": ("Source",),
    "settings": (
        "Settings",
        "load_settings",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ActivityError",
    "ActivityRecord",
    "ActivityState",
    "Cancellation",
    "Code",
    "Digests",
    "DuplicateExecutionError",
    "Engine",
    "ExecutionKind",
    "ExecutionRecord",
    "ExecutionState",
    "Executor",
    "FailedAttempt",
    "Graph",
    "InlineExecutor",
    "InstallationError",
    "InterruptedRunError",
    "InvalidInputError",
    "LeaseLostError",
    "MediaflowError",
    "ObjectRef",
    "Observer",
    "Output",
    "Plan",
    "Planned",
    "PrefectExecutor",
    "Problem",
    "Progress",
    "Settings",
    "SettingsError",
    "Severity",
    "Source",
    "StepResult",
    "StoreError",
    "TopologyError",
    "Workflow",
    "__version__",
    "load_settings",
]


if not TYPE_CHECKING:  # type checkers would take any name for one of the package

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return version("mediaflow")
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
