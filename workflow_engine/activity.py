"""The contract between the engine and the activities, and their registry.

An activity type is one class: its `parameters` model, `plan` (pure: parameters and input to a
`Step`), and `run` (does the step in a private directory and says which files it made). The
engine owns everything around it: order, states, content keys, reuse, publishing. It finds the
classes by the entry points of the group `mediaflow.activities`; that is also how a package of
your own adds a type.
"""

import json
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from workflow_engine.errors import ActivityError, Code, InstallationError, Problem
from workflow_engine.placeholders import Names
from workflow_engine.records import Digests, ExecutionRecord, Json, ObjectRef, StepResult
from workflow_engine.retry import RetryPolicy
from workflow_engine.topology.wire import WireModel

P = TypeVar("P", bound=WireModel)

ENTRY_POINT_GROUP = "mediaflow.activities"

#: from an id to a custom template as it was added, None when there is none: Name and sections, or
#: Name and Config of a watermark
TemplateLookup = Callable[[str], Mapping[str, Json] | None]


def read_nothing(name: str) -> "Mapping[SideInput, SideInputFacts]":
    """Return {}: what is read beside the input where no activity reads anything."""
    return {}


def no_templates(template_id: str) -> Mapping[str, Json] | None:
    """Return None: the lookup of a place without custom templates."""
    return None


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """What an activity may know of the graph when its parameters are checked."""

    name: str
    ancestor_types: Collection[str]
    templates: TemplateLookup = no_templates


@dataclass(frozen=True, kw_only=True)
class SideInput:
    """An object that an activity reads beside its input, or its input looked at more closely.

    `kind` is the activity's own word for what it wants to know, `query` holds the details:
    `Activity.describe` gets both.
    """

    ref: ObjectRef
    kind: str
    query: Mapping[str, Json] = field(default_factory=dict[str, Json], hash=False)

    @property
    def identity(self) -> str:
        """What content keys hold of it beside the object's content: kind and query."""
        if not self.query:
            return self.kind
        return f"{self.kind} {json.dumps(dict(self.query), sort_keys=True)}"


@dataclass(frozen=True, kw_only=True)
class SideInputFacts:
    """A side input as it was found: its content, and what `Activity.describe` says of it.

    `name` is its file in the work directory, made of its content: equal files have one name.
    """

    name: str
    digests: Digests
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, kw_only=True)
class PlanContext:
    """The input of one run, as far as planning needs it.

    `upstream` maps a type to the result of the nearest ancestor of that type, for those that
    have one. `side` holds what `Activity.reads` asked for.
    """

    activity: str
    source: ObjectRef
    digests: Digests
    names: Names
    upstream: Mapping[str, StepResult]
    templates: TemplateLookup = no_templates
    side: Mapping[SideInput, SideInputFacts] = field(
        default_factory=dict[SideInput, SideInputFacts]
    )

    def media(self) -> Mapping[str, Json]:
        """Return the media info that Start found: its result's `data`."""
        start = self.upstream.get("Start")
        if start is None:
            raise ActivityError(
                Code.RESOURCE_CONTENT_BAD, 'The resource operated "InputFile" is bad.'
            )
        return start.data


@dataclass(frozen=True, kw_only=True)
class PlannedOutput:
    """An object that a step will make. Keys keep placeholders known only later ({Count})."""

    ref: ObjectRef
    summary: str  # "mp4 1280x720 h264 1800k + aac 128k"
    size_estimate: int | None = None  # bytes


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one activity will do on one input.

    `commands` are argument vectors with paths as they will be in the work directory. `identity`
    holds the resolved parameters that shape the bytes of the outputs, and nothing else: no names
    of outputs, no user data. `consumes` lists the upstream types whose results shape them too.
    Steps of one type with the same `share` can run as one process with one decode. `resolved`
    is the activity's own and passes through the engine untouched.
    """

    outputs: tuple[PlannedOutput, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    identity: Mapping[str, Json] = field(default_factory=dict[str, Json])
    consumes: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    share: str = ""
    resolved: object = None


@dataclass(frozen=True, kw_only=True)
class Skip:
    """The activity does not apply to this input, by rule; `reason` is one sentence."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Produced:
    """A finished file in the work directory and the object that it becomes.

    `last` marks what must appear after everything it refers to: playlists, manifests, reports.
    """

    path: Path
    ref: ObjectRef
    media: Mapping[str, Json] = field(default_factory=dict[str, Json])
    last: bool = False


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something to show beside the activity: a table (list of rows), markdown or a link."""

    kind: str  # "table" | "markdown" | "link"
    title: str
    content: Json


@dataclass(frozen=True, kw_only=True)
class ActivityResult:
    """What `run` returns. `commands` are those that really ran, absolute paths included."""

    data: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outputs: tuple[Produced, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What `mediaflow doctor` says of one part of the installation."""

    name: str
    works: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class ActivityContext:
    """What a running activity may use.

    `work` is an empty private directory for this attempt. `source` is a path inside it that
    reads the input object (a link named `source` plus the extension); side inputs lie beside it
    under their `SideInputFacts.name`. `progress` takes 0 to 1
    and may be called often. Set `cancel` means: stop, kill what you started, raise
    InterruptedRunError. `slot` is held while a media process runs. `execution` returns the
    execution as it stands, and `read_by` what an activity of it read beside the input, for Report.
    """

    activity: str
    run_id: str
    work: Path
    source: Path
    names: Names
    progress: Callable[[float], None]
    cancel: threading.Event
    slot: Callable[[], AbstractContextManager[object]]
    execution: Callable[[], ExecutionRecord]
    read_by: Callable[[str], Mapping[SideInput, SideInputFacts]] = read_nothing
    log: logging.LoggerAdapter[logging.Logger]


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


