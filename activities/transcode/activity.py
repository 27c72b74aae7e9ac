"""The Transcode activity: check, plan, run, verify.

The way of an output through the rooms: `model` is what a user may say of it, and `rules` what is
wrong with that. `resolve` makes numbers of it for one `source`, with the filters of its
`features`: a rendition, of which `command` makes ffmpeg processes. `result` looks at the files
and names them. Specification: topology, 4.2; transcode.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, cast

from activities import ffmpeg, fonts
from activities.packaging.package import STREAM_FIELDS, packages
from activities.packaging.rules import problems as package_problems
from activities.packaging.streams import StreamKind
from activities.packaging.subtitle_files import run_subtitles
from activities.packaging.subtitle_stream import (
    SubtitleJob,
    forecast_subtitles,
    renamed_subtitles,
)
from activities.predictions import predictions
from activities.templates import find, presets, wire_form
from activities.templates.watermark import WaterMarkConfig
from activities.transcode import encode
from activities.transcode import plan as planning
from activities.transcode.command.encoder import AUDIO_ENCODERS, VIDEO_ENCODERS
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.exhibits import exhibits
from activities.transcode.features import registry as stages
from activities.transcode.model.naming import with_extension
from activities.transcode.model.output import TranscodeParameters
from activities.transcode.model.settings import settings_of
from activities.transcode.result.finish import renamed
from activities.transcode.rules import check
from activities.transcode.rules.documents import CustomTemplate
from activities.transcode.rules.stream import stream_output_problems
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Effect,
    Exhibit,
    Finding,
    GraphRule,
    GraphView,
    KeepPredictions,
    Neighbourhood,
    PlanContext,
    Role,
    SideInput,
    Skip,
    Step,
    StepResult,
    TemplateLookup,
)
from workflow_engine.errors import ActivityError, InvalidInputError, Problem
from workflow_engine.records import ExecutionKind, Json, ObjectRef
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel


class Transcode(Activity[TranscodeParameters]):
    """Makes renditions of the input: one or more outputs, encoded or remuxed."""

    type_name = "Transcode"
    role = Role.RENDITION
    job_kind = ExecutionKind.TRANSCODE
    parameters = TranscodeParameters
    documents: ClassVar[Mapping[str, type[WireModel]]] = {
        "Template": CustomTemplate,
        "WaterMarkTemplate": WaterMarkConfig,
    }
    version = 8
    graph_rules: ClassVar[tuple[GraphRule, ...]] = (package_problems, stream_output_problems)

    def presets(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the presets of MPS."""
        return {template.id: wire_form(template) for template in presets().values()}

    def check(
        self, parameters: TranscodeParameters, neighbourhood: Neighbourhood
    ) -> Iterator[Problem]:
        """Yield what `check.problems` finds."""
        return check.problems(parameters, neighbourhood)

    def override_fault(self, name: str, parameter: str, graph: GraphView) -> str:
        """Only subtitle streams read what OverrideParams replace, each of its own protocol."""
        protocol = "hls" if parameter in STREAM_FIELDS["hls"] else "dash"
        for package in packages(graph):
            stream = package.stream(name)
            if stream and (stream.protocol, stream.kind) == (protocol, StreamKind.SUBTITLES):
                return ""
        return f'The activity "{name}" is not a subtitle stream of a package of "{protocol}".'

    def destinations(self, parameters: TranscodeParameters) -> Iterator[ObjectRef]:
        """The names of the outputs, without extensions and segment numbers."""
        if parameters.output_bucket and not parameters.packaged:
            for output in parameters.outputs:
                yield ObjectRef(bucket=parameters.output_bucket, object=output.output_object)

    def object_names(
        self, parameters: TranscodeParameters, templates: TemplateLookup
    ) -> Iterator[ObjectRef]:
        """The names of the outputs with the extensions of their containers."""
        named = parameters.output_bucket and not parameters.packaged
        for output in parameters.outputs if named else ():
            try:
                container = settings_of(output, find(output.template_id, templates)).container
            except InvalidInputError:  # a template that is gone, which the run will tell
                continue
            append = parameters.append_extension
            name = with_extension(output.output_object, container, append=append)
            yield ObjectRef(bucket=parameters.output_bucket or "", object=name)

    def job_count(self, parameters: TranscodeParameters) -> int:
        """A job for each output; the stream of a package is one."""
        return len(parameters.outputs) or 1

    def examine(self) -> Iterator[Finding]:
        """Look for the encoders, the filters that not every ffmpeg has, packager and fonts."""
        encoders = (VIDEO_ENCODERS | AUDIO_ENCODERS).values()
        yield from ffmpeg.ffmpeg_findings(dict.fromkeys(encoders), ("ass", "drawtext", "zscale"))
        yield ffmpeg.packager_finding()
        yield fonts.font_finding()

    def tools(self) -> Mapping[str, str]:
        """Return the version of ffmpeg, whose encoders shape every output."""
        return {"ffmpeg": ffmpeg.versions()["ffmpeg"]}

    def reads(self, parameters: TranscodeParameters, context: PlanContext) -> Iterator[SideInput]:
        """Yield what the outputs read beside the input; see `stages.READERS`."""
        return planning.reads(parameters, context)

    def describe(self, side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
        """Look at a side input; see `stages.HANDLERS`."""
        return stages.describe(side_input, context)

    def plan(self, parameters: TranscodeParameters, context: PlanContext) -> Step | Skip:
        """Resolve every output; see `planning.plan`."""
        return planning.plan(parameters, context)

    def forecast(self, step: Step, context: PlanContext) -> ActivityResult | None:
        """Return what a stream of a package will probably be, for the lists over all streams."""
        if isinstance(step.resolved, SubtitleJob):
            return forecast_subtitles(step.resolved)
        stream = planning.forecast_stream(_jobs(step)[0])
        return ActivityResult(data={"Stream": stream.to_json()}) if stream else None

    def renamed(self, step: Step, finished: StepResult) -> Sequence[ObjectRef]:
        """Name the files of an equal step; see `finish.renamed`."""
        if isinstance(step.resolved, SubtitleJob):
            return renamed_subtitles(step.resolved)
        return renamed(_jobs(step), finished)

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Encode every output of the step, all onepass ones in one process."""
        if isinstance(step.resolved, SubtitleJob):
            return run_subtitles(step.resolved, context)
        (result,) = encode.run([(_jobs(step), context)])
        if isinstance(result, ActivityError):
            raise result
        return result

    def run_shared(
        self, members: Sequence[tuple[Step, ActivityContext]]
    ) -> list[ActivityResult | ActivityError]:
        """Encode several steps in one process; each reports the progress of that process."""
        return encode.run([(_jobs(step), context) for step, context in members])

    def effects(self, result: StepResult) -> Iterable[Effect]:
        """Keep what an Analysis foretold of the outputs."""
        if found := predictions(result):
            yield KeepPredictions(predictions=found)

    def artifacts(self, result: StepResult) -> Iterable[Exhibit]:
        """Show players, pictures, tables and the rate over time; see `exhibits`."""
        return exhibits(result)

    def shared_commands(self, steps: Sequence[Step], names: Names) -> tuple[tuple[str, ...], ...]:
        """Return the one command for all outputs of several steps."""
        jobs = [job for step in steps for job in _jobs(step)]
        return planning.all_commands(jobs, names.source_name)

    def taking(self, step: Step, files: Mapping[str, str], names: Names) -> Step:
        """Mux what is encoded already; see `planning.taking`."""
        return planning.taking(step, files, names)

    def outline(self, steps: Sequence[Step]) -> Iterator[str]:
        """Say which outputs are encoded and which are muxed, where there are such."""
        return planning.outline([job for step in steps for job in _jobs(step)])


def _jobs(step: Step) -> tuple[RenditionJob, ...]:
    if isinstance(step.resolved, SubtitleJob):
        return ()
    return cast("tuple[RenditionJob, ...]", step.resolved)
