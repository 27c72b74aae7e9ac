"""What the stages of an output may look at: the request, its time, the picture, the sound.

A stage is a pure function in a module of its own: it gets a scene and returns the filters that
it adds. `features/registry.py` lists them in the order of the specification (transcode, 4).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from activities.probe import AudioStream, MediaInfo
from activities.probe.colour import Colour
from activities.transcode.command.filters import CommandInput, Filter
from activities.transcode.command.rendition import AudioEncoding, Size
from activities.transcode.model.settings import OutputSettings
from activities.transcode.source.segments import JoinedInputs
from workflow_engine.activity import PlanContext, SideInput, SideInputFacts, TemplateLookup
from workflow_engine.errors import Problem
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import Names


@dataclass(frozen=True, kw_only=True)
class OutputRequest:
    """One output for one input: what was asked for, and what is known of the input.

    A stream of a `packaged` output is played beside others, so that it begins when the film does.
    """

    settings: OutputSettings
    media: MediaInfo
    context: PlanContext
    packaged: bool = False

    @property
    def names(self) -> Names:
        """The values of the placeholders."""
        return self.context.names

    @property
    def source(self) -> ObjectRef:
        """The input object."""
        return self.context.source

    @property
    def side_inputs(self) -> Mapping[SideInput, SideInputFacts]:
        """What is known of the side inputs that the stages asked for."""
        return self.context.side_inputs


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The time of an output, in seconds.

    `origin` is how the source is opened; its picture and its sound begin `start` seconds after
    those of the file. `duration` is how long the output will be, None when nobody knows; `exact`
    is false where it may be less. `shown` is how long its picture will be. `joined` is what the
    source is joined with.
    """

    origin: CommandInput
    start: float
    duration: float | None
    exact: bool
    shown: float | None
    joined: JoinedInputs | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The picture at its final size and shape, behind Pad; `rate` is the output's.

    `sar` is the shape of its pixels, `colour` what its samples mean.
    """

    request: OutputRequest
    timeline: Timeline
    size: Size
    sar: Fraction
    rate: Fraction
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class SoundScene:
    """The sound of the source as it is decoded; `encoding` is how it will be encoded.

    Without `stream` the source has none, and the line begins with silence.
    """

    request: OutputRequest
    timeline: Timeline
    stream: AudioStream | None
    encoding: AudioEncoding


PictureStage = Callable[[Scene], Iterable[Filter]]
SoundStage = Callable[[SoundScene], Iterable[Filter]]
SideInputReader = Callable[[OutputRequest], Iterable[SideInput]]
Check = Callable[[OutputSettings, TemplateLookup], Iterable[Problem]]
