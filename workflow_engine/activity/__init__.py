"""The contract between the engine and activity types: all that a type of your own needs.

An activity type is one class: its `parameters` model, `plan` (pure: parameters and input to a
`Step`), and `run` (does the step in a private directory and says which files it made). The
engine owns everything around it: order, states, content keys, reuse, publishing. It finds the
classes by the entry points of the group `mediaflow.activities`; that is also how a package of
your own adds a type: `docs/activities.md`. `workflow_engine.testing` runs one type on one file.
"""

from workflow_engine.activity.base import (
    Activity,
    Binding,
    GraphRule,
    Role,
)
from workflow_engine.activity.graphs import (
    GraphNode,
    GraphView,
    TemplateLookup,
    no_templates,
)
from workflow_engine.activity.plans import (
    Composite,
    Neighbourhood,
    PlanContext,
    PlannedOutput,
    SideInput,
    SideInputFacts,
    Skip,
    Step,
)
from workflow_engine.activity.registry import (
    Registry,
    load_registry,
)
from workflow_engine.activity.retry import (
    RetryPolicy,
)
from workflow_engine.activity.runs import (
    ActivityContext,
    ActivityResult,
    Artifact,
    DescribeMedia,
    Effect,
    Finding,
    KeepPredictions,
    Produced,
    Publish,
    SetCover,
    read_nothing,
)
from workflow_engine.errors import (
    ActivityError,
    Code,
    InstallationError,
    InterruptedRunError,
    InvalidInputError,
    MediaflowError,
    Problem,
    Severity,
    Transient,
    pointer_to,
)
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    Figure,
    Json,
    ObjectRef,
    Output,
    Prediction,
    StepResult,
    Work,
)
from workflow_engine.topology.placeholders import (
    Names,
    check_key,
    decode_object,
    placeholders_in,
    unknown_placeholders,
)
from workflow_engine.topology.places import (
    BucketName,
)
from workflow_engine.topology.wire import (
    Boolean,
    Choice,
    ClockTime,
    JsonArray,
    JsonObject,
    Number,
    Text,
    WireModel,
    shown,
    wire_error,
)

__all__ = [
    "Activity",
    "ActivityContext",
    "ActivityError",
    "ActivityRecord",
    "ActivityResult",
    "ActivityState",
    "Artifact",
    "Binding",
    "Boolean",
    "BucketName",
    "Choice",
    "ClockTime",
    "Code",
    "Composite",
    "DescribeMedia",
    "Digests",
    "Effect",
    "ExecutionRecord",
    "ExecutionState",
    "Figure",
    "Finding",
    "GraphNode",
    "GraphRule",
    "GraphView",
    "InstallationError",
    "InterruptedRunError",
    "InvalidInputError",
    "Json",
    "JsonArray",
    "JsonObject",
    "KeepPredictions",
    "MediaflowError",
    "Names",
    "Neighbourhood",
    "Number",
    "ObjectRef",
    "Output",
    "PlanContext",
    "PlannedOutput",
    "Prediction",
    "Problem",
    "Produced",
    "Publish",
    "Registry",
    "RetryPolicy",
    "Role",
    "SetCover",
    "Severity",
    "SideInput",
    "SideInputFacts",
    "Skip",
    "Step",
    "StepResult",
    "TemplateLookup",
    "Text",
    "Transient",
    "WireModel",
    "Work",
    "check_key",
    "decode_object",
    "load_registry",
    "no_templates",
    "placeholders_in",
    "pointer_to",
    "read_nothing",
    "shown",
    "unknown_placeholders",
    "wire_error",
]
