"""What an activity type plans with, and what it plans."""

import json
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

from workflow_engine.activity.graphs import GraphView, TemplateLookup, no_templates
from workflow_engine.errors import ActivityError, Code, Problem
from workflow_engine.records import Digests, Json, ObjectRef, StepResult, Work
from workflow_engine.topology.placeholders import Names


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
class Composite:
    """An input that is made of further objects, such as the segments of a playlist.

    `parts` are their names relative to the folder of the input, each once. `unfinished` says that
    parts are still to come: a clause about the input, without a full stop; empty where all of them
    are named.
    """

    parts: tuple[str, ...]
    unfinished: str = ""


@dataclass(frozen=True, kw_only=True)
class PlanContext:
    """The input of one run, as far as planning needs it.

    `upstream` maps a type to the result of the nearest ancestor of that type, for those that
    have one; `results` has those of all ancestors that succeeded, by their names, and `skipped`
    names the ancestors that a rule left out. `graph` is the whole topology. `side` holds what
    `Activity.reads` asked for. `composite` is set for an input that is made of further objects,
    whose content `digests` cover, too.
    """

    activity: str
    source: ObjectRef
    digests: Digests
    names: Names
    upstream: Mapping[str, StepResult]
    templates: TemplateLookup = no_templates
    side_inputs: Mapping[SideInput, SideInputFacts] = field(
        default_factory=dict[SideInput, SideInputFacts]
    )
    composite: Composite | None = None
    graph: GraphView = field(default_factory=GraphView)
    results: Mapping[str, StepResult] = field(default_factory=dict[str, StepResult])
    skipped: Collection[str] = ()

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
    Steps of one type with the same `share` can run as one process with one decode; `parts` is what
    such a process does for a step, and equal parts of several steps are done once. `streams` is
    what shapes the bytes of each elementary stream that the step makes and could also have from a
    finished output, by names of the activity's own; see `Activity.taking`. `work` is how much it is
    to do, by parts that count once in a process that several steps share; without it the step is
    taken to do as much as all of its type. `resolved` is the activity's own and passes through the
    engine untouched.
    """

    outputs: tuple[PlannedOutput, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    identity: Mapping[str, Json] = field(default_factory=dict[str, Json])
    consumes: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    share: str = ""
    parts: tuple[Hashable, ...] = ()
    streams: Mapping[str, Json] = field(default_factory=dict[str, Json])
    work: Mapping[Hashable, Work] = field(default_factory=dict[Hashable, Work])
    resolved: object = None


@dataclass(frozen=True, kw_only=True)
class Skip:
    """The activity does not apply to this input, by rule; `reason` is one sentence."""

    reason: str
