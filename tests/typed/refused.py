"""Uses of the public faces that a type checker refuses, each marked."""

from pathlib import Path

import workflow_engine
from workflow_engine import Engine, ExecutionRecord, InlineExecutor, load_settings
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    ObjectRef,
    PlanContext,
    Produced,
    Skip,
    Step,
    WireModel,
)
from workflow_engine.listening import Notice

EMBEDDED_ONLY = workflow_engine.Step  # refused
Engine(load_settings(), output_dir="out")  # refused
Engine(load_settings()).plan("flow.json", "clip.mp4")  # refused
load_settings("mediaflow.toml")  # refused
InlineExecutor().run()  # refused
ObjectRef("bucket", "key")  # refused
Notice(bucket="uploads", key="a.mp4")  # refused
Produced(path=Path("a"))  # refused
Skip()  # refused
Step().share = "decode"  # refused


def state_of(record: ExecutionRecord) -> str:
    record.state = record.state  # refused
    return record.status  # refused


class Parameters(WireModel):
    """Nothing."""


class Incomplete(Activity[Parameters]):
    """Neither plans nor runs."""

    type_name = "Incomplete"
    parameters = Parameters


class Wrong(Activity[Parameters]):
    """Plans and runs what no type may."""

    type_name = "Wrong"
    parameters = Parameters

    def plan(self, parameters: Parameters, context: PlanContext) -> str:  # refused
        return context.activity

    def run(self, step: Step, context: ActivityContext) -> None:  # refused
        return None


Incomplete()  # refused
made: ActivityResult = Wrong().run(Step(), None)  # refused
