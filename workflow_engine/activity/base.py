"""The base class of activity types."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from workflow_engine.activity.graphs import GraphView, TemplateLookup
from workflow_engine.activity.plans import (
    Composite,
    Neighbourhood,
    PlanContext,
    SideInput,
    Skip,
    Step,
)
from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.activity.runs import (
    ActivityContext,
    ActivityResult,
    Effect,
    Exhibit,
    Finding,
)
from workflow_engine.errors import ActivityError, Problem
from workflow_engine.records import ExecutionKind, Json, ObjectRef, StepResult
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel

P = TypeVar("P", bound=WireModel)

#: what is wrong with a topology as a whole; pointers are those of the topology
GraphRule = Callable[[GraphView], Iterable[Problem]]


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a Start says of the runs of its workflow.

    Objects of `bucket` whose keys begin with `prefix` (decoded) start them; `location` is that of
    the bucket. They wait in the pipeline with the id `pipeline`. `queue` or `topic`, at most one
    of both, is told how they go.
    """

    bucket: str
    prefix: str = ""
    location: str = ""
    pipeline: str = ""
    queue: str = ""
    topic: str = ""


class Role(StrEnum):
    """What an activity is for in a graph, by the names of the specification (topology, 3)."""

    #: does something with the input; most types
    WORK = "work"
    #: looks at the input; a graph has exactly one, and begins with it
    START = "Start"
    #: judges the input for those behind it
    ANALYSIS = "Analysis"
    #: makes renditions: outputs of its own, or the streams of a package
    RENDITION = "Transcode"
    #: runs last, whatever happened; a graph has at most one
    REPORT = "Report"