@dataclass(frozen=True, kw_only=True)
class SetCover:
    """The media of the run gets a picture as its cover."""

    ref: ObjectRef


@dataclass(frozen=True, kw_only=True)
class Publish:
    """The media of the run is published, or taken back."""

    published: bool


@dataclass(frozen=True, kw_only=True)
class DescribeMedia:
    """The media of the run gets what was found out about it (specification, mediainfo, 2)."""

    properties: Mapping[str, Json]


#: what the success of an activity changes outside of its execution, in the media library
Effect = SetCover | Publish | DescribeMedia


class Role(StrEnum):
    """What an activity is for in a graph, by the names of the specification (topology, 3 and 5)."""

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
    #: begins a package
    PACKAGE = "PackageConfig"
    #: collect the streams of a package
    SUBTITLE_GROUP = "SubtitleGroup"
    AUDIO_GROUP = "AudioGroup"
    VIDEO_GROUP = "VideoGroup"
    #: ends a package
    MASTER = "GenerateMasterPlayList"


class Activity(ABC, Generic[P]):
    """One activity type. Instances are stateless and shared between threads."""

    #: the name in topologies
    type_name: ClassVar[str]
    #: other spellings that topologies use
    aliases: ClassVar[tuple[str, ...]] = ()
    #: what it is for in a graph
    role: ClassVar[Role] = Role.WORK
    #: the model of `Parameters`
    parameters: type[P]
    #: models of the documents that the type owns beside its parameters, by name
    documents: ClassVar[Mapping[str, type[WireModel]]] = {}
    #: part of the content key: raise it when the same parameters give other bytes
    version: ClassVar[int] = 1
    #: whether a finished step may stand in for a later one with the same content key
    reusable: ClassVar[bool] = True
    #: when to try again after an error that is `transient`; None: as `[retry]` says
    retry: ClassVar[RetryPolicy | None] = None

    def presets(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the built-in templates by id: their sections, in wire form, and their Name."""
        return {}

    def check(self, parameters: P, around: Neighbourhood) -> Iterable[Problem]:
        """Yield problems that need the graph; pointers are relative to `Parameters`."""
        return ()

    def binding(self, parameters: P) -> Binding | None:
        """Return what starts the workflow; asked of the Start, which has one.

        Raises InvalidInputError; its pointer is relative to `Parameters`.
        """
        return None

    def destinations(self, parameters: P) -> Iterable[ObjectRef]:
        """Yield bucket and object template of everything the activity may write."""
        return ()

    def object_names(self, parameters: P, templates: TemplateLookup) -> Iterable[ObjectRef]:
        """Yield `destinations` whose names are whole: with the extensions that templates give."""
        return self.destinations(parameters)

    def tools(self) -> Mapping[str, str]:
        """Return name and version of every program that shapes the outputs."""
        return {}

    def examine(self) -> Iterable[Finding]:
        """Check what the activity needs of the machine."""
        return ()

    def reads(self, parameters: P, context: PlanContext) -> Iterable[SideInput]:
        """Yield what else the activity reads for this input. Pure.

        It is asked again with the answers in `context.side`, until it names nothing new: so a
        list that is read may name further objects. Raises as `plan` does.
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

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Yield what there is to show beside the activity once it succeeded, reused or not."""
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

    def run_shared(self, members: Sequence[tuple[Step, ActivityContext]]) -> list[ActivityResult]:
        """Do several steps of equal `share` in one process; results in the members' order.

        Raises ActivityError when the process failed of itself: the engine then runs each alone.
        """
        raise NotImplementedError(f"{self.type_name} does not set Step.share")

    def shared_commands(self, steps: Sequence[Step], names: Names) -> tuple[tuple[str, ...], ...]:
        """Return what `run_shared` would start for these steps, for showing. Pure."""
        raise NotImplementedError(f"{self.type_name} does not set Step.share")


Registry = Mapping[str, Activity[WireModel]]


@cache
def load_registry() -> Registry:
    """Return every installed activity type by name and alias.

    Raises InstallationError when a plug-in cannot be imported or two claim one name.
    """
    registry: dict[str, Activity[WireModel]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            activity: Activity[WireModel] = entry.load()()
        except Exception as error:
            raise InstallationError(
                Code.INSTALLATION,
                f'The activity plug-in "{entry.value}" cannot be loaded: {error}.',
                remedy="Reinstall the package that provides it, or remove it.",
            ) from error
        for name in (activity.type_name, *activity.aliases):
            if name in registry:
                raise InstallationError(
                    Code.INSTALLATION,
                    f'Two packages provide the activity type "{name}".',
                    remedy="Uninstall one of them.",
                )
            registry[name] = activity
    return registry