class Activity(ABC, Generic[P]):
    """One activity type. Instances are stateless and shared between threads."""

    #: the name in topologies
    type_name: ClassVar[str]
    #: other spellings that topologies use
    aliases: ClassVar[tuple[str, ...]] = ()
    #: what it is for in a graph
    role: ClassVar[Role] = Role.WORK
    #: whether it only says something of those behind it: it does no work, and they are planned
    #: with what follows the activities before it
    declares: ClassVar[bool] = False
    #: whether it makes something of the results of all before it, and again when those are new
    gathers: ClassVar[bool] = False
    #: rules about the whole of a topology that has activities of the type; one that several types
    #: name is applied once
    graph_rules: ClassVar[tuple[GraphRule, ...]] = ()
    #: the model of `Parameters`
    parameters: type[P]
    #: models of the documents that the type owns beside its parameters, by name
    documents: ClassVar[Mapping[str, type[WireModel]]] = {}
    #: part of the content key: raise it when the same parameters give other bytes
    version: ClassVar[int] = 1
    #: whether a finished step may stand in for a later one with the same content key
    reusable: ClassVar[bool] = True
    #: which jobs of the API it is known by in workflows; None: it has none
    job_kind: ClassVar[ExecutionKind | None] = None
    #: what the names of inputs end with that may be made of further objects, in lower case; asked
    #: of the Start
    composites: ClassVar[tuple[str, ...]] = ()
    #: what the names of such objects often end with, behind a number
    numbered_parts: ClassVar[tuple[str, ...]] = ()
    #: when to try again after an error that is `transient`; None: as `[retry]` says
    retry: ClassVar[RetryPolicy | None] = None

    def presets(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the built-in templates by id: their sections, in wire form, and their Name."""
        return {}

    def check(self, parameters: P, neighbourhood: Neighbourhood) -> Iterable[Problem]:
        """Yield problems that need the graph; pointers are relative to `Parameters`."""
        return ()

    def override_fault(self, name: str, parameter: str, graph: GraphView) -> str:
        """Return why one run must not replace a parameter of the activity `name`, else "".

        OverrideParams replace `WebVTTSubtitleURL` and `InputConfig` only. The reason is a sentence.
        """
        return f'The activity "{name}" is not a subtitle stream: it has no {parameter}.'

    def binding(self, parameters: P) -> Binding | None:
        """Return what starts the workflow; asked of the Start, which has one.

        Raises InvalidInputError; its pointer is relative to `Parameters`.
        """
        return None

    def composite(self, document: Path) -> Composite | None:
        """Return what an input is made of; asked of the Start. None: it is a file by itself.

        It is asked of inputs with the names of `composites`. Raises ActivityError for one that
        names what it must not.
        """
        return None

    def join(self, parts: Mapping[str, Path], context: ActivityContext) -> Path:
        """Make one file of a composite input in `context.work`; asked of the Start.

        `context.source` is the input, `parts` has a file for each of `Composite.parts`. What all
        activities of the run get as their source is the file returned. Raises as `run` does.
        """
        raise NotImplementedError(f"{self.type_name} has no composite inputs")

    def destinations(self, parameters: P) -> Iterable[ObjectRef]:
        """Yield bucket and object template of everything the activity may write."""
        return ()

    def object_names(self, parameters: P, templates: TemplateLookup) -> Iterable[ObjectRef]:
        """Yield `destinations` whose names are whole: with the extensions that templates give."""
        return self.destinations(parameters)

    def job_count(self, parameters: P) -> int:
        """Return how many jobs of `job_kind` it is known by: one for each output, at least one."""
        return 1

    def tools(self) -> Mapping[str, str]:
        """Return name and version of every program that shapes the outputs."""
        return {}

    def examine(self) -> Iterable[Finding]:
        """Check what the activity needs of the machine."""
        return ()

    def reads(self, parameters: P, context: PlanContext) -> Iterable[SideInput]:
        """Yield what else the activity reads for this input. Pure.

        It is asked again with the answers in `context.side_inputs`, until it names nothing new: so
        a list that is read may name further objects. Raises as `plan` does.
        """
        return ()

    def describe(self, side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
        """Return what planning must know of a side input; `context.source` is its file.

        Raises ActivityError when it is not what it should be.
        """
        return {}

    @abstractmethod
    def plan(self, parameters: P, context: PlanContext) -> Step | Skip:
        """Resolve the parameters for one input. Pure.

        Raises ActivityError when this input cannot be handled (the activity will `Fail`).
        """

    def forecast(self, step: Step, context: PlanContext) -> ActivityResult | None:
        """Return what `run` would probably give, for a plan that runs nothing."""
        return None

    def artifacts(self, result: StepResult) -> Iterable[Exhibit]:
        """Yield what there is to show beside the activity once it succeeded, reused or not. Pure.

        The page of an execution draws all of it, the Prefect UI what it can. `Output`s are named by
        their positions in `result.outputs`.
        """
        return ()

    def effects(self, result: StepResult) -> Iterable[Effect]:
        """Yield what success changes in the media library, reused or not. Pure."""
        return ()

    def publishes_renditions(self, parameters: P) -> bool:
        """Whether the media is published as soon as a rendition is there; asked of the Report."""
        return False

    def renamed(self, step: Step, finished: StepResult) -> Sequence[ObjectRef]:
        """Return the names under which `step` publishes the outputs of an equal finished step.

        One for each of `finished.outputs`, in their order.
        """
        return [planned.ref for planned in step.outputs]

    @abstractmethod
    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Do the step. Raises ActivityError.

        It is called again, with another work directory, when the error is `transient`.
        """

    def run_shared(
        self, members: Sequence[tuple[Step, ActivityContext]]
    ) -> Sequence[ActivityResult | ActivityError]:
        """Do several steps of equal `share` in one process; results in the members' order.

        A member that fails by itself has its error in the place of its result. Raises
        ActivityError when the process failed of itself: the engine then runs each alone.
        """
        raise NotImplementedError(f"{self.type_name} does not set Step.share")

    def shared_commands(self, steps: Sequence[Step], names: Names) -> tuple[tuple[str, ...], ...]:
        """Return what `run_shared` would start for these steps, for showing. Pure."""
        raise NotImplementedError(f"{self.type_name} does not set Step.share")

    def taking(self, step: Step, files: Mapping[str, str], names: Names) -> Step:
        """Return a step that has some of its `streams` from files of finished outputs.

        `files` are their names in the work directory, by the names of the streams. Pure.
        """
        raise NotImplementedError(f"{self.type_name} does not set Step.streams")

    def outline(self, steps: Sequence[Step]) -> Iterable[str]:
        """Yield a line for each thing that one process, or each step alone, does for these steps.

        For showing, where it is more than what commands and outputs tell. Pure.
        """
        return ()
